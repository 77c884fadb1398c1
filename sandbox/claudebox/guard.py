"""The guard: a process of its own that starts the sandbox and its network, and outlives neither."""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import socket
from collections.abc import Sequence
from contextlib import suppress

from claudebox import plan as plans
from claudebox import processes
from claudebox.errors import REFUSED, Problem
from claudebox.login import Sync
from claudebox.plan import Plan

OWNER_OF = 0xB701  # NS_GET_USERNS: the user namespace that owns another one
READY = b"r"
FAILED = REFUSED
APPARMOR = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns"
APPARMOR_PROFILE = """abi <abi/4.0>,
include <tunables/global>
profile bwrap /usr/bin/bwrap flags=(unconfined) {
  userns,
}"""


class Stopped(Exception):
    """The session is over before it began: the launcher has gone, or a signal came."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Guard:
    """One session; ``control`` gives the signals to pass on, and ends with the launcher."""

    def __init__(self, plan: Plan, control: int, group: int, sync: Sync) -> None:
        self.plan = plan
        self.control = control
        self.group = group
        self.sync = sync
        self.errors = os.memfd_create("errors", os.MFD_CLOEXEC)
        self.said = os.memfd_create("slirp", os.MFD_CLOEXEC)
        self.gate, self.inner = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self.bwrap = self.payload = self.bwrap_pid = -1
        self.kept: list[int] = []  # open for as long as the session lasts
        self.wake, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for each in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            signal.signal(each, lambda *_: None)

    def run(self) -> int:
        """Start everything, open the gate, stay until the end, and return the exit code of the command."""
        first = self.start_bwrap()
        if self.plan.slirp:
            self.start_network(first)
        self.gate.sendall(b"go\n")
        self.gate.close()
        return self.attend()

    def start_bwrap(self) -> int:
        """Start bwrap and wait until it is done; return the pid of its first process inside."""
        reader, writer = os.pipe2(os.O_CLOEXEC)
        handed = {plans.GATE: self.inner.fileno(), plans.STATUS: writer, plans.ERRORS: 2, 2: self.errors}
        for number, data in self.plan.files.items():
            handed[number] = os.memfd_create("data", os.MFD_CLOEXEC)
            os.write(handed[number], data)
            os.lseek(handed[number], 0, os.SEEK_SET)
        self.bwrap_pid = processes.spawn(
            self.plan.bwrap, self.plan.env, handed, group=self.group, ignored=processes.ENDING
        )
        self.bwrap = os.pidfd_open(self.bwrap_pid)
        self.kept.append(reader)
        for number in (writer, *(handed[each] for each in self.plan.files)):
            os.close(number)
        self.inner.close()
        status = b""
        while b"\n" not in status:
            said = self.awaited(reader)
            if not said:  # bwrap was killed: its other half may wait for it for ever
                raise self.failure()
            status += said
        first = int(json.loads(status.splitlines()[0])["child-pid"])
        if self.awaited(self.gate.fileno()) != READY:
            raise self.failure()
        inside = processes.children(first)
        self.payload = os.pidfd_open(inside[0]) if inside else -1
        return first

    def start_network(self, first: int) -> None:
        """Install the rules, then connect the namespace; raises Problem with what the programs said."""
        net = os.open(f"/proc/{first}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        owner = fcntl.ioctl(net, OWNER_OF, 0)
        rules = os.memfd_create("rules", os.MFD_CLOEXEC)
        os.write(rules, self.plan.rules.encode())
        os.lseek(rules, 0, os.SEEK_SET)
        env = plans.helper_environment()
        handed = {0: rules, 1: self.said, 2: self.said, 3: net, 4: owner}
        pid = processes.spawn(self.plan.filter, env, handed)
        self.ended(pid, "the rules of the internet tier cannot be installed")
        reader, ready = os.pipe2(os.O_CLOEXEC)
        exits, held = os.pipe2(os.O_CLOEXEC)  # slirp4netns ends when we, who alone hold the other end, do
        self.kept.append(held)
        nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        handed = {0: nothing, 1: self.said, 2: self.said, 3: net, 4: owner, 5: ready, 6: exits}
        processes.spawn(self.plan.slirp, env, handed)
        for number in (rules, net, owner, ready, exits, nothing):
            os.close(number)
        if self.awaited(reader) != b"1":
            raise Problem(f"slirp4netns does not start: {self.last(self.said)}", network_hint())
        os.close(reader)

    def ended(self, pid: int, what: str) -> None:
        """Wait for a helper's end; raises Problem with what it said unless that is 0."""
        self.awaited(os.pidfd_open(pid), read=False)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if status:
            raise Problem(f"{what}: {self.last(self.said)}", network_hint())

    def awaited(self, fd: int, *, read: bool = True) -> bytes:
        """Return the next bytes of ``fd``, none at its end; raises Stopped or Problem if all is over."""
        poll = select.poll()
        for each in (fd, self.control, self.wake, self.bwrap):
            poll.register(each, select.POLLIN)
        while True:
            ready = {each for each, _ in poll.poll()}
            if fd in ready:
                return os.read(fd, 4096) if read else b""
            for number in self.signals(ready):
                raise Stopped(128 + number)
            if self.bwrap in ready:
                raise self.failure()

    def signals(self, ready: set[int]) -> bytes:
        """Return the signals to pass on; raises Stopped if the launcher has gone."""
        found = b""
        if self.wake in ready:
            found += os.read(self.wake, 64)
        if self.control in ready:
            said = os.read(self.control, 64)
            if not said:
                raise Stopped(128 + signal.SIGKILL)
            found += said
        return found

    def failure(self) -> Problem:
        """Return why bwrap did not start the command."""
        said = self.last(self.errors)
        return Problem(f"the sandbox does not start: {said}", hint_for(said))

    def last(self, memory: int) -> str:
        """Return the last line written to a memory file."""
        lines = os.pread(memory, 65536, 0).decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"

    def attend(self) -> int:
        """Pass signals on and keep the login in step until bwrap ends; return its exit code."""
        poll = select.poll()
        for each in (self.control, self.wake, self.bwrap, self.sync.watch):
            if each >= 0:
                poll.register(each, select.POLLIN)
        while True:
            pause = self.sync.step()
            ready = {each for each, _ in poll.poll(pause * 1000)}
            for number in self.signals(ready):
                self.pass_on(number)
            if self.bwrap in ready:
                status = os.waitstatus_to_exitcode(os.waitpid(self.bwrap_pid, 0)[1])
                return processes.code_of(status)

    def pass_on(self, number: int) -> None:
        """Send a signal to the command."""
        with suppress(OSError):  # it has ended: bwrap is about to
            signal.pidfd_send_signal(self.payload, number)


def run(plan: Plan, control: int, group: int) -> int:
    """Be the guard of one session; return the exit code for the launcher once nothing is left."""
    for each in (signal.SIGINT, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU):
        signal.signal(each, signal.SIG_IGN)
    processes.become_subreaper()
    sync = Sync()
    code = FAILED
    try:
        sync.settle()
        code = Guard(plan, control, group, sync).run()
    except Stopped as stop:
        code = stop.code
    except Problem as problem:
        processes.end_all()
        tell(problem)
    finally:
        processes.end_all()
    sync.settle()
    return code


def tell(problem: Problem) -> None:
    """Write a problem to standard error."""
    lines = [f"claudebox: {problem.message}"] + ([f"  {problem.hint}"] if problem.hint else [])
    os.write(2, ("\n".join(lines) + "\n").encode(errors="replace"))


def _setting(path: str) -> str:
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError:
        return ""


def network_hint() -> str:
    """Return what helps where the network does not come up."""
    return "nftables and slirp4netns need user namespaces and /dev/net/tun; --network offline needs neither"


def hint_for(said: str) -> str:
    """Return what helps against an error of bwrap; the sandbox is never made weaker instead."""
    denied: Sequence[str] = ("uid map", "No permissions", "RTM_NEWADDR", "Operation not permitted")
    if any(each in said for each in denied):
        if _setting(APPARMOR) == "1":
            return (
                f"AppArmor keeps bwrap from it; as /etc/apparmor.d/bwrap this allows it:\n{APPARMOR_PROFILE}"
            )
        if _setting("/proc/sys/kernel/unprivileged_userns_clone") == "0":
            return "this kernel gives no user namespaces to users: sysctl kernel.unprivileged_userns_clone=1"
        return "bwrap needs user namespaces; inside a container they are often taken away"
    if "No space left" in said or _setting("/proc/sys/user/max_user_namespaces") == "0":
        return "no user namespace is left: raise the sysctl user.max_user_namespaces"
    if "mount proc" in said:
        return "a container with a masked /proc allows no sandbox in it: start it with systempaths=unconfined"
    if "Unknown option" in said:
        return "install bubblewrap 0.8.0 or newer"
    return "run it with --dry-run to see the command"
