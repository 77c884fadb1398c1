"""A credential that is written out is told from a place for one, in steps, files, arguments and variables."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxproof.core.process import run
from boxproof.subject.image.dockerfile import parse
from boxproof.subject.model import Subject
from suites.secrets import written_credentials

MADE = "Hunt3r" + "2Hunt3r9"  # has the shape of a password, and is none
MOUNT = "RUN --mount=type=secret,id=t"


def said(*lines: str) -> list[str]:
    """Return what is found of a recipe with these lines."""
    return written_credentials.in_recipe(parse("\n".join(["FROM a:1", *lines, ""])))


@pytest.mark.parametrize(
    "line",
    [
        f"RUN curl -u robot:{MADE} https://h/x",
        f"RUN curl --user=robot:{MADE} https://h/x",
        f"RUN wget --password={MADE} https://h/x",
        f'RUN wget --header="Authorization: Bearer {MADE}" https://h/x',
        f"RUN curl -H 'PRIVATE-TOKEN: {MADE}' https://h/x",
        f"RUN git clone https://robot:{MADE}@h/x",
        f"RUN pip install --extra-index-url https://robot:{MADE}@h/simple a",
        f"RUN printf 'machine h login robot password {MADE}\\n' > ~/.netrc",
        f'RUN echo "//r.example.org/:_authToken={MADE}" > .npmrc',
        f"RUN npm config set //r.example.org/:_authToken {MADE}",
        f"RUN docker login -u robot -p {MADE} r.example.org",
        f"RUN NPM_TOKEN={MADE} npm ci",
        f"RUN tool --api-key {MADE} get",
        f"RUN python3 -c \"h = {{'Authorization': 'token {MADE}'}}\"",
        f"RUN echo gh{'p'}_{'a' * 36} > /tmp/x",
        f"ARG PIP_INDEX_URL=https://robot:{MADE}@h/simple",
        f"ADD https://robot:{MADE}@h/x /x",
    ],
)
def test_a_step_that_says_one_is_seen_in_any_stage(line: str) -> None:
    (seen,) = said(line)
    assert MADE not in seen
    assert len(said(line, "FROM b:1", "RUN true")) == 1


@pytest.mark.parametrize(
    "line",
    [
        f'{MOUNT} curl -H "Authorization: Bearer $(cat /run/secrets/t)" https://h/x',
        f'{MOUNT},env=T curl -u "robot:$T" https://h/x',
        f"{MOUNT} T=$(cat /run/secrets/t) && git clone https://robot:$T@h/x",
        "RUN curl -u robot:changeme https://h/x",
        "RUN curl -u robot:xxxxxxxx https://h/x",
        "RUN curl -u elastic:elastic_password https://h/x",
        'RUN curl -H "Authorization: Bearer <token>" https://h/x',
        'RUN curl -H "Authorization: Bearer ${TOKEN}" https://h/x',
        'RUN curl -H "Authorization: Bearer QQ==" https://h/x',
        'RUN echo "//r.example.org/:_authToken=\\${NPM_TOKEN}" > .npmrc',
        "RUN skopeo copy docker://alpine:bookworm-2024@sha256:abc dir:x",
        "RUN useradd --password '!' -p x robot",
        "RUN docker login -u robot --password-stdin < /run/secrets/t",
        "RUN gh auth login --with-token < /run/secrets/t",
        "RUN JWT_SECRET=build-only npm run build",
        "RUN echo 'set NPM_TOKEN=your-token-123 first'",
        "RUN sed -i 's|https://[^:]*:[^@]*@|https://|' /x",
        "ENV DATABASE_URL=postgres://postgres:postgres@db/x",
        "LABEL org.opencontainers.image.url=https://h/x",
    ],
)
def test_a_place_for_one_and_what_a_mount_says_are_none(line: str) -> None:
    assert said(line) == []


@pytest.mark.parametrize(
    ("lines", "number"),
    [
        (["ARG LOGIN", 'RUN curl -u "robot:${LOGIN}" https://h/x'], 1),
        (["ARG GH", "RUN git clone https://x-access-token:$GH@h/x"], 1),
        (["ARG HOST", "RUN curl -u robot: https://$HOST/x"], 0),
        (["ARG T", f"{MOUNT},env=T curl -u robot:$T https://h/x"], 0),
        (["ARG T", f"{MOUNT} T=$(cat /run/secrets/t); curl -u robot:$T https://h/x"], 0),
        (["RUN curl -u robot:$LOGIN https://h/x", "ARG LOGIN"], 0),
    ],
)
def test_an_argument_in_the_place_of_one_is_one_whatever_it_is_called(lines: list[str], number: int) -> None:
    assert len(said(*lines)) == number


def test_an_argument_of_the_stage_before_is_one_as_well() -> None:
    lines = ["FROM a:1 AS first", "ARG L", "FROM first", "RUN curl -u robot:$L https://h/x"]
    assert len(written_credentials.in_recipe(parse("\n".join([*lines, ""])))) == 1


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        (f"machine h\nlogin robot\npassword {MADE}\n", True),
        ("machine h login robot password changeme\n", False),
        (f"[global]\nindex-url = https://robot:{MADE}@h/simple\n", True),
        ("[global]\nindex-url = https://h/simple\n", False),
        (f'npmAuthToken: "{MADE}"\n', True),
        ('npmAuthToken: "${NPM_TOKEN}"\n', False),
        ('{"auths": {"r.example.org": {"auth": "cm9ib3Q6aHVudGVy"}}}', True),
        ('{"auths": {"r.example.org": {"auth": "<base64>"}}}', False),
    ],
)
def test_settings_of_programs_say_one_in_their_own_form(text: str, seen: bool) -> None:
    assert written_credentials.in_texts({"a": text}) == (["a"] if seen else [])


@pytest.mark.parametrize(
    ("argument", "secret"),
    [
        ("NPM_TOKEN", True),
        ("NPM_TOKEN=${{ secrets.NPM }}", True),
        ("LOGIN=${{ secrets.READ_TOKEN }}", True),
        ("LOGIN=${{ github.token }}", True),
        (f"INDEX=https://robot:{MADE}@h/simple", True),
        ("REGISTRY=${{ secrets.REGISTRY_HOST }}", False),
        ("INDEX=https://h/simple", False),
        ("VERSION=1.2", False),
    ],
)
def test_an_argument_of_a_build_is_one_by_its_name_or_its_value(argument: str, secret: bool) -> None:
    assert bool(written_credentials.in_arguments([("a script", argument)])) is secret


@pytest.mark.parametrize("value", ["", "changeme", "xxx", "<token>", "${TOKEN}", "YOUR_KEY", "paste-it-here"])
def test_variables_are_told_by_name_and_value(value: str) -> None:
    text = f"MODE=api\nexport API_KEY='{MADE}'\nTOKEN_FILE=/a\nOTHER={MADE}\n"
    assert written_credentials.in_variables(text) == ["API_KEY"]
    assert written_credentials.in_variables(f"API_KEY={value}\n") == []


def box(directory: Path, *names: str) -> Subject:
    """Return a box whose Compose file, script and page name files of variables, of which some are there."""
    for name in names:
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text("A=b\n")
    services = "services: {a: {env_file: [{path: ./a.env}]}, b: {env_file: deploy/b.env}}\n"
    (directory / "compose.yaml").write_text(services)
    (directory / "start.sh").write_text('docker run --env-file "$HERE/c.env" \\\n  --env-file=.env box\n')
    (directory / "README.md").write_text("```\nkubectl create secret generic a --from-env-file d.env\n```\n")
    return Subject(directory=directory, name="box")


def named(subject: Subject) -> list[str]:
    """Return the files of variables that ship, as seen from the box's directory."""
    found = written_credentials.variable_files(subject).values()
    return sorted({str(each.relative_to(subject.directory)) for each in found})


def test_files_of_variables_are_those_that_are_named_and_there(tmp_path: Path) -> None:
    subject = box(tmp_path, "a.env", "deploy/b.env", "c.env", "d.env", "e.env", ".env")
    assert named(subject) == ["a.env", "c.env", "d.env", "deploy/b.env"]


def test_a_file_that_git_leaves_out_is_its_users_own(tmp_path: Path) -> None:
    subject = box(tmp_path, "a.env", "deploy/b.env", "c.env", "d.env")
    (tmp_path / ".gitignore").write_text("# local\n*.env\n!c.env\n")
    assert named(subject) == ["c.env"]
    (tmp_path / ".gitignore").write_text("/a.env\ndeploy/\n")
    assert named(subject) == ["c.env", "d.env"]


def test_a_hidden_file_counts_where_git_knows_it(tmp_path: Path) -> None:
    subject = box(tmp_path, ".env")
    run(["git", "-C", str(tmp_path), "init", "--quiet"], timeout=60)
    assert named(subject) == []
    run(["git", "-C", str(tmp_path), "add", "--force", ".env"], timeout=60)
    assert named(subject) == [".env"]
