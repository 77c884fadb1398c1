"""Sabotages that another use shows: an upgrade, another order, one tier, other values, other prompts."""

from __future__ import annotations

from pathlib import Path

from boxproof.deployment.sabotage_ways import Objects, edited, find, image_sabotage, manifest_sabotage
from pytest_claims.sabotages import replace_in, subject_sabotage
from sabotage.box_parts import agent_of, pod_of

STATEFULSET = "chart/templates/statefulset.yaml"
FLEET = "chart/examples/fleet.yaml"
GATED = "if .values.network.create }}\n        # Nothing"


@subject_sabotage(
    "release-upgrades-in-place", "an object comes with the installation, and the upgrade deletes it"
)
def account_of_the_installation_alone(directory: Path) -> None:
    path = directory / "chart/templates/serviceaccount.yaml"
    replace_in(
        path, "if .values.serviceAccount.create", "if and .values.serviceAccount.create $.Release.IsInstall"
    )


@subject_sabotage("helm-default-equals-raw-manifests", "an upgrade has what first runs left out")
def gate_of_the_installation_alone(directory: Path) -> None:
    replace_in(directory / STATEFULSET, GATED, GATED.replace("if ", "if and $.Release.IsInstall "))


@subject_sabotage(
    "helm-toggles-honoured", "who brings an account of his own gets a pod of the account default"
)
def default_where_an_account_is_brought(directory: Path) -> None:
    name = "{{ .values.serviceAccount.name }}"
    chosen = f"{{{{ if .values.serviceAccount.create }}}}{name}{{{{ else }}}}default{{{{ end }}}}"
    replace_in(directory / STATEFULSET, f"serviceAccountName: {name}", f"serviceAccountName: {chosen}")


@subject_sabotage(
    "helm-toggles-honoured", "without the policies the agent waits for a proxy that does not come"
)
def gate_without_a_proxy(directory: Path) -> None:
    path = directory / STATEFULSET
    replace_in(path, "if or .values.network.create .values.configClone.enabled", "if true")
    replace_in(path, GATED, GATED.replace(".values.network.create", "true"))


@subject_sabotage(
    "helm-toggles-honoured", "a tag of digits alone is taken for a number, and comes out as one"
)
def tag_as_a_number(directory: Path) -> None:
    path = directory / "chart/values.schema.json"
    replace_in(
        path,
        '"tag": {\n              "type": "string"',
        '"tag": {\n              "type": ["string", "number"]',
    )


@subject_sabotage(
    "manifests-valid-and-apply-once", "which of two tiers is listed last decides what is enforced"
)
def last_tier_decides(directory: Path) -> None:
    path = directory / "manifests/components/debug/kustomization.yaml"
    kept = [each for each in path.read_text().splitlines(keepends=True) if "labelSelector" not in each]
    path.write_text("".join(kept))


@subject_sabotage("iso-nothing-of-the-node", "an agent of the fleet has a directory of its node")
def directory_in_the_fleet(directory: Path) -> None:
    volume = "    extraVolumes: [{name: cache, hostPath: {path: /var/cache/claude}}]\n"
    mount = "    extraVolumeMounts: [{name: cache, mountPath: /workspace/cache}]\n"
    replace_in(directory / FLEET, "  alpha: {}\n", f"  alpha:\n{volume}{mount}")


@subject_sabotage("iso-pod-is-bounded", "an agent of the fleet may have more memory than any machine")
def memory_of_no_machine_in_the_fleet(directory: Path) -> None:
    replace_in(directory / FLEET, "        memory: 6Gi\n", "        memory: 6000Gi\n")


@subject_sabotage(
    "docker-socket-opt-in", "a file of variables has Compose take the engine's socket each time"
)
def socket_by_a_file_of_variables(directory: Path) -> None:
    (directory / ".env").write_text("COMPOSE_FILE=compose.yaml:compose.docker.yaml\n")


@subject_sabotage(
    "docker-socket-opt-in", "a page has the engine's socket opened to all in the place of a group"
)
def socket_opened_to_all(directory: Path) -> None:
    path = directory / "docs/troubleshooting.md"
    path.write_text(f"{path.read_text()}\n```\nsudo chmod 666 /var/run/docker.sock\n```\n")


image_sabotage(
    "taken_for_a_format", "iso-prompt-is-data", "what the prompt says is taken for a format",
    dockerfile=edited(
        "/usr/local/bin/entrypoint", r's/^wait=$/CLAUDE_PROMPT=$(printf -- "${CLAUDE_PROMPT:-}")\nwait=/'
    ),
)  # fmt: skip


@subject_sabotage("iso-held-without-a-cluster", "the Compose file lets the service have all swap")
def swap_without_end(directory: Path) -> None:
    replace_in(
        directory / "compose.yaml", "    mem_limit: 4g\n", "    mem_limit: 4g\n    memswap_limit: -1\n"
    )


@manifest_sabotage("configmap-drives-mode-and-mcp", "where it is served, the mode stands in the pod")
def mode_in_the_pod_where_it_is_served(objects: Objects) -> None:
    find(objects, "NetworkPolicy", "claude-api")  # in that tier alone
    agent_of(objects)["env"].append({"name": "CLAUDE_MODE", "value": "api"})


def _with_another_cluster(objects: Objects) -> None:
    next(each for each in agent_of(objects)["env"] if each["name"] == "KUBECONFIG")  # in that tier alone


@manifest_sabotage("iso-user-has-a-name", "with another cluster's credentials the agent is a user of no name")
def another_user_with_another_cluster(objects: Objects) -> None:
    _with_another_cluster(objects)
    agent_of(objects)["securityContext"]["runAsUser"] = 1001


@manifest_sabotage(
    "iso-volume-modes-survive-a-restart", "with another cluster the kubelet sets all groups at each start"
)
def groups_set_with_another_cluster(objects: Objects) -> None:
    _with_another_cluster(objects)
    del pod_of(objects)["securityContext"]["fsGroupChangePolicy"]


@subject_sabotage("iso-settings-are-managed", "an agent of the fleet has no managed settings")
def nothing_managed_in_the_fleet(directory: Path) -> None:
    replace_in(directory / FLEET, "  alpha: {}\n", "  alpha:\n    managedSettings: '{}'\n")


@subject_sabotage("netpol-selects-the-pod", "the agents of the fleet have no policies")
def fleet_without_policies(directory: Path) -> None:
    """Theirs is a cluster whose pod network enforces none, the file's author thought."""
    replace_in(directory / FLEET, "\nagents:\n", "\nnetwork:\n  create: false\n\nagents:\n")


@subject_sabotage("netpol-unlisted-hosts-blocked", "an agent of the fleet may reach whatever ends in .com")
def commerce_listed_in_the_fleet(directory: Path) -> None:
    replace_in(directory / FLEET, "  alpha: {}\n", '  alpha:\n    network:\n      allowed: ["*.com"]\n')


@subject_sabotage("release-upgrades-in-place", "the version is written out among the labels of a selector")
def version_written_out(directory: Path) -> None:
    """It is the same in all that is rendered, until it is written anew for the next release."""
    label, more = "app: claude-agent\n", 'app.kubernetes.io/version: "0.1.0"\n'
    for path in ("manifests/base/statefulset.yaml", STATEFULSET):
        for place in ("    matchLabels:\n      ", "      labels:\n        "):
            indent = place.rpartition("\n")[2]
            replace_in(directory / path, f"{place}{label}", f"{place}{label}{indent}{more}")
