"""In whatever mode the CLI starts, it is told to leave out nothing of what is configured."""

from __future__ import annotations

import secrets

import pytest

from boxproof.agent import api_session
from boxproof.fixtures.agent_modes import Modes, calls, started
from boxproof.probes.containers import LocalContainer
from pytest_claims import claim, control, needs, observe, require, scope

pytestmark = [scope("image"), needs("box", "claude-code")]

ONLY_TOLD = "--strict-mcp-config"  # no servers but those of --mcp-config
# no skills; nothing of the user's; no settings but of some places
OTHERS = ("--disable-slash-commands", "--bare", "--safe-mode", "--setting-sources")
ALL = require("no word of the CLI leaves configured servers or skills out", lambda found: found == [])


@claim("mcp-server-starts-in-cluster")
@pytest.mark.parametrize("mode", ["remote-control", "interactive", "headless", "api"])
def test_no_mode_leaves_a_server_out(modes: Modes, mode: str) -> None:
    def left_out(box: LocalContainer) -> list[str]:
        found = []
        for each in calls(started(box)):
            names = {word.partition("=")[0] for word in each.argv}
            told = any(modes.subject.mcp.config in word for word in each.argv if modes.subject.mcp.config)
            found += [ONLY_TOLD] if ONLY_TOLD in names and not told else []
            found += sorted(names.intersection(OTHERS))
        return observe("words that leave something out", box.label, found)

    for word in (ONLY_TOLD, OTHERS[0]):
        with control(f"{word} among the words of the container is seen"):
            ALL.fails(left_out(modes("headless", word)))
    if mode == "api":
        box = api_session.serve(modes(mode, start=False))
        box.made.exec_run(api_session.words(f"say {secrets.token_hex(4)}"), detach=True)
    else:
        box = modes(mode, tty=mode == "interactive")
    ALL(left_out(box))
