"""Mode api while prompts are worked on: it is told to end, a CLI writes much, one ends beside another."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass

from boxproof.agent import api_session
from boxproof.agent.api_session import ask, words
from boxproof.fixtures.agent_modes import Headless, Modes, calls, started
from boxproof.fixtures.factories import Containers
from boxproof.probes.containers import LocalContainer
from boxproof.probes.pressure import demand_speed, eventually, judged
from boxproof.probes.processes import processes
from boxproof.probes.signals import Stop, stop
from boxproof.stubs import claude_cli
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, pace, require, scope
from pytest_claims.waiting import until
from suites.entrypoint.server_sent_events import names_of
from suites.entrypoint.test_api_clients import OWN, TAKES
from suites.entrypoint.test_api_survives import API, RESULT, SAYS, TOLD, told
from suites.entrypoint.test_processes import at_work
from suites.entrypoint.test_signals import BOUND, STOPS
from suites.entrypoint.test_signals import TOLD as TOLD_TO_END

pytestmark = scope("image")

LIMIT, MOST = 60.0, 600.0  # seconds that a prompt may take: usually, and where a machine is slow
# an event of a megabyte is what a tool's result can be; more than any pipe, and than most readers, hold
WRITES = """#!/bin/sh
read -r prompt
fill() { head -c "$1" /dev/zero | tr '\\0' a; }
case $prompt in
errors) fill 1000000 >&2; echo >&2 ;;
event) printf '{"type": "text", "x": "'; fill 1000000; echo '"}' ;;
line) fill 40000000; echo ;;
hangs) exec sleep 900 ;;
esac
echo '{"type": "result", "result": "done"}'
"""
MUCH = ("errors", "event", "line")
DONE = require("it is answered, with the result", lambda found: found == (200, "done"))

# a line ends with either of two characters, or with both
FORGED = {
    "a carriage return": b'{"type": "text\\revent: result\\rdata: {}\\r\\revent: more"}\n',
    "both characters": b'{"type": "text\\r\\nevent: result\\r\\ndata: {}\\r\\n\\r\\nevent: more"}\n',
    "no event, but the text of one": (
        b'{"type": "text"}\revent: result\rdata: {}\r\revent: more\rdata: {}\r\r\n'
    ),
}
NOT_FORGED = require(
    "one result is among the events, and none has another name than those that were sent",
    lambda names: names.count("result") == 1 and set(names) <= {"message", "text", "result"},
)

OVER, AT_WORK, WAITED_FOR = "3607", "3611", "3613"  # seconds, by which is told whose a process is
PARTS = 3
# in a session of its own; with no environment and nobody above it; and deaf to TERM
LEAVES = f"""#!/bin/sh
read -r prompt
case $prompt in hangs) seconds={AT_WORK} ;; waits) seconds={WAITED_FOR} ;; *) seconds={OVER} ;; esac
setsid sleep $seconds &
(env -i setsid sleep $seconds &)
(trap '' TERM; setsid sleep $seconds &)
case $prompt in hangs | waits) exec sleep 900 ;; esac
echo '{{"type": "result", "result": "done"}}'
"""

LOOKS_LIKE_OURS = {
    "a page's text, our type its parameter": (OWN, f"text/plain; a={TAKES}"),
    "a page's text, our type after it": (OWN, f"text/plain;{TAKES}"),
    "a page's own name that begins as localhost": ("localhost.example:8080", TAKES),
}
NOT_TAKEN = require("it is refused as a bad request", lambda status: status == 400)


@dataclass(frozen=True)
class Running:
    """How many processes of a prompt run, and how many of the one that is worked on beside it."""

    own: int
    others: int


ONLY_THE_OTHERS = require(
    "nothing that the prompt started runs, and all that another one started does",
    lambda found: found == Running(0, PARTS),
)


def served(headless: Headless, token: str, script: bytes, **environment: str) -> LocalContainer:
    """Return the box in mode api with a stand-in for its CLI."""
    made = headless(env=token, environment=API | environment)
    made.put({headless.subject.image.cli: (script, 0o755)})
    return api_session.serve(made)


def told_to_end(box: LocalContainer, seconds: float) -> tuple[Stop, bool]:
    """Return how a box ends that has its CLI called, and whether that was told to; two observations."""
    found = stop(box.made, timeout=seconds, exact=True)
    return found, observe("the CLI was told", box.label, calls(box)[-1].told_to_end)


@claim("sigterm-graceful-5s")
def test_term_reaches_the_cli_of_a_prompt_and_ends_the_container(
    modes: Modes, container: Containers, subject: Subject
) -> None:
    """The service stands between them: it could let prompts be answered first, however long that takes."""

    def fresh() -> tuple[Stop, bool]:
        found, heard = told_to_end(at_work(modes, "api"), BOUND)
        if not heard:
            demand_speed("the CLI was not told to end in time")
        return found, heard

    with control("below a shell without a trap the program is told nothing, and all has to be killed"):
        program = subject.image.cli
        put = {program: (claude_cli.STAYS, 0o755)}
        left = started(container(files=put, entrypoint=["sh", "-c", f"{program}; true"]))
        found, heard = told_to_end(left, 1)
        STOPS.fails(found)
        TOLD_TO_END.fails(heard)
    found, heard = judged(fresh)
    STOPS(found)
    TOLD_TO_END(heard)


@claim("api-keeps-its-places")
def test_however_much_the_cli_writes_its_result_is_the_answer(headless: Headless, token: str) -> None:
    box = served(headless, token, WRITES.encode())

    def answer(prompt: str, seconds: float) -> tuple[int, str]:
        found = ask(box, prompt, timeout=seconds)
        return observe("answer", prompt, (found.status, str(found.data.get("result", ""))))

    with control("one that writes nothing and goes on is not answered in time"):
        DONE.fails(answer("hangs", 2))
    for each in MUCH:
        DONE(answer(each, min(pace.stretched(LIMIT), MOST)))


@claim("api-keeps-its-places")
def test_no_end_of_a_line_makes_an_event(headless: Headless, token: str) -> None:
    box = served(headless, token, SAYS)

    def names(asked: str, text: bytes) -> list[str]:
        return observe("names of events", asked, names_of(told(box, text, stream=True).text))

    with control("an event of another name, which the CLI did send, is seen"):
        NOT_FORGED.fails(names("another name", TOLD))
    for asked, text in FORGED.items():
        NOT_FORGED(names(asked, text + RESULT))


@claim("api-leaves-nothing-running")
def test_it_ends_with_its_prompt_while_another_is_worked_on(headless: Headless, token: str) -> None:
    box = served(headless, token, LEAVES.encode(), BOX_API_CONCURRENCY="2")

    def running(asked: str, own: str) -> Running:
        every = [each.cmdline for each in processes(box)]
        found = Running(*(sum(name in each for each in every) for name in (own, AT_WORK)))
        return observe("processes of prompts", asked, found)

    box.made.exec_run(words("hangs", seconds=900), detach=True)
    with control("while a prompt is worked on what it started runs too"):
        box.made.exec_run(words("waits", seconds=900), detach=True)
        until(
            lambda: running("it waits", WAITED_FOR) == Running(PARTS, PARTS), timeout=60,
            what="what the two prompts start",
        )  # fmt: skip
        ONLY_THE_OTHERS.fails(running("it waits", WAITED_FOR))
        assert box.exec(["pkill", "--full", '"waits"']).ok  # its client goes
        until(lambda: ask(box, "next").status == 200, timeout=60, what="the place is given back")
    assert ask(box, "last").status == 200, box.logs()
    over = Running(0, PARTS)
    eventually(lambda: running("answered", OVER) == over, timeout=60, every=1, what="what it started ends")
    ONLY_THE_OTHERS(running("answered", OVER))


@claim("api-not-for-web-pages")
def test_what_only_looks_like_ours_is_not_taken(headless: Headless, token: str) -> None:
    """A browser lets a page send text whatever its parameters are, and any name may begin as ours does."""
    made = headless(env=token, environment={"CLAUDE_MODE": "api"})
    made.put({headless.subject.image.cli: (SAYS, 0o755)})
    box = api_session.serve(made)
    body = json.dumps({"prompt": base64.b64encode(RESULT).decode()})

    def status(asked: str, host: str, kind: str) -> int:
        headers = ["-H", f"Host: {host}", "-H", f"Content-Type: {kind}"]
        shown = ["-sS", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "240"]
        said = box.exec(["curl", *shown, *headers, "--data", body, api_session.URL])
        return observe("status", asked, int(said.stdout or 0))

    with control("a program's own request is taken, also with a parameter of its own"):
        assert NOT_TAKEN.fails(status("a program", OWN, TAKES)) == 200
        assert NOT_TAKEN.fails(status("a program that names its text's code", OWN, f"{TAKES}; a=b")) == 200
    for asked, (host, kind) in LOOKS_LIKE_OURS.items():
        NOT_TAKEN(status(asked, host, kind))
