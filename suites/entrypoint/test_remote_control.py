"""The life of a remote-control session."""

from __future__ import annotations

import pytest

from boxproof.agent.login import credentials
from boxproof.fixtures.agent_modes import calls, started
from boxproof.fixtures.headless import Headless
from boxproof.probes.eventually import eventually
from boxproof.probes.pressure import demand_speed, judged
from boxproof.probes.process.signals import stop
from boxproof.stubs import claude_cli
from pytest_claims import claim, control, observe, scope

FULL = ["user:inference", "user:profile", "user:sessions:claude_code"]
ACTIVE = "Remote Control session active: session_stub"
KILLED = 137
NOBODY = "https://127.0.0.1:9"
CONNECTS = f"""look="curl -sS --max-time 30 --cacert $NODE_EXTRA_CA_CERTS -o /dev/null"
until $look ${{ANTHROPIC_BASE_URL:-https://api.anthropic.com}}/; do sleep 0.3; done 2>/dev/null
echo '{ACTIVE}'
sleep 3600 &
""".encode()


@claim("remote-control-lifecycle")
@scope("image")
def test_the_log_tells_of_the_session_and_the_cli_ends_it(headless: Headless, token: str) -> None:
    """What the box has to do with it, with a stand-in that connects as the CLI does."""
    script = claude_cli.STAYS.replace(b"sleep 3600 &\n", CONNECTS)

    def connected(*, within: float, **environment: str) -> bool:
        """Return whether the log told of the session; in the end the CLI was told to end, not killed."""
        box = headless(
            file=credentials(token, scopes=FULL), environment={"CLAUDE_MODE": "remote-control"} | environment
        )
        box.put({headless.subject.image.cli: (script, 0o755)})
        started(box.start())
        told = eventually(lambda: ACTIVE in box.logs(), timeout=within, what="the log tells of a session")
        ended = stop(box.made, timeout=30)
        assert ended.in_time and ended.code != KILLED
        if not calls(box)[-1].told_to_end:
            demand_speed("the CLI was not told to end in time")
        assert calls(box)[-1].told_to_end
        return observe("the log tells of a session", str(environment), told)

    with control("where nobody answers there is no session"):
        assert not judged(lambda: connected(within=5, ANTHROPIC_BASE_URL=NOBODY))
    assert judged(lambda: connected(within=60))


@claim("remote-control-lifecycle")
def test_a_session_of_an_account_ends_and_survives_an_outage() -> None:
    pytest.skip("the session as the account sees it needs a claude.ai login")
