"""The runbooks: out of a stale image, out of a lost token, out of a policy that shuts everything off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from boxproof.cluster.images import load
from boxproof.cluster.recovery import Running, running
from boxproof.core.session import ClusterInfo, EngineInfo, ImageInfo
from boxproof.deployment.box import Box
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.fixtures.subject_steps import Steps
from boxproof.kube.client import Kube
from boxproof.probes.network.name_resolution import lookup, resolved
from boxproof.probes.pods import helper_pods
from boxproof.probes.pods.node_view import Inside
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe
from pytest_claims.waiting import until

VARIABLE = "CLAUDE_CODE_OAUTH_TOKEN"
NAME = "kubernetes.default.svc.cluster.local"


@claim("stale-image-recovery-works")
def test_what_is_stale_is_said_and_mended(
    steps: Steps,
    make_box: MakeBox,
    image: ImageInfo,
    cluster: ClusterInfo,
    engine: EngineInfo,
    subject: Subject,
) -> None:
    steps.edit(subject.image.entrypoints[0], f"# {helper_pods.unique('edit')}")
    built = steps("build").stdout.split()[-1]
    for node in cluster.nodes:
        load.tag_on_node(engine, node, image.reference, built)
    box = make_box(image=built)
    steps.suffix = box.suffix
    with control("the old content under the new tag is called stale"):
        said = steps("stale")
        assert (said.code, f"pod {box.namespace}/{box.pod}" in said.stdout) == (1, True), said.describe()
        assert running(engine, box) == Running(image.config_digest, ready=True)
    result = steps("mend")
    assert running(engine, box) == Running(load.identity(engine, built), ready=True), result.describe()
    assert result.ok, result.describe()
    assert steps("stale").ok


def token_of(docker: Any, box: Box) -> str:
    """Return the token in the environment of the agent's first process; an observation."""
    found = Inside(docker, box.pod_object(), box.container).variables.get(VARIABLE, "")
    return observe("token of the first process", box.namespace, found)


@claim("rotated-token-picked-up")
def test_a_token_is_rotated_by_one_command(
    steps: Steps, make_box: MakeBox, docker: Any, token: str, tmp_path: Path
) -> None:
    box = make_box()
    steps.suffix = box.suffix
    with control("before, the agent has the token it was deployed with"):
        assert token_of(docker, box) == box.token
    (tmp_path / "token").write_text(f"{token}\n")
    result = steps("rotate", file=str(tmp_path / "token"))
    assert token_of(docker, box) == token, result.describe()
    assert result.ok, result.describe()
    assert token not in result.stdout + result.stderr


@claim("netpol-pod-stays-healthy-and-rollback")
def test_deploying_again_undoes_a_policy_that_shuts_off_dns(steps: Steps, kube: Kube) -> None:
    assert steps("deploy").ok
    box = steps.box
    policy = box.object("NetworkPolicy")["metadata"]["name"]
    kube.patch(kube.path("NetworkPolicy", policy, box.namespace), {"spec": {"egress": []}})
    with control("under the broken policy no name resolves"):
        until(
            lambda: not lookup(box, NAME, False, within=2.0).answered,
            timeout=60,
            what="the policy is in force",
        )
    result = steps("deploy")
    assert result.ok, result.describe()
    assert resolved(box, NAME).ok
