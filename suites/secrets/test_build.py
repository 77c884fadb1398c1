"""What a build needs as a secret: the dependency comes with it alone, and it stays nowhere."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import pytest

from boxproof.core.session import EngineInfo, ImageInfo, Session
from boxproof.fixtures.factories import Containers
from boxproof.probes.pods.helper_pods import unique
from boxproof.subject.image import secret_build
from boxproof.subject.image.bad_images import layered
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, scope
from suites.secrets import password_server

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


@claim("secret-mount-works")
def test_the_dependency_comes_with_the_secret_and_only_with_it(
    subject: Subject, values: dict[str, str], container: Containers, engine: EngineInfo, docker: Any
) -> None:
    command = secret_build.fill(subject.commands.private, values)
    with secret_build.temporary(docker, unique("boxproof-private")) as tag:
        with control("with the secret it builds, and the program runs"):
            built = secret_build.build(engine, command, tag, cwd=subject.directory)
            assert observe("builds", "with the secret", built.ok), built.said[-800:]
            ran = container(image=tag, entrypoint=[PROGRAM], start=False).run()
            assert password_server.SAYS in ran.output
        texts = secret_build.told(docker, tag, built)
        assert secret_build.in_layers(engine, tag, values["password"].encode()) == []
        assert secret_build.holding(texts, values["password"]) == []
    with secret_build.temporary(docker, unique("boxproof-private")) as tag:
        bare = secret_build.build(engine, secret_build.without_secret(command), tag, cwd=subject.directory)
        assert not observe("builds", "without it", bare.ok)


@claim("no-secret-in-build-args")
def test_the_secret_stays_nowhere(
    subject: Subject,
    values: dict[str, str],
    engine: EngineInfo,
    docker: Any,
    session: Session,
    tmp_path: Path,
) -> None:
    canary = values["password"]
    with control("a build argument is seen in history and record, a deleted file in its layer"):
        (tmp_path / "Dockerfile").write_text(BY_ARGUMENT)
        given = ["--build-arg", f"BOX={values['image']}", "--build-arg", f"PASSWORD={canary}"]
        with secret_build.temporary(docker, unique("boxproof-argument")) as tag:
            built = secret_build.build(
                engine, ["docker", "buildx", "build", *given, str(tmp_path)], tag, cwd=tmp_path
            )
            seen = secret_build.holding(secret_build.told(docker, tag, built), canary)
            assert {"history", "the builder's record"} <= set(observe("told", "an argument", seen))
        deleted = [{"root/.netrc": canary.encode()}, {"root/.wh..netrc": b""}]
        with layered(docker, deleted, run=session.run) as made:
            assert observe("layers", "a deleted file", secret_build.in_layers(engine, made, canary.encode()))
    command = secret_build.fill(subject.commands.private, values)
    with secret_build.temporary(docker, unique("boxproof-private")) as tag:
        built = secret_build.build(engine, command, tag, cwd=subject.directory)
        assert built.ok, built.said[-800:]
        texts = secret_build.told(docker, tag, built)
        assert observe("told", "the documented build", secret_build.holding(texts, canary)) == []
        found = secret_build.in_layers(engine, tag, canary.encode())
        assert observe("layers", "the documented build", found) == []
