"""Commands in a container, over the API server's exec stream."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from websocket import WebSocketException

from boxproof.core.process import Result
from boxproof.kube.client import Kube
from pytest_claims import pace
from pytest_claims.faults import EnvironmentFault
from pytest_claims.own_process import PROCESS
from pytest_claims.pace import Deadline

if TYPE_CHECKING:
    from kubernetes.stream.ws_client import WSClient


STDIN_CHANNEL, STDOUT_CHANNEL, STDERR_CHANNEL, ERROR_CHANNEL = range(4)  # of channel.k8s.io
CHUNK = 32 * 1024
START_FAILURES = {
    "no such file or directory": 127,
    "executable file not found": 127,
    "permission denied": 126,
}

Guard = Callable[[str], AbstractContextManager[None]]


class Guards(list[Guard]):
    """What this process enters around each command in a pod."""


def guard(entered: Guard) -> None:
    """Have each command in a pod run within ``entered(namespace)``, one guard after the other."""
    guards = PROCESS.get(Guards)
    if entered not in guards:
        guards.append(entered)


@contextmanager
def within(namespace: str) -> Iterator[None]:
    """Be within the guards while a command runs in a pod of ``namespace``; raises what they raise."""
    with ExitStack() as stack:
        for each in PROCESS.get(Guards):
            stack.enter_context(each(namespace))
        yield


class Unanswered(EnvironmentFault):
    """The stream of a command could not be opened in time, or ended before the command's status came."""


class ExecTimeout(EnvironmentFault):
    """The command did not end within its time; it may still run in the container."""


def exec_in(
    kube: Kube,
    namespace: str,
    pod: str,
    container: str,
    argv: Sequence[str],
    *,
    timeout: float,
    stdin: str | bytes | None = None,
) -> Result:
    """Run ``argv`` in a container and return its result; ``timeout`` is seconds, more on a slow machine.

    The code is what the process ended with, 126 or 127 if it could not start.

    Raises ExecTimeout, and EnvironmentFault when the stream cannot be opened or is dropped before
    the command's status came: Unanswered where that may be because API server or kubelet are late.
    """
    with within(namespace):
        return _run(kube, namespace, pod, container, argv, timeout, stdin)


def _run(
    kube: Kube,
    namespace: str,
    pod: str,
    container: str,
    argv: Sequence[str],
    timeout: float,
    stdin: str | bytes | None,
) -> Result:
    started, deadline = time.monotonic(), Deadline(timeout)
    where = f"{namespace}/{pod}/{container}"
    socket = opened(kube, namespace, pod, container, argv, stdin=stdin is not None)
    try:
        if stdin is not None:
            _feed(socket, stdin.encode() if isinstance(stdin, str) else stdin)
        out, err, status = _gather(socket, deadline)
    except (WebSocketException, OSError) as error:
        raise Unanswered(f"exec in {where}: the stream broke: {error}") from error
    finally:
        socket.close()
    seconds = time.monotonic() - started
    if not status:
        if deadline.passed:
            raise ExecTimeout(f"exec in {where}: no end within {deadline}: {' '.join(argv)}")
        raise Unanswered(f"exec in {where}: the stream was dropped without a status: {' '.join(argv)}")
    code, message = exit_code(json.loads(status), where)
    return Result(
        tuple(argv), code, out.decode(errors="replace"), err.decode(errors="replace") + message, seconds
    )


def exit_code(status: dict[str, Any], where: str) -> tuple[int, str]:
    """Return exit code and the runtime's message from a status; raises EnvironmentFault for a failed exec."""
    if status.get("status") == "Success":
        return 0, ""
    causes = (status.get("details") or {}).get("causes") or []
    for cause in causes:
        if cause.get("reason") == "ExitCode":
            return int(cause["message"]), ""
    message = str(status.get("message", status))
    for text, code in START_FAILURES.items():
        if text in message:
            return code, message
    raise EnvironmentFault(f"exec in {where} failed: {message}")


def opened(
    kube: Kube, namespace: str, pod: str, container: str, argv: Sequence[str], *, stdin: bool
) -> WSClient:
    """Return the stream of ``argv`` in a container; raises EnvironmentFault if it cannot be opened.

    That is Unanswered unless the API server gave a reason of its own.
    """
    from kubernetes import client  # slow to import, for those who exec nothing
    from kubernetes.client.exceptions import ApiException
    from kubernetes.stream import stream

    api = client.CoreV1Api(client.ApiClient(kube.api.configuration))  # stream() replaces its request method
    try:
        socket: WSClient = stream(
            api.connect_get_namespaced_pod_exec, pod, namespace, container=container, command=list(argv),
            stdin=stdin, stdout=True, stderr=True, tty=False, binary=True, _preload_content=False,
            _request_timeout=pace.stretched(20),
        )  # fmt: skip
    except (ApiException, WebSocketException, OSError) as error:
        reason = str(error).strip().splitlines()[0:3]
        final = isinstance(error, ApiException) and 400 <= (error.status or 0) < 500
        kind = EnvironmentFault if final else Unanswered
        raise kind(f"cannot exec in {namespace}/{pod}/{container}: {' '.join(reason)}") from error
    return socket


def _feed(socket: WSClient, data: bytes) -> None:
    for start in range(0, len(data), CHUNK):
        socket.write_channel(STDIN_CHANNEL, data[start : start + CHUNK])
    socket.close_channel(STDIN_CHANNEL)


def _gather(socket: WSClient, deadline: Deadline) -> tuple[bytes, bytes, bytes]:
    channels = (STDOUT_CHANNEL, STDERR_CHANNEL, ERROR_CHANNEL)
    parts = {each: bytearray() for each in channels}
    while True:
        opened = socket.is_open()
        if opened:
            socket.update(timeout=min(1.0, deadline.left))
        for channel in channels:
            parts[channel] += taken(socket, channel)
        if not socket.is_open() or parts[ERROR_CHANNEL] or deadline.passed:
            break
    out, err, status = (bytes(parts[each]) for each in channels)
    return out, err, status


def taken(socket: WSClient, channel: int) -> bytes:
    """Return what has come on a channel since the last call."""
    data: bytes = socket._channels.pop(channel, b"")  # read_channel would wait for more
    return data


class Ended(EnvironmentFault):
    """The program ended, or its stream did, before it said what was waited for."""


class Silent(EnvironmentFault):
    """The program did not say in time what was waited for."""


class Dialogue:
    """The two ends of a program's standard input and output; ``errors`` is what it wrote beside."""

    def __init__(self, socket: WSClient, where: str) -> None:
        self.socket = socket
        self.where = where
        self.errors = ""
        self._out = b""

    def say(self, line: str) -> None:
        """Send one line."""
        try:
            self.socket.write_channel(STDIN_CHANNEL, f"{line}\n".encode())
        except (WebSocketException, OSError) as error:
            raise Ended(f"{self.where} ended: {error}; {self.errors[-300:]}") from error

    def hear(self, wanted: Callable[[str], bool], *, timeout: float) -> str:
        """Return the first line from now on that is ``wanted``; raises Ended or Silent."""
        deadline = Deadline(timeout)
        while True:
            while b"\n" in self._out:
                line, _, self._out = self._out.partition(b"\n")
                if wanted(text := line.decode(errors="replace")):
                    return text
            self._listen(deadline)

    def _listen(self, deadline: Deadline) -> None:
        left = deadline.left
        if left <= 0:
            raise Silent(f"{self.where} does not answer within {deadline}; it said {self.errors[-300:]!r}")
        try:
            if self.socket.is_open():
                self.socket.update(timeout=min(1.0, left))
        except (WebSocketException, OSError) as error:
            raise Ended(f"{self.where}: the stream broke: {error}") from error
        self.errors += taken(self.socket, STDERR_CHANNEL).decode(errors="replace")
        more = taken(self.socket, STDOUT_CHANNEL)
        self._out += more
        status = taken(self.socket, ERROR_CHANNEL).decode(errors="replace")
        if not more and (status or not self.socket.is_open()):
            raise Ended(f"{self.where} ended: {status[-300:]} {self.errors[-300:]}")


@contextmanager
def dialogue(kube: Kube, namespace: str, pod: str, container: str, argv: Sequence[str]) -> Iterator[Dialogue]:
    """Give the conversation with ``argv`` in a container; its input ends with the block.

    Raises EnvironmentFault if it cannot be started.
    """
    with within(namespace):
        socket = opened(kube, namespace, pod, container, argv, stdin=True)
        try:
            yield Dialogue(socket, f"{argv[0]} in {namespace}/{pod}")
        finally:
            with suppress(WebSocketException, OSError):  # it may have ended before us
                socket.close_channel(STDIN_CHANNEL)
            socket.close()
