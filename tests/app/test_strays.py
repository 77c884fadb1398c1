"""Objects of dead runs are swept from the cluster; those of live and kept runs are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from boxproof.app import strays
from boxproof.host import ownership
from boxproof.probes.pods import RUN_LABEL
from boxproof.settings import Settings

Objects = list[dict[str, Any]]


class Cluster:
    """Answers lists by label, and remembers what was deleted."""

    def __init__(self, *runs: str) -> None:
        self.objects = [
            {"kind": "Namespace", "metadata": {"name": f"claude-{run}", "labels": {RUN_LABEL: run}}}
            for run in runs
        ]
        self.deleted: list[str] = []

    def list(self, kind: str, selector: str = "") -> Objects:
        """Return the objects of a kind."""
        assert selector == RUN_LABEL
        return [each for each in self.objects if each["kind"] == kind]

    def delete(self, objects: Objects) -> None:
        """Remember them as deleted."""
        self.deleted += [each["metadata"]["name"] for each in objects]


def test_only_what_nobody_owns_is_swept(tmp_path: Path) -> None:
    settings = Settings(state=tmp_path)
    ownership.keep(settings, ownership.claim_run(settings, "kept"))
    ownership.claim_run(settings, "live")
    cluster = Cluster("kept", "live", "dead", "mine")

    swept = strays.sweep(settings, cluster, "mine")  # type: ignore[arg-type]

    assert cluster.deleted == ["claude-dead"]
    assert swept == ["Namespace claude-dead"]


def test_a_run_takes_its_own_along() -> None:
    cluster = Cluster("other", "mine")

    strays.of_run(cluster, "mine")  # type: ignore[arg-type]

    assert cluster.deleted == ["claude-mine"]
