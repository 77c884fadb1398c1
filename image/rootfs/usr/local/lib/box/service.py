"""Settings of the api mode, who may use it, and what a request may ask for."""

import ctypes
import hashlib
import hmac
import ipaddress
import json
import os
import re
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

HOST, PORT = "BOX_API_HOST", "BOX_API_PORT"
TOKEN, TOKEN_FILE = "BOX_API_TOKEN", "BOX_API_TOKEN_FILE"
CONCURRENCY, TIMEOUT = "BOX_API_CONCURRENCY", "BOX_API_TIMEOUT"
LARGEST = 4_000_000  # bytes of a request
HASH = "sha256:"  # before the hash of a token, which serves as well as the token and tells nobody what it is
JSON = "application/json"
PR_SET_DUMPABLE = 4  # linux/prctl.h


class Wrong(Exception):
    """A setting or a request is wrong; the text says what to do."""


@dataclass(frozen=True)
class Settings:
    """``concurrency`` prompts at a time, ``timeout`` seconds each; ``token_file`` is read at each request."""

    host: str
    port: int
    token: str = field(repr=False)
    token_file: str
    concurrency: int
    timeout: float

    @property
    def guarded(self) -> bool:
        """Whether a token is asked for."""
        return bool(self.token or self.token_file)

    @property
    def readable(self) -> bool:
        """Whether the token itself lies where the agent can read it, and not just its hash."""
        return self.guarded and not self.secret().startswith(HASH)

    def allows(self, authorization: str) -> bool:
        """Return whether a request with this header may have its prompt answered."""
        if not self.guarded:
            return True
        scheme, _, given = authorization.partition(" ")
        try:
            wanted = self.secret()
        except Wrong:  # the file has gone: nobody knows the token
            return False
        found = given.strip().encode()
        if wanted.startswith(HASH):
            wanted, found = wanted[len(HASH) :].lower(), hashlib.sha256(found).hexdigest().encode()
        return hmac.compare_digest(found, wanted.encode()) and scheme.lower() == "bearer"

    def expects(self, host: str, content_type: str) -> None:
        """Raise Wrong for what a page in a browser could send, where no token tells it from a client.

        A page may not send this type elsewhere without being let to, and a name of its own that leads to
        loopback is no name of ours.
        """
        if self.guarded:
            return
        if content_type.partition(";")[0].strip().lower() != JSON:
            raise Wrong(f"Send the header 'Content-Type: {JSON}'.")
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            name = ""
        if not _loopback(name):
            raise Wrong(f"Without a token only loopback is served. Ask for 127.0.0.1, or set {TOKEN_FILE}.")

    def secret(self) -> str:
        """Return the token; raises Wrong if its file has none."""
        if not self.token_file:
            return _checked(self.token, TOKEN)
        try:
            found = Path(self.token_file).read_text().strip()
        except (OSError, ValueError) as error:
            raise Wrong(
                f"{TOKEN_FILE}: {self.token_file} cannot be read ({type(error).__name__})."
            ) from error
        if not found:
            raise Wrong(f"{TOKEN_FILE}: {self.token_file} is empty. Put the token that clients send in it.")
        return _checked(found, TOKEN_FILE)


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


def keep_to_itself(environ: MutableMapping[str, str] = os.environ) -> None:
    """Take the token out of the environment, and this process out of the sight of others of its user."""
    environ.pop(TOKEN, None)
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def asked(body: bytes, accepts: str, longest: float) -> Asked:
    """Return what a request's body asks for; raises Wrong."""
    try:
        found = json.loads(body)
        prompt = found["prompt"]
        stream = found.get("stream", "text/event-stream" in accepts)
        timeout = found.get("timeout", longest)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Wrong(
            'Send {"prompt": "…"}; "stream" (true or false) and "timeout" (s) may be added.'
        ) from error
    if not isinstance(prompt, str) or not prompt.strip():
        raise Wrong('"prompt" must be a text that is not empty.')
    if any("\ud800" <= each <= "\udfff" for each in prompt):
        raise Wrong('"prompt" holds a surrogate without its other half, which is no character.')
    if not isinstance(stream, bool):
        raise Wrong('"stream" must be true or false.')
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 < timeout <= longest:
        raise Wrong(f'"timeout" must be a number of seconds, at most {longest:.0f}.')
    return Asked(prompt, stream, float(timeout))


def _checked(token: str, name: str) -> str:
    if token.startswith(HASH) and not re.fullmatch("[0-9a-fA-F]{64}", token[len(HASH) :]):
        raise Wrong(
            f"{name}: what follows {HASH} is no hash. Put the 64 digits of `printf %s TOKEN | sha256sum`."
        )
    return token


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
