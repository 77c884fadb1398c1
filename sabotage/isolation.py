"""Sabotages of what keeps the agent apart from its node, its image and other users."""

from __future__ import annotations

from pathlib import Path

from boxproof.deployment.sabotage_ways import (
    Objects,
    as_root,
    edited,
    find,
    image_sabotage,
    manifest_sabotage,
)
from pytest_claims.sabotages import replace_in, subject_sabotage
from sabotage.box_parts import ENFORCED, lowered, pod_of

START = "/usr/local/bin/entrypoint"


def _baseline(objects: Objects) -> None:
    """Let the namespace take what is to be seen refused by the claim itself."""
    labels = find(objects, "Namespace")["metadata"].get("labels", {})
    for each in [name for name in labels if name.startswith("pod-security.kubernetes.io/")]:
        del labels[each]


@manifest_sabotage("iso-seccomp-and-no-new-privileges", "the agent has no seccomp profile")
def unconfined(objects: Objects) -> None:
    _baseline(objects)
    pod_of(objects)["securityContext"]["seccompProfile"] = {"type": "Unconfined"}


@manifest_sabotage("iso-seccomp-and-no-new-privileges", "a container beside the agent's may gain privileges")
def may_gain(objects: Objects) -> None:
    _baseline(objects)
    pod_of(objects, "Deployment")["containers"][-1]["securityContext"]["allowPrivilegeEscalation"] = True


@manifest_sabotage("iso-seccomp-and-no-new-privileges", "an init container may gain privileges")
def may_gain_first(objects: Objects) -> None:
    _baseline(objects)
    pod_of(objects)["initContainers"][0]["securityContext"]["allowPrivilegeEscalation"] = True


@manifest_sabotage("iso-no-capability-in-any-set", "no capability is dropped: they stay in the bounding set")
def nothing_dropped(objects: Objects) -> None:
    _baseline(objects)
    pod_of(objects)["containers"][0]["securityContext"].pop("capabilities")


@manifest_sabotage("iso-no-capability-in-any-set", "an init container keeps its capabilities")
def nothing_dropped_first(objects: Objects) -> None:
    _baseline(objects)
    pod_of(objects)["initContainers"][0]["securityContext"].pop("capabilities")


@manifest_sabotage("iso-no-identity-of-root", "the pod is in root's group")
def in_roots_group(objects: Objects) -> None:
    pod_of(objects)["securityContext"]["supplementalGroups"] = [0]


@manifest_sabotage("iso-no-identity-of-root", "the way out has root's group for its own")
def roots_group_beside(objects: Objects) -> None:
    pod_of(objects, "Deployment")["securityContext"]["runAsGroup"] = 0


@manifest_sabotage("iso-nothing-of-the-node", "the pod sees the processes of its node")
def processes_of_the_node(objects: Objects) -> None:
    _baseline(objects)
    pod_of(objects)["hostPID"] = True


@manifest_sabotage("iso-nothing-of-the-node", "a directory of the node is mounted, for its time zone")
def path_of_the_node(objects: Objects) -> None:
    _baseline(objects)
    pod_of(objects)["volumes"].append({"name": "zone", "hostPath": {"path": "/usr/share/zoneinfo"}})


image_sabotage(
    "setuid", "iso-no-setuid-file", "a program in the image makes its caller root",
    dockerfile=as_root("cp /bin/true /usr/local/bin/up", "chmod 4755 /usr/local/bin/up"),
)  # fmt: skip
image_sabotage(
    "setgid", "iso-no-setuid-file", "a program in the image gives its caller another group",
    dockerfile=as_root(
        "cp /bin/true /usr/local/bin/up", "chgrp 42 /usr/local/bin/up", "chmod 2755 /usr/local/bin/up"
    ),
)  # fmt: skip
image_sabotage(
    "own_programs", "iso-image-files-not-writable", "the box's own programs are the agent's",
    dockerfile=as_root("chown -R 1000:1000 /usr/local/lib/box"),
)  # fmt: skip
image_sabotage(
    "open_directory", "iso-image-files-not-writable", "a directory of programs is open to everybody",
    dockerfile=as_root("mkdir -p /opt/tools", "cp /bin/true /opt/tools/tool", "chmod 0777 /opt/tools"),
)  # fmt: skip


@manifest_sabotage("iso-root-filesystem-read-only", "the agent writes to the layer of its container")
def root_can_be_written(objects: Objects) -> None:
    pod_of(objects)["containers"][0]["securityContext"]["readOnlyRootFilesystem"] = False


@manifest_sabotage("iso-root-filesystem-read-only", "an init container writes to its own layer")
def root_can_be_written_first(objects: Objects) -> None:
    pod_of(objects)["initContainers"][0]["securityContext"].pop("readOnlyRootFilesystem")


image_sabotage(
    "volume", "iso-no-volume-in-the-image", "the image declares its work directory a volume",
    dockerfile="VOLUME /workspace",
)  # fmt: skip
image_sabotage(
    "nameless", "iso-user-has-a-name", "the user of the first process is in no list of users",
    dockerfile=as_root("sed -i '/:1000:1000:/d' /etc/passwd"),
)  # fmt: skip


@manifest_sabotage(
    "iso-volume-modes-survive-a-restart", "the kubelet sets the group of all files at each start"
)
def group_set_each_time(objects: Objects) -> None:
    pod_of(objects)["securityContext"]["fsGroupChangePolicy"] = "Always"


image_sabotage(
    "opened_at_start", "iso-volume-modes-survive-a-restart", "the entrypoint gives the volume to its group",
    dockerfile=edited(START, r'2i chmod -R g+rwX "$CLAUDE_CONFIG_DIR"'),
)  # fmt: skip


image_sabotage(
    "as_an_argument", "iso-prompt-is-data", "headless mode hands the prompt over as an argument",
    dockerfile=edited(START, r's/--prompt -- claude -p /-- claude -p "$CLAUDE_PROMPT" /'),
)  # fmt: skip
image_sabotage(
    "api_as_an_argument", "iso-prompt-is-data", "the api hands the prompt over as an argument",
    dockerfile=edited(
        "/usr/local/lib/box/prompts.py",
        r"s/self.start\(name, .*\) as child:/self.start(name, prompt) as child:/",
    ),
)  # fmt: skip


@manifest_sabotage("iso-restricted-is-enforced", "the namespace enforces the level baseline")
def baseline(objects: Objects) -> None:
    lowered(objects)


@manifest_sabotage("iso-restricted-is-enforced", "the level restricted is warned of, and not enforced")
def warned_of(objects: Objects) -> None:
    labels = find(objects, "Namespace")["metadata"]["labels"]
    labels["pod-security.kubernetes.io/warn"] = labels.pop(ENFORCED)


@manifest_sabotage("iso-pod-is-bounded", "the agent may write as much as it likes beside its volume")
def no_disk_limit(objects: Objects) -> None:
    del pod_of(objects)["containers"][0]["resources"]["limits"]["ephemeral-storage"]


@manifest_sabotage("iso-pod-is-bounded", "the limit of its disk is more than any disk has")
def no_disk_so_large(objects: Objects) -> None:
    pod_of(objects)["containers"][0]["resources"]["limits"]["ephemeral-storage"] = "100Ti"


@subject_sabotage("iso-pod-is-bounded", "the documented command lets it have any number of processes")
def any_number_documented(directory: Path) -> None:
    replace_in(directory / "subject.toml", '"--pids-limit", "2048",', "")


@subject_sabotage("iso-pod-is-bounded", "the Compose file lets it have any number of processes")
def any_number_composed(directory: Path) -> None:
    replace_in(directory / "compose.yaml", "    pids_limit: 2048\n", "")


image_sabotage(
    "any_number", "iso-processes-of-the-agent", "the entrypoint does not bound the agent's processes",
    dockerfile=edited(START, r's/^( +)ulimit -p .*/\1:/'),
)  # fmt: skip
image_sabotage(
    "may_raise_its_limit", "iso-processes-of-the-agent", "the bound is a soft one, which the agent raises",
    dockerfile=edited(START, r's/^( +)ulimit -p /\1ulimit -S -p /'),
)  # fmt: skip
image_sabotage(
    "hooks_of_others", "iso-settings-are-managed", "the image's managed settings let everybody bring hooks",
    dockerfile=edited("/etc/box/mcp/managed-settings.json", r's/("allowManagedHooksOnly": )true/\1false/'),
)  # fmt: skip


@manifest_sabotage(
    "iso-settings-are-managed", "the pod's managed settings let a session leave out permissions"
)
def permissions_left_out(objects: Objects) -> None:
    data = find(objects, "ConfigMap", "claude-mcp")["data"]
    data["managed-settings.json"] = data["managed-settings.json"].replace('"disable"', '"allow"')


@manifest_sabotage("iso-settings-are-managed", "the pod's managed settings are about permissions alone")
def hooks_not_mentioned(objects: Objects) -> None:
    data = find(objects, "ConfigMap", "claude-mcp")["data"]
    data["managed-settings.json"] = data["managed-settings.json"].replace(
        '"allowManagedHooksOnly": true,', ""
    )


image_sabotage(
    "as_an_argument_where_nobody_asked", "iso-prompt-is-data",
    "a prompt that is set is an argument in the modes for people too",
    dockerfile=edited(
        START,
        r's/claude remote-control /claude remote-control "${CLAUDE_PROMPT:-}" /; '
        r's/limits\.py claude "\$@"/limits.py claude "${CLAUDE_PROMPT:-}" "$@"/',
    ),
)  # fmt: skip


@subject_sabotage("iso-pod-is-bounded", "with the engine's socket it may have any number of processes")
def any_number_with_socket(directory: Path) -> None:
    replace_in(directory / "compose.docker.yaml", "  claude:\n", "  claude:\n    pids_limit: -1\n")


image_sabotage(
    "permissions_left_out_in_the_image", "iso-settings-are-managed",
    "the image's managed settings let a session leave out permissions",
    dockerfile=edited(
        "/etc/box/mcp/managed-settings.json", r's/("disableBypassPermissionsMode": )"disable"/\1"allow"/'
    ),
)  # fmt: skip


@manifest_sabotage("iso-no-identity-of-root", "an init container has root's group for its own")
def roots_group_first(objects: Objects) -> None:
    pod_of(objects)["initContainers"][0]["securityContext"]["runAsGroup"] = 0
