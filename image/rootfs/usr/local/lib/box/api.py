"""The api mode: POST a prompt, get the real CLI's answer. Health is local state, never an inference."""

import asyncio
import json
import os
import signal
import sys
import threading
import time

import login as logins
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

LIMIT = 600.0  # seconds for one prompt
KILL_AFTER = 3.0  # seconds until open requests are dropped at shutdown; the container has 5 in all
FLAGS = sys.argv[1:]
refused = ""  # the login that the API refused last, "" once one is accepted
running: set[asyncio.subprocess.Process] = set()


def log(message: str, level: str = "info", **fields: object) -> None:
    """Write one JSON line to standard error."""
    line = {"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "level": level, "msg": message}
    print(json.dumps(line | fields), file=sys.stderr, flush=True)


def login() -> str:
    """Return what stands for the login in use without telling it, "" where there is no token to send."""
    found = logins.find()
    return found.mark if found.usable else ""


async def prompt(request: Request) -> JSONResponse:
    """Answer ``{"prompt": text}`` with ``{"result": text}``; 400, 502 or 504 say what went wrong."""
    try:
        text = (await request.json())["prompt"]
    except (ValueError, KeyError, TypeError):
        text = None
    if not isinstance(text, str) or not text.strip():
        return JSONResponse({"error": 'send {"prompt": "…"}'}, 400)
    return await ask(text)


async def ask(text: str) -> JSONResponse:
    """Run the CLI on one prompt."""
    global refused
    used = login()
    pipe = asyncio.subprocess.PIPE
    argv = ["claude", "-p", "--output-format", "json", *FLAGS]
    child = await asyncio.create_subprocess_exec(*argv, stdin=pipe, stdout=pipe, stderr=pipe)
    running.add(child)
    try:
        out, err = await asyncio.wait_for(child.communicate(text.encode()), LIMIT)
    except (TimeoutError, asyncio.TimeoutError):  # noqa: UP041 - they differ before Python 3.11
        return JSONResponse({"error": f"no answer within {LIMIT:.0f} s"}, 504)
    finally:
        running.discard(child)
        if child.returncode is None:
            child.kill()
    try:
        answer = json.loads(out)
    except ValueError:
        answer = {"is_error": True, "result": err.decode(errors="replace")[-500:]}
    failed = bool(answer.get("is_error")) or child.returncode != 0
    refused = used if failed and "401" in str(answer.get("result")) else ""
    if refused:
        log(logins.refused(logins.find()), "error")
    return JSONResponse({"result": answer.get("result"), "is_error": failed}, 502 if failed else 200)


async def healthz(_: Request) -> JSONResponse:
    """Answer that the service lives."""
    return JSONResponse({"status": "ok"})


async def readyz(_: Request) -> JSONResponse:
    """Answer whether a prompt has a chance: there is a login, and the API did not refuse it last time."""
    found = login()
    ready = bool(found) and found != refused
    said = {"ready": ready, "login": bool(found), "refused": bool(found) and found == refused}
    return JSONResponse(said, 200 if ready else 503)


class Server(uvicorn.Server):
    """Ends in time: a request that hangs is dropped."""

    def handle_exit(self, sig, frame):  # type: ignore[no-untyped-def]
        """Log the signal, stop accepting, end the CLI; drop what is left after KILL_AFTER."""
        log("shutdown", signal=signal.Signals(sig).name)
        for child in list(running):
            child.terminate()
        timer = threading.Timer(KILL_AFTER, self._drop)
        timer.daemon = True
        timer.start()
        super().handle_exit(sig, frame)

    def _drop(self) -> None:
        self.force_exit = True


def main() -> None:
    """Serve on loopback unless BOX_API_HOST says otherwise."""
    app = Starlette(
        routes=[
            Route("/v1/prompt", prompt, methods=["POST"]),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
        ]
    )
    host, port = os.environ.get("BOX_API_HOST", "127.0.0.1"), int(os.environ.get("BOX_API_PORT", "8080"))
    log("serving", host=host, port=port)
    Server(uvicorn.Config(app, host=host, port=port, log_level="warning", access_log=False)).run()
    log("ended")


if __name__ == "__main__":
    main()
