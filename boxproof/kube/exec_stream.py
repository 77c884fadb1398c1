"""A conversation with a program in a container: line by line, over the API server's exec stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from websocket import WebSocketException

from boxproof.kube.client import Kube
from boxproof.kube.exec import (
    ERROR_CHANNEL,
    STDERR_CHANNEL,
    STDIN_CHANNEL,
    STDOUT_CHANNEL,
    opened,
    taken,
    within,
)
from pytest_claims.faults import EnvironmentFault
from pytest_claims.pace import Deadline

if TYPE_CHECKING:
    from kubernetes.stream.ws_client import WSClient


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
