"""What a build needs as a secret: the dependency comes with it alone, and it stays nowhere."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from boxproof.core.secret_values import forms, holds_secret
from boxproof.core.session import EngineInfo, ImageInfo, Session
from boxproof.fixtures.factories import Containers
from boxproof.probes.pods.helper_pods import unique
from boxproof.subject.image import build_contexts, dockerfile, secret_build, shell_commands
from boxproof.subject.image.bad_images import layered
from boxproof.subject.image.dockerfile import Recipe
from boxproof.subject.image.secret_build import Built
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope
from suites.image import build_scripts, trial_build
from suites.secrets import copied_secrets, password_server, written_credentials

pytestmark = scope("image")

BY_ARGUMENT = "ARG BOX\nFROM ${BOX}\nARG PASSWORD\nRUN true\n"
PROGRAM = "/usr/local/bin/private-tool"


@pytest.fixture
def canary() -> str:
    """A password that stands nowhere else."""
    return f"canary{secrets.token_hex(16)}"


@pytest.fixture
def values(
    canary: str, container: Containers, session: Session, image: ImageInfo, subject: Subject, tmp_path: Path
) -> dict[str, str]:
    """What fills the places of the documented command: the box, and a program behind the password."""
    if not subject.commands.private:
        pytest.skip("the subject documents no build with a secret")
    start, *words = password_server.command(canary)
    place = container(*words, image=session.probe_image, entrypoint=[start], network=session.network)
    place.wait_log(password_server.READY)
    place.made.reload()
    address = place.made.attrs["NetworkSettings"]["Networks"][session.network]["IPAddress"]
    netrc = tmp_path / "netrc"
    netrc.write_text(password_server.netrc(address, canary))
    url = f"http://{address}:{password_server.PORT}/private-tool"
    return {"image": image.reference, "netrc": str(netrc), "password": canary, "url": url}


WORKS = require("it builds, and the dependency runs", lambda found: found == password_server.SAYS)
REFUSES = require("it does not build", lambda found: found == "no build")
NOWHERE = require("the secret stands nowhere", lambda found: found == [])


@claim("secret-mount-works")
def test_the_dependency_comes_with_the_secret_and_only_with_it(
    subject: Subject, values: dict[str, str], container: Containers, engine: EngineInfo, docker: Any
) -> None:
    command = secret_build.fill(subject.commands.private, values)

    def built(how: str, words: list[str]) -> str:
        """Return what the dependency says in the image, or that none is built; an observation."""
        with secret_build.temporary(docker, unique("boxproof-private")) as tag:
            done = secret_build.build(engine, words, tag, cwd=subject.directory)
            ran = container(image=tag, entrypoint=[PROGRAM], start=False).run() if done.ok else None
            return observe("builds", how, (ran.output.strip() if ran else "no build"))

    with control("with the secret it builds"):
        REFUSES.fails(built("with the secret", command))
    REFUSES(built("without it", secret_build.without_secret(command)))
    with control("with a wrong password it does not"):
        wrong = Path(values["netrc"])
        right, name = wrong.read_text(), values["password"]
        wrong.write_text(right.replace(name, "wrong"))
        WORKS.fails(built("with a wrong password", command))
        wrong.write_text(right)
    WORKS(built("with the secret, again", command))


def everywhere(engine: EngineInfo, docker: Any, tag: str, built: Built, canary: str) -> list[str]:
    """Return where a secret stands, in any form: what is told of an image, and its layers; an observation."""
    texts = secret_build.told(docker, tag, built)
    found = [where for where, text in texts.items() if holds_secret(text, canary)]
    layers = secret_build.in_layers(engine, tag, *(each.encode() for each in forms(canary)))
    return observe("the secret stands in", tag, sorted({*found, *(f"layer {each}" for each in layers)}))


@claim("no-secret-in-build-args")
@needs("command:private")
def test_the_secret_stays_nowhere(
    subject: Subject,
    values: dict[str, str],
    engine: EngineInfo,
    docker: Any,
    session: Session,
    tmp_path: Path,
) -> None:
    canary = values["password"]
    with control("a build argument is seen in history and record"):
        (tmp_path / "Dockerfile").write_text(BY_ARGUMENT)
        given = ["--build-arg", f"BOX={values['image']}", "--build-arg", f"PASSWORD={canary}"]
        with secret_build.temporary(docker, unique("boxproof-argument")) as tag:
            words = ["docker", "buildx", "build", *given, str(tmp_path)]
            built = secret_build.build(engine, words, tag, cwd=tmp_path)
            seen = NOWHERE.fails(everywhere(engine, docker, tag, built, canary))
            assert {"history", "the builder's record"} <= set(seen)
    for what, kept in {
        "as it is": canary,
        "in base64": base64.b64encode(f"x:{canary}".encode()).decode(),
    }.items():
        deleted = [{"root/.netrc": kept.encode()}, {"root/.wh..netrc": b""}]
        with (
            control(f"a deleted file with it, {what}, is seen in its layer"),
            layered(docker, deleted, run=session.run) as made,
        ):
            NOWHERE.fails(everywhere(engine, docker, made, Built(True, "", ""), canary))
    command = secret_build.fill(subject.commands.private, values)
    with secret_build.temporary(docker, unique("boxproof-private")) as tag:
        built = secret_build.build(engine, command, tag, cwd=subject.directory)
        assert built.ok, built.said[-800:]
        NOWHERE(everywhere(engine, docker, tag, built, canary))


NOT_COPIED = require(
    "no step copies a file into a layer that is there for secrets", lambda found: found == []
)
COPIES = (
    "COPY .env /app/", "COPY package.json .npmrc ./", 'ADD [".claude.json", "/root/"]',
    "COPY settings/login.json /home/node/.claude/.credentials.json", "COPY .env* /app/",
)  # fmt: skip


@claim("no-secret-in-any-layer")
@needs("dockerfile")
def test_no_file_of_secrets_is_copied_into_a_layer(subject: Subject, tmp_path: Path) -> None:
    """Whether it is there or not: it is its user's own, and not excluded from what the builder is sent."""

    def copied(asked: str, recipe: Recipe, context: Path, ignored: str = "") -> list[str]:
        return observe("files of secrets copied", asked, copied_secrets.found(recipe, context, ignored))

    with control("variables, settings of npm, a login by its place, and one by a pattern are seen"):
        for each in COPIES:
            NOT_COPIED.fails(copied(each, dockerfile.parse(f"FROM a:1\n{each}\n"), tmp_path))
    context = subject.directory / subject.image.context
    NOT_COPIED(copied("the Dockerfile", dockerfile.of(subject), context, trial_build.ignored(subject)))


NOT_SAID = require(
    "no step, and no file that one writes or gets, says a credential; none logs in by an argument",
    lambda found: found == [],
)
LOGS_IN: dict[str, str] = {  # by what the canary is filled in for
    "an option": "RUN curl -u robot:{} https://example.org/x",
    "an address": "RUN git clone https://robot:{}@example.org/x",
    "an argument's default": "ARG PIP_INDEX_URL=https://robot:{}@example.org/simple",
    "an argument": "ARG LOGIN\nRUN curl --user robot:$LOGIN https://example.org/{}",
    "a header in a script": "COPY get /\nRUN sh /get {}",
}
WRITES = "FROM a:1\nCOPY <<END /root/.netrc\nmachine example.org login robot password {}\nEND\n"
KEEPS = "FROM a:1 AS first\nCOPY npmrc /root/.npmrc\nFROM b:1\nCOPY --from=first /x /x\n"


@claim("no-secret-in-build-args")
@needs("dockerfile")
def test_no_step_of_a_build_says_a_credential(subject: Subject, tmp_path: Path, canary: str) -> None:
    """What it says is in the provenance, and what a stage is given in the cache: a builder's stage too."""

    def said(asked: str, text: str, context: Path, ignored: str = "", more: Sequence[Path] = ()) -> list[str]:
        recipe, texts = dockerfile.parse(text), build_scripts.found(text, [context, *more])
        steps = written_credentials.in_recipe(build_scripts.spelled_out(recipe, texts))
        files = written_credentials.in_texts(shell_commands.here_document_files(text))
        held = copied_secrets.held(recipe, context, ignored)
        return observe("credentials in a build", asked, [*steps, *files, *held])

    (tmp_path / "get").write_text(f"wget --header 'Authorization: Bearer {canary}' https://example.org/x\n")
    with control("options, addresses, defaults, arguments, and scripts that a step carries out, are seen"):
        for what, line in LOGS_IN.items():
            NOT_SAID.fails(said(what, f"FROM a:1\n{line.format(canary)}\n", tmp_path))
    with control("a file that a recipe writes, and one that its first stage gets, are seen"):
        (tmp_path / "npmrc").write_text(f"//registry.example.org/:_authToken={canary}\n")
        NOT_SAID.fails(said("a file in the recipe", WRITES.format(canary), tmp_path))
        NOT_SAID.fails(said("a file of the context", KEEPS, tmp_path))
    context, ignored = subject.directory / subject.image.context, trial_build.ignored(subject)
    more = [path for _, path in build_contexts.directories(subject)]
    for name in dict.fromkeys((subject.image.dockerfile, *dockerfile.of_all(subject))):
        NOT_SAID(said(name, dockerfile.text_of(subject.directory / name), context, ignored, more))
