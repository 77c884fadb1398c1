"""Taking everything down, seen in a cluster of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from boxproof.core.session import Session
from boxproof.fixtures.subject_steps import Steps, steps_of
from boxproof.probes.pods import helper_pods
from boxproof.runs import extra_cluster
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, require, scope
from suites.kind.cluster_remains import ALL, NONE, Remains, remains, volumes_of

NO_ENGINE = {"DOCKER_HOST": "unix:///nowhere/docker.sock", "BOXPROOF_ENGINE": "user"}
NOTHING_LEFT = require("nothing of cluster, context, image and volumes is left", lambda found: found == NONE)
SUCCEEDS = require("the command succeeds", lambda code: code == 0)


@claim("teardown-leaves-nothing")
@scope("cluster")  # alone: three more nodes that start would slow the checks that count seconds
def test_down_leaves_nothing_of_cluster_and_image(
    session: Session, subject: Subject, docker: Any, tmp_path: Path
) -> None:
    with extra_cluster.another(session) as name, steps_of(session, subject, tmp_path, apart=name) as steps:
        steps.rename_image(helper_pods.unique("boxproof-teardown"))
        with control("before, all of it is there"):
            for step in ("up", "build"):
                result = steps(step)
                assert result.ok, result.describe()
            volumes = volumes_of(docker, name)
            assert NOTHING_LEFT.fails(seen(steps, docker, name, volumes)) == ALL
            code = steps("down", env=NO_ENGINE).code
            SUCCEEDS.fails(observe("exit code", "down, where no engine answers", code))
        result = steps("down")
        NOTHING_LEFT(seen(steps, docker, name, volumes))
    SUCCEEDS(observe("exit code", "down", result.code))


def seen(steps: Steps, docker: Any, name: str, volumes: list[str]) -> Remains:
    """Return what is there now."""
    return remains(docker, name, steps.subject.image.name, volumes, steps.place.rglob("kubeconfig"))
