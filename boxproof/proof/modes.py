"""The box's modes on the engine, with a stand-in for the CLI: how it is started, what it called."""

from __future__ import annotations

import json
import signal
from collections.abc import Mapping
from typing import Any

from boxproof.errors import EnvironmentFault, SubjectFault
from boxproof.pace import Deadline
from boxproof.probes import ledger, signals
from boxproof.probes.local import LocalContainer, ancestors
from boxproof.probes.orphans import kill
from boxproof.probes.processes import Process, processes
from boxproof.proof.factories import Containers
from boxproof.stubs import cli
from boxproof.subject import files
from boxproof.subject.entrypoint import INITS, is_shell
from boxproof.subject.model import Subject
from boxproof.wait import NotYet, until

TOKEN = "stub-token"
LOGIN = {
    "claudeAiOauth": {
        "accessToken": TOKEN,
        "refreshToken": TOKEN,
        "expiresAt": 4102444800000,
        "scopes": ["user:inference", "user:profile", "user:sessions:claude_code"],
        "subscriptionType": "max",
    }
}


class Modes:
    """Starts the box in its modes; ``stays`` tells whether the stand-in waits for TERM or ends at once."""

    def __init__(self, subject: Subject, container: Containers) -> None:
        self.subject = subject
        self.container = container

    def __call__(
        self,
        mode: str | None,
        *words: str,
        stays: bool = True,
        login: bool = True,
        start: bool = True,
        environment: Mapping[str, str] | None = None,
        **options: Any,
    ) -> LocalContainer:
        """Return a container in ``mode`` (None sets none); ``words`` are its arguments.

        Without ``login`` it is told to wait for one.
        """
        given = {"CLAUDE_MODE": mode} if mode is not None else {}
        given |= {"CLAUDE_PROMPT": "say ok"} if login else {"CLAUDE_WAIT_FOR_LOGIN": "1"}
        put = {self.subject.image.cli: (cli.STAYS if stays else cli.ENDS, 0o755)}
        if login and mode in ("headless", "api"):
            given["CLAUDE_CODE_OAUTH_TOKEN"] = TOKEN
        if login:
            put[f"{self.subject.config_dir}/.credentials.json"] = (json.dumps(LOGIN).encode(), 0o644)
        return self.container(
            *words, files=put, start=start, environment=given | dict(environment or {}), **options
        )


def calls(container: LocalContainer) -> list[cli.Call]:
    """Return the calls of the stand-in in a container so far."""
    found = cli.calls(files.read(container.made, cli.LOG))
    ledger.record("calls", container.label, found)
    return found


def started(container: LocalContainer, *, timeout: float = 30) -> LocalContainer:
    """Wait until the stand-in was called; raises SubjectFault if the container ends before that."""

    def called() -> bool:
        if cli.calls(files.read(container.made, cli.LOG)):
            return True
        if not container.running:
            raise SubjectFault(f"it ended without a call of its CLI: {container.logs()[-300:]}")
        raise NotYet(container.logs()[-200:])

    until(called, timeout=timeout, every=0.1, what="the first call of the stand-in")
    return container


def of_program(path: str, found: list[Process]) -> list[Process]:
    """Return the processes that run ``path``, as a program or as a script."""
    return [each for each in found if path in each.cmdline[:2]]


def shells_above(program: str, container: LocalContainer) -> list[str]:
    """Return the shells among the parents of the processes that run ``program``."""
    every = processes(container)
    above = [each for app in of_program(program, every) for each in ancestors(app, every)]
    found = [" ".join(each.cmdline) for each in above if each.cmdline and is_shell(each.cmdline[0])]
    ledger.record("shells above the program", container.label, found)
    return found


def handles_term(container: LocalContainer) -> bool:
    """Return whether the first process is an init or has a handler for TERM."""
    first = next(each for each in processes(container) if each.pid == 1)
    found = first.comm in INITS or signal.SIGTERM in first.signals_caught
    ledger.record("first process handles TERM", first.comm, found)
    return found


def kill_program(program: str, container: LocalContainer) -> None:
    """KILL the processes that run ``program``; raises EnvironmentFault if there is none."""
    found = of_program(program, processes(container))
    try:
        kill(container, found)
    except EnvironmentFault:
        in_time, _ = signals.awaited(container.made, Deadline(10))
        if not found or not in_time:
            raise  # else the probe went down with the processes it shared
