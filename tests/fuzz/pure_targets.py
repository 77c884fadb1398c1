"""Functions of the box and the harness that read what others wrote: what they may raise, and return."""

from __future__ import annotations

import io
import json
import os
import tempfile
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from boxproof.reports import matrix_results
from pytest_claims.faults import UsageError
from pytest_claims.reports import history, results
from tests.fuzz import inputs
from tests.fuzz.box_modules import module

PLACE = Path(tempfile.gettempdir(), f"boxproof-fuzz-{os.getpid()}")


def request(data: tuple[bytes, str]) -> None:
    """A body that is asked is a prompt that can be sent, or wrong."""
    service = module("service")
    with suppress(service.Wrong):
        asked = service.asked(data[0], data[1], 60.0)
        asked.prompt.encode()
        assert 0 < asked.timeout <= 60
    for settings in (
        service.Settings("h", 1, "", "", 1, 1),
        service.Settings("h", 1, "sha256:" + "0" * 64, "", 1, 1),
    ):
        settings.allows(data[1].encode("latin-1", "replace").decode("latin-1"))
        with suppress(service.Wrong):
            settings.expects(data[1], data[1])


def event(line: bytes) -> None:
    """An event is written as one, whatever is in it."""
    found = module("prompts").event(line)
    if found is not None:
        text = module("api").server_sent(found).decode("ascii")
        fields = [each.partition(": ")[0] for each in text.split("\n")]
        assert fields == ["event", "data", "", ""], text


def relayed(data: tuple[bytes, int]) -> None:
    """No line of the CLI comes out as an object without its source."""
    text, size = data
    relay = module("relay")
    out = os.memfd_create("out")
    try:
        sink = relay.marked(out)
        for start in range(0, len(text), size):
            sink(text[start : start + size])
        sink(b"")
        os.lseek(out, 0, os.SEEK_SET)
        lines = os.read(out, 1 << 26).splitlines()
    finally:
        os.close(out)
    said: list[str] = []
    kept = relay.write, relay.log
    relay.write = said.append
    relay.log = lambda *_words, **fields: said.append(json.dumps(fields))
    try:
        sink = relay.as_json()
        for start in range(0, len(text), size):
            sink(text[start : start + size])
        sink(b"")
    finally:
        relay.write, relay.log = kept
    for line in [*lines, *(each.encode() for each in said)]:
        with suppress(ValueError, RecursionError):
            found = json.loads(line)
            assert not isinstance(found, dict) or found.get("source") == "claude", line


def gate(text: str) -> None:
    """A place is a host and a port, or none."""
    with suppress(ValueError):
        host, port = module("gate").place(text)
        assert host
        assert port >= 0


def address(text: str) -> None:
    """A repository's address holds no token, a branch is no option."""
    program = module("config_clone")
    with suppress(program.Failure):
        found = program.repository(text)
        assert found.startswith(("https://", "HTTPS://", "Https://")) or found.lower().startswith("https://")
        assert not set(found) & set("@?# \n\r\t\0") or "@" in found.split("/", 3)[-1]
        program.settings(found)
    with suppress(program.Failure):
        found = program.branch(text)
        assert not found.startswith("-")


def credentials(data: tuple[bytes, str]) -> None:
    """Every file and every variable says which state the login is in."""
    login = module("login")
    PLACE.mkdir(exist_ok=True)
    (PLACE / ".credentials.json").write_bytes(data[0])
    environ = {
        "CLAUDE_CONFIG_DIR": str(PLACE),
        "BOX_TOKEN_EXPIRES": data[1],
        "BOX_EXPIRY_WARN_MINUTES": data[1],
    }
    found = login.find(environ)
    assert found.state in ("ok", "missing", "unreadable", "empty", "truncated", "expired")
    json.dumps(login.expiry(environ), allow_nan=False)
    login.problem(found, "remote-control")
    login.expiry(environ | {"CLAUDE_CODE_OAUTH_TOKEN": "x"})


def proxied(data: bytes) -> None:
    """A request is a tunnel to a name on the list, or refused; a handshake names a host, or is none."""
    proxy = module("proxy")
    with suppress(proxy.Refused):
        assert proxy.target(data, ["a.example", "*.b"]) == "a.example" or data.lower().count(b".b:443")
    with suppress(proxy.NoHello):
        proxy.client_hello.name(proxy.client_hello.message(data) or b"")


def hint(text: str) -> None:
    """Whatever kubectl says, there are hints or none."""
    module("forbidden").hints(f'cannot get resource "{text}" in API group "{text}" {text}')


def report(data: bytes) -> None:
    """A report is one, or told to be none."""
    PLACE.mkdir(exist_ok=True)
    path = PLACE / "results.json"
    path.write_bytes(data)
    with suppress(ValueError, RecursionError):  # pydantic's is a ValueError
        results.read(path)
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        history.read(path)
    (PLACE / "matrix.json").write_bytes(data)
    with suppress(UsageError):
        matrix_results.merge([PLACE], PLACE / "merged")


TARGETS: dict[str, tuple[Callable[[Any], None], st.SearchStrategy[Any]]] = {
    "request": (request, st.tuples(inputs.REQUESTS, inputs.WORDS)),
    "event": (event, inputs.EVENTS),
    "relay": (relayed, st.tuples(inputs.LINES, st.integers(1, 4000))),
    "gate": (gate, inputs.WORDS),
    "config-clone": (address, inputs.WORDS | inputs.WORDS.map(lambda each: f"https://{each}")),
    "login": (credentials, st.tuples(inputs.CREDENTIALS, inputs.WORDS)),
    "proxy": (proxied, inputs.HEADS),
    "hint": (hint, inputs.WORDS),
    "results": (report, inputs.nearly(inputs.objects("schema", "run", "verdict", "claims", "cells"))),
}
