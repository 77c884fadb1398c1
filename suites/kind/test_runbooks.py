"""The runbooks: out of a stale image, out of a lost token, out of a policy that shuts everything off."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from boxproof.cluster.command_tools import Running, running
from boxproof.cluster.images import load
from boxproof.core.session import ClusterInfo, EngineInfo, ImageInfo
from boxproof.deployment.box import Box
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.fixtures.subject_steps import Steps
from boxproof.kube.client import Kube
from boxproof.probes.pods import helper_pods
from boxproof.probes.pods.node_view import Inside
from boxproof.probes.reach import lookup, resolved
from boxproof.subject.manifests import shipped
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope
from pytest_claims.waiting import until
from suites.kind.documented_steps import undocumented

FINE = require("nothing is called stale", lambda seen: seen == {"code": 0, "pod named": False})
READY_WITH = require("it is Ready with {}", lambda seen, image: seen == Running(image, ready=True))
SUCCEEDS = require("the command succeeds", lambda code: code == 0)
HAS_TOKEN = require("the agent's first process has the token {}", lambda found, token: found == token)
SILENT = require("the command says nothing of the token", lambda said: not said)
RESOLVES = require("the name resolves", lambda ok: ok)
NO_ENGINE = {"DOCKER_HOST": "unix:///nowhere/docker.sock", "BOXPROOF_ENGINE": "user"}
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
    built = steps.build()
    for node in cluster.nodes:
        load.tag_on_node(engine, node, image.reference, built)
    box = make_box(image=built)
    steps.suffix = box.suffix
    with control("the old content under the new tag is called stale"):
        assert FINE.fails(called_stale(steps, box)) == {"code": 1, "pod named": True}
        seen = READY_WITH.fails(running(engine, box), load.identity(engine, built))
        assert seen == Running(image.config_digest, ready=True)
        SUCCEEDS.fails(observe("exit code", "stale", steps("stale").code))
    SUCCEEDS(observe("exit code", "mend", steps("mend").code))
    READY_WITH(running(engine, box), load.identity(engine, built))
    FINE(called_stale(steps, box))


def called_stale(steps: Steps, box: Box) -> dict[str, object]:
    """Return how the documented look for what is stale ends, and whether it names the pod; an observation."""
    said = steps("stale")
    named = f"pod {box.namespace}/{box.pod}" in said.stdout
    return observe("called stale", box.namespace, {"code": said.code, "pod named": named})


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
        assert HAS_TOKEN.fails(token_of(docker, box), token) == box.token
        SILENT.fails(observe("says the token", "a command that does", token in f"rotated to {token}"))
        SUCCEEDS.fails(
            observe("exit code", "of a token that is not there", steps("rotate", file="/nowhere").code)
        )
    (tmp_path / "token").write_text(f"{token}\n")
    result = steps("rotate", file=str(tmp_path / "token"))
    SUCCEEDS(observe("exit code", "rotate", result.code))
    HAS_TOKEN(token_of(docker, box), token)
    SILENT(observe("says the token", "rotate", token in result.stdout + result.stderr))


@claim("netpol-pod-stays-healthy-and-rollback")
def test_deploying_again_undoes_a_policy_that_shuts_off_dns(steps: Steps, kube: Kube) -> None:
    steps.demand("deploy")
    box = steps.box
    policy = box.object("NetworkPolicy")["metadata"]["name"]
    kube.patch(kube.path("NetworkPolicy", policy, box.namespace), {"spec": {"egress": []}})
    with control("under the broken policy no name resolves"):
        until(
            lambda: not lookup(box, NAME, False, within=2.0).answered,
            timeout=60,
            what="the policy is in force",
        )
        RESOLVES.fails(
            observe("resolves", "under the broken policy", lookup(box, NAME, False, within=2.0).answered)
        )
        SUCCEEDS.fails(observe("exit code", "no engine", steps("deploy", env=NO_ENGINE).code))
    SUCCEEDS(observe("exit code", "deploy", steps("deploy").code))
    RESOLVES(observe("resolves", "after the deploy", resolved(box, NAME).ok))


DOCUMENTED = require("a page has each step that is tried, in that order", lambda left: left == [])


@claim("stale-image-recovery-works")
@scope("image")
@needs("box")
def test_the_recovery_that_is_tried_is_the_documented_one(subject: Subject) -> None:
    """A page that lacks a step leaves whoever follows it with what was stale."""
    steps = subject.commands.recovery

    def left(asked: str, pages: Mapping[str, str]) -> list[str]:
        return observe("steps that no page has", asked, undocumented(steps, pages))

    with control("a page that lacks one, and one with another order, are seen"):
        lines = [" ".join(each) for each in steps]
        for name, kept in (("all but the first", lines[1:]), ("the other way round", lines[::-1])):
            DOCUMENTED.fails(left(name, {"a page": "\n".join(kept)}))
    pages = shipped.commands(subject)
    DOCUMENTED(left(f"{len(pages)} documents and scripts", pages))
