"""A docker client that gives all of what an exec says.

The SDK reads an exec's frames from the socket, past the buffer through which it has read the answer's header:
what an engine sent together with that header, as it does on a busy machine, is gone without a word.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import docker

HEADER = struct.Struct(">BxxxL")  # which stream, and how many bytes follow: Docker Engine API, "Attach"
STDERR = 2


class Api(docker.APIClient):  # type: ignore[misc]  # the SDK has no types
    """The SDK's low-level client, with its own way to run an exec whose whole output is wanted."""

    def exec_start(
        self,
        exec_id: str,
        detach: bool = False,
        tty: bool = False,
        stream: bool = False,
        socket: bool = False,
        demux: bool = False,
    ) -> Any:
        """Run an exec: as the SDK does, but that no byte of an output that is returned at the end is lost.

        Without ``demux`` it returns stdout and stderr as they came, with it both apart, each None if empty.
        """
        if detach or tty or stream or socket:
            return super().exec_start(exec_id, detach, tty, stream, socket, demux)
        with self._post_json(
            self._url("/exec/{0}/start", exec_id),
            data={"Tty": False, "Detach": False},
            stream=True,
            timeout=(self.timeout, None),  # it may be silent for as long as it likes
        ) as response:
            self._raise_for_status(response)
            said = list(_frames(response.raw))
        if not demux:
            return b"".join(text for _, text in said)
        apart = [
            b"".join(text for number, text in said if (number == STDERR) is err) for err in (False, True)
        ]
        return tuple(each or None for each in apart)


class Client(docker.DockerClient):  # type: ignore[misc]
    """The SDK's client on top of ``Api``; options and errors as the SDK's."""

    def __init__(self, **options: Any) -> None:
        """Connect to the engine."""
        self.api = Api(**options)


def _frames(raw: Any) -> Iterator[tuple[int, bytes]]:
    """Yield stream and bytes of each frame, until the engine ends the answer."""
    while len(header := raw.read(HEADER.size)) == HEADER.size:
        number, size = HEADER.unpack(header)
        yield number, raw.read(size)
