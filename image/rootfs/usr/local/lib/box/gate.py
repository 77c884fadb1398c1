"""Waits until the network policy is in force, so that what starts afterwards never runs without it.

gate.py WAY CANARY  each is HOST:PORT; the policy allows the first and not the second, and both listen

An engine takes a moment to apply a policy to a new pod, and until then everything is open. Ends with 0 once
the way is open and the canary gets no connection; until then it waits, without end, and logs for what.
"""

import signal
import socket
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import logs

WITHIN = 1.0  # seconds a connection may take
EVERY = 0.2  # seconds between two looks
AGAIN = 30.0  # seconds until what is waited for is logged again
OPEN = "open"


def connect(host: str, port: int) -> str:
    """Return OPEN, or why there is no connection."""
    try:
        with socket.create_connection((host, port), timeout=WITHIN):
            return OPEN
    except OSError as error:
        return error.strerror or str(error)


def waits_for(way: tuple[str, int], canary: tuple[str, int]) -> str:
    """Return what is still missing, "" once the policy is in force.

    The way is tried before and after the canary: a network that is not up yet is no policy.
    """
    if (found := connect(*way)) != OPEN:
        return f"the way out {way[0]}:{way[1]}: {found}"
    if connect(*canary) == OPEN:
        return "a policy that denies the canary; does this cluster's network enforce policies?"
    if (found := connect(*way)) != OPEN:
        return f"the way out {way[0]}:{way[1]}: {found}"
    return ""


def place(text: str) -> tuple[str, int]:
    """Return host and port; raises ValueError for anything but HOST:PORT."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        raise ValueError(text)
    return host, int(port)


def main(words: list[str]) -> int:
    """Run as a program."""
    logs.install()
    try:
        way, canary = map(place, words)
    except ValueError:
        logs.log(f"gate: '{' '.join(words)}' is not WAY CANARY. Give two of HOST:PORT.", "error")
        return 2
    started, said, told = time.monotonic(), "", 0.0
    while missing := waits_for(way, canary):
        now = time.monotonic()
        if missing != said or now - told >= AGAIN:
            logs.log(f"waiting for {missing}")
            said, told = missing, now
        time.sleep(EVERY)
    logs.log("the network policy is in force", waited_seconds=round(time.monotonic() - started, 1))
    return 0


if __name__ == "__main__":
    signal.signal(
        signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM)
    )  # as process 1 it would be ignored
    sys.exit(main(sys.argv[1:]))
