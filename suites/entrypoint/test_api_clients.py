"""Mode api: who may ask without a token, and what an answered prompt leaves behind."""

from __future__ import annotations

import base64
import json

import pytest

from boxproof.agent import api_session
from boxproof.agent.api_session import ask, words
from boxproof.fixtures.agent_modes import Headless
from boxproof.probes.containers import LocalContainer
from boxproof.probes.pressure import eventually
from boxproof.probes.process.processes import processes
from pytest_claims import claim, control, observe, require, scope
from pytest_claims.waiting import until
from suites.entrypoint.test_api_survives import API, RESULT, SAYS

OWN, TAKES = "127.0.0.1:8080", "application/json"
STAYS = "3607"  # seconds that what a prompt starts would run on; what names it
# in the group of the CLI; in a group of its own; with no environment; and with nobody of the CLI's above it
STARTS = f"""#!/bin/sh
read -r prompt
sleep {STAYS} &
setsid sleep {STAYS} &
env -i setsid sleep {STAYS} &
(env -i setsid sleep {STAYS} &)
case $prompt in hangs) exec sleep 900 ;; esac
cat <<'END'
{RESULT.decode().strip()}
END
""".encode()
FROM_A_PAGE = {
    "a page's text": (OWN, "text/plain"),
    "a page's form": (OWN, "application/x-www-form-urlencoded"),
    "a page's upload": (OWN, "multipart/form-data; boundary=x"),
    "no type": (OWN, ""),
    "a page's own name that leads here": ("box.example:8080", TAKES),
    "a page's own name that begins as ours": ("127.0.0.1.example:8080", TAKES),
}
NOT_TAKEN = require("it is refused as a bad request", lambda status: status == 400)
GONE = require("nothing that the prompt started runs", lambda found: found == [])


@pytest.fixture
def open_to_itself(headless: Headless, token: str) -> LocalContainer:
    """The box in api mode without a token for its clients, and a stand-in for its CLI that answers."""
    made = headless(env=token, environment={"CLAUDE_MODE": "api"})
    made.put({headless.subject.image.cli: (SAYS, 0o755)})
    return api_session.serve(made)


@claim("api-not-for-web-pages")
@scope("image")
def test_no_request_is_taken_that_a_page_could_send(open_to_itself: LocalContainer) -> None:
    body = json.dumps({"prompt": base64.b64encode(RESULT).decode()})

    def status(asked: str, host: str, kind: str) -> int:
        headers = ["-H", f"Host: {host}", "-H", f"Content-Type:{kind and f' {kind}'}"]
        shown = ["-sS", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "240"]
        said = open_to_itself.exec(["curl", *shown, *headers, "--data", body, api_session.URL])
        return observe("status", asked, int(said.stdout or 0))

    with control("a program's own request is taken, under each name of loopback"):
        for host in (OWN, "localhost:8080"):
            assert NOT_TAKEN.fails(status(f"a program, to {host}", host, TAKES)) == 200
    for asked, (host, kind) in FROM_A_PAGE.items():
        NOT_TAKEN(status(asked, host, kind))


@claim("api-leaves-nothing-running")
@scope("image")
def test_what_a_prompt_starts_ends_with_it(headless: Headless, token: str) -> None:
    made = headless(env=token, environment=API)
    made.put({headless.subject.image.cli: (STARTS, 0o755)})
    box = api_session.serve(made)

    def left(asked: str) -> list[str]:
        found = [" ".join(each.cmdline) for each in processes(box) if STAYS in each.cmdline]
        return observe("what it started", asked, sorted(found))

    with control("while a prompt is worked on all of them run"):
        box.made.exec_run(words("hangs", seconds=900), detach=True)
        until(lambda: len(left("while it hangs")) == 4, timeout=60, what="what the prompt starts")
        GONE.fails(left("while it hangs"))
        assert box.exec(["pkill", "--exact", "curl"]).ok  # its client goes
        until(lambda: ask(box, "next").status == 200, timeout=60, what="the place is given back")
    assert ask(box, "last").status == 200, box.logs()
    eventually(lambda: left("answered") == [], timeout=60, every=1, what="what the prompt started ends")
    GONE(left("answered"))
