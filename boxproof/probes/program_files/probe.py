"""The probe program, alone in the probe image: each command prints one JSON object."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from boxproof.probes.program_files.dns import STATE, Answer, ending, resolve
from boxproof.probes.program_files.https import https
from boxproof.probes.program_files.table import PKTINFO, SAYS, answer_datagram, answered, expose, sweep

STUB = ("boxproof.stubs.server.stub", "/usr/local/lib/boxproof")  # a module, and where it is found


def idle(_: argparse.Namespace) -> Answer:
    """Stay, as PID 1, and reap what is left behind, until TERM."""
    awaited = {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD}
    signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
    while signal.sigwait(awaited) == signal.SIGCHLD:
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            continue
    sys.exit(0)


def stub(_: argparse.Namespace) -> Answer:
    """Become the stub API."""
    module, library = STUB
    os.execve(sys.executable, [sys.executable, "-u", "-m", module], {**os.environ, "PYTHONPATH": library})


def listen(asked: argparse.Namespace) -> Answer:
    """Bind, go on in the background, and say which port it is."""
    kind = socket.SOCK_DGRAM if asked.udp else socket.SOCK_STREAM
    server = socket.socket(socket.AF_INET6 if asked.six else socket.AF_INET, kind)
    if not asked.udp:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if asked.udp and not asked.six:
        server.setsockopt(socket.IPPROTO_IP, PKTINFO, 1)
    server.bind(("::" if asked.six else "0.0.0.0", asked.port))
    home = STATE / asked.token
    home.mkdir(parents=True)
    if not asked.udp:
        server.listen(64)
    child = os.fork()
    if child == 0:
        serve(server, asked.token, asked.udp)
    (home / "pid").write_text(str(child))
    return {"port": server.getsockname()[1], "pid": child}


def serve(server: socket.socket, token: str, udp: bool) -> None:
    """Answer every connection or datagram with the token; never returns."""
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    answer = f"{token}\n".encode()
    while True:
        with suppress(OSError):
            if udp:
                answer_datagram(server, answer)
                continue
            connection = server.accept()[0]
            connection.sendall(answer)
            connection.close()


def stop(asked: argparse.Namespace) -> Answer:
    """End a listener; say whether it was there to be ended."""
    home = STATE / asked.token
    try:
        pid = int((home / "pid").read_text())
        there = not is_zombie(pid)
        os.kill(pid, signal.SIGKILL)
    except (FileNotFoundError, ProcessLookupError):
        there = False
    shutil.rmtree(home, ignore_errors=True)
    with suppress(OSError):  # another listener's is in it
        STATE.rmdir()
    return {"stopped": there}


def connect(asked: argparse.Namespace) -> Answer:
    """Try one connection and say how it ended."""
    try:
        family = socket.AF_INET6 if ":" in asked.host else socket.AF_INET
        address = socket.getaddrinfo(asked.host, asked.port, family)[0][4]
    except socket.gaierror as error:
        return {"reach": "no name", "why": str(error)}
    started = time.monotonic()
    try:
        said = datagram(address, asked) if asked.udp else stream(address, asked)
    except TimeoutError:
        return {"reach": "filtered", "why": "timeout"}
    except OSError as error:
        return {"reach": ending(error), "why": str(error), "seconds": time.monotonic() - started}
    return {"reach": "open", "identity": said.decode(errors="replace"), "seconds": time.monotonic() - started}


def stream(address: Any, asked: argparse.Namespace) -> bytes:
    """Connect and, if asked, read who answers."""
    said = b""
    with socket.socket(_family(address), socket.SOCK_STREAM) as connection:
        connection.settimeout(asked.within)
        connection.connect(address)
        if asked.identity:
            connection.settimeout(max(SAYS, asked.within))
            try:
                while chunk := connection.recv(256):
                    said += chunk
                    if said.endswith(b"\n") or len(said) > 1024:
                        break
            except OSError:
                return said.strip()
    return said.strip()


def _family(address: Any) -> int:
    return socket.AF_INET6 if len(address) == 4 else socket.AF_INET


def datagram(address: Any, asked: argparse.Namespace) -> bytes:
    """Send a datagram, again each second, and wait for the answer."""
    with socket.socket(_family(address), socket.SOCK_DGRAM) as sender:
        sender.settimeout(asked.within)
        sender.connect(address)
        return answered(sender, asked.within, b"who\n").strip()


def processes(_: argparse.Namespace) -> Answer:
    """Describe the processes in sight, without our own."""
    found = []
    for each in sorted(int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()):
        try:
            cmdline = Path(f"/proc/{each}/cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
            lines = status(each)
        except (FileNotFoundError, ProcessLookupError):
            continue
        if "/usr/local/bin/probe" in cmdline[:3]:
            continue
        found.append(
            {
                "pid": each, "ppid": int(lines["PPid"]), "state": lines["State"][0], "comm": lines["Name"],
                "cmdline": cmdline, "uid": int(lines["Uid"].split()[1]), "gid": int(lines["Gid"].split()[1]),
                "caught": lines["SigCgt"], "ignored": lines["SigIgn"],
            }
        )  # fmt: skip
    return {"processes": found}


def status(pid: int) -> dict[str, str]:
    """Return the fields of /proc/PID/status."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def capabilities(asked: argparse.Namespace) -> Answer:
    """Return the status fields of processes by pid; one that is gone is left out."""
    found = {}
    for each in asked.pid:
        with suppress(FileNotFoundError, ProcessLookupError):
            found[each] = status(each)
    return {"status": found}


def orphans(asked: argparse.Namespace) -> Answer:
    """Leave orphans that end once they are adopted; say by whom, and how many stay as zombies."""
    left, adopters = [], set()
    for _ in range(asked.number):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            parent = os.getpid()
            if os.fork() == 0:
                while os.getppid() == parent:
                    time.sleep(0.005)
                os.write(writer, f"{os.getpid()} {os.getppid()}".encode())
            os._exit(0)
        os.close(writer)
        os.waitpid(child, 0)
        pid, parent = map(int, os.read(reader, 64).split())
        os.close(reader)
        left.append(pid)
        adopters.add(parent)
    deadline = time.monotonic() + asked.within
    while (zombies := [each for each in left if is_zombie(each)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return {"number": len(left), "adopters": sorted(adopters), "zombies": len(zombies)}


def is_zombie(pid: int) -> bool:
    """Say whether a process has ended and nobody has waited for it."""
    try:
        return status(pid)["State"].startswith("Z")
    except (FileNotFoundError, ProcessLookupError):
        return False


def kill(asked: argparse.Namespace) -> Answer:
    """KILL processes; say how many were there."""
    killed = 0
    for each in asked.pids:
        try:
            os.kill(each, signal.SIGKILL)
        except ProcessLookupError:
            continue
        killed += 1
    return {"killed": killed}


def parser() -> argparse.ArgumentParser:
    """Return the command line: one command per question."""
    made = argparse.ArgumentParser(prog="probe")
    commands = made.add_subparsers(required=True)

    def command(does: Callable[[argparse.Namespace], Answer], *options: tuple[str, dict[str, Any]]) -> None:
        below = commands.add_parser(does.__name__, help=does.__doc__)
        for name, how in options:
            below.add_argument(name, **how)
        below.set_defaults(does=does)

    flag: dict[str, Any] = {"action": "store_true"}
    token = ("--token", {"required": True})
    within = ("--within", {"type": float, "default": 3.0})
    command(idle)
    command(stub)
    command(listen, ("port", {"type": int}), token, ("--udp", flag), ("--six", flag))
    command(stop, token)
    command(connect, ("host", {}), ("port", {"type": int}), within, ("--udp", flag), ("--identity", flag))
    command(
        resolve, ("name", {}), within, ("--tcp", flag), ("--server", {"default": ""}),
        ("--port", {"type": int, "default": 53}),
    )  # fmt: skip
    command(
        https, ("host", {}), ("port", {"type": int}), within, ("--via", {"default": ""}),
        ("--path", {"default": "/"}), ("--authority", {"required": True}),
    )  # fmt: skip
    command(expose, ("ports", {"type": int, "nargs": "+"}), token)
    command(sweep, ("targets", {"nargs": "+"}), within, ("--source-port", {"type": int, "default": 0}))
    command(processes)
    command(capabilities, ("pid", {"type": int, "nargs": "+"}))
    command(orphans, ("number", {"type": int}), ("--within", {"type": float, "default": 2.0}))
    command(kill, ("pids", {"type": int, "nargs": "+"}))
    return made


def main() -> int:
    """Run one command; a failure of the probe itself is a "fault"."""
    asked = parser().parse_args()
    try:
        print(json.dumps(asked.does(asked)))
    except (OSError, ValueError, KeyError, IndexError, struct.error) as error:
        print(json.dumps({"fault": f"{type(error).__name__}: {error}"}))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
