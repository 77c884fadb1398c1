"""Looking at the agent's packets without any tier: the documented debugging container."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from boxproof.agent.agent_tools import ran
from boxproof.cluster import command_tools
from boxproof.core.session import Session
from boxproof.deployment.box import Box
from boxproof.fixtures.box_fixtures import Tier
from boxproof.probes.pods.helper_pods import unique
from boxproof.subject.manifests import shipped
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, require, scope
from suites.tools import told_captures
from suites.tools.debug_container import capture

NOWHERE = "192.0.2.9"  # RFC 5737; that nobody answers does not matter
KNOCKS = (  # until told to end; the knocks are counted, not their seconds
    "touch {mark}; (for each in $(seq 600); do [ -e {mark} ] || break;"
    f" curl -s --max-time 1 http://{NOWHERE}:9/; sleep 0.3; done) >/dev/null 2>&1 &"
)
SECONDS = 30  # of a capture, which ends with the first packet
CAPTURES = require("packets of the agent are captured", lambda found: found.packets > 0)
ROOT = require("it runs as uid 0", lambda uid: uid == 0)
PROFILED = require("the command names the profile of its rights", lambda profiles: profiles != [])
AS_CARRIED_OUT = require(
    "the pages tell a capture, and each has the options by which it was shown to work",
    lambda found: found["told"] > 0 and found["otherwise"] == [],
)
FILTER = f"tcp port 9 and host {NOWHERE}"


@claim("kubectl-debug-netshoot-alternative")
def test_the_documented_container_captures_the_agents_packets(
    box: Box, tier: Tier, subject: Subject, session: Session, tmp_path: Path
) -> None:
    words = subject.commands.capture
    box = tier(*subject.tiers["debug"]) if "debug" in subject.tiers else box
    if not words:
        pytest.skip("subject.toml documents no capture: commands.capture")
    env, image = command_tools.variables(session, tmp_path), session.probe_image
    with control("where the agent sends nothing it captures nothing"), box.entered():
        CAPTURES.fails(capture(subject, box, env, image=image, filter_=FILTER, seconds=2))
        PROFILED.fails(
            observe("profiles", "a command that names none", profiles(("kubectl", "debug", "{pod}")))
        )
        ROOT.fails(observe("uid", f"the agent's container in {box.pod}", own_uid(box)))
    mark = f"/tmp/{unique('knocks')}"
    with box.entered():  # the container is root's, and among the processes of the pod
        assert ran(box.exec, KNOCKS.format(mark=mark)).ok
        found = capture(subject, box, env, image=image, filter_=FILTER, seconds=SECONDS)
        assert ran(box.exec, f"rm {mark}").ok
    CAPTURES(found)
    ROOT(observe("uid", f"the debugging container in {box.pod}", found.uid))
    PROFILED(observe("profiles", " ".join(words), profiles(words)))


@claim("kubectl-debug-netshoot-alternative")
@scope("image")
def test_the_pages_tell_the_capture_that_is_carried_out(subject: Subject) -> None:
    """What subject.toml says is for the check; users type what the pages say."""
    words = subject.commands.capture
    if not words:
        pytest.skip("subject.toml documents no capture: commands.capture")

    def told(asked: str, pages: Mapping[str, str]) -> dict[str, object]:
        found = [each for text in pages.values() for each in told_captures.captures(text)]
        otherwise = [each for each in found if told_captures.lacking(each, words)]
        return observe("captures of the pages", asked, {"told": len(found), "otherwise": otherwise})

    with control("pages without one, and one without the options of the one that is carried out, are seen"):
        AS_CARRIED_OUT.fails(told("pages without any", {"a page": "kubectl get pods\n"}))
        bare = "kubectl debug -it agent-0 --image=netshoot --target=agent -- tcpdump -i any\n"
        AS_CARRIED_OUT.fails(told("one without options", {"a page": bare}))
    AS_CARRIED_OUT(told("the subject's pages", shipped.commands(subject)))


def own_uid(box: Box) -> int | None:
    """Return the uid that the agent's container is given."""
    spec = box.pod_object()["spec"]
    agent = next(each for each in spec["containers"] if each["name"] == box.container)
    return {**(spec.get("securityContext") or {}), **(agent.get("securityContext") or {})}.get("runAsUser")


def profiles(words: Sequence[str]) -> list[str]:
    """Return the profiles that a documented command names, with = or as the next word."""
    text = " ".join(words).replace("--profile ", "--profile=")
    return [each.removeprefix("--profile=") for each in text.split() if each.startswith("--profile=")]
