"""What a work directory or a user cannot set: hooks, and a mode that asks for no permission."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

from boxproof.core.session import ImageInfo, Session
from boxproof.deployment.box import Box
from boxproof.fixtures.agent_modes import Headless
from boxproof.kube.client import Object
from boxproof.probes.containers import Files
from boxproof.stubs.anthropic import MESSAGES, Stub
from boxproof.subject.image import image_files
from pytest_claims import claim, control, needs, observe, require, scope
from suites.isolation import managed_settings

MANAGED = "/etc/claude-code/managed-settings.json"
KEPT = "/etc/box/mcp/managed-settings.json"  # where that leads
WHOSE = ("work directory", "user")
NONE_RAN = require("no hook has run but the managed ones", lambda ran: ran == [])
HELD = require(
    "hooks are managed alone, and asking for permission cannot be left out", lambda found: found == []
)

IN_FORCE = require(
    "the image's own settings say so, where no ConfigMap takes their place",
    lambda said: said == {"allowManagedHooksOnly": True, "disableBypassPermissionsMode": "disable"},
)


def settings_with_hook(mark: str) -> bytes:
    """Return settings by which the CLI makes a file at its start."""
    hook = {"type": "command", "command": f"touch '{mark}'"}
    return json.dumps({"hooks": {"SessionStart": [{"hooks": [hook]}]}}).encode()


@claim("iso-settings-are-managed")
@scope("image")
def test_no_hook_of_a_work_directory_or_of_its_user_is_run(
    headless: Headless, mine: Stub, token: str
) -> None:
    subject = headless.subject
    marks = {each: f"/tmp/ran-{each.replace(' ', '-')}" for each in WHOSE}
    places = (f"{subject.workdir}/.claude", subject.config_dir)
    planted: Files = {
        **dict.fromkeys(places, (None, 0o755, subject.uid)),
        **{
            f"{place}/settings.json": (settings_with_hook(marks[each]), 0o644, subject.uid)
            for each, place in zip(WHOSE, places, strict=True)
        },
    }

    def ran(asked: str, files: Files) -> list[str]:
        mine.reset()
        box = headless(env=token)
        box.put({**planted, **files})
        box.run()
        assert mine.requests(MESSAGES), f"the CLI asked nothing: {box.logs()[-300:]}"
        found = [each for each in WHOSE if image_files.read(box.made, marks[each]) is not None]
        return observe("hooks that ran", asked, found)

    with control("without managed settings the CLI runs them"):
        NONE_RAN.fails(ran("no managed settings", {KEPT: (b"{}", 0o644)}))
    NONE_RAN(ran("as it is", {}))


@claim("iso-settings-are-managed")
def test_the_pods_managed_settings_say_so(box: Box) -> None:
    """They come from a ConfigMap, in the place of the image's."""

    def not_held(asked: str, text: str) -> list[str]:
        try:
            said = json.loads(text)
        except ValueError:
            return observe("not held", asked, ["no JSON"])
        rules = said.get("permissions") or {}
        found = {
            "hooks of others": said.get("allowManagedHooksOnly") is not True,
            "a mode that asks for no permission": rules.get("disableBypassPermissionsMode") != "disable",
        }
        return observe("not held", asked, [each for each, wrong in found.items() if wrong])

    with control("settings that leave out either are seen"):
        for each in (
            '{"allowManagedHooksOnly": true}',
            '{"permissions": {"disableBypassPermissionsMode": "disable"}}',
        ):
            HELD.fails(not_held("doctored", each))
    HELD(not_held(f"{box.label}: {MANAGED}", box.exec(["cat", MANAGED]).stdout))


@claim("iso-settings-are-managed")
@scope("image")
def test_so_do_the_images_own(session: Session, docker: Any, image: ImageInfo) -> None:
    """They are in force without a cluster: by the documented command, and by the Compose files."""

    def said(asked: str, text: str | None) -> dict[str, Any]:
        try:
            found = dict(json.loads(text or "{}"))
        except (TypeError, ValueError):  # the CLI has no use for it either
            found = {}
        rules = found | dict(found.get("permissions") or {})
        names = ("allowManagedHooksOnly", "disableBypassPermissionsMode")
        return observe("managed settings", asked, {each: rules.get(each) for each in names})

    with control("settings about hooks alone, and none, are seen"):
        for text in ('{"allowManagedHooksOnly": true}', None):
            IN_FORCE.fails(said("doctored", text))
    with image_files.reader(docker, image.reference, run=session.run) as read:
        IN_FORCE(said(f"the image: {MANAGED}", read(MANAGED)))


IN_EVERY_TIER = require(
    "the settings of the tier are managed as those of the default one", lambda found: found == []
)
NAMED = "managed-settings.json"


def spoilt(objects: list[Object], old: str, new: str) -> list[Object]:
    """Return objects in which managed settings say something else; nothing at all, where ``old`` is ""."""
    made = copy.deepcopy(objects)
    for each in made:
        data = each.get("data") or {}
        if each["kind"] == "ConfigMap" and NAMED in data:
            text = data.pop(NAMED)
            data |= {NAMED: text.replace(old, new)} if old else {}
    return made


@claim("iso-settings-are-managed")
@needs("box")
def test_so_do_those_of_every_tier(tiers_as_rendered: Mapping[str, Box]) -> None:
    """A component may change the ConfigMap, or bring another in its place that has nothing of the kind."""

    def left_open(name: str, tier: Box, objects: list[Object]) -> list[str]:
        texts = managed_settings.given(objects, tier.spec, tier.container)
        found = [one for each in texts for one in managed_settings.left_open(each)]
        return observe("left open by a tier", f"{name}, {len(texts)} settings", found)

    default = tiers_as_rendered["default"]
    for old, new in (('"disable"', '"allow"'), ("allowManagedHooksOnly", "allowHooks"), ("", "")):
        with control(f"settings with {new or 'nothing'} are seen"):
            objects = spoilt(default.objects, old, new)
            IN_EVERY_TIER.fails(left_open("doctored", default, objects))
    for name, tier in tiers_as_rendered.items():
        IN_EVERY_TIER(left_open(name, tier, tier.objects))
