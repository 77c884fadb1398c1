"""Sabotages of the tools and of the pod's capabilities."""

from __future__ import annotations

from pathlib import Path

from boxproof.deployment.sabotage_ways import Objects, as_root, find, image_sabotage, manifest_sabotage
from pytest_claims.sabotages import SabotageError, replace_in, subject_sabotage
from sabotage.box_parts import agent_of, lowered

WRAPPER = "/usr/local/bin/netraw-exec"
EFFECTIVE = "0100000200200000000000000000000000000000"  # cap_net_raw=ep as struct vfs_cap_data


def set_capability(path: str) -> str:
    """Return Dockerfile lines that give a file cap_net_raw=ep."""
    call = f"os.setxattr('{path}', 'security.capability', bytes.fromhex('{EFFECTIVE}'))"
    return as_root(f'python3 -c "import os; {call}"')


def _added(objects: Objects, capability: str) -> list[str]:
    """Return the list of capabilities that a tier adds, where ``capability`` is one of them."""
    container = agent_of(objects)
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
    lowered(objects, "privileged")
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
        container = agent_of(objects)
        container["securityContext"]["allowPrivilegeEscalation"] = False


@manifest_sabotage("ptrace-tier-not-sysadmin", "the ptrace tier has SYS_ADMIN in place of SYS_PTRACE")
def sysadmin_for_ptrace(objects: Objects) -> None:
    """Give what the tools do not need, and not what they need."""
    _added(objects, "SYS_PTRACE")[:] = ["SYS_ADMIN"]


@manifest_sabotage("ptrace-tier-not-sysadmin", "the ptrace tier adds SYS_ADMIN as well")
def sysadmin_with_ptrace(objects: Objects) -> None:
    """Give more than the tools need."""
    _added(objects, "SYS_PTRACE")[:0] = ["SYS_ADMIN"]


def _without(directory: Path, tool: str) -> None:
    """Take a tool off the list and out of the image."""
    path = directory / "image/tools.toml"
    parts = path.read_text().split("[[tool]]")
    kept = [each for each in parts if f'\nname = "{tool}"\n' not in each]
    if len(kept) == len(parts):
        raise SabotageError(f"tools.toml has no {tool}")
    path.write_text("[[tool]]".join(kept))
    recipe = directory / "image/Dockerfile"
    lines = recipe.read_text().splitlines()
    recipe.write_text("".join(f"{each}\n" for each in lines if each != f"COPY --link --from=tools {tool} /"))


@subject_sabotage("all-tools-run-in-deployed-pod", "k9s is off the list and out of the image")
def k9s_off_the_list(directory: Path) -> None:
    _without(directory, "k9s")


@subject_sabotage("all-tools-run-in-deployed-pod", "a tool is declared for a tier where nobody misses it")
def tool_of_another_tier(directory: Path) -> None:
    path = directory / "image/tools.toml"
    replace_in(path, 'name = "dive"\n', 'name = "dive"\ntier = "node"\nrefusal = "dive"\n')


image_sabotage(
    "stern_removed", "nocap-tools-work-with-drop-all", "a last layer removes stern",
    dockerfile=as_root("rm /usr/local/bin/stern"),
)  # fmt: skip
image_sabotage(
    "says_it_works", "all-tools-run-in-deployed-pod",
    "a tool prints what it is verified by, and does nothing else",
    dockerfile=as_root("printf '#!/bin/sh\\necho 7\\n' > /usr/local/bin/yq"),
)  # fmt: skip
image_sabotage(
    "does_nothing", "nocap-tools-work-with-drop-all",
    "jq ends with 0 and does nothing",
    dockerfile=as_root("cp /bin/true /usr/bin/jq"),
)  # fmt: skip
image_sabotage(
    "verification_says_ok", "all-tools-run-in-deployed-pod",
    "the box's own verification calls everything fine",
    dockerfile=as_root(
        "rm /usr/local/bin/yq",
        """sed -i 's/"status": "failed"/"status": "ok"/; s/"failed" if done.returncode else "ok"/"ok"/'"""
        " /usr/local/bin/verify-tools",
    ),
)  # fmt: skip


@manifest_sabotage("default-pod-adds-no-capabilities", "the proxy keeps what the runtime gives")
def proxy_keeps_capabilities(objects: Objects) -> None:
    """Leave a container of the default tier with the runtime's set."""
    lowered(objects)
    for container in find(objects, "Deployment")["spec"]["template"]["spec"]["containers"]:
        container["securityContext"]["capabilities"] = {}


@subject_sabotage("ptrace-tier-not-sysadmin", "the pod of the backup adds SYS_ADMIN")
def sysadmin_in_the_backup(directory: Path) -> None:
    path = directory / "manifests/backup/pod.yaml"
    replace_in(path, "          drop: [ALL]\n", "          drop: [ALL]\n          add: [SYS_ADMIN]\n")


@subject_sabotage("netadmin-tier-separate", "another component asks for NET_ADMIN too")
def netadmin_in_another_tier(directory: Path) -> None:
    path = directory / "manifests/components/ptrace/kustomization.yaml"
    replace_in(
        path,
        "        value: SYS_PTRACE\n",
        "        value: SYS_PTRACE\n      - op: add\n        path: "
        "/spec/template/spec/containers/0/securityContext/capabilities/add/-\n        value: NET_ADMIN\n",
    )


image_sabotage(
    "tool_of_the_toolkit_off_path", "tools-on-path-for-exec",
    "a tool lies beside PATH, and is off the list too",
    dockerfile=as_root("mkdir -p /opt/rg", "mv /usr/bin/rg /opt/rg/"),
)  # fmt: skip
image_sabotage(
    "launcher_of_more", "setcap-present-in-running-image",
    "the launcher of captures carries more than it needs",
    dockerfile=set_capability("/usr/local/bin/netraw-exec"),
)  # fmt: skip


image_sabotage(
    "broken_in_its_tier", "all-tools-run-in-deployed-pod", "a tool of a tier with a capability does nothing",
    dockerfile=as_root(
        "place=$(command -v iptables)",
        "rm $place",
        r"printf '#!/bin/sh\nexit 0\n' > $place",
        "chmod 755 $place",
    ),
)  # fmt: skip


@subject_sabotage("netadmin-tier-separate", "the pod of the backup asks for NET_ADMIN")
def netadmin_in_the_backup(directory: Path) -> None:
    path = directory / "manifests/backup/pod.yaml"
    replace_in(path, "          drop: [ALL]\n", "          drop: [ALL]\n          add: [NET_ADMIN]\n")


@subject_sabotage("netadmin-tier-separate", "the Compose file of the engine's socket asks for NET_ADMIN")
def netadmin_with_the_socket(directory: Path) -> None:
    path = directory / "compose.docker.yaml"
    replace_in(path, "    group_add:", "    cap_add: [CAP_NET_ADMIN]\n    group_add:")


image_sabotage(
    "says_what_is_looked_for", "all-tools-run-in-deployed-pod",
    "a tool says the word by which it is verified, whatever it is asked",
    dockerfile=as_root(r"printf '#!/bin/sh\necho LISTEN\n' > /usr/bin/ss"),
)  # fmt: skip
image_sabotage(
    "answers_for_the_address", "all-tools-run-in-deployed-pod",
    "traceroute names the address that it is asked for, and goes nowhere",
    dockerfile=as_root(
        "rm /usr/bin/traceroute",
        r"""printf '#!/bin/sh\nfor each; do :; done; echo "traceroute to $each ($each), 3 hops max"\n' """
        "> /usr/bin/traceroute",
        "chmod 0755 /usr/bin/traceroute",
    ),
)  # fmt: skip
image_sabotage(
    "no_authorities", "all-tools-run-in-deployed-pod", "the image has no certificates of public authorities",
    dockerfile=as_root("rm -rf /etc/ssl/certs/*"),
)  # fmt: skip
image_sabotage(
    "locale_not_installed", "all-tools-run-in-deployed-pod", "LANG names a locale that is not installed",
    dockerfile="ENV LANG=en_US.UTF-8",
)  # fmt: skip


@subject_sabotage("kubectl-debug-netshoot-alternative", "the page's command lacks what makes it root's")
def page_without_the_options(directory: Path) -> None:
    options = " \\\n    --profile=baseline --custom=manifests/debug/root.json"
    replace_in(directory / "docs/tiers.md", options, " --profile=baseline")


image_sabotage(
    "loader_of_another_system", "shared-libraries-resolve",
    "a program is copied in from a system whose loader has another name",
    dockerfile=as_root(
        r"sed -E 's#/(ld-linux[a-z0-9_-]*[.]so[.])[0-9]#/\19#' /usr/bin/true >/opt/true",
        "! cmp -s /usr/bin/true /opt/true",
        "chmod +x /opt/true",
    ),
)  # fmt: skip
