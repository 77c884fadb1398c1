"""However the agent is started: where its volume is, and where it may write."""

from __future__ import annotations

from collections.abc import Sequence

from boxproof.core.session import Session
from boxproof.subject.documented_commands import Run
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require
from suites import agent_starts
from suites.agent_starts import LASTING, Mount, Start

NONE_SHUT = require("home and work directory can be written however it is started", lambda found: found == [])
NONE_ASTRAY = require(
    "what stays is mounted where the CLI looks, to be written, however it is started",
    lambda found: found == [],
)
COMMAND = Run("doctored.md", ("-v", "claude:/root/.claude"))


@claim("home-and-workdir-writable")
@needs("box")
def test_both_can_be_written_however_it_is_started(session: Session, subject: Subject) -> None:
    """By the objects of every tier, by Compose files, by commands of the documents."""
    home, work = subject.home, subject.workdir

    def shut(asked: str, starts: Sequence[Start]) -> list[str]:
        found = [f"{each.name}: {top}" for each in starts for top in (home, work) if not each.writes(top)]
        return observe("places that cannot be written", asked, found)

    with control("a root that is read-only without mounts, and a mount that is, are seen"):
        for each in (
            agent_starts.of_service("a service", {"read_only": True, "tmpfs": ["/tmp"]}),
            agent_starts.of_run(Run("doctored.md", ("-v", f".:{work}:ro"))),
            Start("a pod", (Mount(home, "emptyDir"), Mount(work, "configMap")), read_only=True),
        ):
            NONE_SHUT.fails(shut(each.name, [each]))
    NONE_SHUT(shut("what ships", agent_starts.every(session, subject)))


@claim("pvc-mounted-at-real-home")
@needs("box")
def test_the_volume_is_where_the_cli_looks_however_it_is_started(session: Session, subject: Subject) -> None:
    """A command without any volume keeps nothing, and does not seem to."""

    def astray(asked: str, starts: Sequence[Start]) -> list[str]:
        found = []
        for each in starts:
            mount = each.carrier(each.config_dir(subject))
            good = mount is not None and mount.kind in LASTING and mount.writable
            found += [] if good else [f"{each.name}: {each.config_dir(subject)}"]
        return observe("starts whose volume is elsewhere", asked, found)

    top = subject.config_dir
    with control("a volume in root's home, another directory for the CLI, and one without a name, are seen"):
        moved = Start("moved", (Mount(top, "claim"),), variables={agent_starts.CONFIG_DIR: "/tmp/claude"})
        nameless = agent_starts.of_service("nameless", {"volumes": [top]})
        shut = Start("shut", (Mount(top, "claim", read_only=True),))
        for each in (agent_starts.of_run(COMMAND), moved, nameless, shut):
            NONE_ASTRAY.fails(astray(each.name, [each]))
    for each in agent_starts.every(session, subject):
        if not each.by_command or any(one.kind == "volume" for one in each.mounts):
            NONE_ASTRAY(astray(each.name, [each]))
