"""Taking everything down, seen in a cluster of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from boxproof.cluster import beside
from boxproof.cluster.remains import ALL, NONE, Remains, remains, volumes_of
from boxproof.probes import helpers
from boxproof.proof import claim, control, scope
from boxproof.proof.steps import Steps, steps_of
from boxproof.session import Session
from boxproof.subject.model import Subject


@claim("teardown-leaves-nothing")
@scope("cluster")  # alone: three more nodes that start would slow the checks that count seconds
def test_down_leaves_nothing_of_cluster_and_image(
    session: Session, subject: Subject, docker: Any, tmp_path: Path
) -> None:
    with beside.another(session) as name, steps_of(session, subject, tmp_path, apart=name) as steps:
        steps.rename_image(helpers.unique("boxproof-teardown"))
        with control("before, all of it is there"):
            for step in ("up", "build"):
                result = steps(step)
                assert result.ok, result.describe()
            volumes = volumes_of(docker, name)
            assert seen(steps, docker, name, volumes) == ALL
        result = steps("down")
        assert seen(steps, docker, name, volumes) == NONE
    assert result.ok, result.describe()


def seen(steps: Steps, docker: Any, name: str, volumes: list[str]) -> Remains:
    """Return what is there now."""
    return remains(docker, name, steps.subject.image.name, volumes, steps.place.rglob("kubeconfig"))
