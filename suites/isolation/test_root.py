"""What an agent writes to: what is mounted for it. The layer of its container is shut."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from boxproof.core.process import Result as ExecResult
from boxproof.core.session import Session
from boxproof.deployment.box import Box
from boxproof.deployment.deploy import Objects, rendered
from boxproof.fixtures.factories import Containers, Twins
from boxproof.kube.client import Kube
from boxproof.probes.pods.node_view import Inside, Mount
from boxproof.subject.manifests.pod_specs import GROUPS, containers
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require
from pytest_claims.faults import EnvironmentFault
from suites.isolation.test_first_process import of_workloads, running

SHUT = require(
    "the kernel has its root file system read-only", lambda found: found.point == "/" and found.read_only
)
NONE_OPEN = require("no container may write to its own layer", lambda found: found == [])
NOWHERE_ELSE = require(
    "beside what is mounted there is no directory that it can write to", lambda found: found == []
)
# the root comes last, with its device: a directory of another one is a mount's
LOOK = (
    r"""find / -xdev -type d -writable -printf '%D %p\n' 2>/dev/null; find / -maxdepth 0 -printf '%D %p\n'"""
)
FIND = ("sh", "-c", LOOK)


def root_of(docker: Any, pod: Mapping[str, Any], container: str) -> Mount:
    """Return what carries the root of a container, as its node has it; an observation."""
    return Inside(docker, pod, container).mount("/")


@claim("iso-root-filesystem-read-only")
def test_the_root_of_every_container_is_mounted_read_only(
    default_tier: Box, docker: Any, twin: Twins, kube: Kube
) -> None:
    with control("that of a pod of ours which says nothing can be written"):
        other = twin()
        SHUT.fails(root_of(docker, kube.get("Pod", other.name, other.namespace), "probe"))
    found = list(running(of_workloads(default_tier)))
    assert (default_tier.pod, default_tier.container) in {
        (pod["metadata"]["name"], name) for pod, name in found
    }
    for pod, name in found:
        SHUT(root_of(docker, pod, name))


@claim("iso-root-filesystem-read-only")
@needs("default-tier")
def test_so_is_it_declared_of_every_container_of_every_tier(session: Session, subject: Subject) -> None:
    """Init containers too, which have ended when a pod can be looked at."""

    def open_ones(asked: str, objects: Objects) -> list[str]:
        every = containers(objects, GROUPS[:2])
        found = [
            where
            for where, one in every
            if not (one.get("securityContext") or {}).get("readOnlyRootFilesystem")
        ]
        return observe("containers that may write to their layer", asked, sorted(found))

    with control("one that says nothing, and one that wants to, are seen"):
        for security in ({}, {"readOnlyRootFilesystem": False}):
            spec = {"initContainers": [{"name": "one", "securityContext": security}], "containers": []}
            NONE_OPEN.fails(open_ones("doctored", [{"kind": "Pod", "metadata": {"name": "a"}, "spec": spec}]))
    for name, components in (subject.tiers or {"default": ()}).items():
        NONE_OPEN(open_ones(f"tier {name}", rendered(session, components=components)[0]))


@claim("iso-root-filesystem-read-only")
def test_the_agent_finds_no_other_place_to_write_to(box: Box, container: Containers) -> None:
    def places(asked: str, ended: ExecResult) -> list[str]:
        *found, (device, root) = [each.split(" ", 1) for each in ended.stdout.splitlines()] or [["", ""]]
        if root != "/":
            raise EnvironmentFault(f"no find in {asked}: {ended.stderr[-200:]}")
        own = sorted(path for where, path in found if where == device)
        return observe("directories that can be written", asked, own)

    with control("with a root that can be written it has its home, its work directory and /tmp there"):
        free = container(entrypoint=["sleep", "3600"])
        assert "/tmp" in NOWHERE_ELSE.fails(places("a container", free.exec(FIND)))
    NOWHERE_ELSE(places(box.label, box.exec(FIND)))
