"""Settings of the api mode, who may use it, and what a request may ask for."""

import hmac
import ipaddress
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

HOST, PORT = "BOX_API_HOST", "BOX_API_PORT"
TOKEN, TOKEN_FILE = "BOX_API_TOKEN", "BOX_API_TOKEN_FILE"
CONCURRENCY, TIMEOUT = "BOX_API_CONCURRENCY", "BOX_API_TIMEOUT"
LARGEST = 4_000_000  # bytes of a request


class Wrong(Exception):
    """A setting or a request is wrong; the text says what to do."""


@dataclass(frozen=True)
class Settings:
    """``concurrency`` prompts at a time, ``timeout`` seconds each; ``token_file`` is read at each request."""

    host: str
    port: int
    token: str
    token_file: str
    concurrency: int
    timeout: float

    @property
    def guarded(self) -> bool:
        """Whether a token is asked for."""
        return bool(self.token or self.token_file)

    def allows(self, authorization: str) -> bool:
        """Return whether a request with this header may have its prompt answered."""
        if not self.guarded:
            return True
        scheme, _, given = authorization.partition(" ")
        try:
            wanted = self.secret().encode()
        except Wrong:  # the file has gone: nobody knows the token
            return False
        return hmac.compare_digest(given.strip().encode(), wanted) and scheme.lower() == "bearer"

    def secret(self) -> str:
        """Return the token; raises Wrong if its file has none."""
        if not self.token_file:
            return self.token
        try:
            found = Path(self.token_file).read_text().strip()
        except (OSError, ValueError) as error:
            raise Wrong(
                f"{TOKEN_FILE}: {self.token_file} cannot be read ({type(error).__name__})."
            ) from error
        if not found:
            raise Wrong(f"{TOKEN_FILE}: {self.token_file} is empty. Put the token that clients send in it.")
        return found


@dataclass(frozen=True)
class Asked:
    """What a request asks for."""

    prompt: str
    stream: bool
    timeout: float


def settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings; raises Wrong, also where everybody who reaches the port could use it."""
    made = Settings(
        host=environ.get(HOST) or "127.0.0.1",
        port=int(_number(environ, PORT, 8080)),
        token=environ.get(TOKEN, "").strip(),
        token_file=environ.get(TOKEN_FILE, ""),
        concurrency=int(_number(environ, CONCURRENCY, 2)),
        timeout=_number(environ, TIMEOUT, 600),
    )
    if made.guarded:
        made.secret()
    elif not _loopback(made.host):
        raise Wrong(
            f"{HOST}={made.host} can be reached by others, and no token is asked for."
            f" Set {TOKEN_FILE} (or {TOKEN}), or leave {HOST} unset."
        )
    return made


def asked(body: bytes, accepts: str, longest: float) -> Asked:
    """Return what a request's body asks for; raises Wrong."""
    try:
        found = json.loads(body)
        prompt = found["prompt"]
        stream = found.get("stream", "text/event-stream" in accepts)
        timeout = found.get("timeout", longest)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Wrong(
            'Send {"prompt": "…"}; "stream" (true or false) and "timeout" (s) may be added.'
        ) from error
    if not isinstance(prompt, str) or not prompt.strip():
        raise Wrong('"prompt" must be a text that is not empty.')
    if not isinstance(stream, bool):
        raise Wrong('"stream" must be true or false.')
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 < timeout <= longest:
        raise Wrong(f'"timeout" must be a number of seconds, at most {longest:.0f}.')
    return Asked(prompt, stream, float(timeout))


def _number(environ: Mapping[str, str], name: str, default: float) -> float:
    text = environ.get(name, "").strip()
    try:
        found = float(text) if text else default
    except ValueError:
        found = 0
    if not 0 < found < 1e6:
        raise Wrong(f"{name}={text} is no number above 0. Mend it, or leave it unset for {default:g}.")
    return found


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
