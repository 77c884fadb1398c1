"""Sabotages of what keeps the agent apart, each in a component that the default tier does not have."""

from __future__ import annotations

from pathlib import Path

from boxproof.deployment.sabotage_ways import (
    Objects,
    as_root,
    find,
    image_sabotage,
    manifest_sabotage,
)
from pytest_claims.sabotages import replace_in, subject_sabotage

SANDBOXED = "manifests/components/sandboxed/kustomization.yaml"
CLASS = "        value: gvisor\n"
OF_THE_AGENT = "/spec/template/spec/containers/0"
SANDBOX = """apiVersion: agents.x-k8s.io/v1alpha1
kind: Sandbox
metadata:
  name: claude-sandbox
  namespace: claude
spec:
  podTemplate:
    spec:
      containers:
        - name: sandbox
          image: claude-in-a-box:unset
          securityContext:
            readOnlyRootFilesystem: true
          resources:
            limits: {memory: 4Gi, ephemeral-storage: 8Gi}
          volumeMounts:
            - {name: cache, mountPath: /workspace}
      volumes:
        - name: cache
          hostPath:
            path: /var/cache/sandbox
"""
VOLUME = """apiVersion: v1
kind: PersistentVolume
metadata:
  name: claude-home
spec:
  storageClassName: claude-retain
  accessModes: [ReadWriteOnce]
  persistentVolumeReclaimPolicy: Retain
  capacity:
    storage: 5Gi
  hostPath:
    path: /data/claude
"""


def _sandboxed(directory: Path, operation: str, path: str, value: str = "") -> None:
    """Have the component with a runtime of its own change something more."""
    given = f"        value: {value}\n" if value else ""
    replace_in(directory / SANDBOXED, CLASS, f"{CLASS}      - op: {operation}\n        path: {path}\n{given}")


@subject_sabotage("iso-nothing-of-the-node", "for its runtime the component mounts a device of the node")
def device_of_the_node(directory: Path) -> None:
    _sandboxed(directory, "add", "/spec/template/spec/volumes/-", "{name: kvm, hostPath: {path: /dev/kvm}}")


@subject_sabotage("iso-nothing-of-the-node", "the volume that is kept is a directory of the node")
def volume_of_the_node(directory: Path) -> None:
    component = directory / "manifests/components/retain"
    (component / "volume.yaml").write_text(VOLUME)
    replace_in(
        component / "kustomization.yaml",
        "  - storageclass.yaml\n",
        "  - storageclass.yaml\n  - volume.yaml\n",
    )


@subject_sabotage("iso-nothing-of-the-node", "a sandbox of another API mounts a directory of its node")
def sandbox_of_the_node(directory: Path) -> None:
    """No workload of Kubernetes' own has that pod."""
    component = directory / "manifests/components/sandboxed"
    (component / "sandbox.yaml").write_text(SANDBOX)
    replace_in(component / "kustomization.yaml", "patches:\n", "resources:\n  - sandbox.yaml\npatches:\n")


@manifest_sabotage("iso-nothing-of-the-node", "the service is to be had at a port of every node")
def port_of_every_node(objects: Objects) -> None:
    find(objects, "Service", "claude-api")["spec"]["type"] = "NodePort"


@subject_sabotage("iso-root-filesystem-read-only", "with another runtime the agent writes to its own layer")
def layer_of_another_runtime(directory: Path) -> None:
    _sandboxed(directory, "replace", f"{OF_THE_AGENT}/securityContext/readOnlyRootFilesystem", "false")


@subject_sabotage("iso-pod-is-bounded", "with another runtime nothing bounds what the agent writes")
def unbounded_in_another_runtime(directory: Path) -> None:
    _sandboxed(directory, "remove", f"{OF_THE_AGENT}/resources/limits/ephemeral-storage")


@manifest_sabotage("iso-pod-is-bounded", "the agent's memory may grow to what no machine has")
def memory_of_no_machine(objects: Objects) -> None:
    agent = find(objects, "StatefulSet")["spec"]["template"]["spec"]["containers"][0]
    agent["resources"]["limits"]["memory"] = "4000Gi"


@manifest_sabotage(
    "iso-pod-is-bounded", "the watch of the token is given a limit of no memory: to nodes, any"
)
def limit_of_nothing(objects: Objects) -> None:
    job = find(objects, "CronJob", "claude-token-watch")["spec"]["jobTemplate"]["spec"]
    resources = job["template"]["spec"]["containers"][0]["resources"]
    resources["limits"]["memory"] = "0"
    del resources["requests"]["memory"]


def _settings(objects: Objects) -> dict[str, str]:
    data: dict[str, str] = find(objects, "ConfigMap", "claude-mcp")["data"]
    return data


@manifest_sabotage(
    "iso-settings-are-managed",
    "served over HTTP, where nobody can be asked, a session leaves out permissions",
)
def permissions_left_out_where_it_is_served(objects: Objects) -> None:
    find(objects, "NetworkPolicy", "claude-api")  # in that tier alone
    data = _settings(objects)
    data["managed-settings.json"] = data["managed-settings.json"].replace('"disable"', '"allow"')


@manifest_sabotage(
    "iso-settings-are-managed", "with another cluster's servers the pod has no managed settings at all"
)
def no_settings_with_another_cluster(objects: Objects) -> None:
    agent = find(objects, "StatefulSet")["spec"]["template"]["spec"]["containers"][0]
    next(each for each in agent["env"] if each["name"] == "KUBECONFIG")  # in that tier alone
    del _settings(objects)["managed-settings.json"]


image_sabotage(
    "by_another_group", "iso-image-files-not-writable", "a group of the user's may write the box's programs",
    dockerfile=as_root(
        "groupadd --gid 4242 tools", "usermod --append --groups tools claude",
        "chgrp -R tools /usr/local/lib/box", "chmod -R g+w /usr/local/lib/box",
    ),
)  # fmt: skip
