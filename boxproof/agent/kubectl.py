"""What the box's own kubectl is told by the API server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from boxproof.core.process import Result
from pytest_claims.recording.observations import record


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
