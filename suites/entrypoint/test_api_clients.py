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
from boxproof.probes.processes import processes
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
ORIGINS = ("https://page.example", "http://localhost:3000", "null")  # elsewhere; another program; a file
PREFLIGHT = ("-X", "OPTIONS", "-H", "Access-Control-Request-Method: POST",
             "-H", "Access-Control-Request-Headers: content-type")  # fmt: skip
OTHER = "http://127.0.0.1:8081/"
INVITES = """
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def do_OPTIONS(self):
        self.send_response(200)
        self.send_header("Access-Control-Allow-Origin", "*")
        self.send_header("Content-Length", "0")
        self.end_headers()
    do_POST = do_OPTIONS
http.server.ThreadingHTTPServer(("127.0.0.1", 8081), Handler).serve_forever()
"""
LINKS = ("GET", "HEAD")  # what a page has sent by a link, a picture or a source of events
NOT_INVITED = require("no page is told that it may send that or read the answer", lambda told: told == "")
NOT_WORKED_ON = require("no prompt is worked on", lambda status: status >= 400)
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


@claim("api-not-for-web-pages")
@scope("image")
def test_no_page_is_told_that_it_may_send_json(open_to_itself: LocalContainer) -> None:
    """A browser asks beforehand whether a page may, and shows it the answer if that says so."""
    box, body = open_to_itself, json.dumps({"prompt": base64.b64encode(RESULT).decode()})

    def told(url: str, what: str, origin: str, *request: str) -> str:
        shown = ["-sS", "-o", "/dev/null", "--max-time", "240", "-H", f"Origin: {origin}"]
        form = "%{http_code} %header{access-control-allow-origin}"
        said = box.exec(["curl", *shown, "-w", form, *request, url])
        code, _, allowed = said.stdout.partition(" ")
        assert int(code or 0), said.stderr
        return observe("who may", f"{what} of {origin} to {url}", allowed.strip())

    kinds = {"preflight": PREFLIGHT, "request": ("--json", body)}
    with control("a service that lets every page is seen to"):
        box.made.exec_run(["python3", "-c", INVITES], detach=True)
        until(lambda: box.exec(["curl", "-s", "-X", "OPTIONS", OTHER]).ok, timeout=60, what="the other one")
        for what, request in kinds.items():
            NOT_INVITED.fails(told(OTHER, what, ORIGINS[0], *request))
    for origin in ORIGINS:
        for what, request in kinds.items():
            NOT_INVITED(told(api_session.URL, what, origin, *request))


@claim("api-not-for-web-pages")
@scope("image")
def test_no_prompt_comes_by_a_link(open_to_itself: LocalContainer) -> None:
    prompt = base64.b64encode(RESULT).decode()

    def status(asked: str, *request: str) -> int:
        shown = ["-sS", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "240"]
        said = open_to_itself.exec(["curl", *shown, *request, api_session.URL])
        return observe("status", asked, int(said.stdout or 0))

    with control("a program's own request is worked on"):
        NOT_WORKED_ON.fails(status("a program", "--json", json.dumps({"prompt": prompt})))
    for method in LINKS:
        words = ["--head"] if method == "HEAD" else []
        NOT_WORKED_ON(status(method, "--get", "--data-urlencode", f"prompt={prompt}", *words))


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
