"""Changes that lose what the box must keep."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from boxproof.deployment.sabotage_ways import (
    Objects,
    edited,
    find,
    image_sabotage,
    manifest_sabotage,
)
from pytest_claims.sabotages import replace_in, subject_sabotage
from sabotage.box_parts import pod_of

FORGETS = (
    r'2i [ "${CLAUDE_MODE:-remote-control}" != remote-control ]'
    r' || rm -f "$CLAUDE_CONFIG_DIR/.credentials.json"'
)


def _statefulset(objects: Objects) -> dict[str, Any]:
    spec: dict[str, Any] = find(objects, "StatefulSet")["spec"]
    return spec


def _volume(objects: Objects) -> str:
    return str(_statefulset(objects)["volumeClaimTemplates"][0]["metadata"]["name"])


def _mounts(objects: Objects) -> list[dict[str, Any]]:
    """Return the mounts of the claimed volume."""
    name = _volume(objects)
    every = [
        each for container in pod_of(objects)["containers"] for each in container.get("volumeMounts", ())
    ]
    return [each for each in every if each["name"] == name]


def _mounted_at(objects: Objects, path: str) -> dict[str, Any]:
    mounts: list[dict[str, Any]] = pod_of(objects)["containers"][0]["volumeMounts"]
    return next(each for each in mounts if each["mountPath"] == path)


def _to_emptydir(objects: Objects) -> None:
    volume = {"name": _volume(objects), "emptyDir": {}}
    pod_of(objects).setdefault("volumes", []).append(volume)
    del _statefulset(objects)["volumeClaimTemplates"]


@manifest_sabotage("pvc-bound", "the claim asks for a storage class that nobody serves")
def no_such_class(objects: Objects) -> None:
    _statefulset(objects)["volumeClaimTemplates"][0]["spec"]["storageClassName"] = "nope"


@manifest_sabotage("pvc-mounted-at-real-home", "the volume is mounted in root's home")
def in_roots_home(objects: Objects) -> None:
    _mounts(objects)[0]["mountPath"] = "/root/.claude"


@manifest_sabotage("pvc-owned-by-app-uid", "the pod has no fsGroup")
def without_fsgroup(objects: Objects) -> None:
    del pod_of(objects)["securityContext"]["fsGroup"]


@manifest_sabotage("pvc-owned-by-app-uid", "the volume is mounted to be read only")
def read_only(objects: Objects) -> None:
    _mounts(objects)[0]["readOnly"] = True


@manifest_sabotage("pvc-mounted-at-real-home", "the claim is mounted there, and cannot be written")
def read_only_claim(objects: Objects) -> None:
    _mounts(objects)[0]["readOnly"] = True


@manifest_sabotage("statefulset-stable-identity", "there are two of them")
def two_of_them(objects: Objects) -> None:
    _statefulset(objects)["replicas"] = 2


@manifest_sabotage("pvc-survives-pod-deletion", "what begins with two dots is removed at each start")
def hidden_files_removed(objects: Objects) -> None:
    path = _mounts(objects)[0]["mountPath"]
    empty = ["find", path, "-mindepth", "1", "-name", "..*", "-delete"]
    pod_of(objects)["containers"][0]["lifecycle"] = {"postStart": {"exec": {"command": empty}}}


image_sabotage(
    "login-forgotten-by-default",
    "pvc-survives-pod-deletion",
    "in its default mode the box begins without the login of the pod before",
    dockerfile=edited("/usr/local/bin/entrypoint", FORGETS),
)
image_sabotage(
    "login-asked-for-again",
    "auth-survives-restart-and-recreate",
    "in its default mode the box waits for a login each time",
    dockerfile=edited("/usr/local/bin/entrypoint", FORGETS),
)


@manifest_sabotage("home-and-workdir-writable", "a directory in the home is mounted to be read only")
def read_only_in_the_home(objects: Objects) -> None:
    pod_of(objects)["volumes"].append({"name": "cache", "emptyDir": {}})
    mount = {"name": "cache", "mountPath": "/home/claude/.cache", "readOnly": True}
    pod_of(objects)["containers"][0]["volumeMounts"].append(mount)


def volume_of_its_own(subject: Path) -> None:
    """Give the pod of the backup another volume than the agent's, with a file on it: a backup it is."""
    path = subject / "manifests/backup/pod.yaml"
    claimed = "      persistentVolumeClaim:\n        claimName: home-claude-agent-0\n"
    replace_in(path, claimed, "      emptyDir: {}\n")
    begun = '[/usr/bin/tini, --, sh, -c, "date > /volume/begun; exec sleep infinity"]'
    replace_in(path, "[/usr/bin/tini, --, sleep, infinity]", begun)


@subject_sabotage("rec-backup-restore-drill", "no document says how long a restore takes")
def no_time_documented(subject: Path) -> None:
    replace_in(subject / "docs/configuration.md", "plan for ten minutes", "it takes what it takes")


@subject_sabotage("pv-reclaim-retain-and-class", "a backup leaves the login out")
def backup_without_login(subject: Path) -> None:
    volume_of_its_own(subject)


@manifest_sabotage("pvc-survives-pod-deletion", "an emptyDir in place of the claim")
def emptydir(objects: Objects) -> None:
    _to_emptydir(objects)


@manifest_sabotage("pvc-survives-statefulset-deletion", "the claim goes when the StatefulSet goes")
def when_deleted_delete(objects: Objects) -> None:
    _statefulset(objects)["persistentVolumeClaimRetentionPolicy"] = {
        "whenDeleted": "Delete",
        "whenScaled": "Retain",
    }


@manifest_sabotage("statefulset-stable-identity", "the claim goes when it is scaled down")
def when_scaled_delete(objects: Objects) -> None:
    _statefulset(objects)["persistentVolumeClaimRetentionPolicy"] = {
        "whenDeleted": "Retain",
        "whenScaled": "Delete",
    }


@manifest_sabotage(
    "statefulset-stable-identity", "a Deployment with a named claim in place of the StatefulSet"
)
def deployment(objects: Objects) -> None:
    workload = find(objects, "StatefulSet")
    spec = workload["spec"]
    template = spec["volumeClaimTemplates"][0]
    meta = {"name": template["metadata"]["name"], "namespace": workload["metadata"]["namespace"]}
    objects.append(
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": template["spec"]}
    )
    volume = {"name": meta["name"], "persistentVolumeClaim": {"claimName": meta["name"]}}
    pod_of(objects).setdefault("volumes", []).append(volume)
    workload["kind"] = "Deployment"
    workload["spec"] = {key: spec[key] for key in ("replicas", "selector", "template")}


@manifest_sabotage("auth-survives-restart-and-recreate", "the volume is not mounted")
def no_volume_mount(objects: Objects) -> None:
    name = _volume(objects)
    for container in pod_of(objects)["containers"]:
        container["volumeMounts"] = [each for each in container["volumeMounts"] if each["name"] != name]


image_sabotage(
    "config-elsewhere",
    "auth-survives-restart-and-recreate",
    "the image tells the CLI to keep its login beside the volume",
    dockerfile="ENV CLAUDE_CONFIG_DIR=/tmp/claude",
)


@manifest_sabotage("pvc-survives-pod-deletion", "each pod has a directory of its own on the volume")
def directory_of_each_pod(objects: Objects) -> None:
    mount = _mounts(objects)[0]
    container = pod_of(objects)["containers"][0]
    container.setdefault("env", []).append(
        {"name": "POD_UID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}}
    )
    mount["subPathExpr"] = "$(POD_UID)"


@manifest_sabotage("pvc-survives-pod-deletion", "the volume is emptied at each start")
def emptied_at_start(objects: Objects) -> None:
    path = _mounts(objects)[0]["mountPath"]
    empty = ["find", path, "-mindepth", "1", "-delete"]
    pod_of(objects)["containers"][0]["lifecycle"] = {"postStart": {"exec": {"command": empty}}}


@manifest_sabotage("pv-reclaim-retain-and-class", "the claim is of the cluster's default class")
def default_class(objects: Objects) -> None:
    del _statefulset(objects)["volumeClaimTemplates"][0]["spec"]["storageClassName"]


@manifest_sabotage("pv-reclaim-retain-and-class", "the class deletes a volume with its claim")
def class_deletes(objects: Objects) -> None:
    find(objects, "StorageClass")["reclaimPolicy"] = "Delete"


image_sabotage(
    "skill-below-the-volume",
    "no-volume-shadowing",
    "the image has a skill where the volume is mounted",
    dockerfile="RUN mkdir -p ~/.claude/skills/hidden && echo hidden >~/.claude/skills/hidden/SKILL.md",
)


@manifest_sabotage("no-volume-shadowing", "a volume on the directory of the image's skills hides them")
def skills_hidden(objects: Objects) -> None:
    pod_of(objects)["volumes"].append({"name": "skills", "emptyDir": {}})
    mount = {"name": "skills", "mountPath": "/etc/claude-code/.claude"}
    pod_of(objects)["containers"][0]["volumeMounts"].append(mount)


@manifest_sabotage("no-volume-shadowing", "the image's skills are copied to the volume once, and used there")
def skills_copied_once(objects: Objects) -> None:
    spec, place, volume = pod_of(objects), "/etc/claude-code/.claude", _volume(objects)
    agent = spec["containers"][0]
    copied = {key: agent[key] for key in ("image", "resources", "securityContext")} | {
        "name": "copied",
        "command": ["sh", "-c", f"mkdir -p /kept/skills && cp -rn {place}/. /kept/skills"],
        "volumeMounts": [{"name": volume, "mountPath": "/kept"}],
    }
    spec["initContainers"].append(copied)
    agent["volumeMounts"].append({"name": volume, "mountPath": place, "subPath": "skills"})


@manifest_sabotage("home-and-workdir-writable", "the work directory is mounted to be read only")
def read_only_workdir(objects: Objects) -> None:
    _mounted_at(objects, "/workspace")["readOnly"] = True


@manifest_sabotage("home-and-workdir-writable", "the root file system is read-only, and home has no mount")
def home_not_mounted(objects: Objects) -> None:
    home = _mounted_at(objects, "/home/claude")
    pod_of(objects)["containers"][0]["volumeMounts"].remove(home)


@subject_sabotage(
    "rec-backup-restore-drill", "the pod of the backup has a volume of its own in place of the agent's"
)
def empty_backup(subject: Path) -> None:
    volume_of_its_own(subject)


@subject_sabotage("no-volume-shadowing", "the entrypoint copies the image's skills where there are none yet")
def skills_by_the_entrypoint(subject: Path) -> None:
    path = subject / "image/rootfs/usr/local/bin/entrypoint"
    seed = 'cp -r /etc/claude-code/.claude/skills "$CLAUDE_CONFIG_DIR/commands" || :'
    replace_in(path, "\nset -eu\n", f'\nset -eu\n[ -e "$CLAUDE_CONFIG_DIR/commands" ] || {seed}\n')
