"""The agent's tools as they answer in its container, kubectl among them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from boxproof.core.process import Result
from pytest_claims.faults import SubjectFault
from pytest_claims.recording import observations
from pytest_claims.recording.observations import record

VERIFY = "verify-tools"
LIMIT = 600.0  # seconds for all tools
NOT_STARTED = (126, 127)  # exit codes of what could not be started
Exec = Callable[..., Result]  # ``box.exec``


@dataclass(frozen=True)
class Verified:
    """What the box's own verification says: exit code, each tool's status, its words if it failed."""

    code: int
    status: dict[str, str]

    @property
    def passed(self) -> set[str]:
        """The tools that did their work."""
        return {name for name, status in self.status.items() if status == "ok"}

    @property
    def refused(self) -> set[str]:
        """The tools of other tiers that said so."""
        return {name for name, status in self.status.items() if status == "refused"}

    @property
    def failed(self) -> dict[str, str]:
        """The others, with what they said."""
        good = self.passed | self.refused
        return {name: status for name, status in self.status.items() if name not in good}


@dataclass(frozen=True)
class Ran:
    """A command in the box: whether it ended with 0, and the end of its output."""

    ok: bool
    said: str


def verify(run: Exec, *names: str, listed: str = "") -> Verified:
    """Have the box verify its tools, or those in the list ``listed`` (JSON); ``run`` is ``box.exec``."""
    setting = ["env", "BOX_TOOLS=/tmp/listed.json"] if listed else []
    if listed:
        run(["sh", "-c", "cat >/tmp/listed.json"], stdin=listed)
    done = run([*setting, VERIFY, *names], timeout=LIMIT)
    status: dict[str, str] = {}
    if done.stdout.strip():
        try:
            status = {each["name"]: _status(each) for each in json.loads(done.stdout)["tools"]}
        except (ValueError, KeyError, TypeError) as error:
            raise SubjectFault(f"{VERIFY} answered no JSON: {done.stdout[-200:]}") from error
    found = Verified(done.code, status)
    observations.record("verified tools", " ".join(names) or listed or "all", found)
    return found


def _status(report: dict[str, str]) -> str:
    """Return "ok" or "refused", or the other status with what the tool said."""
    good = report["status"] in ("ok", "refused")
    return report["status"] if good else f"{report['status']}: {report.get('says', '')}"


def ran(run: Exec, command: str, *, timeout: float = 120) -> Ran:
    """Run a command from a shell in the box, as an agent would; ``run`` is ``box.exec``."""
    done = run(["sh", "-c", command], timeout=timeout)
    found = Ran(done.ok, (done.stdout + done.stderr).strip()[-500:])
    observations.record("command", command, found, decides=found.ok)
    return found


def by_name(run: Exec, name: str) -> bool:
    """Return whether an exec without any shell finds a program by its bare name; ``run`` is ``box.exec``."""
    done = run([name, "--version"], timeout=60)
    found = done.code not in NOT_STARTED
    observations.record("found by name", name, found)
    return found


class Agent(Protocol):
    """What has a shell with the agent's tools."""

    @property
    def label(self) -> str:
        """How it is called in observations."""

    def tool(self, name: str, *words: str, timeout: float = 30) -> Result:
        """Run a tool from a shell there."""


@dataclass(frozen=True)
class Told:
    """How one kubectl command ended; ``forbidden`` if the API server said the account may not."""

    code: int
    forbidden: bool
    stdout: str
    stderr: str

    @property
    def ok(self) -> bool:
        """Whether it ended with 0."""
        return self.code == 0


def kubectl(agent: Agent, *words: str, env: Mapping[str, str] | None = None, timeout: float = 120) -> Told:
    """Run the agent's kubectl and return what came of it; raises EnvironmentFault if it cannot be run."""
    setting = [f"{key}={value}" for key, value in (env or {}).items()]
    found = agent.tool("env", *setting, "kubectl", *words, timeout=timeout)
    told = Told(found.code, "forbidden" in found.stderr.lower(), found.stdout, found.stderr)
    asked = " ".join([f"{agent.label}:", *setting, "kubectl", *words])
    shown = {"code": told.code, "forbidden": told.forbidden, "stderr": told.stderr[-600:]}
    record("kubectl", asked, shown, decides={"ok": told.ok, "forbidden": told.forbidden})
    return told
