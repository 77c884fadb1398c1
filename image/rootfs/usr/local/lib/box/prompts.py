"""Runs the CLI on a prompt: as long as somebody waits for the answer, and not longer than it may take."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import limits
from logs import log
from service import TOKEN, TOKEN_FILE

ARGV = ("claude", "-p", "--output-format", "stream-json", "--verbose")
PARTS = "--include-partial-messages"  # the answer word by word
LINE = 32 << 20  # bytes of one event at most: a tool's result can be long
READ = 1 << 16  # bytes
KILL_AFTER = 3.0  # seconds
SAVES = 5.0  # seconds that the CLI has after its result to write down the session
KEEP_ALIVE = 15.0  # seconds of silence until a stream gives a sign of life, for the proxies on its way
MARK = "BOX_PROMPT"  # in the environment of all that a prompt starts
Event = dict[str, Any]
Tell = Callable[[Event | None], Awaitable[None]]


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
        self.running: dict[asyncio.subprocess.Process, str] = {}

    def end_all(self) -> None:
        """Have every one end."""
        for child, mark in list(self.running.items()):
            end(child, mark)

    @asynccontextmanager
    async def start(self, name: str, *words: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """Start the CLI, in a group of its own, with what it starts; end all of them with the block."""
        pipe, mark = asyncio.subprocess.PIPE, f"{MARK}={name}"
        # the token that clients send is no business of the agent's
        env = {key: value for key, value in limits.environment().items() if key not in (TOKEN, TOKEN_FILE)}
        try:
            child = await asyncio.create_subprocess_exec(
                *ARGV, *words, *self.flags, stdin=pipe, stdout=pipe, stderr=pipe, env=env | {MARK: name},
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise Failed(f"the CLI cannot be started: {error}") from error
        self.running[child] = mark
        try:
            yield child
        finally:
            self.running.pop(child, None)
            end(child, mark)

    async def work(
        self, name: str, prompt: str, gone: Awaitable[object], tell: Tell, *, timeout: float, parts: bool
    ) -> Event:
        """Return the result of a prompt; ``tell`` is given every event, None for a while of silence.

        Raises Gone once ``gone`` is done, TooLong after ``timeout`` seconds, the time that ``tell`` takes
        included, and Failed.
        """
        left = asyncio.ensure_future(gone)
        try:
            async with self.start(name, *([PARTS] if parts else [])) as child:
                try:
                    async with asyncio.timeout(timeout) as limit:
                        result = await _result(child, prompt, left, tell)
                except TimeoutError:
                    if limit.expired():
                        raise TooLong from None
                    raise
                with suppress(TimeoutError):
                    await asyncio.wait_for(child.wait(), SAVES)
                return result
        finally:
            left.cancel()


async def _result(
    child: asyncio.subprocess.Process, prompt: str, left: "asyncio.Future[object]", tell: Tell
) -> Event:
    last = asyncio.ensure_future(_last_words(child))
    why = ""
    try:
        await _hand_over(child, prompt)
        async with aclosing(_lines(child, left)) as lines:
            async for line in lines:
                found = event(line) if line else None
                if line == b"":
                    why = f"the CLI wrote a line of more than {LINE} bytes"
                elif found is not None or line is None:
                    await tell(found)
                if found is not None and found.get("type") == "result":
                    return found
        await child.wait()
        raise Failed(await last or why or f"the CLI ended with {child.returncode}")
    finally:
        last.cancel()


async def _lines(
    child: asyncio.subprocess.Process, left: "asyncio.Future[object]"
) -> AsyncIterator[bytes | None]:
    """Yield what the CLI writes, None for a while of silence, b"" for a line that is too long."""
    assert child.stdout is not None
    lines = whole_lines(child.stdout)
    line = asyncio.ensure_future(anext(lines, None))
    try:
        while True:
            await asyncio.wait({line, left}, timeout=KEEP_ALIVE, return_when=asyncio.FIRST_COMPLETED)
            if left.done():
                raise Gone
            if not line.done():
                yield None
                continue
            if (text := line.result()) is None:
                return
            line = asyncio.ensure_future(anext(lines, None))
            yield text
    finally:
        line.cancel()


async def whole_lines(stream: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """Yield each line that is not blank, b"" for one that has more than LINE bytes."""
    kept, too_long = bytearray(), False
    while part := await stream.read(READ):
        *ends, rest = part.split(b"\n")
        for each in ends:
            kept += each
            if too_long or len(kept) > LINE:
                yield b""
            elif text := bytes(kept).strip():
                yield text
            kept.clear()
            too_long = False
        kept += rest
        if len(kept) > LINE:
            kept.clear()
            too_long = True
    if too_long:
        yield b""
    elif text := bytes(kept).strip():
        yield text


def event(line: bytes) -> Event | None:
    """Return a line of the CLI as an event, None if it is none that can be handed on as JSON."""
    try:
        found = json.loads(line)
        if isinstance(found, dict):
            json.dumps(found, allow_nan=False)
            return found
    except (ValueError, RecursionError):
        pass
    log("the CLI wrote what is no event", "debug", bytes=len(line))
    return None


async def _hand_over(child: asyncio.subprocess.Process, prompt: str) -> None:
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


def end(child: asyncio.subprocess.Process, mark: str) -> None:
    """Have a CLI and what it started end: TERM, and KILL if that does not help."""
    _signal(child.pid, signal.SIGTERM)
    asyncio.get_running_loop().call_later(KILL_AFTER, kill, child, mark)


def kill(child: asyncio.subprocess.Process, mark: str) -> None:
    """Kill what is left of a prompt: its group, and what left that and still has the mark."""
    _signal(child.pid, signal.SIGKILL)
    # pipes that nobody reads any more would stay open; asyncio has no other way to close them
    child._transport.close()  # type: ignore[attr-defined]
    for each in Path("/proc").iterdir():
        with suppress(OSError):  # it ended, or is no process
            if each.name.isdigit() and mark.encode() in (each / "environ").read_bytes().split(b"\0"):
                os.kill(int(each.name), signal.SIGKILL)


def _signal(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # all of the group has ended
        os.killpg(group, number)
