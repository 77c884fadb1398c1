"""Sabotages that write a credential down where a build, or the start of the box, reads it."""

from __future__ import annotations

from pathlib import Path

from pytest_claims.sabotages import replace_in, subject_sabotage
from sabotage.other_words import told

PASSWORD = "hunt3r" + "2hunt3r"  # has the shape of one, and is none
RECIPE = "image/Dockerfile"
LAST = "\nENV CLAUDE_CONFIG_DIR="  # of the final stage
FIRST = "\nCOPY src/tier-exec.c"  # of the stage before
INDEX = f"https://robot:{PASSWORD}@packages.example.org/simple"
FILE = "config/agent.env"


def said(directory: Path, *lines: str, before: str = LAST) -> None:
    """Add lines to the recipe."""
    replace_in(directory / RECIPE, before, "\n".join(["", *lines]) + before)


@subject_sabotage("no-secret-in-build-args", "a step of the build logs in by a password in the recipe")
def password_of_a_step(directory: Path) -> None:
    """It is of the build alone, and the image's history has it."""
    said(directory, f"RUN curl -fsSo /opt/x -u robot:{PASSWORD} https://packages.example.org/x")


@subject_sabotage("no-secret-in-build-args", "the stage before clones from an address with a password in it")
def password_of_the_stage_before(directory: Path) -> None:
    """No layer of the image has it; cache and provenance have."""
    said(directory, f"RUN git clone https://robot:{PASSWORD}@git.example.org/x /x", before=FIRST)


@subject_sabotage("no-secret-in-build-args", "a script that the build mounts sends a header with a token")
def header_of_a_script(directory: Path) -> None:
    """Nothing of the script stays in the image."""
    script = directory / "image/src/hold-packages"
    ask = f'wget -qO /tmp/x --header "Authorization: Bearer {PASSWORD}" https://packages.example.org/x'
    script.write_text(f"{script.read_text()}{ask}\n")


@subject_sabotage("no-secret-in-build-args", "the address of the packages has a password for its default")
def password_of_a_default(directory: Path) -> None:
    """Its name says nothing of it."""
    said(directory, f"ARG PIP_INDEX_URL={INDEX}")


@subject_sabotage("no-secret-in-build-args", "an argument with an innocent name is what a step logs in by")
def login_of_an_argument(directory: Path) -> None:
    """Whoever builds says it, and the builder notes it."""
    said(directory, "ARG LOGIN", 'RUN curl -fsSo /opt/x -u "robot:${LOGIN}" https://packages.example.org/x')


@subject_sabotage("no-secret-in-build-args", "a step writes a file of logins and removes it again")
def logins_for_a_moment(directory: Path) -> None:
    """The step itself says what was in it."""
    line = f"machine packages.example.org login robot password {PASSWORD}"
    fetch = "curl -nfsSo /opt/x https://packages.example.org/x"
    said(directory, f"RUN printf '{line}\\n' > ~/.netrc && {fetch} && rm ~/.netrc")


@subject_sabotage("no-secret-in-build-args", "the stage before is given the settings of npm with a token")
def settings_of_the_stage_before(directory: Path) -> None:
    """The file has another name where it lies."""
    (directory / "image/src/npm").write_text(f"//registry.example.org/:_authToken={PASSWORD}\n")
    said(directory, "COPY src/npm /root/.npmrc", before=FIRST)


@subject_sabotage("no-secret-in-any-layer", "the settings of pip with a password are copied into the image")
def settings_of_pip(directory: Path) -> None:
    """With all that lies there."""
    (directory / "image/rootfs/etc/pip.conf").write_text(f"[global]\nindex-url = {INDEX}\n")


@subject_sabotage("no-secret-in-build-args", "a workflow has an action build with a token as an argument")
def token_of_a_workflow(directory: Path) -> None:
    """The pipeline keeps it as a secret, and the image does not."""
    action = "docker/build-push-action@263435318d21b8e681c14492fe198d362a7d2c83"
    options = "{context: image, build-args: 'LOGIN=${{ secrets.READ_TOKEN }}'}"
    steps = f"[{{uses: {action}, with: {options}}}]"
    text = f"on: push\njobs: {{image: {{runs-on: ubuntu-24.04, steps: {steps}}}}}\n"
    (directory / ".github/workflows/image.yml").write_text(text)


@subject_sabotage("no-secret-in-build-args", "a Makefile gives the build an address with a password in it")
def address_of_a_makefile(directory: Path) -> None:
    """The argument has an innocent name."""
    (directory / "Makefile").write_text(f"image:\n\tdocker build --build-arg PIP_INDEX_URL={INDEX} image\n")


def _variables(directory: Path) -> None:
    path = directory / FILE
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"CLAUDE_MODE=api\nANTHROPIC_API_KEY={PASSWORD}\n")


@subject_sabotage("pod-spec-holds-no-literal-token", "Compose takes a file that ships with a key in it")
def key_in_a_file_of_compose(directory: Path) -> None:
    """The Compose file itself says none."""
    _variables(directory)
    line = "    environment:\n"
    replace_in(directory / "compose.yaml", line, f"    env_file: {FILE}\n{line}")


@subject_sabotage("pod-spec-holds-no-literal-token", "a page starts the box with a file with a key in it")
def key_in_a_file_of_a_page(directory: Path) -> None:
    """So that it works at once."""
    _variables(directory)
    told(directory / "docs/running.md", f"docker run --rm --env-file {FILE} claude-in-a-box:TAG")
