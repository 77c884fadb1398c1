"""Containers on the engine, without a cluster: how they run, how they end, what files are in them."""

from __future__ import annotations

import json
import platform
import signal
import struct
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from docker.errors import APIError, ContainerError, DockerException
from docker.models.containers import Container

from boxproof.core.process import Result
from boxproof.core.session import RUN_LABEL
from boxproof.probes import signals
from boxproof.probes.pods.probe_pods import PROGRAM
from boxproof.probes.probe_program import Taken
from boxproof.probes.processes import Process, bits
from boxproof.subject.image.bad_images import archive
from pytest_claims.faults import DeadlineExceeded, EnvironmentFault, SubjectFault
from pytest_claims.pace import Deadline
from pytest_claims.recording import observations
from pytest_claims.waiting import until

T = TypeVar("T")
IN_ITS_ROOT = """
import os, sys
os.chdir("/proc/1/root")
status = dict(line.split(":", 1) for line in open("/proc/1/status"))
uid, gid = (int(status[each].split()[1]) for each in ("Uid", "Gid"))
groups = [int(each) for each in status["Groups"].split()]
if sys.argv[1]:
    uid, gid, groups = int(sys.argv[1]), int(sys.argv[1]), []
os.setgroups(groups)
os.setgid(gid)
os.setuid(uid)
os.execvp(sys.argv[2], sys.argv[2:])
"""
RUN = 120.0  # seconds a container gets that ends by itself, whatever the machine is doing
START = 30.0  # the same until its own first process runs
# path -> (content, mode), and the uid of its owner if not root; without content it is a directory
Files = Mapping[str, tuple[bytes | None, int] | tuple[bytes | None, int, int]]
SCRIPT = """
import json, os, stat, sys
uid, gids, top = int(sys.argv[1]), set(map(int, sys.argv[2].split(","))), "/proc/1/root"
spared = tuple(sys.argv[3:])
def may_write(found):
    if found.st_uid == uid:
        return bool(found.st_mode & stat.S_IWUSR)
    return bool(found.st_mode & (stat.S_IWGRP if found.st_gid in gids else stat.S_IWOTH))
up, writable = [], []
device = os.stat(top).st_dev
for place, directories, files in os.walk(top):
    shown = place[len(top):] or "/"
    inside = os.stat(place)  # the first is a link to the root
    directories[:] = [each for each in directories if os.lstat(os.path.join(place, each)).st_dev == device]
    replaces = may_write(inside)
    for name in files + [each for each in directories if os.path.islink(os.path.join(place, each))]:
        path = os.path.join(place, name)
        found, plain = os.lstat(path), path[len(top):]
        if stat.S_ISREG(found.st_mode) and found.st_mode & (stat.S_ISUID | stat.S_ISGID):
            up.append(plain)
        if plain.startswith(spared):
            continue
        mine = not inside.st_mode & stat.S_ISVTX or found.st_uid == uid or inside.st_uid == uid
        itself = not stat.S_ISLNK(found.st_mode) and may_write(found)
        if itself or (replaces and mine):
            writable.append(plain)
print(json.dumps([sorted(up), sorted(writable)]))
"""


@dataclass(frozen=True)
class Run:
    """A container that ran to its end.

    ``error`` says, where there is no code, that it went on, or the engine's words if it could not start.
    """

    code: int | None
    output: str
    error: str = ""


class LocalContainer:
    """A container on the engine; also where the probe program can look at its processes.

    ``docker`` is a docker client. Everything raises EnvironmentFault if the engine refuses.
    """

    address = "127.0.0.1"

    def __init__(self, docker: Any, made: Container, probe_image: str) -> None:
        self.docker = docker
        self.made = made
        self.probe_image = probe_image

    @property
    def label(self) -> str:
        """The container's short id."""
        return str(self.made.short_id)

    def put(self, files: Files) -> None:
        """Write files into the container's own layer."""
        _engine(lambda: self.made.put_archive("/", archive(files)))

    def start(self) -> LocalContainer:
        """Start it and return it once its own first process runs, not the runtime's."""
        _engine(self.made.start)
        until(lambda: not self._set_up(), timeout=START, every=0.01, what="its first process starts")
        return self

    def _set_up(self) -> bool:
        """Return whether the runtime is still to become the first process; False if that cannot be seen."""
        _engine(self.made.reload)
        argv = self._of_first("cmdline").split("\0")
        return argv[0].endswith("runc") and argv[1:2] == ["init"]

    def takes(self, number: signal.Signals, *, within: float) -> bool:
        """Return whether its first process comes to block or catch a signal within that many seconds.

        To PID 1 the kernel drops any other signal: one that is sent before the first instructions of a
        program have run reaches nobody, whatever the program. False, too, if that cannot be seen.
        """

        def look() -> bool:
            status = dict(line.split(":", 1) for line in self._of_first("status").splitlines())
            return any(number in bits(status.get(each, "0"), first=1) for each in ("SigBlk", "SigCgt"))

        try:
            return until(look, timeout=within, every=0.002, what=f"{number.name} is taken")
        except DeadlineExceeded:
            return False

    def _of_first(self, name: str) -> str:
        """Return a file of /proc about the first process as this host sees it, "" if it does not."""
        try:
            return Path(f"/proc/{self.made.attrs['State']['Pid']}/{name}").read_text(errors="replace")
        except OSError:
            return ""

    def logs(self) -> str:
        """Return what it wrote so far, standard output and error."""
        return str(_engine(lambda: self.made.logs().decode(errors="replace")))

    def wait_log(self, text: str, *, timeout: float = START) -> LocalContainer:
        """Wait until ``text`` is in its output; raises DeadlineExceeded, with the output."""
        until(lambda: text in self.logs(), timeout=timeout, every=0.1, what=f"{text!r} in the output")
        return self

    @property
    def _ours(self) -> bool:
        """Whether it is of the probe image, and so no box."""
        return bool(self.made.attrs["Config"]["Image"] == self.probe_image)

    @property
    def running(self) -> bool:
        """Whether it runs."""
        _engine(self.made.reload)
        return bool(self.made.attrs["State"]["Running"])

    def demand_running(self) -> None:
        """Raise SubjectFault where it has ended."""
        if not self.running:
            raise SubjectFault(f"it has ended; last output: {self.logs()[-300:]}")

    def run(self, *, timeout: float = RUN, may_go_on: bool = False) -> Run:
        """Start it, wait for its end and return that; ``timeout`` is seconds, more on a slow machine.

        One that goes on is an answer without a code where it ``may_go_on``; else raises SubjectFault for a
        box, DeadlineExceeded for a container of ours.
        """
        try:
            self.made.start()
        except APIError as error:
            found = Run(None, "", str(error.explanation or error))
        else:
            deadline = Deadline(timeout)
            in_time, code = signals.awaited(self.made, deadline)
            late = "" if in_time else f"no end within {deadline}"
            if late and not may_go_on:
                fault = DeadlineExceeded if self._ours else SubjectFault
                raise fault(f"{late}; last output: {self.logs()[-300:]}")
            found = Run(code if in_time else None, self.logs(), late)
        observations.record("run", " ".join(self.made.attrs["Config"].get("Cmd") or ()), found)
        return found

    def ends(self, *, within: float, exact: bool = False) -> bool:
        """Return whether it ends by itself in that many seconds, more on a slow machine unless ``exact``."""
        in_time, code = signals.awaited(self.made, Deadline(within, exact=exact))
        found = in_time and code >= 0
        observations.record("end", f"within {within} s", found)
        return found

    def exec(self, argv: Sequence[str], **options: Any) -> Result:
        """Run ``argv`` in it; ``options`` are those of the docker SDK's ``exec_run``.

        Raises SubjectFault where it is a box that has ended.
        """
        started = time.monotonic()
        try:
            code, (out, err) = _engine(lambda: self.made.exec_run(list(argv), demux=True, **options))
        except EnvironmentFault:
            if not self._ours:
                self.demand_running()
            raise
        shown = [(each or b"").decode(errors="replace") for each in (out, err)]
        return Result(tuple(argv), int(code), shown[0], shown[1], time.monotonic() - started)

    def outside(self, argv: Sequence[str], *, user: str = "") -> Result:
        """Run ``argv``, a program of the probe image, on the container's files: it needs none of its own.

        It stands in the container's root, so names are given without a slash before them, and has the first
        process's user, or the uid ``user``.
        """
        started = time.monotonic()
        words = ["-c", IN_ITS_ROOT, user, *argv]

        def run() -> tuple[int, bytes, bytes]:
            made = self.docker.containers.run(
                self.probe_image, words, entrypoint=["python3"], user="0:0", detach=True,
                network_mode="none", pid_mode=f"container:{self.made.id}", labels=self.made.labels,
                cap_add=["SYS_PTRACE", "DAC_READ_SEARCH"], security_opt=["apparmor=unconfined"],
            )  # fmt: skip
            try:
                code = int(made.wait()["StatusCode"])
                return code, bytes(made.logs(stderr=False)), bytes(made.logs(stdout=False))
            finally:
                made.remove(force=True)

        # apart: a shell that stands outside its own root says that it does not know where it is
        code, *streams = _engine(run)
        out, err = (each.decode(errors="replace") for each in streams)
        return Result(tuple(argv), code, out, err, time.monotonic() - started)

    def probe(self, *words: str, timeout: float = 30) -> Result:  # noqa: ARG002 (the engine has no deadline)
        """Run the probe program in a container of the probe image that shares its processes, as root."""
        started = time.monotonic()

        def run() -> bytes:
            try:
                return bytes(
                    self.docker.containers.run(
                        self.probe_image, list(words), entrypoint=[PROGRAM], user="0:0", remove=True,
                        network_mode="none", pid_mode=f"container:{self.made.id}", labels=self.made.labels,
                    )
                )  # fmt: skip
            except ContainerError as error:
                if error.exit_status == signals.KILLED:
                    raise Taken(f"the processes of {self.label} ended, and the probe with them") from error
                text = (error.stderr or b"").decode(errors="replace")
                raise EnvironmentFault(f"the probe beside {self.label} ended with: {text[-300:]}") from error

        out = _engine(run).decode(errors="replace")
        return Result(tuple(words), 0, out, "", time.monotonic() - started)

    def remove(self) -> None:
        """Remove it, running or not; one that is gone is fine."""
        try:
            self.made.remove(force=True, v=True)
        except APIError as error:
            if error.status_code not in (404, 409):
                raise EnvironmentFault(f"cannot remove {self.label}: {error}") from error


def create(
    docker: Any, image: str, *, probe_image: str, run: str, files: Files | None = None, **options: Any
) -> LocalContainer:
    """Create, not start, a container of ``image`` for ``run``; ``options`` are the docker SDK's."""
    labels = {RUN_LABEL: run}
    made = _engine(lambda: docker.containers.create(image, labels=labels, **options))
    container = LocalContainer(docker, made, probe_image)
    if files:
        container.put(files)
    return container


def ancestors(process: Process, every: Sequence[Process]) -> list[Process]:
    """Return the parents of a process up to the first one, nearest first."""
    by_pid = {each.pid: each for each in every}
    found: list[Process] = []
    while (parent := by_pid.get((found[-1] if found else process).ppid)) is not None:
        found.append(parent)
    return found


def _engine(call: Callable[[], T]) -> T:
    try:
        return call()
    except DockerException as error:
        raise EnvironmentFault(f"the engine refused: {error}") from error


PATH = "/boxproof-idle"
BASE = 0x400000  # where the file is mapped
HEADERS = 64 + 56  # of an ELF file and of its one segment
# pause() again and again; ppoll() without an end where there is no pause
CODE = {
    "x86_64": (62, bytes.fromhex("b8220000000f05ebf7")),
    "aarch64": (183, bytes.fromhex("280980d2000080d2010080d2020080d2030080d2010000d4faffff17")),
}
NAMES = {"arm64": "aarch64", "amd64": "x86_64"}


def idle_program(machine: str = "") -> bytes:
    """Return the program, as an ELF file, for a kind of processor (this machine's); raises KeyError."""
    name = (machine or platform.machine()).lower()
    number, code = CODE[NAMES.get(name, name)]
    size = HEADERS + len(code)
    ident = b"\x7fELF" + bytes([2, 1, 1, 0]) + bytes(8)
    head = struct.pack("<HHIQQQIHHHHHH", 2, number, 1, BASE + HEADERS, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, BASE, BASE, size, size, 0x1000)
    return ident + head + segment + code


@dataclass(frozen=True)
class Walked:
    """Files with a setuid or setgid bit, and files outside given places that a user may write or replace."""

    set_id: tuple[str, ...]
    writable: tuple[str, ...]


def walked(box: LocalContainer, *, uid: int, spared: tuple[str, ...], groups: Iterable[int] = ()) -> Walked:
    """Return what is found of the file system ``box`` runs on, mounts left out; raises EnvironmentFault.

    ``uid`` is the user (and its group) whose rights count, ``groups`` are others it is in; ``spared`` are
    directories it may write in.
    """
    gids = ",".join(map(str, sorted({uid, *groups})))
    words = [str(uid), gids, *(f"{each.rstrip('/')}/" for each in spared)]
    try:
        output: Any = box.docker.containers.run(
            box.probe_image, ["-c", SCRIPT, *words], entrypoint=["python3"], user="0:0", remove=True,
            network_mode="none", pid_mode=f"container:{box.made.id}", labels=box.made.labels,
            cap_add=["SYS_PTRACE", "DAC_READ_SEARCH"], security_opt=["apparmor=unconfined"],
        )  # fmt: skip
    except ContainerError as error:
        text = (error.stderr or b"").decode(errors="replace")
        raise EnvironmentFault(f"the files of {box.label} cannot be walked: {text[-300:]}") from error
    except DockerException as error:
        raise EnvironmentFault(f"the engine refused: {error}") from error
    set_id, writable = json.loads(output)
    return Walked(tuple(set_id), tuple(writable))
