"""The api mode: POST a prompt, get the answer of the real CLI, at once or as it comes. Health is local state.

POST /v1/prompt {"prompt": "…", "stream": false, "timeout": 60}, GET /healthz, /readyz, /metrics
"""

import json
import signal
import sys
import threading
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import login as logins
import logs
import service
import uvicorn
from logs import log
from metrics import TYPE, Metrics
from prompts import Children, Event, Failed, Gone, TooLong
from service import Asked, Wrong
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

END_AFTER = 3.0  # seconds until open requests are dropped at shutdown; the container has 5 in all
TRY_AGAIN = 5  # seconds; what a client is told that comes at a bad time
CLIENT_GONE = 499
TOLD = ("result", "session_id", "num_turns", "duration_ms", "usage", "total_cost_usd")


class Api:
    """The service; ``refused`` is the login that the API refused last, "" once one is accepted."""

    def __init__(self, settings: service.Settings, flags: list[str]) -> None:
        self.settings = settings
        self.children = Children(flags)
        self.metrics = Metrics()
        self.refused = ""
        self.stopping = False

    async def prompt(self, request: Request) -> Response:
        """Answer a prompt; 400, 401, 413, 429, 502, 503 and 504 say what went wrong."""
        if not self.settings.allows(request.headers.get("authorization", "")):
            return self.refuse(
                401, "Send the header 'Authorization: Bearer TOKEN'.", {"WWW-Authenticate": "Bearer"}
            )
        try:
            body = await whole(request)
            asked = service.asked(body, request.headers.get("accept", ""), self.settings.timeout)
        except Wrong as error:
            return self.refuse(400, str(error))
        except OverflowError:
            return self.refuse(413, f"A request has at most {service.LARGEST} bytes.")
        except ClientDisconnect:
            return self.refuse(CLIENT_GONE, "")
        later = {"Retry-After": str(TRY_AGAIN)}
        if self.stopping:
            return self.refuse(503, "The box is shutting down.", later)
        if not logins.find().usable:
            return self.refuse(503, "\n".join(logins.remedy("api")), later)
        if self.metrics.running >= self.settings.concurrency:
            busy = f"As many prompts are being worked on as may be at a time ({self.settings.concurrency})."
            return self.refuse(429, f"{busy} Try again later.", later)
        work = Work(self, request, asked)
        return await (work.stream() if asked.stream else work.answer())

    def refuse(self, status: int, why: str, headers: dict[str, str] | None = None) -> Response:
        """Answer without starting the CLI."""
        self.metrics.answered(status)
        log("refused", "debug", status=status)
        return JSONResponse({"error": why, "is_error": True}, status, headers)

    def judge(self, used: str, result: Event) -> bool:
        """Return whether the CLI failed, and remember a login that was refused."""
        failed = bool(result.get("is_error"))
        told = failed and logins.tells_of_refusal(str(result.get("result")).encode())
        self.refused = used if told else ""
        if self.refused:
            log(logins.refused(logins.find()), "error")
        return failed

    @property
    def ready(self) -> bool:
        """Whether a prompt has a chance: there is a login, and the API did not refuse it last time."""
        found = logins.find()
        return found.usable and found.mark != self.refused and not self.stopping

    async def healthz(self, _: Request) -> Response:
        """Answer that the service lives."""
        return JSONResponse({"status": "ok"})

    async def readyz(self, _: Request) -> Response:
        """Answer whether it is ready, and if not why."""
        found = logins.find()
        refused = found.usable and found.mark == self.refused
        said = {"ready": self.ready, "login": found.usable, "refused": refused, "stopping": self.stopping}
        return JSONResponse(said, 200 if self.ready else 503)

    async def measured(self, _: Request) -> Response:
        """Answer with the metrics."""
        text = self.metrics.text(ready=self.ready, expires_in=logins.find().expires_in)
        return PlainTextResponse(text, headers={"Content-Type": TYPE})


class Work:
    """One prompt that the CLI works on."""

    def __init__(self, api: Api, request: Request, asked: Asked) -> None:
        self.api = api
        self.request = request
        self.asked = asked
        self.id = uuid.uuid4().hex
        self.headers = {"X-Request-Id": self.id, "Cache-Control": "no-store", "X-Accel-Buffering": "no"}

    async def events(self) -> AsyncIterator[tuple[int, Event | None]]:
        """Yield the events of the CLI; a status that is not 0 comes with the last one, about the whole."""
        started, status, used = time.monotonic(), CLIENT_GONE, logins.find().mark
        self.api.metrics.running += 1
        log("prompt", "debug", id=self.id, characters=len(self.asked.prompt), stream=self.asked.stream)
        events = self.api.children.events(
            self.asked.prompt, gone(self.request), timeout=self.asked.timeout, parts=self.asked.stream
        )
        try:
            async for event in events:
                if event is None or event.get("type") != "result":
                    yield 0, event
                    continue
                status = 502 if self.api.judge(used, event) else 200
                yield status, event
        except TooLong:
            status = 504
            yield status, {"type": "error", "error": f"no answer within {self.asked.timeout:g} s"}
        except Failed as error:
            status = 503 if self.api.stopping else 502
            yield status, {"type": "error", "error": str(error)}
        except Gone:
            log("the client went away: its CLI is ended", "debug", id=self.id)
        finally:
            await events.aclose()
            self.api.metrics.running -= 1
            seconds = time.monotonic() - started
            self.api.metrics.answered(status, seconds)
            log("answered", id=self.id, status=status, seconds=round(seconds, 3), stream=self.asked.stream)

    async def answer(self) -> Response:
        """Answer with the result alone."""
        found: Event = {}
        code = CLIENT_GONE
        async for status, event in self.events():
            if status and event:
                code, found = status, event
        said = {key: found[key] for key in TOLD if key in found}
        if "error" in found:
            said["error"] = found["error"]
        elif code != 200 and self.api.refused:
            said["error"] = logins.refused(logins.find())
        return JSONResponse({"id": self.id, "is_error": code != 200} | said, code, self.headers)

    async def stream(self) -> Response:
        """Answer with every event as it comes, the last is ``result`` or ``error``."""
        events = self.events()
        first = await anext(events, (CLIENT_GONE, None))  # from here on it ends what it began, come what may

        async def text() -> AsyncIterator[str]:
            yield server_sent(first[1])
            async for _, event in events:
                yield server_sent(event)

        return StreamingResponse(text(), 200, self.headers, media_type="text/event-stream")


def server_sent(event: Event | None) -> str:
    """Return an event in the form of server-sent events; None is a sign of life."""
    if event is None:
        return ": still at work\n\n"
    return f"event: {event.get('type', 'message')}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n"


async def whole(request: Request) -> bytes:
    """Return the body of a request; raises OverflowError if it is too long."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > service.LARGEST:
            raise OverflowError
    return body


async def gone(request: Request) -> None:
    """Return once the client has gone away."""
    while (await request.receive())["type"] != "http.disconnect":
        continue


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
    api = Api(settings, flags)
    app = Starlette(
        routes=[
            Route("/v1/prompt", api.prompt, methods=["POST"]),
            Route("/healthz", api.healthz),
            Route("/readyz", api.readyz),
            Route("/metrics", api.measured),
        ]
    )
    log(
        "serving", host=settings.host, port=settings.port, token=settings.guarded,
        concurrency=settings.concurrency, timeout=settings.timeout,
    )  # fmt: skip
    config = uvicorn.Config(
        app, host=settings.host, port=settings.port, log_config=None, access_log=False, server_header=False
    )
    Server(config, api).run()
    log("ended")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
