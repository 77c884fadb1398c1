"""Sabotages of the tools and of the pod's capabilities."""

from __future__ import annotations

from pathlib import Path

from boxproof.deployment.sabotage_ways import Objects, find, image_sabotage, manifest_sabotage
from pytest_claims.sabotages import replace_in, subject_sabotage

WRAPPER = "/usr/local/bin/netraw-exec"
EFFECTIVE = "0100000200200000000000000000000000000000"  # cap_net_raw=ep as struct vfs_cap_data


def as_root(*commands: str) -> str:
    """Return Dockerfile lines that change files as root, in one layer."""
    return f"USER root\nRUN {' && '.join(commands)}\nUSER 1000:1000"


def set_capability(path: str) -> str:
    """Return Dockerfile lines that give a file cap_net_raw=ep."""
    call = f"os.setxattr('{path}', 'security.capability', bytes.fromhex('{EFFECTIVE}'))"
    return as_root(f'python3 -c "import os; {call}"')


def _added(objects: Objects, capability: str) -> list[str]:
    """Return the list of capabilities that a tier adds, where ``capability`` is one of them."""
    container = find(objects, "StatefulSet")["spec"]["template"]["spec"]["containers"][0]
    added: list[str] = container["securityContext"]["capabilities"].get("add", [])
    return added if capability in added else []


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
    "without_its_library", "shared-libraries-resolve", "a program is copied in without the library it wants",
    dockerfile=as_root("sed 's/libjq\\.so\\.1/libjq.so.9/' /usr/bin/jq >/opt/jq", "chmod +x /opt/jq"),
)  # fmt: skip
image_sabotage(
    "path_in_bashrc", "tools-on-path-for-exec", "a tool lies where only .bashrc puts it into PATH",
    dockerfile=as_root(
        "mkdir -p /opt/yq/bin", "mv /usr/local/bin/yq /opt/yq/bin/",
        "echo 'PATH=/opt/yq/bin:$PATH' >>/home/claude/.bashrc",
    ),
)  # fmt: skip
image_sabotage(
    "chown_after_setcap", "setcap-present-in-running-image", "a later chown takes the file capabilities away",
    dockerfile=as_root("chown 0:0 /usr/local/bin/netraw-exec"),
)  # fmt: skip
image_sabotage(
    "netadmin_without_file_capability", "netadmin-tier-separate",
    "the launcher of ip and tc has lost its capability",
    dockerfile=as_root("chown 0:0 /usr/local/bin/netadmin-exec"),
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
    _added(objects, "NET_RAW").clear()


@subject_sabotage("kubectl-debug-netshoot-alternative", "the documented debugging container is not root's")
def debugging_without_root(directory: Path) -> None:
    """Leave out what makes it run as root."""
    replace_in(directory / "subject.toml", ' "--custom={directory}/manifests/debug/root.json",', "")


@subject_sabotage("kubectl-debug-netshoot-alternative", "the documented debugging container names no profile")
def debugging_without_profile(directory: Path) -> None:
    """Leave its rights to the default of the kubectl in use."""
    replace_in(directory / "subject.toml", '"--profile=baseline", ', "")


@manifest_sabotage("netadmin-tier-separate", "the netraw tier adds NET_ADMIN as well")
def netadmin_with_netraw(objects: Objects) -> None:
    """Ask for more than captures need."""
    _added(objects, "NET_RAW")[:0] = ["NET_ADMIN"]


@manifest_sabotage(
    "setcap-works-with-pod-security-settings", "allowPrivilegeEscalation: false in the netraw tier"
)
def netraw_without_new_privileges(objects: Objects) -> None:
    """Do what scanners demand."""
    if _added(objects, "NET_RAW"):
        container = find(objects, "StatefulSet")["spec"]["template"]["spec"]["containers"][0]
        container["securityContext"]["allowPrivilegeEscalation"] = False


@manifest_sabotage("ptrace-tier-not-sysadmin", "the ptrace tier has SYS_ADMIN in place of SYS_PTRACE")
def sysadmin_for_ptrace(objects: Objects) -> None:
    """Give what the tools do not need, and not what they need."""
    _added(objects, "SYS_PTRACE")[:] = ["SYS_ADMIN"]


@manifest_sabotage("ptrace-tier-not-sysadmin", "the ptrace tier adds SYS_ADMIN as well")
def sysadmin_with_ptrace(objects: Objects) -> None:
    """Give more than the tools need."""
    _added(objects, "SYS_PTRACE")[:0] = ["SYS_ADMIN"]
