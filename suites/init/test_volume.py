"""Whose the files are, and where the token is not."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from boxproof.deployment.box import Box, workload_of
from boxproof.deployment.deploy import Objects
from boxproof.fixtures.factories import Twins
from boxproof.fixtures.private_config import SKILL_FILE, Clones
from boxproof.kube.client import Kube
from boxproof.probes.pods import helper_pods
from boxproof.probes.pods.init_container import seen_in_processes
from boxproof.probes.pods.volume_permissions import roots_volume
from boxproof.stubs.git_forge import Repository
from boxproof.subject.manifests.pod_specs import holders
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe
from pytest_claims.waiting import until


@contextmanager
def on_roots_volume(
    clones: Clones, repository: Repository, docker: Any, kube: Kube, *, group: bool
) -> Iterator[Box]:
    """Give an instance whose agent's volume begins as root's, 0755; its pod has fsGroup or not."""
    name = helper_pods.unique("roots")

    def edit(objects: Objects) -> None:
        spec = workload_of(objects)["spec"]
        pod = spec["template"]["spec"]
        [template] = spec.pop("volumeClaimTemplates")
        volume = {"name": template["metadata"]["name"], "persistentVolumeClaim": {"claimName": name}}
        pod["volumes"].append(volume)
        if not group:
            pod["securityContext"].pop("fsGroup", None)

    box = clones(repository, edit=edit, ready=False)
    with roots_volume(docker, kube, box.namespace, name):
        yield box


@claim("init-ownership-and-fsgroup")
def test_all_of_it_is_the_agents_own_on_a_volume_that_began_as_roots(
    clones: Clones, repository: Repository, docker: Any, kube: Kube, subject: Subject
) -> None:
    with (
        control("without fsGroup nothing can be written there"),
        on_roots_volume(clones, repository, docker, kube, group=False) as box,
    ):
        seen = clones.outcome(box)
        assert seen.state == "failed"
        assert "Permission denied" in seen.said
    with on_roots_volume(clones, repository, docker, kube, group=True) as box:
        box.wait_ready()
        assert clones.outcome(box).state == "done"
        assert clones.visitor(box).owners(subject.config_dir) == [subject.uid]
        for path in (SKILL_FILE, f"{SKILL_FILE}.new"):
            written = box.exec(["sh", "-c", f"echo more >> {subject.config_dir}/{path}"])
            assert written.ok, written.stderr


@claim("init-pat-does-not-linger")
def test_the_token_is_in_no_process_file_log_or_sight_of_the_agent(
    clones: Clones, repository: Repository, docker: Any, twin: Twins, subject: Subject
) -> None:
    token, words = repository.token, forms(repository.token)
    repository.commit({"big": 1_000_000})
    repository.stall(0.5)
    box = clones(repository, ready=False)
    until(repository.sent, timeout=120, what="a transfer")
    assert seen_in_processes(docker, box.node, token) == [], "while it is cloned"
    repository.flow()
    box.wait_ready()
    assert seen_in_processes(docker, box.node, token) == [], "while the agent runs"
    found = clones.visitor(box)
    for place in (subject.config_dir, subject.config_clone.directory):
        assert found.holding(place, *words) == []
        with control("a file that holds it is found"):
            found.write(f"{place}/planted", f"https://{token}@host/")
            assert found.holding(place, *words) == [f"{place}/planted"]
    for said in (clones.outcome(box).said, box.logs(), json.dumps(box.pod_object())):
        assert observe("token in a text", "log or status", token in said) is False
    holding = holders(box.pod_object()["spec"], subject.config_clone.secret)
    assert holding == [subject.config_clone.container]
    with control("a process with it in its arguments and its environment is seen"):
        argv = ["env", f"TOKEN={token}", "sh", "-c", "sleep 600; :", token]
        twin(node=box.node, command=argv, fresh=True)
        assert seen_in_processes(docker, box.node, token) == ["cmdline", "environ"]


def forms(token: str) -> tuple[str, ...]:
    """Return the token as it is, and as a header of basic authentication holds it."""
    pairs = (base64.b64encode(f"{name}:{token}".encode()).decode() for name in ("x-access-token", "x", ""))
    return (token, *pairs)
