"""The agent's API: sessions kept, prompts answered, by clients with and without the token."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from boxproof.core.process import Result
from boxproof.probes.containers import LocalContainer
from boxproof.probes.pods.probe_pods import Twin
from boxproof.probes.pressure import awaited
from pytest_claims import pace
from pytest_claims.faults import EnvironmentFault, SubjectFault
from pytest_claims.recording import observations
from pytest_claims.waiting import holds

NOTES = "notes"
WORK = f"echo step >> {NOTES}"  # what the stub has the agent do, relative to its work directory
READY = ["/usr/local/bin/healthcheck", "ready"]
URL = "http://127.0.0.1:8080/v1/prompt"
LISTENS = ["curl", "-s", "-o", "/dev/null", "--max-time", "30", URL]  # whatever it answers
SEND = ["curl", "-sS", "--max-time", "900", "--json", '{"prompt": "Do the work."}', URL]


@dataclass(frozen=True)
class Left:
    """Steps in the work directory, results in the transcript (-1: not whole), the state of the box."""

    steps: int
    results: int
    ready: bool
    running: bool


def serve(box: LocalContainer) -> LocalContainer:
    """Start a box in api mode and wait until it answers; raises SubjectFault where it does not."""
    box.start()
    awaited(lambda: box.exec(LISTENS).ok, timeout=60, every=0.3, what="the box answers in mode api")
    return box


def listens(box: LocalContainer) -> bool:
    """Return whether a box in api mode answers at all; one that has ended does not."""
    try:
        return box.exec(LISTENS).ok
    except SubjectFault:
        return False


def work(box: LocalContainer) -> dict[str, Any]:
    """Send one prompt and return the answer's JSON, {} for none."""
    ended = box.exec(SEND)
    try:
        answer = json.loads(ended.stdout)
    except ValueError:
        return {}
    return dict(answer) if isinstance(answer, dict) else {}


def left(box: LocalContainer, config_dir: str) -> Left:
    """Return what is left of the session; an observation."""
    if holds(lambda: box.running, seconds=2):
        notes = box.exec(["cat", NOTES]).stdout.splitlines()
        found = Left(len(notes), results(box.exec, config_dir), box.exec(READY).ok, running=True)
    else:
        found = Left(0, 0, ready=False, running=False)
    observations.record("session", box.label, found)
    return found


def results(run: Callable[[Sequence[str]], Result], config_dir: str) -> int:
    """Return how many results of tools the transcripts hold, -1 if a line of them is not whole."""
    text = run(["sh", "-c", f"cat {config_dir}/projects/*/*.jsonl"]).stdout
    try:
        lines = [json.loads(each) for each in text.splitlines()]
    except ValueError:
        return -1
    contents = [each.get("message", {}).get("content") for each in lines if each.get("type") == "user"]
    parts = [part for each in contents if isinstance(each, list) for part in each]
    return sum(part.get("type") == "tool_result" for part in parts)


PROMPT = 240.0  # seconds a prompt gets: its answer ends it
TOLD = "\n%{http_code} %header{retry-after}"
NO_ANSWER = 0
CLIENT = """
import json, sys, urllib.error, urllib.request
url, body, token, seconds = json.loads(sys.argv[1])
headers = {"Content-Type": "application/json", "Authorization": "Bearer " + token}
try:
    answer = urllib.request.urlopen(urllib.request.Request(url, body.encode(), headers), timeout=seconds)
except urllib.error.HTTPError as error:
    answer = error
except OSError as error:
    print(json.dumps([0, str(error)]))
    sys.exit()
print(json.dumps([answer.status, answer.read().decode(errors="replace")]))
"""


@dataclass(frozen=True)
class Reply:
    """Status (0: none came), body and what Retry-After said."""

    status: int
    text: str
    retry_after: str = ""

    @property
    def data(self) -> dict[str, Any]:
        """The body as JSON, {} if it is none."""
        try:
            found = json.loads(self.text)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def events(self) -> list[tuple[str, dict[str, Any]]]:
        """The server-sent events of the body: name and data."""
        blocks = [dict(line.split(": ", 1) for line in each.splitlines()) for each in self.text.split("\n\n")]
        return [(each["event"], json.loads(each["data"])) for each in blocks if "data" in each]


def ask(
    box: LocalContainer, prompt: str, *, token: str = "", seconds: float = PROMPT, **fields: Any
) -> Reply:
    """Send one prompt, with ``fields`` beside it, and wait ``seconds`` for the answer; an observation.

    Where none comes the text is what the client said of it. Raises EnvironmentFault if the client ended well
    and what it wrote was lost.
    """
    ended = box.exec(words(prompt, token=token, seconds=seconds, **fields))
    text, _, told = ended.stdout.rpartition("\n")
    if ended.ok and not told:
        raise EnvironmentFault("what curl wrote in the box did not reach this side")
    status, _, later = told.partition(" ")
    code = int(status or NO_ANSWER)
    why = f"{text}curl ended with {ended.code}: {ended.stderr.strip()}"
    found = Reply(code, text if code else why, later)
    observations.record("api answer", f"{fields or 'a prompt'}", found, decides=found.status)
    return found


def ask_from(pod: Twin, url: str, prompt: str, *, token: str = "", seconds: float = PROMPT) -> Reply:
    """Send one prompt from another pod, as a client of the service would; an observation."""
    limit = pace.stretched(seconds)
    asked = json.dumps([url, json.dumps({"prompt": prompt}), token, limit])
    ended = pod.exec(["python3", "-c", CLIENT, asked], timeout=limit + 20)
    if not ended.ok:
        raise EnvironmentFault(f"the client in {pod.label} broke: {ended.stderr.strip()[-300:]}")
    status, text = json.loads(ended.stdout)
    found = Reply(int(status), str(text))
    observations.record("api answer", f"{pod.label} -> {url}", found, decides=found.status)
    return found


def words(prompt: str, *, token: str = "", seconds: float = PROMPT, **fields: Any) -> list[str]:
    """Return the command that sends one prompt from within the box; a slow machine gets more ``seconds``."""
    header = ["--header", f"Authorization: Bearer {token}"] if token else []
    body = json.dumps({"prompt": prompt} | fields)
    return [
        "curl",
        "-sSN",
        "--max-time",
        f"{pace.stretched(seconds)}",
        "-w",
        TOLD,
        *header,
        "--json",
        body,
        URL,
    ]
