"""The CLI in a running container stays the pinned one."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

from boxproof.core.session import Session
from boxproof.fixtures.factories import Containers
from boxproof.probes.containers import LocalContainer
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, scope
from pytest_claims.pace import stretched
from suites.image import update_server

CA = "/updates-ca.crt"


def replaced(where: LocalContainer, name: str) -> bool:
    """Return whether an update, asked for outright, makes the name stand for another program."""
    before = update_server.identity(where, name)
    assert before.digest, f"{name} is not in PATH"
    where.exec(["timeout", f"{stretched(180)}", name, "update"])
    return update_server.identity(where, name) != before


@claim("claude-autoupdate-off")
@scope("image")
def test_an_update_does_not_replace_the_cli(
    session: Session, subject: Subject, image_config: dict[str, Any], container: Containers
) -> None:
    files, authority = update_server.files()
    server = container(
        *update_server.COMMAND,
        image=session.probe_image,
        entrypoint=["python3"],
        user="0:0",
        network=session.network,
        files=files,
    ).wait_log(update_server.READY)
    server.made.reload()
    address = server.made.attrs["NetworkSettings"]["Networks"][session.network]["IPAddress"]
    given = dict(each.split("=", 1) for each in image_config.get("Env") or ())
    name = Path(subject.image.cli).name

    def box(**environment: str) -> LocalContainer:
        return container(
            "infinity", entrypoint=["sleep"], network=session.network,
            extra_hosts={update_server.HOST: address},
            files={CA: (authority.encode(), 0o644)}, environment={"NODE_EXTRA_CA_CERTS": CA, **environment},
        )  # fmt: skip

    with control("where a directory of the user comes first in PATH, the update takes the CLI's place"):
        open_box = box(PATH=f"{subject.home}/.local/bin:{given['PATH']}", DISABLE_AUTOUPDATER="")
        assert observe("CLI replaced", "a directory of the user first in PATH", replaced(open_box, name))
    still = box()
    assert observe("CLI replaced", "the box", replaced(still, name)) is False
    directory = str(PurePosixPath(subject.image.cli).parent)
    for path in (subject.image.cli, directory):
        assert still.exec(["test", "-w", path]).code == 1, f"the user may write {path}"
    assert given.get("DISABLE_AUTOUPDATER") == "1"
