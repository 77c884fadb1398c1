"""Sabotages of bounds and sizes in one tier, in a component of none, or where a size is said by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from boxproof.deployment.sabotage_ways import Objects, find, manifest_sabotage
from pytest_claims.sabotages import replace_in, subject_sabotage
from sabotage.box_parts import agent_of, pod_of

SANDBOXED = "manifests/components/sandboxed/kustomization.yaml"
CLASS = "        value: gvisor\n"
RESOURCES = "/spec/template/spec/containers/0/resources"
AUTOSCALER = """apiVersion: autoscaling.k8s.io/v1
kind: VerticalPodAutoscaler
metadata:
  name: claude-agent
  namespace: claude
spec:
  targetRef:
    apiVersion: apps/v1
    kind: StatefulSet
    name: claude-agent
  updatePolicy:
    updateMode: Recreate
"""
DISK: dict[str, Any] = {"name": "cache", "emptyDir": {}}


def _sandboxed(directory: Path, operation: str, path: str, value: str = "") -> None:
    """Have the component with a runtime of its own, which is in no tier, change something more."""
    given = f"        value: {value}\n" if value else ""
    replace_in(directory / SANDBOXED, CLASS, f"{CLASS}      - op: {operation}\n        path: {path}\n{given}")


@subject_sabotage("limits-and-requests-present", "with another runtime the agent has no limit of processors")
def no_limit_with_another_runtime(directory: Path) -> None:
    """A sandbox is slow, somebody thought."""
    _sandboxed(directory, "remove", f"{RESOURCES}/limits/cpu")


@subject_sabotage("memory-limit-sized-for-the-agent", "with another runtime the agent has two gigabytes")
def half_with_another_runtime(directory: Path) -> None:
    """What the sandbox itself takes is counted as well."""
    _sandboxed(directory, "replace", f"{RESOURCES}/limits/memory", "2Gi")


@subject_sabotage("memory-limit-sized-for-the-agent", "an autoscaler lowers the agent to what it used last")
def scaled_at_night(directory: Path) -> None:
    """What is written holds until the first look of its updater."""
    component = (directory / SANDBOXED).parent
    (component / "autoscaler.yaml").write_text(AUTOSCALER)
    replace_in(directory / SANDBOXED, "patches:\n", "resources:\n  - autoscaler.yaml\npatches:\n")


@subject_sabotage("tmp-bounded", "with another runtime /tmp is a directory of the node's disk")
def tmp_with_another_runtime(directory: Path) -> None:
    """It is the third of the volumes."""
    _sandboxed(directory, "replace", "/spec/template/spec/volumes/2", "{name: tmp, emptyDir: {}}")


@manifest_sabotage("tmp-bounded", "where it is served, builds have a directory of the disk below /tmp")
def builds_below_tmp(objects: Objects) -> None:
    find(objects, "Service", "claude-api")  # in that tier alone
    pod_of(objects)["volumes"].append(dict(DISK))
    agent_of(objects)["volumeMounts"].append({"name": "cache", "mountPath": "/tmp/build"})


@manifest_sabotage("tmp-bounded", "for production /tmp may take sixteen times the memory of the agent")
def vast_tmp_in_production(objects: Objects) -> None:
    find(objects, "StorageClass")  # in that tier alone
    volume = next(each for each in pod_of(objects)["volumes"] if each["name"] == "tmp")
    volume["emptyDir"]["sizeLimit"] = "64Gi"


@subject_sabotage("tmp-bounded", "a page lets /tmp take nine tenths of the machine's memory")
def page_with_a_share(directory: Path) -> None:
    """Without a size it would be half of it."""
    replace_in(directory / "docs/running.md", "nodev,size=256m \\\n", "nodev,size=90% \\\n")


@subject_sabotage("tmp-bounded", "with the engine's socket comes a /tmp of five hundred gigabytes")
def vast_tmp_with_the_socket(directory: Path) -> None:
    """A file that is laid over the first adds to its list."""
    file = directory / "compose.docker.yaml"
    replace_in(file, "    volumes:\n", "    tmpfs:\n      - /tmp:rw,noexec,nosuid,size=500g\n    volumes:\n")


@subject_sabotage("memory-limit-sized-for-the-agent", "Compose keeps the box to one processor, by its number")
def one_processor_by_compose(directory: Path) -> None:
    """There are several words for it beside cpus."""
    replace_in(directory / "compose.yaml", "    mem_limit: 4g\n", '    mem_limit: 4g\n    cpuset: "0"\n')


@manifest_sabotage("limits-read-from-cgroup", "where it is served, servers have the heap of a desk machine")
def heap_by_hand(objects: Objects) -> None:
    find(objects, "Service", "claude-api")  # in that tier alone
    find(objects, "ConfigMap", "claude-config")["data"]["HEAP"] = "--max-old-space-size=8192"
    key = {"configMapKeyRef": {"name": "claude-config", "key": "HEAP"}}
    agent_of(objects).setdefault("env", []).append({"name": "NODE_OPTIONS", "valueFrom": key})


@subject_sabotage("limits-read-from-cgroup", "a file of variables for Compose says a heap beyond the memory")
def heap_by_compose(directory: Path) -> None:
    """As many of those for developers do."""
    (directory / "claude.env").write_text("NODE_OPTIONS=--max-old-space-size=8192\n")
    said = "    environment:\n"
    replace_in(directory / "compose.yaml", said, f"    env_file: claude.env\n{said}")


@manifest_sabotage("iso-pod-is-bounded", "its directories may have half a terabyte each, and all of the disk")
def directories_without_a_bound(objects: Objects) -> None:
    agent = agent_of(objects)
    for kind in ("requests", "limits"):
        agent["resources"][kind].pop("ephemeral-storage")
    for each in pod_of(objects)["volumes"]:
        if each.get("emptyDir") == {}:
            each["emptyDir"] = {"sizeLimit": "500Gi"}
