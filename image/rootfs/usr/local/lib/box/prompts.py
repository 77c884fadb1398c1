"""Runs the CLI on a prompt: as long as somebody waits for the answer, and not longer than it may take."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import limits
from logs import log
from service import TOKEN, TOKEN_FILE

ARGV = ("claude", "-p", "--output-format", "stream-json", "--verbose")
PARTS = "--include-partial-messages"  # the answer word by word
LINE = 32 << 20  # bytes of one event at most: a tool's result can be long
KILL_AFTER = 3.0  # seconds
SAVES = 5.0  # seconds that the CLI has after its result to write down the session
KEEP_ALIVE = 15.0  # seconds of silence until a stream gives a sign of life, for the proxies on its way
Event = dict[str, Any]


class Gone(Exception):
    """The client went away."""


class TooLong(Exception):
    """There was no answer in time."""


class Failed(Exception):
    """The CLI ended without an answer; the text is what it said last."""


class Children:
    """The CLIs that run."""

    def __init__(self, flags: Sequence[str] = ()) -> None:
        self.flags = tuple(flags)
        self.running: set[asyncio.subprocess.Process] = set()

    def end_all(self) -> None:
        """Have every one end."""
        for each in list(self.running):
            end(each)

    @asynccontextmanager
    async def start(self, *words: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """Start the CLI, in a group of its own, with what it starts; end all of them with the block."""
        pipe = asyncio.subprocess.PIPE
        # the token that clients send is no business of the agent's
        env = {key: value for key, value in limits.environment().items() if key not in (TOKEN, TOKEN_FILE)}
        child = await asyncio.create_subprocess_exec(
            *ARGV, *words, *self.flags, stdin=pipe, stdout=pipe, stderr=pipe, limit=LINE, env=env,
            start_new_session=True,
        )  # fmt: skip
        self.running.add(child)
        try:
            yield child
        finally:
            self.running.discard(child)
            end(child)

    async def events(
        self, prompt: str, gone: Awaitable[object], *, timeout: float, parts: bool = False
    ) -> AsyncIterator[Event | None]:
        """Yield what the CLI says, None for a while of silence; ends with its result.

        Raises Gone once ``gone`` is done, TooLong after ``timeout`` seconds, and Failed.
        """
        end_at = asyncio.get_running_loop().time() + timeout
        async with self.start(*([PARTS] if parts else [])) as child:
            last = asyncio.ensure_future(_last_words(child))
            left = asyncio.ensure_future(gone)
            try:
                await _tell(child, prompt)
                async for line in _lines(child, left, end_at):
                    yield line
                    if line is not None and line.get("type") == "result":
                        await asyncio.wait({asyncio.ensure_future(child.wait())}, timeout=SAVES)
                        return
                await child.wait()
                raise Failed(await last or f"the CLI ended with {child.returncode}")
            finally:
                last.cancel()
                left.cancel()


async def _lines(
    child: asyncio.subprocess.Process, left: asyncio.Future[object], end_at: float
) -> AsyncIterator[Event | None]:
    assert child.stdout is not None
    line = asyncio.ensure_future(child.stdout.readline())
    try:
        while True:
            wait = min(KEEP_ALIVE, end_at - asyncio.get_running_loop().time())
            await asyncio.wait({line, left}, timeout=max(0, wait), return_when=asyncio.FIRST_COMPLETED)
            if left.done():
                raise Gone
            if line.done():
                if not (text := line.result()):
                    return
                line = asyncio.ensure_future(child.stdout.readline())
                if (event := _event(text)) is not None:
                    yield event
            elif asyncio.get_running_loop().time() >= end_at:
                raise TooLong
            else:
                yield None
    finally:
        line.cancel()


def _event(line: bytes) -> Event | None:
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    if isinstance(found, dict):
        return found
    log("the CLI wrote what is no event", "debug", bytes=len(line))
    return None


async def _tell(child: asyncio.subprocess.Process, prompt: str) -> None:
    """Hand the prompt over: by standard input, since arguments can be seen by everybody in the container."""
    assert child.stdin is not None
    try:
        child.stdin.write(prompt.encode())
        await child.stdin.drain()
    except ConnectionError:
        log("the CLI did not read its prompt", "debug")
    finally:
        child.stdin.close()


async def _last_words(child: asyncio.subprocess.Process) -> str:
    """Read standard error to its end and return the last of it."""
    assert child.stderr is not None
    kept = b""
    while part := await child.stderr.read(4096):
        kept = (kept + part)[-500:]
    return kept.decode(errors="replace").strip()


def end(child: asyncio.subprocess.Process) -> None:
    """Have a CLI and what it started end: TERM, and KILL if that does not help."""
    _signal(child, signal.SIGTERM)
    asyncio.get_running_loop().call_later(KILL_AFTER, _signal, child, signal.SIGKILL)


def _signal(child: asyncio.subprocess.Process, number: signal.Signals) -> None:
    try:
        os.killpg(child.pid, number)
    except ProcessLookupError:  # all of the group has ended
        return
