"""What the CLI leaves: its own end, whatever code it has, and orphans of what it started."""

from __future__ import annotations

import pytest

from boxproof.agent import api_session
from boxproof.agent.api_session import ask
from boxproof.fixtures.agent_modes import Modes, started
from boxproof.fixtures.factories import Containers
from boxproof.probes.containers import LocalContainer
from boxproof.probes.pressure import eventually
from boxproof.probes.processes import processes
from boxproof.stubs import claude_cli
from pytest_claims import claim, control, observe, require, scope
from suites.entrypoint.test_api_survives import RESULT
from suites.entrypoint.test_processes import ENDS_WITH_IT, MODES, REAPED

pytestmark = scope("image")

CODES = (0, 1, 130)  # it is done, it has failed, it was interrupted
LONG = "3617"  # seconds, by which an orphan is known that outlives the CLI's prompt
LEAVES = f"""for each in 1 2 3 4 5 6 7 8; do
    (sleep 0.3 >/dev/null 2>&1 &)
    (sleep {LONG} >/dev/null 2>&1 &)
done
sleep 1
"""
LEAVER = "/tmp/leaver"
CALLED = b"note called\n"
ANSWER = f"cat <<'END'\n{RESULT.decode()}END\n"
NONE_LEFT = require("no process that has ended is left in the table", lambda zombies: zombies == 0)


@claim("container-exits-with-app")
@pytest.mark.parametrize("mode", MODES)
def test_the_container_ends_whatever_the_code_of_its_cli(
    modes: Modes, container: Containers, mode: str
) -> None:
    """Also where a login would be waited for: that is for who has none yet."""
    with control("a program that ends beside a sleep: the container outlives it"):
        left = container(entrypoint=["sh", "-c", "(exit 1) & exec sleep 3600"])
        ENDS_WITH_IT.fails(left.ends(within=2))
    for code in CODES:
        given = {"CLAUDE_WAIT_FOR_LOGIN": "1"}
        box = modes(mode, start=False, tty=mode == "interactive", environment=given)
        box.put({modes.subject.image.cli: (claude_cli.ENDS + f"exit {code}\n".encode(), 0o755)})
        ENDS_WITH_IT(box.start().ends(within=60))


def zombies(box: LocalContainer) -> int:
    """Return how many processes of a container have ended, and nobody has waited for; an observation."""
    return observe("zombies", box.label, sum(each.zombie for each in processes(box)))


def with_orphans(modes: Modes, mode: str) -> LocalContainer:
    """Return the box in a mode once its CLI has left orphans, some of which have ended since.

    In mode api its prompt is over too, and with it whatever else it had started.
    """
    script = claude_cli.STAYS.replace(CALLED, LEAVES.encode() + CALLED)
    if mode == "api":
        script = claude_cli.ENDS + f"{LEAVES}{ANSWER}".encode()
    box = modes(mode, start=False, tty=mode == "interactive")
    box.put({modes.subject.image.cli: (script, 0o755)})
    if mode != "api":
        return started(box.start())
    api_session.serve(box)
    assert ask(box, "say ok").status == 200, box.logs()
    gone = lambda: not any(LONG in each.cmdline for each in processes(box))  # noqa: E731
    eventually(gone, timeout=60, every=0.5, what="what the prompt started is ended")
    return box


@claim("zombies-reaped")
@pytest.mark.parametrize("mode", [*MODES, "api"])
def test_orphans_of_the_cli_do_not_become_zombies(modes: Modes, container: Containers, mode: str) -> None:
    """They come to the nearest process above that takes orphans, which need not be the first one."""
    with control("below a first process that does not reap they stay"):
        deaf = container(entrypoint=["sleep", "3600"], files={LEAVER: (LEAVES.encode(), 0o755)})
        assert deaf.exec(["sh", LEAVER]).ok
        NONE_LEFT.fails(zombies(deaf))
    box = with_orphans(modes, mode)
    eventually(lambda: zombies(box) == 0, timeout=REAPED, every=0.5, what="all that has ended is reaped")
    NONE_LEFT(zombies(box))
