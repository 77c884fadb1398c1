"""The one place that runs processes: argv lists, a built environment, a deadline for each."""

from __future__ import annotations

import errno
import fcntl
import os
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NoReturn

from boxproof.core import guard, parents
from pytest_claims import pace
from pytest_claims.ending import TOLD, CutShort, still_wanted
from pytest_claims.faults import EnvironmentFault
from pytest_claims.pace import Deadline

MAKE_ROOM = "make room, or set BOXPROOF_CACHE and BOXPROOF_STATE to directories on another disk"
KILL_AFTER = 5.0  # seconds between TERM and KILL for a command that overran
PASSED_ON = (  # host facts a child may need; everything else stays out
    "PATH", "HOME", "USER", "LANG", "LC_ALL", "TERM", "TMPDIR", "XDG_CACHE_HOME", "XDG_STATE_HOME",
    "XDG_CONFIG_HOME", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy",
    "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS", "GOPROXY", "GOSUMDB", "GONOSUMDB", "GOPRIVATE", "GOFLAGS",
    "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH",
)  # fmt: skip
PASSED_ON_PREFIXES = ("PIP_", "UV_", "npm_config_", "NPM_CONFIG_", "BOXPROOF_")

OWNER = "BOXPROOF_RUN"  # in the environment of all that a run starts, so that the next one can end it

TEMPORARY = "TMPDIR"
OWN_TEMPORARY = "boxproof-run-"  # how a run's own directory for temporary files begins
DEAF = 2.0  # seconds a command under way gets to end after TERM once its run was told to
ENDING = (  # the signals that end a run; with nohup a closed terminal is no reason to
    signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] * (signal.getsignal(signal.SIGHUP) != signal.SIG_IGN)),
)  # fmt: skip

Process = subprocess.Popen[bytes]
_live: set[subprocess.Popen[bytes]] = set()
_owner: dict[str, str] = {}
_when_told: list[Callable[[], None]] = []
_undisturbed: list[bool] = []  # one for each block; the first notes a signal


@dataclass(frozen=True)
class Result:
    """A finished command; ``seconds`` is its wall time."""

    argv: tuple[str, ...]
    code: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether the command ended with 0."""
        return self.code == 0

    def describe(self) -> str:
        """Return a line to paste into a shell, the exit code and the last ten lines of output."""
        tail = (self.stderr.strip() or self.stdout.strip()).splitlines()[-10:]
        return "\n".join([f"$ {shlex.join(self.argv)}", f"exit code {self.code}", *tail])


class CommandFailed(EnvironmentFault):
    """A command that had to succeed did not."""

    def __init__(self, result: Result, *, hint: str = "") -> None:
        full = os.strerror(errno.ENOSPC) in result.stderr
        told = f"{Path(result.argv[0]).name}: the disk is full" if full else result.describe()
        super().__init__(told, hint=MAKE_ROOM if full else hint)
        self.result = result


class CommandTimedOut(EnvironmentFault):
    """A command overran its deadline and was ended, with everything it had started."""


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment children get: a short list from ours, then ``extra``."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if (name in PASSED_ON or name.startswith(PASSED_ON_PREFIXES)) and name != parents.PARENT
    }
    return kept | _owner | dict(extra or {})


def when_told(act: Callable[[], None]) -> None:
    """Have ``act()`` called once when this process is told to end; ``tell`` does nothing without it."""
    TOLD.clear()
    _when_told[:] = [act]


def tell() -> bool:
    """Note that this process was told to end; return whether KeyboardInterrupt is to be raised for it now.

    From then on only the main thread, which cleans up, may start commands or wait; see ``still_wanted``.
    """
    if TOLD.is_set():
        return False
    if _when_told:
        TOLD.set()
    for act in _when_told:
        act()
    if _undisturbed:
        _undisturbed[0] = True
        return False
    end_all()
    return True


@contextmanager
def undisturbed() -> Iterator[None]:
    """Hold back the KeyboardInterrupt of a signal until the end of the block: it is the clean-up itself."""
    _undisturbed.append(False)
    try:
        yield
    finally:
        late = _undisturbed.pop()
    if late:
        raise KeyboardInterrupt


def owned_by(name: str) -> None:
    """Mark every command from now on, daemons apart, as started by the run ``name``."""
    _owner[OWNER] = name


def temporary_root() -> Path:
    """Return the system's directory for temporary files, also where a run has one of its own in it."""
    place = Path(tempfile.gettempdir())
    return place.parent if place.name.startswith(OWN_TEMPORARY) else place


@contextmanager
def temporary(directory: Path) -> Iterator[None]:
    """Have all temporary files of the block, and of the commands in it, below a new ``directory``."""
    directory.mkdir(mode=0o700)
    before, inherited = tempfile.tempdir, _owner.pop(TEMPORARY, "")
    tempfile.tempdir = _owner[TEMPORARY] = str(directory)
    try:
        yield
    finally:
        tempfile.tempdir = before
        del _owner[TEMPORARY]
        if inherited:
            _owner[TEMPORARY] = inherited
        shutil.rmtree(directory, ignore_errors=True)


def owner() -> str:
    """Return the run that commands are started by: what ``owned_by`` was told here or in our parent."""
    return _owner.get(OWNER, os.environ.get(OWNER, ""))


@contextmanager
def passing_on(name: str, value: str) -> Iterator[None]:
    """Have every command that is started inside the block, daemons included, find ``name`` set."""
    _owner[name] = value
    try:
        yield
    finally:
        _owner.pop(name, None)


def end_all() -> None:
    """TERM every command under way, KILL the deaf ones: threads that wait for them would hold up the end."""
    live = list(_live)
    _signal(live, signal.SIGTERM)
    later = threading.Timer(DEAF, lambda: _signal([each for each in live if each in _live], signal.SIGKILL))
    later.daemon = True
    later.start()


def _signal(processes: Sequence[subprocess.Popen[bytes]], number: int) -> None:
    for process in processes:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)


def end_group(process: subprocess.Popen[bytes], *, grace: float = KILL_AFTER) -> None:
    """TERM the process group of ``process``, then KILL what is left after ``grace`` seconds."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(grace)
        except subprocess.TimeoutExpired:
            continue
    process.wait()


def run(
    argv: Sequence[str | os.PathLike[str]],
    *,
    timeout: float,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes | IO[bytes] | None = None,
    check: bool = True,
    on_line: Callable[[str], None] | None = None,
    exact: bool = False,
) -> Result:
    """Run ``argv`` and return its result; ``env`` is added to the built environment.

    ``timeout`` is seconds, stretched while the machine is slow unless it is ``exact``.
    ``stdin`` is bytes or an open file; ``on_line`` sees each line of standard error as it comes.
    Raises CommandFailed (with ``check``), CommandTimedOut, or EnvironmentFault if it cannot start.
    """
    words = tuple(os.fspath(word) for word in argv)
    started = time.monotonic()
    data = stdin if isinstance(stdin, bytes) else None
    source: int | IO[bytes] = subprocess.DEVNULL
    if stdin is not None:
        source = subprocess.PIPE if isinstance(stdin, bytes) else stdin
    process = _start(words, cwd, env, source, subprocess.PIPE, subprocess.PIPE)
    collected = {"out": bytearray(), "err": bytearray()}
    readers = [
        threading.Thread(target=_drain, args=(process.stdout, collected, "out", None), daemon=True),
        threading.Thread(target=_drain, args=(process.stderr, collected, "err", on_line), daemon=True),
    ]
    if data is not None and process.stdin:
        feeder = threading.Thread(target=_feed, args=(process.stdin, data), daemon=True)
        readers.append(feeder)
    for reader in readers:
        reader.start()
    _live.add(process)
    deadline = Deadline(timeout, exact=exact)
    try:
        still_wanted()  # told between the start and now: nobody has ended this one
        while process.poll() is None:
            if deadline.passed:
                raise CommandTimedOut(f"no end within {deadline}: {shlex.join(words)}")
            with suppress(subprocess.TimeoutExpired):
                process.wait(deadline.slice)
    except CommandTimedOut:
        end_group(process)
        raise
    except BaseException:
        end_group(process, grace=2.0)
        raise
    finally:
        _live.discard(process)
    for reader in readers:  # by its end, unless something it started goes on writing
        reader.join(pace.stretched(KILL_AFTER))
    out, err = (collected[key].decode(errors="replace") for key in ("out", "err"))
    result = Result(words, process.returncode, out, err, time.monotonic() - started)
    if check and not result.ok:
        raise CommandFailed(result)
    return result


@contextmanager
def piped(
    argv: Sequence[str | os.PathLike[str]], *, env: Mapping[str, str] | None = None
) -> Iterator[IO[bytes]]:
    """Run ``argv`` and give its standard output as a stream; raise CommandFailed if it failed."""
    words = tuple(os.fspath(word) for word in argv)
    started = time.monotonic()
    process = _start(words, None, env, subprocess.DEVNULL, subprocess.PIPE, subprocess.PIPE)
    errors = {"err": bytearray()}
    reader = threading.Thread(target=_drain, args=(process.stderr, errors, "err", None), daemon=True)
    reader.start()
    assert process.stdout is not None
    _live.add(process)
    try:
        still_wanted()
        yield process.stdout
    except BaseException:
        end_group(process, grace=2.0)
        raise
    finally:
        _live.discard(process)
        process.stdout.close()
    code = process.wait(pace.stretched(KILL_AFTER))
    reader.join(pace.stretched(KILL_AFTER))
    if code:
        text = errors["err"].decode(errors="replace")
        raise CommandFailed(Result(words, code, "", text, time.monotonic() - started))


class Started:
    """A process under way; what it writes is gathered, and on a terminal both outputs are one."""

    def __init__(self, process: subprocess.Popen[bytes], words: tuple[str, ...], terminal: int = -1) -> None:
        self.process = process
        self.terminal = terminal
        self._words = words
        self._began = time.monotonic()
        self._said = {"out": bytearray(), "err": bytearray()}
        streams = {"out": process.stdout, "err": process.stderr}
        if terminal >= 0:
            streams = {"out": os.fdopen(os.dup(terminal), "rb", buffering=0)}
        self._readers = [
            threading.Thread(target=self._gather, args=(stream, self._said[name]), daemon=True)
            for name, stream in streams.items()
        ]
        for each in self._readers:
            each.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    @property
    def said(self) -> str:
        """What it wrote to standard output (or its terminal) so far."""
        return self._said["out"].decode(errors="replace")

    @property
    def complained(self) -> str:
        """What it wrote to standard error so far; nothing on a terminal."""
        return self._said["err"].decode(errors="replace")

    def write(self, text: str) -> None:
        """Write to its standard input, or type at its terminal."""
        if self.terminal >= 0:
            os.write(self.terminal, text.encode())
        elif self.process.stdin is not None:
            self.process.stdin.write(text.encode())
            self.process.stdin.flush()

    def send(self, number: signal.Signals) -> None:
        """Send a signal to it alone; one that has ended is fine."""
        self.process.send_signal(number)

    def resize(self, rows: int, columns: int) -> None:
        """Change the size of its terminal."""
        _resize(self.terminal, (rows, columns))

    def wait(self, timeout: float) -> Result:
        """Return its end within ``timeout`` seconds; raises CommandTimedOut."""
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            text = f"no end within {timeout:.0f} s: {shlex.join(self._words)}; last: {self.said[-300:]}"
            raise CommandTimedOut(text) from None
        for each in self._readers:
            each.join(KILL_AFTER if self.terminal < 0 else 0.2)
        seconds = time.monotonic() - self._began
        return Result(self._words, self.process.returncode, self.said, self.complained, seconds)

    def close(self) -> None:
        """Close its standard input."""
        if self.process.stdin is not None:
            with suppress(BrokenPipeError):
                self.process.stdin.close()

    def _gather(self, stream: IO[bytes] | None, into: bytearray) -> None:
        assert stream is not None
        with stream, suppress(OSError):  # a terminal whose other end is closed
            while chunk := os.read(stream.fileno(), 65536):
                into += chunk


def _resize(terminal: int, size: tuple[int, int]) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))


@contextmanager
def started(
    argv: Sequence[str | os.PathLike[str]],
    *,
    env: Mapping[str, str] | None = None,
    terminal: bool = False,
    size: tuple[int, int] = (24, 80),
) -> Iterator[Started]:
    """Start ``argv`` with its input open, on a ``terminal`` of its own if asked; it is ended with the block.

    ``size`` are the terminal's rows and columns. Raises EnvironmentFault if it cannot start.
    """
    words = tuple(os.fspath(word) for word in argv)
    if not terminal:
        made = Started(_start(words, None, env, subprocess.PIPE, subprocess.PIPE, subprocess.PIPE), words)
    else:
        ours, theirs = os.openpty()
        _resize(ours, size)  # before anybody is there to be told of it
        name = os.ttyname(theirs)
        opened = ("sh", "-c", 'exec <>"$0" >&0 2>&0; exec "$@"', name, *words)  # a leader's first terminal
        process = _start(opened, None, env, subprocess.DEVNULL, subprocess.DEVNULL, subprocess.DEVNULL)
        made = Started(process, words, ours)
    _live.add(made.process)
    try:
        yield made
    finally:
        _live.discard(made.process)
        if made.process.poll() is None:
            end_group(made.process, grace=2.0)
        if terminal:
            os.close(theirs)
            os.close(ours)
        made.close()


def daemon(
    argv: Sequence[str | os.PathLike[str]], *, log: Path, env: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a process that outlives us, in a session of its own, with its output appended to ``log``."""
    words = tuple(os.fspath(word) for word in argv)
    own = {OWNER: "", parents.PARENT: "", TEMPORARY: str(temporary_root())}
    with log.open("ab") as sink:
        # the directory that we stand in may be removed before it ends
        return _start(words, Path("/"), own | dict(env or {}), subprocess.DEVNULL, sink, sink)


@contextmanager
def guarded(value: str) -> Iterator[None]:
    """Have everything that was started with ``OWNER=value`` ended after the block, or with this process.

    That holds however this process ends, by KILL too. Raises EnvironmentFault if the guard does not start.
    """
    program = [sys.executable, "-I", str(Path(guard.__file__)), OWNER, value]
    started = _start(
        tuple(program), None, {OWNER: ""}, subprocess.PIPE, subprocess.DEVNULL, subprocess.DEVNULL
    )
    try:
        yield
    finally:
        assert started.stdin is not None
        started.stdin.close()
        started.wait()


def become(
    argv: Sequence[str | os.PathLike[str]], *, first: Path, env: Mapping[str, str] | None = None
) -> NoReturn:
    """Replace this process by ``argv``, in its whole environment; ``env`` holds where it says nothing.

    The programs in ``first`` come before those of PATH. Raises OSError if ``argv`` cannot start.
    """
    words = [os.fspath(word) for word in argv]
    path = os.pathsep.join([str(first), os.environ.get("PATH", os.defpath)])
    os.execve(words[0], words, {**(env or {}), **os.environ, "PATH": path})


def _start(
    words: tuple[str, ...],
    cwd: Path | None,
    env: Mapping[str, str] | None,
    stdin: int | IO[bytes],
    stdout: int | IO[bytes],
    stderr: int | IO[bytes],
) -> subprocess.Popen[bytes]:
    still_wanted()
    try:
        return subprocess.Popen(
            words, cwd=cwd, env={parents.PARENT: parents.mark()} | environment(env),
            stdin=stdin, stdout=stdout, stderr=stderr,
            start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise EnvironmentFault(f"cannot start {words[0]}: {error.strerror}") from error


def _drain(
    stream: IO[bytes] | None,
    into: dict[str, bytearray],
    key: str,
    on_line: Callable[[str], None] | None,
) -> None:
    assert stream is not None
    with stream:
        for line in stream:
            into[key] += line
            if on_line:
                on_line(line.decode(errors="replace").rstrip())


def _feed(stream: IO[bytes], data: bytes) -> None:
    with suppress(BrokenPipeError):  # the command ended early: its exit code says why
        stream.write(data)
        stream.close()


@dataclass
class _Ending:
    """One signal to a process, and after ``grace`` seconds the end of its group."""

    process: subprocess.Popen[bytes]
    grace: float
    send: signal.Signals | None
    told: bool = False  # by a signal to us
    deadline: float = float("inf")

    def begin(self, number: int) -> None:
        if self.deadline == float("inf"):
            self.deadline = time.monotonic() + self.grace
            _signal(
                [self.process], self.send or number
            )  # its helpers too: xdist's workers clean up themselves

    def pass_on(self, number: int, _frame: object) -> None:
        self.told = True
        tell()
        self.begin(signal.SIGTERM if number == signal.SIGHUP else number)


def foreground(
    argv: Sequence[str | os.PathLike[str]],
    *,
    grace: float = 10.0,
    send: signal.Signals | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stop: Callable[[], bool] | None = None,
) -> int:
    """Run ``argv`` on our own terminal and return its exit code, 130 if INT, TERM or HUP to us ended it.

    One that a signal ended which was not sent to us returns 128 and its number, as in a shell.

    It is told who we are (``parents.PARENT``), so that it can end with us. INT and TERM sent to us are
    passed on once, HUP as TERM, or all as ``send`` where given; after ``grace`` seconds the whole group is
    killed. So it is once ``stop``, asked a few times a second, returns True: then
    CutShort is raised, unless we were told to end as well.
    """
    process = subprocess.Popen(
        [os.fspath(word) for word in argv], cwd=cwd, start_new_session=True,
        env={parents.PARENT: parents.mark()} | environment(env),
    )  # fmt: skip
    ending = _Ending(process, grace, send)
    before = {each: signal.signal(each, ending.pass_on) for each in ENDING}
    try:
        while process.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.2)
                break
            if stop is not None and stop():
                ending.begin(signal.SIGTERM)
            if time.monotonic() > ending.deadline:
                end_group(process, grace=0.5)
    finally:
        if process.poll() is None:
            end_group(process, grace=0.5)
        for each, handler in before.items():
            signal.signal(each, handler)
    if ending.deadline < float("inf") and not ending.told:
        raise CutShort
    if ending.told:
        return 130
    return process.returncode if process.returncode >= 0 else 128 - process.returncode
