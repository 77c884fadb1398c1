"""A host of private git repositories, as users have one: what checks put there, and what was asked of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from boxproof.stubs.anthropic import FORGE, Stub
from pytest_claims.recording.observations import record

Files = Mapping[str, str | int | None]


@dataclass(frozen=True)
class Asked:
    """One request for a repository, and how many commits the client wanted and said it had already."""

    at: float
    method: str
    path: str
    known: bool  # whether it came with the token
    status: int
    wants: int
    haves: int


@dataclass(frozen=True)
class Repository:
    """A private repository: its name on the forge, and the token that opens it."""

    stub: Stub
    name: str
    token: str
    host: str = FORGE

    @property
    def url(self) -> str:
        """Where it is cloned from."""
        return f"https://{self.host}/boxproof/{self.name}.git"

    def create(self) -> Repository:
        """Make it, empty; raises EnvironmentFault."""
        self._do("create", token=self.token)
        return self

    def commit(self, files: Files) -> str:
        """Commit files and return the commit's id; None removes one, a number is that many random bytes."""
        return str(self._do("commit", files=dict(files))["commit"])

    def stall(self, after: float) -> None:
        """From now on send only this share of a pack, until ``flow``."""
        self._do("stall", after=after)

    def flow(self) -> None:
        """Send what was held back, and from now on everything."""
        self._do("flow")

    def asked(self) -> list[Asked]:
        """Return what was asked of it, oldest first."""
        return [Asked(**each) for each in self.stub.ask("GET", f"/git/{self.name}")["requests"]]

    def transfers(self) -> list[str]:
        """Return what each transfer was, "clone" or "update" of what the client had; an observation."""
        found = self.sent()
        record("transfers", self.name, found)
        return found

    def sent(self) -> list[str]:
        """Return the same, as long as it is only waited for."""
        return [
            "update" if each.haves else "clone" for each in self.asked() if each.wants and each.status == 200
        ]

    def _do(self, what: str, **body: object) -> dict[str, object]:
        return self.stub.ask("POST", f"/git/{what}", {"name": self.name, **body})
