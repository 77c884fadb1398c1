"""The CLI in a running container stays the pinned one."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Any

from boxproof.core.session import ImageInfo, Session
from boxproof.fixtures.factories import Containers
from boxproof.probes.containers import LocalContainer
from boxproof.subject.image.bad_images import layered
from boxproof.subject.image.image_files import reader
from boxproof.subject.image.layers import Layer, layers
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope
from pytest_claims.pace import stretched
from suites.image import deployed_words, update_server

CA = "/updates-ca.crt"
STAYS = require(
    "the CLI is there by its name, and that stands for the same program afterwards",
    lambda found: found == "the same",
)
OFF = require(
    "the auto-updater is switched off", lambda variables: variables.get("DISABLE_AUTOUPDATER") == "1"
)
HELD = require("the user may write neither the CLI nor where it is", lambda writable: writable == [])
VARIABLE = "DISABLE_AUTOUPDATER"
TRUE = frozenset({"1", "true", "yes", "on"})  # to the CLI
LEFT_OFF = require(
    "whatever gives the variable leaves the auto-updater off",
    lambda given: {each.lower() for each in given.values()} <= TRUE,
)
SWITCHES_ON = (
    {"kind": "ConfigMap", "data": {VARIABLE: "0"}},
    {"kind": "Pod", "spec": {"containers": [{"env": [{"name": VARIABLE, "value": ""}]}]}},
    {"kind": "ConfigMap", "data": {"managed-settings.json": f'{{"env": {{"{VARIABLE}": "0"}}}}'}},
)
# what the CLI reads of its environment, whatever the first process has
SETTINGS = (
    "/etc/claude-code/managed-settings.json",
    "{config_dir}/settings.json",
    "{home}/.claude/settings.json",
)


def writable(where: LocalContainer, *paths: str) -> list[str]:
    """Return the paths that the user of a container may write; an observation."""
    found = [each for each in paths if where.exec(["test", "-w", each]).code == 0]
    return observe("writable", where.label, found)


def after_an_update(asked: str, where: LocalContainer, name: str) -> str:
    """Return what the name stands for after an update that is asked for outright; an observation.

    "the same" or "another" program, or "none", where there was none by that name.
    """
    before = update_server.identity(where, name)
    if not before.digest:
        return observe("CLI after an update", asked, "none")
    where.exec(["timeout", f"{stretched(180)}", name, "update"])
    found = "the same" if update_server.identity(where, name) == before else "another"
    return observe("CLI after an update", asked, found)


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
            files={CA: (authority.encode(), 0o644)},
            environment={"NODE_EXTRA_CA_CERTS": CA, **update_server.settings_of_npm(CA), **environment},
        )  # fmt: skip

    with control("where a directory of the user comes first in PATH, the update takes the CLI's place"):
        first = f"{subject.home}/.local"
        open_box = box(PATH=f"{first}/bin:{given['PATH']}", DISABLE_AUTOUPDATER="", npm_config_prefix=first)
        STAYS.fails(after_an_update("a directory of the user first in PATH", open_box, name))
        OFF.fails(observe("variables", "an image without any", {}))
        HELD.fails(writable(open_box, "/tmp"))
    still = box()
    STAYS(after_an_update("the box", still, name))
    HELD(writable(still, subject.image.cli, str(PurePosixPath(subject.image.cli).parent)))
    OFF(observe("variables", "the image", given))


@claim("claude-autoupdate-off")
@needs("template")
@scope("image")
def test_nothing_that_is_deployed_switches_the_updater_on(
    session: Session, subject: Subject, docker: Any, image: ImageInfo
) -> None:
    """What a pod or a service is given counts before the image, and a file of settings before both."""
    with control("a ConfigMap and a container that switch it on are seen"):
        for each in SWITCHES_ON:
            made = deployed_words.settings([{**each, "metadata": {"name": "a"}}], VARIABLE)
            LEFT_OFF.fails(observe("values of the variable", str(each["kind"]), made))
    deployed = deployed_words.given(session, subject, VARIABLE)
    LEFT_OFF(observe("values of the variable", "what is deployed", deployed))
    with reader(docker, image.reference, run=session.run) as read:
        places = {each.format(config_dir=subject.config_dir, home=subject.home) for each in SETTINGS}
        texts = {each: read(each) or "" for each in sorted(places)}
    shipped = {
        f"{path}: {each}": each
        for path, text in texts.items()
        for each in deployed_words.within(text, VARIABLE)
    }
    LEFT_OFF(observe("values of the variable", "settings of the image", shipped))


# what the CLI reads beside the files that have always been there
BESIDE = re.compile(
    r"^etc/claude-code/managed-settings\.d/[^/]+\.json$|(^|/)\.claude/settings(\.local)?\.json$"
)
DROPPED_IN = "etc/claude-code/managed-settings.d/50-updates.json"


@claim("claude-autoupdate-off")
@scope("image")
def test_no_file_of_settings_beside_them_switches_the_updater_on(
    session: Session, docker: Any, image: ImageInfo, image_layers: list[Layer]
) -> None:
    """Those of a directory are read one after another, those of a project over the user's own."""

    def given(reference: str, found: list[Layer]) -> dict[str, str]:
        names = sorted({name for layer in found for name in layer.files if BESIDE.search(name)})
        with reader(docker, reference, run=session.run) as read:
            texts = {each: read(f"/{each}") or "" for each in names}
        told = [(path, one) for path in texts for one in deployed_words.within(texts[path], VARIABLE)]
        every = {f"{path}: {one}": one for path, one in told}
        return observe("values of the variable", f"further settings of {reference}", every)

    text = f'{{"env": {{"{VARIABLE}": "0"}}}}'.encode()
    with (
        control("a file of their directory that switches it on is seen"),
        layered(docker, [{DROPPED_IN: text}], run=session.run) as made,
    ):
        assert list(LEFT_OFF.fails(given(made, layers(session.engine, made))).values()) == ["0"]
    LEFT_OFF(given(image.reference, image_layers))
