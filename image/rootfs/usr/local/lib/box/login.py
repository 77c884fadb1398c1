"""The one place that knows the box's login: which is in use, its state, what to do about it. Never its value.

login.py MODE      log the login in use; or say what is wrong and what to do, and exit 1
login.py --expiry  report the time to expiry as JSON; exit 1 if it is near, past or unknown
"""

import json
import os
import re
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

TOKEN = "CLAUDE_CODE_OAUTH_TOKEN"
TOKEN_EXPIRES = "BOX_TOKEN_EXPIRES"  # the day a token in the environment runs out: the token does not tell
WARN_MINUTES = "BOX_EXPIRY_WARN_MINUTES"
WARN = {"env": 14 * 24 * 60, "file": 30}  # minutes; a login is renewed by use, a token by hand
SCOPE, FULL_SCOPE = "user:inference", "user:sessions:claude_code"
EXPIRED = "Authentication expired"
REFUSED = re.compile(  # what the CLI says: of a token; of a login that could not be renewed either
    rb"Failed to authenticate[^\n]{0,40}401|API Error: 401[^\n]{0,200}authentication_error"
    rb"|Not logged in[^\n]{0,8}Please run /login"
)


@dataclass(frozen=True)
class Login:
    """The login in use.

    ``source``: env or file; ``state``: ok, missing, unreadable, empty, truncated, expired; ``kind``: full, or
    inference (remote control refuses it); ``expires_at``: seconds since 1970, None where nothing tells;
    ``renewable``: the CLI can renew it; ``mark`` changes when the login does.
    """

    source: str
    state: str
    kind: str = ""
    expires_at: float | None = None
    renewable: bool = False
    mark: str = ""
    path: str = ""

    @property
    def usable(self) -> bool:
        """Whether there is something to send to the API; one that can be renewed need not be fresh."""
        return self.state == "ok"

    @property
    def expires_in(self) -> float | None:
        """Seconds until it expires, below 0 once it has; None where nothing tells."""
        return None if self.expires_at is None else self.expires_at - time.time()

    def __str__(self) -> str:
        """Say which it is, without its value."""
        return f"environment variable {TOKEN}" if self.source == "env" else f"credentials file {self.path}"


def file(environ: Mapping[str, str] = os.environ) -> Path:
    """Return where the CLI keeps the credentials file."""
    home = environ.get("HOME") or str(Path.home())
    return Path(environ.get("CLAUDE_CONFIG_DIR") or f"{home}/.claude", ".credentials.json")


def find(environ: Mapping[str, str] = os.environ) -> Login:
    """Return the login the CLI would use: the token in the environment, else the credentials file."""
    if environ.get(TOKEN, "").strip():
        return Login("env", "ok", "inference", _day(environ.get(TOKEN_EXPIRES, "")), mark="env")
    return _of_file(file(environ))


def _of_file(path: Path) -> Login:
    where = str(path)
    try:
        raw, stat = path.read_bytes(), path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return Login("file", "missing", path=where)
    except OSError:
        return Login("file", "unreadable", path=where)
    mark = f"file {stat.st_ino} {stat.st_mtime_ns} {stat.st_size}"
    if not raw.strip():
        return Login("file", "empty", mark=mark, path=where)
    try:
        found = json.loads(raw)
        login = found.get("claudeAiOauth") or {}
        token, renewable = login.get("accessToken"), bool(login.get("refreshToken"))
        scopes, expires = login.get("scopes"), login.get("expiresAt")
    except (ValueError, AttributeError, RecursionError):
        return Login("file", "truncated", mark=mark, path=where)
    if not isinstance(token, str) or not token.strip():  # so the CLI leaves it when a renewal was refused
        return Login("file", "empty", mark=mark, path=where)
    if not isinstance(scopes, list) or SCOPE not in scopes:  # the CLI takes it for no login
        return Login("file", "truncated", mark=mark, path=where)
    kind = "full" if FULL_SCOPE in scopes else "inference"
    at = expires / 1000 if isinstance(expires, int | float) and not isinstance(expires, bool) else None
    state = "expired" if at is not None and at <= time.time() and not renewable else "ok"
    return Login("file", state, kind, at, renewable, mark, where)


def _day(text: str) -> float | None:
    """Return a day or a time in ISO 8601 as seconds since 1970, None for anything else."""
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def problem(login: Login, mode: str) -> str:
    """Return why ``mode`` cannot run with this login, as one sentence; "" if it can."""
    where = login.path
    said = {
        "missing": f"No login: {TOKEN} is not set and there is no {where}.",
        "unreadable": f"The credentials file {where} cannot be read by uid {os.getuid()}.",
        "empty": f"The credentials file {where} is empty: it holds no login.",
        "truncated": f"The credentials file {where} is cut off or damaged: it holds no login.",
        "expired": f"{EXPIRED}: the login in {where} has run out and cannot be renewed.",
    }
    if login.state in said:
        return said[login.state]
    if mode == "remote-control" and login.source == "env":
        return f"{TOKEN} serves inference only: remote control refuses it, even beside a full login."
    if mode == "remote-control" and login.kind != "full":
        return f"The login in {where} serves inference only: remote control refuses it."
    return ""


def remedy(mode: str, environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Return the lines that say how to get ``mode`` a usable login."""
    directory = file(environ).parent
    return (
        f"No usable login for mode {mode}. Do one of these:",
        f"  headless, api:   set {TOKEN} (made by `claude setup-token` where you are logged in)",
        f"  remote-control:  unset {TOKEN} and log in once, by the same `docker run` with /login at its end",
        f"                   and -it -e CLAUDE_MODE=interactive -v claude:{directory} before the image",
        "  Kubernetes:      set CLAUDE_WAIT_FOR_LOGIN=1, then kubectl exec -it POD -- claude /login",
    )


def tells_of_refusal(said: bytes) -> bool:
    """Return whether something that the CLI said means that the API refused the login."""
    return REFUSED.search(said) is not None


def refused(login: Login) -> str:
    """Return what to do once the API has answered 401 to this login."""
    if login.source == "env":
        return (
            f"{EXPIRED}: the API refused {TOKEN} (401). Put a new token (`claude setup-token`) in its place"
            " and restart; or unset it and run `claude /login` in the container."
        )
    return (
        f"{EXPIRED}: the API refused the login in {login.path} (401). Run `claude /login` in the container"
        f" (kubectl exec -it POD -- claude /login), or set {TOKEN} and restart."
    )


def expiry(environ: Mapping[str, str] = os.environ) -> dict[str, object]:
    """Return how long the login lasts as plain data; ``ok`` is false if its end is near, past or unknown."""
    login = find(environ)
    day = environ.get(TOKEN_EXPIRES, "")
    if day and login.source != "env":  # a watch that is told of the agent's token, and does not hold it
        login = Login("env", "ok", "inference", _day(day))
    left, minutes = login.expires_in, _minutes(environ, login.source)
    if not minutes >= 0:
        said = f"{WARN_MINUTES} is no number of minutes"
    elif not login.usable:
        said = problem(login, "")
    elif left is None:
        said = f"the {login} does not say when it expires" + (
            f": set {TOKEN_EXPIRES}" if login.source == "env" else ""
        )
    elif left <= minutes * 60:
        renewed = "; the CLI renews it when it is next used" if login.renewable else ""
        said = f"the {login} {'expires in' if left > 0 else 'expired'} {_span(left)}{renewed}"
    else:
        said = ""
    seconds = None if left is None else round(left)
    found = {"ok": not said, "source": login.source, "state": login.state, "expires_in_seconds": seconds}
    return found | {"msg": said or f"the {login} expires in {_span(left or 0)}"}


def _minutes(environ: Mapping[str, str], source: str) -> float:
    """Return from how many minutes before the end on to warn; nan for what is no number."""
    try:
        return float(environ.get(WARN_MINUTES) or WARN[source])
    except ValueError:
        return float("nan")


def _span(seconds: float) -> str:
    size = abs(seconds)
    for unit, one in (("days", 86400), ("h", 3600), ("min", 60)):
        if size >= 2 * one:
            return f"{size / one:.0f} {unit}" + ("" if seconds > 0 else " ago")
    return f"{size:.0f} s" + ("" if seconds > 0 else " ago")


def main(words: list[str]) -> int:
    """Run as a program."""
    if words[:1] == ["--expiry"]:
        found = expiry()
        level = "info" if found["ok"] else "warning"
        print(json.dumps({"time": _now(), "level": level} | found))
        return 0 if found["ok"] else 1
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    from logs import log

    mode = words[0] if words else ""
    login = find()
    wrong = problem(login, mode)
    if wrong:
        for line in (wrong, *remedy(mode)):
            log(line, "error")
        return 1
    log(f"login: {login}", login=login.source)
    return 0


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
