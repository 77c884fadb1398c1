"""The CLI in a running container stays the pinned one."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

from boxproof.core.session import Session
from boxproof.fixtures.factories import Containers
from boxproof.probes.containers import LocalContainer
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, require, scope
from pytest_claims.pace import stretched
from suites.image import update_server

CA = "/updates-ca.crt"
STAYS = require("the name of the CLI stands for the same program afterwards", lambda replaced: not replaced)
OFF = require(
    "the auto-updater is switched off", lambda variables: variables.get("DISABLE_AUTOUPDATER") == "1"
)
HELD = require("the user may write neither the CLI nor where it is", lambda writable: writable == [])


def writable(where: LocalContainer, *paths: str) -> list[str]:
    """Return the paths that the user of a container may write; an observation."""
    found = [each for each in paths if where.exec(["test", "-w", each]).code == 0]
    return observe("writable", where.label, found)


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
        STAYS.fails(
            observe("CLI replaced", "a directory of the user first in PATH", replaced(open_box, name))
        )
        OFF.fails(observe("variables", "an image without any", {}))
        HELD.fails(writable(open_box, "/tmp"))
    still = box()
    STAYS(observe("CLI replaced", "the box", replaced(still, name)))
    HELD(writable(still, subject.image.cli, str(PurePosixPath(subject.image.cli).parent)))
    OFF(observe("variables", "the image", given))
