"""The launch: the lock, the directories, the guard, and the terminal afterwards."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from claudebox import guard, instances, login, processes
from claudebox.plan import Options, Plan

PASSED_ON = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
FROM_TERMINAL = 0x80  # SI_KERNEL: the whole foreground group has it already


def launch(plan: Plan, options: Options) -> int:
    """Run the session of a plan and return its exit code; raises Problem before anything is started."""
    instances.prepare(plan.instance, plan.project.root, plan.project.cwd)
    held = instances.lock(plan.instance, force=options.force)
    login.ensure_store()
    processes.become_subreaper()
    processes.leave_keyring()
    before = terminal()
    awaited = {*PASSED_ON, signal.SIGCHLD}
    signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
    reader, control = os.pipe2(os.O_CLOEXEC)
    group = os.getpgrp()
    child = os.fork()
    if child == 0:
        _be_guard(plan, reader, control, group, before)
    os.close(reader)
    try:
        status = attend(child, control, awaited)
        if status < 0:  # the guard was killed: what it held has come to us
            processes.end_all()
            login.Sync().settle()
        return processes.code_of(status)
    finally:
        restore(before)
        os.close(held)


def _be_guard(plan: Plan, reader: int, control: int, group: int, before: Any) -> None:
    """Run the guard in the forked process; never returns."""
    code = guard.FAILED
    try:
        os.setpgid(0, 0)  # what is typed at the terminal goes past it
        os.close(control)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        code = guard.run(plan, reader, group)
        os.set_blocking(reader, False)
        if _gone(reader):
            restore(before)
    except BaseException as error:
        os.write(2, f"claudebox: a defect of the guard: {error!r}\n".encode())
    finally:
        os._exit(code)


def _gone(control: int) -> bool:
    """Return whether the launcher has ended before its guard."""
    try:
        return os.read(control, 64) == b""
    except BlockingIOError:
        return False


def attend(child: int, control: int, awaited: set[signal.Signals]) -> int:
    """Pass signals on until the guard has ended; return its exit code, negative for a signal's number."""
    while True:
        got = signal.sigwaitinfo(awaited)
        if got.si_signo == signal.SIGCHLD:
            status = processes.reap().get(child)
            if status is not None:
                return status
        elif got.si_code != FROM_TERMINAL:
            os.write(control, bytes([got.si_signo]))


def terminal() -> Any:
    """Return the state of the terminal, None without one."""
    if not os.isatty(0):
        return None
    import termios

    return termios.tcgetattr(0)


def restore(before: Any) -> None:
    """Give the terminal back as it was, whoever has left it otherwise."""
    if before is None:
        return
    import termios

    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    try:
        termios.tcsetattr(0, termios.TCSADRAIN, before)
    except termios.error as error:
        print(f"claudebox: the terminal is not reset: {error}", file=sys.stderr)
