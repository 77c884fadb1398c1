"""A session of the box in api mode: a prompt with work to do, and what is left of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from boxproof.core.process import Result
from boxproof.probes.containers import LocalContainer
from pytest_claims.recording import observations
from pytest_claims.waiting import holds, until

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
    """Start a box in api mode and wait until it answers."""
    box.start()
    until(lambda: box.exec(LISTENS).ok, timeout=60, every=0.3, what="the box listens")
    return box


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
