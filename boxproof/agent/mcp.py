"""The MCP server of a box, spoken to over its standard input and output."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

from boxproof.kube.exec import Dialogue, Ended, Silent, dialogue
from pytest_claims.faults import SubjectFault
from pytest_claims.recording import observations

PROTOCOL = "2025-03-26"
ANSWER = 60.0  # seconds
CHANGES = re.compile(
    r"(?:^|_)(delete|exec|run|create|update|create_or_update|apply|patch|install|uninstall|scale)(?:_|$)"
)


@dataclass(frozen=True)
class Tool:
    """A tool the server offers; ``reads`` is what its own annotation says."""

    name: str
    reads: bool

    @property
    def changes(self) -> bool:
        """Whether it changes something, by its annotation or by its name."""
        return not self.reads or CHANGES.search(self.name) is not None


@dataclass(frozen=True)
class Answer:
    """What a call came to: "ok", "failed" (the tool's own error), "unknown" (no tool), "silent"; its text."""

    outcome: str
    text: str


class Server:
    """One running server after its handshake; everything raises SubjectFault if it does not answer."""

    def __init__(self, talk: Dialogue, asked: str) -> None:
        self.talk = talk
        self.asked = asked
        self._ids = count(1)

    def request(self, method: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Send one JSON-RPC request and return the answer to it."""
        number = next(self._ids)
        body = {"jsonrpc": "2.0", "id": number, "method": method, "params": params or {}}
        try:
            self.talk.say(json.dumps(body))
            line = self.talk.hear(lambda text: _answers(text, number), timeout=ANSWER)
        except (Ended, Silent) as error:
            raise SubjectFault(f"the MCP server gave no answer to {method}: {error.message}") from error
        found: dict[str, Any] = json.loads(line)
        return found

    def greet(self) -> Server:
        """Shake hands, as a client must."""
        client = {"name": "boxproof", "version": "1"}
        self.request("initialize", {"protocolVersion": PROTOCOL, "capabilities": {}, "clientInfo": client})
        self.talk.say(json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"}))
        return self

    def tools(self) -> list[Tool]:
        """Return the tools it offers; an observation that tells those which change something."""
        listed = self.request("tools/list").get("result", {}).get("tools", [])
        found = [Tool(each["name"], bool(each.get("annotations", {}).get("readOnlyHint"))) for each in listed]
        changing = [each.name for each in found if each.changes]
        shown = {"tools": [each.name for each in found], "changing": changing}
        observations.record("MCP tools", self.asked, shown, decides=changing)
        return found

    def call(self, tool: str, **arguments: Any) -> Answer:
        """Call a tool; an observation that tells the outcomes apart."""
        answer = self.request("tools/call", {"name": tool, "arguments": arguments})
        if "error" in answer:
            found = Answer("unknown", str(answer["error"].get("message", "")))
        else:
            result = answer.get("result", {})
            text = "\n".join(str(each.get("text", "")) for each in result.get("content") or [])
            found = Answer("failed" if result.get("isError") else "ok", text)
        shown = {"outcome": found.outcome, "text": found.text[-1500:]}
        observations.record("MCP call", f"{self.asked}: {tool} {arguments}", shown, decides=found.outcome)
        return found


def _answers(text: str, number: int) -> bool:
    try:
        found = json.loads(text)
    except ValueError:
        return False
    return isinstance(found, dict) and found.get("id") == number and "method" not in found


def command(box: Any, config: str, server: str) -> list[str]:
    """Return the argv of a server of the configuration in a running box; raises SubjectFault for none.

    Whether there is such a program shows when it is started.
    """
    done = box.exec(["cat", config])
    return argv_of(done.stdout, config, server, said=done.stderr[-200:])


def argv_of(text: str, config: str, server: str, *, said: str = "") -> list[str]:
    """Return the argv of a server by the text of the configuration ``config``; errors as ``command``."""
    try:
        found = json.loads(text)["mcpServers"][server]
        argv = [found["command"], *found.get("args", [])]
        kind = found.get("type", "stdio")
    except (ValueError, KeyError, TypeError) as error:
        raise SubjectFault(f"{config} names no server {server!r}: {said}{error!r}") from error
    if kind != "stdio":
        raise SubjectFault(f"the server {server!r} of {config} is of type {kind}, not stdio")
    return [str(each) for each in argv]


@contextmanager
def server(box: Any, argv: Sequence[str]) -> Iterator[Server]:
    """Give the server ``argv``, started in the agent's container, after its handshake."""
    with dialogue(box.kube, box.namespace, box.pod, box.container, argv) as talk:
        yield Server(talk, " ".join(argv)).greet()


def called(box: Any, argv: Sequence[str], tool: str, **arguments: Any) -> Answer:
    """Start a server and call one of its tools: one that does not start, or does not answer, is "silent"."""
    try:
        with server(box, argv) as started:
            return started.call(tool, **arguments)
    except SubjectFault as fault:
        observations.record("MCP call", f"{' '.join(argv)}: {tool} {arguments}", fault.message)
        return Answer("silent", fault.message)
