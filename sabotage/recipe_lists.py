"""Sabotages of what a recipe installs by lists and locks, of who builds it, and of what it keeps."""

from __future__ import annotations

from pathlib import Path

from boxproof.deployment.sabotage_ways import as_root, image_sabotage
from pytest_claims.sabotages import replace_in, subject_sabotage

RECIPE = "image/Dockerfile"
LAST = "COPY rootfs/ /\n"  # before this, what a recipe brings more is put
NPM = "--mount=type=cache,target=/root/.npm"
PIP = "--mount=type=cache,target=/root/.cache/pip"
WORKFLOW = ".github/workflows/e2e.yml"
PROVE_STEP = "      - run: .ci/run\n"


def _before_the_last(directory: Path, lines: str) -> None:
    """Put lines into the recipe, where the image has its tools already."""
    replace_in(directory / RECIPE, f"\n{LAST}", f"\n{lines}\n{LAST}")


def _listed(directory: Path, name: str, text: str, command: str) -> None:
    """Have a RUN of the recipe install by a file of the context, which it has mounted."""
    (directory / "image" / name).write_text(text)
    mount = f"--mount=type=bind,source={name},target=/run/{name}"
    _before_the_last(directory, f"RUN {mount} {PIP} cd /run && {command}")


@subject_sabotage("ci-reproducible-build", "a lock lies in the context, and is not there when a RUN installs")
def lock_left_behind(directory: Path) -> None:
    (directory / "image/package.json").write_text('{"dependencies": {"tool": "^1.2.0"}}\n')
    (directory / "image/package-lock.json").write_text('{"lockfileVersion": 3}\n')
    _before_the_last(directory, f"COPY package.json /opt/app/\nRUN {NPM} cd /opt/app && npm install")


@subject_sabotage("ci-reproducible-build", "a RUN installs whatever there is, past the lock that it has")
def lock_gone_around(directory: Path) -> None:
    (directory / "image/package.json").write_text('{"dependencies": {"tool": "^1.2.0"}}\n')
    (directory / "image/package-lock.json").write_text('{"lockfileVersion": 3}\n')
    install = f"RUN {NPM} cd /opt/app && npm install --no-package-lock"
    _before_the_last(directory, f"COPY package.json package-lock.json /opt/app/\n{install}")


@subject_sabotage("ci-reproducible-build", "a list of exact versions names another list, of none")
def list_of_a_list(directory: Path) -> None:
    (directory / "image/base.txt").write_text("requests>=2\n")
    _listed(directory, "requirements.txt", "-r base.txt\nclick==8.1.7\n", "pip install -r requirements.txt")


@subject_sabotage("ci-reproducible-build", "a list names a branch of a repository, and a pattern")
def branch_in_a_list(directory: Path) -> None:
    text = "tool @ git+https://example.invalid/tool.git@main\nclick==8.*\n"
    _listed(directory, "requirements.txt", text, "pip install -r requirements.txt")


@subject_sabotage("ci-reproducible-build", "a project is installed with dependencies of no version")
def project_with_loose_dependencies(directory: Path) -> None:
    text = '[project]\nname = "x"\nversion = "1"\ndependencies = ["requests>=2"]\n'
    _listed(directory, "pyproject.toml", text, "pip install .")


@subject_sabotage("ci-reproducible-build", "an environment of conda names packages in no version")
def environment_of_conda(directory: Path) -> None:
    text = "name: x\ndependencies: [python=3.12.4, numpy, jq>=1.7]\n"
    _listed(directory, "environment.yml", text, "conda env create --file environment.yml")


@subject_sabotage("tool-versions-pinned", "a program comes of the latest release, by a client of its forge")
def released_by_the_day(directory: Path) -> None:
    fetch = "gh release download --repo example/x --pattern x --dir /usr/local/bin"
    _before_the_last(directory, f"RUN {fetch} && chmod 755 /usr/local/bin/x")


@subject_sabotage("ci-reproducible-build", "a RUN installs the newest version of an interpreter")
def newest_interpreter(directory: Path) -> None:
    _before_the_last(directory, "RUN . /opt/nvm/nvm.sh && nvm install --lts")


@subject_sabotage("buildkit-and-apt-cache-mounts", "a variable has pip keep nothing in its mount")
def cache_switched_off(directory: Path) -> None:
    install = f"RUN {PIP} pip install --require-hashes -r /opt/requirements.txt"
    _before_the_last(directory, f"ENV PIP_NO_CACHE_DIR=1\n{install}")


def _by_a_script(directory: Path, *commands: str) -> None:
    """Have a RUN of the recipe start a script of the context that carries commands out."""
    (directory / "image" / "setup.sh").write_text("\n".join(["#!/bin/sh", "set -eu", *commands, ""]))
    _before_the_last(directory, "RUN --mount=type=bind,source=setup.sh,target=/run/setup.sh sh /run/setup.sh")


@subject_sabotage("buildkit-and-apt-cache-mounts", "a script of the context installs, and keeps nothing")
def script_without_mounts(directory: Path) -> None:
    _by_a_script(directory, "pip install --require-hashes -r /opt/requirements.txt")


@subject_sabotage("apt-no-install-recommends", "a script of the context takes what is recommended")
def script_with_recommends(directory: Path) -> None:
    _by_a_script(directory, "apt-get update -q", "apt-get install -qy iproute2")


@subject_sabotage("apt-no-install-recommends", "an install asks for what the settings decline")
def recommends_asked_for_again(directory: Path) -> None:
    settings = "RUN echo 'APT::Install-Recommends \"false\";' > /etc/apt/apt.conf.d/99none"
    _before_the_last(directory, f"{settings}\nRUN apt-get install -qy --install-recommends iproute2")


@subject_sabotage("base-tag-pinned", "a script builds the box on what is latest")
def latest_by_a_script(directory: Path) -> None:
    text = "#!/bin/sh\nset -eu\ndocker build --build-arg BASE_IMAGE=ubuntu:latest -t box image\n"
    (directory / "build.sh").write_text(text)


@subject_sabotage("base-tag-pinned", "a script has Bake build the box on what is latest")
def latest_by_bake(directory: Path) -> None:
    (directory / "docker-bake.hcl").write_text('target "box" { context = "image" }\n')
    text = "#!/bin/sh\nset -eu\ndocker buildx bake --set '*.args.BASE_IMAGE=ubuntu:latest' box\n"
    (directory / "build.sh").write_text(text)


@subject_sabotage("base-digest-pinned", "an action of a workflow builds the box on a base by its tag alone")
def tag_alone_by_an_action(directory: Path) -> None:
    uses = f"      - uses: docker/build-push-action@{'b' * 40}\n        with:\n          context: image\n"
    told = "          build-args: |\n            BASE_IMAGE=ubuntu:24.04\n"
    replace_in(directory / WORKFLOW, PROVE_STEP, uses + told + PROVE_STEP)


@subject_sabotage("dockerignore-keeps-secrets-out", "the ignore file forgets what agents and Terraform keep")
def state_and_logins_of_agents(directory: Path) -> None:
    path = directory / "image/.dockerignore"
    gone = ("**/*.tfstate*", "**/.codex")
    path.write_text("".join(f"{each}\n" for each in path.read_text().splitlines() if each not in gone))


image_sabotage(
    "downloads_of_nvm", "apt-cleanup-same-layer", "what has installed an interpreter keeps its archive",
    dockerfile=as_root(
        "mkdir -p /home/claude/.nvm/.cache/bin/node-v22",
        "seq 9000 > /home/claude/.nvm/.cache/bin/node-v22/node.tar.xz",
    ),
)  # fmt: skip
image_sabotage(
    "updater_on_by_a_dropped_file", "claude-autoupdate-off",
    "a file beside the managed settings switches the auto-updater on",
    dockerfile=as_root(
        "mkdir -p /etc/claude-code/managed-settings.d",
        """echo '{"env": {"DISABLE_AUTOUPDATER": "0"}}' > /etc/claude-code/managed-settings.d/50.json""",
    ),
)  # fmt: skip
