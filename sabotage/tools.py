"""Sabotages of the tools and of the pod's capabilities."""

from __future__ import annotations

from boxproof.proof.sabotages import Objects, find, image_sabotage, manifest_sabotage

WRAPPER = "/usr/local/bin/netraw-exec"
EFFECTIVE = "0100000200200000000000000000000000000000"  # cap_net_raw=ep as struct vfs_cap_data


def as_root(*commands: str) -> str:
    """Return Dockerfile lines that change files as root, in one layer."""
    return f"USER root\nRUN {' && '.join(commands)}\nUSER 1000:1000"


def set_capability(path: str) -> str:
    """Return Dockerfile lines that give a file cap_net_raw=ep."""
    call = f"os.setxattr('{path}', 'security.capability', bytes.fromhex('{EFFECTIVE}'))"
    return as_root(f'python3 -c "import os; {call}"')


image_sabotage(
    "tool_removed", "all-tools-run-in-deployed-pod", "a last layer removes a tool",
    dockerfile=as_root("rm /usr/local/bin/yq"),
)  # fmt: skip
image_sabotage(
    "failure_is_a_skip", "all-tools-run-in-deployed-pod", "a missing tool is a skip, and a skip no failure",
    dockerfile=as_root(
        "rm /usr/local/bin/yq",
        """sed -i 's/"status": "failed", "says": ""}/"status": "skipped", "says": ""}/'"""
        " /usr/local/bin/verify-tools",
    ),
)  # fmt: skip
image_sabotage(
    "no_file_capability", "netraw-tools-work-in-operator-tier",
    "the wrapper has lost its file capability, the pod still adds NET_RAW",
    dockerfile=as_root(f"cp {WRAPPER} /wrapper", f"mv /wrapper {WRAPPER}"),
)  # fmt: skip
image_sabotage(
    "capability_on_a_plain_tool", "nocap-tools-work-with-drop-all", "dig carries a capability",
    dockerfile=set_capability("/usr/bin/dig"),
)  # fmt: skip
image_sabotage(
    "capability_on_tcpdump", "setcap-does-not-break-default-tier", "tcpdump itself carries cap_net_raw=ep",
    dockerfile=set_capability("/usr/bin/tcpdump"),
)  # fmt: skip


@manifest_sabotage("default-pod-adds-no-capabilities", "the default pod adds NET_RAW")
def default_adds_net_raw(objects: Objects) -> None:
    """Add a capability to every container, in a namespace that allows it."""
    find(objects, "Namespace")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] = "privileged"
    for container in find(objects, "StatefulSet")["spec"]["template"]["spec"]["containers"]:
        container["securityContext"]["capabilities"]["add"] = ["NET_RAW"]


@manifest_sabotage("netraw-tools-work-in-operator-tier", "the netraw tier drops NET_RAW like the default one")
def tier_without_its_capability(objects: Objects) -> None:
    """Take the capability out of the tier again."""
    for container in find(objects, "StatefulSet")["spec"]["template"]["spec"]["containers"]:
        container["securityContext"]["capabilities"].pop("add", None)
