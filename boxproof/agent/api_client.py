"""The box in api mode, asked from within its own network: what it answers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from boxproof.probes.containers import LocalContainer
from boxproof.probes.pods.probe_pods import Twin
from pytest_claims import pace
from pytest_claims.faults import EnvironmentFault
from pytest_claims.recording import observations

URL = "http://127.0.0.1:8080/v1/prompt"
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
