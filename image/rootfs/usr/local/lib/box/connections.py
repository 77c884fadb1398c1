"""Connections of clients, which may be slow, silent or broken: each has its time, then it is dropped."""

import asyncio
import logging
from typing import Any, ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_WITHIN = 10.0  # seconds until the head of a request is there
TAKES_WITHIN = 5.0  # seconds in which a client takes something of what is written for it


class Connection(H11Protocol):
    """One of them; those that are open by the client's address."""

    opened: ClassVar[dict[Any, "Connection"]] = {}

    def connection_made(self, transport: Any) -> None:
        """Expect the head of a request."""
        super().connection_made(transport)
        self.opened[self.client] = self
        self.head: asyncio.TimerHandle | None = None
        self.unread = 0
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        if self.opened.get(self.client) is self:
            del self.opened[self.client]
        self._no_longer_expect()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came; a client that breaks the rules of HTTP in mid-answer is dropped."""
        try:
            super().data_received(data)
        except (h11.ProtocolError, RuntimeError, UnicodeError):
            self.transport.abort()
            return
        if self.transport.is_closing() and self.cycle is not None:
            self.cycle.disconnected = True  # it was answered; what else would be sent breaks the rules
            self.cycle.message_event.set()
        if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
            self._expect()
        else:
            self._no_longer_expect()

    def timeout_keep_alive_handler(self) -> None:
        """Close it, or drop it where the client takes nothing of what is still to be sent."""
        left = self.transport.get_write_buffer_size()
        if not left:
            super().timeout_keep_alive_handler()
        elif self.unread and left >= self.unread:
            self.transport.abort()
        else:
            self.unread = left
            self.timeout_keep_alive_task = asyncio.get_running_loop().call_later(
                TAKES_WITHIN, self.timeout_keep_alive_handler
            )

    def _expect(self) -> None:
        if self.head is None:
            self.head = asyncio.get_running_loop().call_later(HEAD_WITHIN, self.transport.abort)

    def _no_longer_expect(self) -> None:
        if self.head is not None:
            self.head.cancel()
            self.head = None


def drop(client: object) -> None:
    """Drop the connection of a client, with what was not sent yet."""
    if found := Connection.opened.get(client):
        found.transport.abort()


class Plain(logging.Filter):
    """Has what a client sent amiss be told in a line, at a level that is asked for, without a trace."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite such a record; all are kept."""
        if record.levelno == logging.WARNING:
            record.exc_info, record.levelno = None, logging.DEBUG
        return True
