"""Runs the CLI on a prompt: as long as somebody waits for the answer, and not longer than it may take."""

import asyncio
import json
import os
import signal
import sys
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import limits
from health import DEAD, Process, processes
from logs import log
from reaper import take_orphans
from service import TOKEN, TOKEN_FILE

REAPER = (sys.executable, "-IS", str(Path(__file__).with_name("reaper.py")))
ARGV = ("claude", "-p", "--output-format", "stream-json", "--verbose")
PARTS = "--include-partial-messages"  # the answer word by word
LINE = 32 << 20  # bytes of one event at most: a tool's result can be long
READ = 1 << 16  # bytes
KILL_AFTER = 3.0  # seconds
AGAIN = 0.05  # seconds between two looks for what is left of a prompt
SAVES = 5.0  # seconds that the CLI has after its result to write down the session
KEEP_ALIVE = 15.0  # seconds of silence until a stream gives a sign of life, for the proxies on its way
Child = asyncio.subprocess.Process
Event = dict[str, Any]
Tell = Callable[[Event | None], Awaitable[None]]


class Gone(Exception):
    """The client went away."""


class TooLong(Exception):
    """There was no answer in time."""


class Failed(Exception):
    """The CLI ended without an answer; the text is what it said last."""


class Children:
    """The CLIs that run, each below a reaper: what one leaves behind comes to this process when it has ended.

    It has nothing to do with children that this process had before.
    """

    def __init__(self, flags: Sequence[str] = ()) -> None:
        self.flags = tuple(flags)
        self.running: set[Child] = set()  # until nothing is left of them
        self.starting = 0
        self.others = {each.pid for each in processes() if each.parent == os.getpid()}
        if not take_orphans():
            log("what leaves the process group of a prompt cannot be ended with it here", "warning")

    def end_all(self) -> None:
        """Have every one end."""
        for child in list(self.running):
            self.end(child)

    @asynccontextmanager
    async def start(self, name: str, *words: str) -> AsyncIterator[Child]:
        """Start the CLI, in a group of its own, with what it starts; end all of them with the block.

        ``name`` is what tells it from others for who looks at the processes.
        """
        pipe = asyncio.subprocess.PIPE
        # the token that clients send is no business of the agent's
        env = {key: value for key, value in limits.environment().items() if key not in (TOKEN, TOKEN_FILE)}
        self.starting += 1
        try:
            child = await asyncio.create_subprocess_exec(
                *REAPER, name, *ARGV, *words, *self.flags, stdin=pipe, stdout=pipe, stderr=pipe, env=env,
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise Failed(f"the CLI cannot be started: {error}") from error
        finally:
            self.starting -= 1
        self.running.add(child)
        try:
            yield child
        finally:
            self.end(child)

    def end(self, child: Child) -> None:
        """Have a CLI and what it started end: TERM, and KILL if that does not help."""
        _signal(child.pid, signal.SIGTERM)
        asyncio.get_running_loop().call_later(KILL_AFTER, self.kill, child)

    def kill(self, child: Child) -> None:
        """Kill what is left of a prompt: its group, with the reaper, and then what comes here from below."""
        _signal(child.pid, signal.SIGKILL)
        # pipes that nobody reads any more would stay open; asyncio has no other way to close them
        child._transport.close()  # type: ignore[attr-defined]
        self.clear(child)

    def clear(self, child: Child) -> None:
        """Kill what is left of prompts that are over, until ``child`` has ended and nothing is left."""
        found = [] if self.starting else self.left()  # a reaper that is just being started is not known yet
        for each in found:
            with suppress(OSError):  # it has ended meanwhile
                if each.state not in DEAD:
                    os.kill(each.pid, signal.SIGKILL)
                elif each.parent == os.getpid():
                    os.waitpid(each.pid, os.WNOHANG)
        if found or self.starting or child.returncode is None:
            asyncio.get_running_loop().call_later(AGAIN, self.clear, child)
        else:
            self.running.discard(child)

    def left(self) -> list[Process]:
        """Return what has no reaper any more, and all below it."""
        below: dict[int, list[Process]] = defaultdict(list)
        for each in processes():
            below[each.parent].append(each)
        kept = {each.pid for each in self.running if each.returncode is None}
        found = [each for each in below[os.getpid()] if each.pid not in kept | self.others]
        for each in found:  # it grows meanwhile
            found += below[each.pid]
        return found

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


async def _result(child: Child, prompt: str, left: "asyncio.Future[object]", tell: Tell) -> Event:
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


async def _lines(child: Child, left: "asyncio.Future[object]") -> AsyncGenerator[bytes | None, None]:
    """Yield what the CLI writes, None for a while of silence, b"" for a line that is too long."""
    assert child.stdout is not None
    lines = whole_lines(child.stdout)
    line: asyncio.Future[bytes | None] = asyncio.ensure_future(anext(lines, None))
    try:
        while True:
            both: set[asyncio.Future[Any]] = {line, left}
            await asyncio.wait(both, timeout=KEEP_ALIVE, return_when=asyncio.FIRST_COMPLETED)
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


async def _hand_over(child: Child, prompt: str) -> None:
    """Hand the prompt over: by standard input, since arguments can be seen by everybody in the container."""
    assert child.stdin is not None
    try:
        child.stdin.write(prompt.encode())
        await child.stdin.drain()
    except ConnectionError:
        log("the CLI did not read its prompt", "debug")
    finally:
        child.stdin.close()


async def _last_words(child: Child) -> str:
    """Read standard error to its end and return the last of it."""
    assert child.stderr is not None
    kept = b""
    while part := await child.stderr.read(4096):
        kept = (kept + part)[-500:]
    return kept.decode(errors="replace").strip()


def _signal(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # all of the group has ended
        os.killpg(group, number)
