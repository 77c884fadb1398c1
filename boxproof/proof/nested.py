"""The subject's own commands that test, scan and release, carried out inside the run that judges them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boxproof.errors import EnvironmentFault
from boxproof.probes import ledger
from boxproof.proof import admission, owncluster
from boxproof.session import Session
from boxproof.subject.commands import carry_out
from boxproof.subject.model import Subject

TIMEOUT = 900.0


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code, its words, and the directory it wrote its reports to."""

    code: int
    said: str
    reports: Path

    def json(self, pattern: str) -> dict[str, Any]:
        """Return the newest report whose path matches; raises EnvironmentFault if there is none."""
        found = sorted(self.reports.glob(pattern), key=lambda path: path.stat().st_mtime)
        if not found:
            raise EnvironmentFault(f"no {pattern} was written: {self.said[-800:]}")
        data: dict[str, Any] = json.loads(found[-1].read_text())
        return data


@dataclass(frozen=True)
class Nested:
    """Runs commands in the subject's directory, on this run's engine and cluster; reports go to ``home``."""

    session: Session
    subject: Subject
    home: Path

    def __call__(
        self,
        words: Sequence[str],
        *more: str,
        label: str,
        about: Path | None = None,
        settings: Mapping[str, str] | None = None,
        **values: str,
    ) -> Ended:
        """Carry out ``words`` and ``more``, filled in with ``values``.

        ``about`` is another subject to use, ``settings`` are more of boxproof's variables. The exit code
        is an observation, by ``label``. Raises SubjectFault for an unknown placeholder, EnvironmentFault
        if the command cannot be started or does not end, Unprovable in a cluster that is not ours for all
        but the scan, which needs none.
        """
        if tuple(words) != self.subject.commands.scan:
            owncluster.demand(self.session)
        reports = self.home / "reports"
        env = self._variables(reports) | dict(settings or {})
        env |= {"BOXPROOF_SUBJECT": str(about)} if about else {}
        with admission.heavy(self.session):
            done = carry_out([*words, *more], values, env, timeout=TIMEOUT, cwd=self.subject.directory)
        ledger.record("exit code", label, done.code)
        return Ended(done.code, done.stdout + done.stderr, reports)

    def _variables(self, reports: Path) -> dict[str, str]:
        session = self.session
        if session.engine is None or session.cluster is None:
            raise EnvironmentFault("this run has no engine or no cluster")
        beside = str(Path(sys.executable).parent)
        return session.engine.env | {
            "PATH": os.pathsep.join([beside, session.engine.env["PATH"]]),
            "NOX_DEFAULT_VENV_BACKEND": "none",  # the environment this run uses is good enough
            "BOXPROOF_REPORTS": str(reports),
            "BOXPROOF_CACHE": session.cache,
            "BOXPROOF_STATE": session.state,
            "BOXPROOF_CLUSTER": session.cluster.name,
            "BOXPROOF_WORKERS": "1",
            "BOXPROOF_SESSION": str(Path(session.directory) / "session.json"),
        }
