"""What the box's own programs log: JSON lines on standard error, plain text where a person looks on.

logs.py LEVEL MESSAGE…  log each message
"""

import json
import logging
import os
import sys
import time
import traceback
from types import TracebackType

LEVEL = "BOX_LOG_LEVEL"
LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
DEFAULT = "info"
asked = os.environ.get(LEVEL, "").strip().lower() or DEFAULT
threshold = LEVELS.get(asked, LEVELS[DEFAULT])


def log(message: str, level: str = DEFAULT, **fields: object) -> None:
    """Write one line if its level is asked for."""
    if LEVELS[level] < threshold:
        return
    if sys.stderr.isatty():
        said = " ".join([message, *(f"{key}={value}" for key, value in fields.items())])
    else:
        line = {"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "level": level, "msg": message}
        said = json.dumps(line | fields, ensure_ascii=False, default=str)
    write(said)


def write(line: str) -> None:
    """Write a line whole to standard error, past its buffer: a signal handler may log in mid-line."""
    left = f"{line}\n".encode(errors="backslashreplace")
    while left:
        left = left[os.write(sys.stderr.fileno(), left) :]


class Handler(logging.Handler):
    """Brings what libraries log into the same form."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log one record."""
        level = next((name for name, number in LEVELS.items() if record.levelno <= number), "error")
        said = {"trace": logging.Formatter().formatException(record.exc_info)} if record.exc_info else {}
        log(record.getMessage(), level, logger=record.name, **said)


def install() -> None:
    """Have libraries and uncaught errors of this program log in the same form too."""
    logging.root.handlers = [Handler()]
    logging.root.setLevel(logging.WARNING)
    sys.excepthook = _uncaught
    sys.unraisablehook = _unraisable
    if asked not in LEVELS:
        log(f"{LEVEL}={asked} is no level. Allowed: {', '.join(LEVELS)}; {DEFAULT} is used.", "warning")


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    lines = traceback.format_exception(kind, error, trace)
    log(f"{kind.__name__}: {error}", "error", trace="".join(lines))


def _unraisable(found: "sys.UnraisableHookArgs") -> None:
    log(f"{found.err_msg or 'ignored'}: {found.exc_value!r} in {found.object!r}", "debug")


if __name__ == "__main__":
    for each in sys.argv[2:]:
        log(each, sys.argv[1])
