"""The api mode: POST a prompt, get the answer of the real CLI, at once or as it comes. Health is local state.

POST /v1/prompt {"prompt": "…", "stream": false, "timeout": 60}, GET /healthz, /readyz, /metrics
"""

import asyncio
import json
import logging
import re
import signal
import sys
import threading
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import connections
import login as logins
import logs
import service
import uvicorn
from kills import Kills
from logs import log
from metrics import TYPE, Metrics
from prompts import Children, Event, Failed, Gone, TooLong
from service import Asked, Wrong
from slots import Busy, Slots
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

END_AFTER = 3.0  # seconds until open requests are dropped at shutdown; the container has 5 in all
TRY_AGAIN = 5  # seconds; what a client is told that comes at a bad time
BODY_WITHIN = 30.0  # seconds until the body of a request is there
TAKEN_WITHIN = 60.0  # seconds until a client has taken its answer
LOOK = 1.0  # seconds between two looks at the count of kills
CLIENT_GONE = 499
TOLD = ("result", "session_id", "num_turns", "duration_ms", "usage", "total_cost_usd")
NAME = re.compile(r"[\w.-]{1,64}", re.ASCII)
Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]


class Refused(Exception):
    """A request that is not worked on."""

    def __init__(self, status: int, why: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(why)
        self.status = status
        # what comes after it on this connection may be the rest of what was not read
        self.headers = {"Connection": "close", **(headers or {})}


class Api:
    """The service; ``refused`` is the login that the API refused last, "" once one is accepted."""

    def __init__(self, settings: service.Settings, flags: list[str]) -> None:
        self.settings = settings
        self.children = Children(flags)
        self.metrics = Metrics()
        self.slots = Slots(settings.concurrency, settings.timeout)
        self.refused = ""
        self.stopping = False

    async def __call__(self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Send) -> None:
        """Answer a prompt; 400, 401, 408, 413, 429, 502, 503 and 504 say what went wrong."""
        request = Request(scope, receive)
        try:
            work = Work(self, request, await self.asked(request), send)
            answer = await work.answered()
        except Refused as error:
            answer = self.refuse(error)
        except ClientDisconnect:
            answer = self.refuse(Refused(CLIENT_GONE, ""))
        if answer is not None:
            try:
                async with asyncio.timeout(TAKEN_WITHIN):
                    await answer(scope, receive, send)
            except TimeoutError:
                connections.drop(scope["client"])

    async def asked(self, request: Request) -> Asked:
        """Return what a request asks for; raises Refused."""
        if not self.settings.allows(request.headers.get("authorization", "")):
            needs = {"WWW-Authenticate": "Bearer"}
            raise Refused(401, "Send the header 'Authorization: Bearer TOKEN'.", needs)
        try:
            self.settings.expects(request.headers.get("host", ""), request.headers.get("content-type", ""))
            async with asyncio.timeout(BODY_WITHIN):
                body = await whole(request)
            asked = service.asked(body, request.headers.get("accept", ""), self.settings.timeout)
        except Wrong as error:
            raise Refused(400, str(error)) from None
        except OverflowError:
            raise Refused(413, f"A request has at most {service.LARGEST} bytes.") from None
        except TimeoutError:
            raise Refused(408, f"The request did not come within {BODY_WITHIN:g} s.") from None
        later = {"Retry-After": str(TRY_AGAIN)}
        if self.stopping:
            raise Refused(503, "The box is shutting down.", later)
        if not logins.find().usable:
            raise Refused(503, "\n".join(logins.remedy("api")), later)
        return asked

    def refuse(self, why: Refused) -> Response:
        """Answer without starting the CLI."""
        self.metrics.answered(why.status)
        log("refused", "debug", status=why.status)
        return Json({"error": str(why), "is_error": True}, why.status, dict(why.headers))

    def judge(self, used: str, result: Event) -> bool:
        """Return whether the CLI failed, and remember a login that was refused."""
        failed = bool(result.get("is_error"))
        told = failed and logins.tells_of_refusal(str(result.get("result")).encode(errors="replace"))
        self.refused = used if told else ""
        if self.refused:
            log(logins.refused(logins.find()), "error")
        return failed

    @property
    def ready(self) -> bool:
        """Whether a prompt has a chance: a login that the API did not refuse last time, and a place."""
        found = logins.find()
        return found.usable and found.mark != self.refused and not self.stopping and not self.slots.stuck

    async def healthz(self, _: Request) -> Response:
        """Answer that the service lives."""
        return Json({"status": "ok"})

    async def readyz(self, _: Request) -> Response:
        """Answer whether it is ready, and if not why."""
        found = logins.find()
        refused = found.usable and found.mark == self.refused
        said = {"ready": self.ready, "login": found.usable, "refused": refused, "stopping": self.stopping}
        return Json(said | {"stuck": self.slots.stuck}, 200 if self.ready else 503)

    async def measured(self, _: Request) -> Response:
        """Answer with the metrics."""
        running, left = len(self.slots.taken), logins.find().expires_in
        text = self.metrics.text(ready=self.ready, running=running, expires_in=left)
        return PlainTextResponse(text, headers={"Content-Type": TYPE})


class Work:
    """One prompt that the CLI works on."""

    def __init__(self, api: Api, request: Request, asked: Asked, send: Send) -> None:
        self.api = api
        self.request = request
        self.asked = asked
        self.send = send
        self.begun = False
        self.id = uuid.uuid4().hex
        self.headers = {"X-Request-Id": self.id, "Cache-Control": "no-store", "X-Accel-Buffering": "no"}

    async def answered(self) -> Response | None:
        """Work on it in a place for prompts; returns what is left to be sent. Raises Refused."""
        started, status = time.monotonic(), CLIENT_GONE
        try:
            with self.api.slots.take(self.id):
                log(
                    "prompt", "debug", id=self.id, characters=len(self.asked.prompt), stream=self.asked.stream
                )
                try:
                    status, result = await self.result()
                    if self.asked.stream:
                        await self.finish(result)
                finally:
                    seconds = time.monotonic() - started
                    self.api.metrics.answered(status, seconds)
                    log(
                        "answered",
                        id=self.id,
                        status=status,
                        seconds=round(seconds, 3),
                        stream=self.asked.stream,
                    )
        except Busy:
            busy = (
                f"As many prompts are being worked on as may be at a time ({self.api.settings.concurrency})."
            )
            raise Refused(429, f"{busy} Try again later.", {"Retry-After": str(TRY_AGAIN)}) from None
        return None if self.asked.stream else self.whole(status, result)

    async def result(self) -> tuple[int, Event]:
        """Have the CLI work on it; returns the status and the last event."""
        used = logins.find().mark
        try:
            result = await self.api.children.work(
                self.id, self.asked.prompt, gone(self.request), self.tell, timeout=self.asked.timeout,
                parts=self.asked.stream,
            )  # fmt: skip
        except TooLong:
            return 504, {"type": "error", "error": f"no answer within {self.asked.timeout:g} s"}
        except Failed as error:
            return 503 if self.api.stopping else 502, {"type": "error", "error": str(error)}
        except Gone:
            log("the client went away: its CLI is ended", "debug", id=self.id)
            return CLIENT_GONE, {}
        return 502 if self.api.judge(used, result) else 200, result

    async def tell(self, event: Event | None) -> None:
        """Hand an event on to a client that wants them as they come."""
        if not self.asked.stream:
            return
        if not self.begun:
            self.begun = True
            kind = {"content-type": "text/event-stream; charset=utf-8"}
            headers = [(key.lower().encode(), value.encode()) for key, value in (self.headers | kind).items()]
            await self.send({"type": "http.response.start", "status": 200, "headers": headers})
        await self.send({"type": "http.response.body", "body": server_sent(event), "more_body": True})

    async def finish(self, result: Event) -> None:
        """End a stream; a client that takes nothing is dropped, with its place."""
        try:
            async with asyncio.timeout(connections.TAKES_WITHIN):
                if result.get("type") == "error":
                    await self.tell(result)
                if self.begun:
                    await self.send({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            connections.drop(self.request.scope["client"])

    def whole(self, code: int, found: Event) -> Response:
        """Return the result alone."""
        said = {key: found[key] for key in TOLD if key in found}
        if "error" in found:
            said["error"] = found["error"]
        elif code != 200 and self.api.refused:
            said["error"] = logins.refused(logins.find())
        return Json({"id": self.id, "is_error": code != 200} | said, code, self.headers)


class Json(JSONResponse):
    """JSON in ASCII: what cannot be said in UTF-8, such as half a character, stays an escape."""

    def render(self, content: object) -> bytes:
        """Return the body."""
        return json.dumps(content, allow_nan=False).encode()


def server_sent(event: Event | None) -> bytes:
    """Return an event in the form of server-sent events; None is a sign of life.

    Only a plain word is taken for its name: with the end of a line in it, it could make events of its own.
    """
    if event is None:
        return b": still at work\n\n"
    name = event.get("type")
    known = isinstance(name, str) and NAME.fullmatch(name)
    return f"event: {name if known else 'message'}\ndata: {json.dumps(event, allow_nan=False)}\n\n".encode()


async def whole(request: Request) -> bytes:
    """Return the body of a request; raises OverflowError if it is too long."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > service.LARGEST:
            raise OverflowError
    return bytes(body)


async def gone(request: Request) -> None:
    """Return once the client has gone away."""
    while (await request.receive())["type"] != "http.disconnect":
        continue


@asynccontextmanager
async def watched(_: Starlette) -> AsyncIterator[None]:
    """Tell of kills for want of memory while the service runs."""

    async def look() -> None:
        kills = Kills()
        while True:
            await asyncio.sleep(LOOK)
            kills.look()

    looking = asyncio.create_task(look())
    yield
    looking.cancel()


class Server(uvicorn.Server):
    """Ends in time: a request that hangs is dropped."""

    def __init__(self, config: uvicorn.Config, api: Api) -> None:
        super().__init__(config)
        self.api = api

    def handle_exit(self, sig, frame):  # type: ignore[no-untyped-def]
        """Log the signal, stop accepting, end the CLI; drop what is left after END_AFTER."""
        log("shutdown", signal=signal.Signals(sig).name)
        self.api.stopping = True
        self.api.children.end_all()
        timer = threading.Timer(END_AFTER, self._drop)
        timer.daemon = True
        timer.start()
        super().handle_exit(sig, frame)

    def _drop(self) -> None:
        self.force_exit = True


def main(flags: list[str]) -> int:
    """Serve until TERM; on loopback unless BOX_API_HOST says otherwise."""
    logs.install()
    try:
        settings = service.settings()
    except Wrong as error:
        log(str(error), "error")
        return 1
    if settings.readable:
        log(f"The agent can read the token of the api's clients. Give its hash: {service.HASH}…", "warning")
    service.keep_to_itself()
    api = Api(settings, flags)
    app = Starlette(
        routes=[
            Route("/v1/prompt", api, methods=["POST"]),
            Route("/healthz", api.healthz),
            Route("/readyz", api.readyz),
            Route("/metrics", api.measured),
        ],
        lifespan=watched,
    )
    log(
        "serving", host=settings.host, port=settings.port, token=settings.guarded,
        concurrency=settings.concurrency, timeout=settings.timeout,
    )  # fmt: skip
    logging.getLogger("uvicorn.error").addFilter(connections.Plain())
    config = uvicorn.Config(
        app, host=settings.host, port=settings.port, log_config=None, access_log=False, server_header=False,
        http=connections.Connection, ws="none",
    )  # fmt: skip
    Server(config, api).run()
    log("ended")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
