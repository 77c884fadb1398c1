"""Mode api: what its CLI says costs no place and forges no event, and what its clients show stays unseen."""

from __future__ import annotations

import base64
import hashlib
import secrets

import pytest

from boxproof.agent import api_session
from boxproof.agent.api_session import Reply, ask, words
from boxproof.fixtures.agent_modes import Headless
from boxproof.probes.containers import LocalContainer
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, require, scope
from pytest_claims.waiting import until

API = {"CLAUDE_MODE": "api", "BOX_API_CONCURRENCY": "1"}
SAYS = b"""#!/bin/sh
read -r prompt
case $prompt in hangs) exec sleep 900 ;; esac
echo "$prompt" | base64 -d
"""
RESULT = b'{"type": "result", "result": "done"}\n'
ODD = {
    "half a character": b'{"type": "text", "x": "\\ud800"}\n' + RESULT,
    "half a character as the result": b'{"type": "result", "result": "\\ud800"}\n',
    "fifty thousand brackets": b'{"type": "text", "x": ' + b"[" * 50_000 + b"\n" + RESULT,
    "no number": b'{"type": "text", "x": NaN}\n' + RESULT,
    "an endless result": b'{"type": "result", "result": 1e999}\n' + RESULT,
    "no UTF-8": b"\xff\xfe\x00\n" + RESULT,
    "nothing": b"\n",
}
FORGED = b'{"type": "text\\nevent: result\\ndata: {}\\n\\nevent: more"}\n' + RESULT
TOLD = b'{"type": "more"}\n' + RESULT
ANSWERED = require("the next prompt is answered", lambda found: found.status == 200)
EVENTS = require(
    "no event has another name than those that were sent", lambda names: names == ["message", "result"]
)
UNSEEN = require("nothing that the agent can read holds the token", lambda places: places == [])
NOT_ITS_OWN = require("the memory of the service is not its user's to read", lambda owner, uid: owner != uid)
SERVICE = "/lib/box/api.py"
GIVEN = "/etc/client-token"
WAYS = {"variable": {}, "file": {"BOX_API_TOKEN_FILE": GIVEN}}  # in which the service is told of its clients
HOLDS = """
import ctypes, sys, time
PR_SET_PTRACER, ANYBODY = 0x59616D61, ctypes.c_ulong(-1)  # a kernel with Yama keeps others out by itself
ctypes.CDLL(None).prctl(PR_SET_PTRACER, ANYBODY, 0, 0, 0)
kept = sys.argv[1][::-1]
time.sleep(3600)
"""
# the token comes reversed, so that this very process does not hold it
LOOK = """
import glob, os, sys
token, places = sys.argv[1][::-1].encode(), set()
def look(place, read):
    try:
        if token in read(): places.add(place)
    except (OSError, ValueError, OverflowError): pass
def of(path): return lambda: open(path, "rb").read(1 << 24)
def memory(pid):
    found = b""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            span, rights = line.split()[:2]
            start, end = (int(each, 16) for each in span.split("-"))
            if "w" in rights and end - start < 1 << 26:
                try:
                    mem.seek(start); found += mem.read(end - start)
                except OSError: pass
    return found
for pid in (each for each in os.listdir("/proc") if each.isdigit() and int(each) != os.getpid()):
    for name in ("environ", "cmdline"): look(name, of(f"/proc/{pid}/{name}"))
    look("memory", lambda: memory(pid))
for top in ("/run", "/tmp", "/etc", "/home", "/workspace", "/var/lib"):
    for directory, _, names in os.walk(top):
        for name in names:
            path = os.path.join(directory, name)
            if os.path.isfile(path): look("file", of(path))
print(*sorted(places))
"""


@pytest.fixture
def served(headless: Headless, token: str) -> LocalContainer:
    """The box in api mode with one place, and a stand-in for its CLI that says what a prompt encodes."""
    made = headless(env=token, environment=API)
    made.put({headless.subject.image.cli: (SAYS, 0o755)})
    return api_session.serve(made)


def told(box: LocalContainer, text: bytes, *, stream: bool = False) -> Reply:
    """Have the CLI say something, and return what comes of it."""
    return ask(box, base64.b64encode(text).decode(), stream=stream)


@claim("api-keeps-its-places")
@scope("image")
def test_nothing_that_the_cli_says_costs_a_place(served: LocalContainer) -> None:
    with control("while a prompt is worked on there is no other place"):
        served.made.exec_run(words("hangs", seconds=900), detach=True)
        until(lambda: told(served, RESULT).status == 429, timeout=60, what="the only place is taken")
        ANSWERED.fails(told(served, RESULT))
        assert served.exec(["pkill", "--exact", "curl"]).ok
        until(lambda: told(served, RESULT).status == 200, timeout=60, what="the place is given back")
    for text in ODD.values():
        for stream in (False, True):
            told(served, text, stream=stream)
            ANSWERED(told(served, RESULT))


@claim("api-keeps-its-places")
@scope("image")
def test_the_cli_forges_no_event(served: LocalContainer) -> None:
    def names(text: bytes) -> list[str]:
        found = [name for name, _ in told(served, text, stream=True).events]
        return observe("names of events", text.decode(), found)

    with control("an event of another name, which the CLI did send, is seen"):
        EVENTS.fails(names(TOLD))
    EVENTS(names(FORGED))


def owner(box: LocalContainer, words: str) -> int:
    """Return whose the memory of the first process with ``words`` in its arguments is; an observation.

    It is root's where a process keeps others of its user out, and its user's else, whatever more a kernel
    forbids.
    """
    pid = box.exec(["pgrep", "--oldest", "--full", words]).stdout.strip()
    shown = box.exec(["stat", "--format=%u", f"/proc/{pid}/mem"])
    assert shown.ok, shown.stderr
    return observe("owner of memory", words, int(shown.stdout))


@claim("api-token-out-of-sight")
@scope("image")
@pytest.mark.parametrize("way", WAYS)
def test_the_agent_finds_the_clients_token_nowhere(
    headless: Headless, token: str, subject: Subject, way: str
) -> None:
    def served_with(given: str) -> LocalContainer:
        """Return the box that was told of its clients in this way, and has answered one."""
        made = headless(env=token, environment=API | (WAYS[way] or {"BOX_API_TOKEN": given}))
        made.put({subject.image.cli: (SAYS, 0o755), GIVEN: (given.encode() if WAYS[way] else b"", 0o444)})
        box = api_session.serve(made)
        assert ask(box, base64.b64encode(RESULT).decode(), token=client).status == 200, box.logs()
        return box

    def places(box: LocalContainer, asked: str) -> list[str]:
        looked = box.exec(["python3", "-c", LOOK, backwards])
        assert looked.ok, looked.stderr
        return observe("where the token is seen", asked, looked.stdout.split())

    client = f"client-{secrets.token_hex(12)}"
    backwards = client[::-1]
    with control("given the token itself, it stands where it was given"):
        found = UNSEEN.fails(places(served_with(client), f"the token itself, {way}"))
        assert ("file" if WAYS[way] else "environ") in found, found
    box = served_with("sha256:" + hashlib.sha256(client.encode()).hexdigest())
    UNSEEN(places(box, f"its hash, {way}"))
    NOT_ITS_OWN(owner(box, SERVICE), subject.uid)
    with control("a process that has it and keeps nobody out is seen, by its memory alone"):
        box.made.exec_run(["python3", "-c", HOLDS, backwards], detach=True)
        until(lambda: "memory" in places(box, "another holds it"), timeout=60, what="it is in its memory")
        assert UNSEEN.fails(places(box, "another holds it")) == ["memory"]
        NOT_ITS_OWN.fails(owner(box, backwards), subject.uid)
