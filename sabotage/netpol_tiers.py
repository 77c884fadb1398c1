"""Changes of one tier's network that the default tier does not have, and of whose hosts are on the list."""

from __future__ import annotations

from pathlib import Path

from boxproof.deployment.sabotage_ways import Objects, find, manifest_sabotage
from pytest_claims.sabotages import replace_in, subject_sabotage
from sabotage.box_parts import agent_policy, but_private, pod_of

CILIUM = "manifests/components/cilium/ciliumnetworkpolicy.yaml"


@manifest_sabotage("netpol-unlisted-hosts-blocked", "a store of files that anybody can fill is on the list")
def a_store_listed(objects: Objects) -> None:
    data = find(objects, "ConfigMap", "claude-egress")["data"]
    data["allowed"] += "storage.googleapis.com\n"


@manifest_sabotage(
    "netpol-unlisted-hosts-blocked", "where a configuration is cloned, everybody's files are on the list"
)
def everybodys_files_listed(objects: Objects) -> None:
    data = find(objects, "ConfigMap", "claude-egress")["data"]
    data["allowed-config-clone"] += "\n*.githubusercontent.com\n"


@manifest_sabotage(
    "netpol-effective-from-first-packet", "where the agent gets out by itself, its gate does not look"
)
def blind_where_it_is_open(objects: Objects) -> None:
    find(objects, "NetworkPolicy", "claude-open-egress")  # in that tier alone
    pod_of(objects)["initContainers"][0]["command"] = ["true"]


@manifest_sabotage(
    "netpol-effective-from-first-packet", "served over HTTP, nothing listens where the gate is to be denied"
)
def no_canary_where_it_is_served(objects: Objects) -> None:
    """What nobody answers is as shut as what a policy denies."""
    find(objects, "NetworkPolicy", "claude-api")
    pod_of(objects, "Deployment")["containers"].pop()


@subject_sabotage("netpol-fqdn-allowlist-cilium", "the policy for Cilium allows all ports from 443 on")
def cilium_allows_a_range(directory: Path) -> None:
    """Where a port has an end it is the first of many."""
    names = '        - matchName: claude.com\n      toPorts:\n        - ports:\n            - port: "443"\n'
    replace_in(directory / CILIUM, names, f"{names}              endPort: 65535\n")


@subject_sabotage("netpol-fqdn-allowlist-cilium", "the policy for Cilium allows the API server's kubelet")
def cilium_allows_the_kubelet(directory: Path) -> None:
    """The entity is the machine with all that listens on it, and not a service."""
    port = '            - port: "6443"\n'
    replace_in(directory / CILIUM, port, f'{port}              protocol: TCP\n            - port: "10250"\n')


@manifest_sabotage(
    "netpol-unlisted-hosts-blocked", "where a configuration is cloned, a list of its own has a host of others"
)
def a_list_of_its_own(objects: Objects) -> None:
    """It is another ConfigMap, in the directory of the first."""
    find(objects, "PersistentVolumeClaim", "claude-config-clone")  # in that tier alone
    space = find(objects, "StatefulSet")["metadata"]["namespace"]
    meta, data = {"name": "claude-more", "namespace": space}, {"hosts": "packages.example.org\n"}
    objects.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data})
    named = {"name": "claude-more", "items": [{"key": "hosts", "path": "allowed-more"}]}
    sources = [{"configMap": {"name": "claude-egress"}}, {"configMap": named}]
    pod_of(objects, "Deployment")["volumes"] = [{"name": "config", "projected": {"sources": sources}}]


@manifest_sabotage(
    "netpol-unlisted-hosts-blocked", "let out by itself, the agent gets to metadata and to pods"
)
def open_to_all_addresses(objects: Objects) -> None:
    rule = find(objects, "NetworkPolicy", "claude-open-egress")["spec"]["egress"][0]
    del rule["to"][0]["ipBlock"]["except"]


@manifest_sabotage(
    "netpol-selects-the-pod", "served over HTTP, the agent is under the policy of its service alone"
)
def selected_for_its_service_alone(objects: Objects) -> None:
    find(objects, "NetworkPolicy", "claude-api")  # in that tier alone
    agent_policy(objects)["podSelector"] = {"matchLabels": {"app": "claude-agent", "served": "false"}}


@manifest_sabotage(
    "netpol-egress-type-present", "the policy of the service has a rule of egress, and no type for it"
)
def service_without_the_type(objects: Objects) -> None:
    find(objects, "NetworkPolicy", "claude-api")["spec"]["egress"] = [but_private(443)]


@subject_sabotage(
    "netpol-effective-from-first-packet", "with a runtime of its own the gate is given the agent's volume"
)
def gate_with_a_volume_in_another_runtime(directory: Path) -> None:
    path = directory / "manifests/components/sandboxed/kustomization.yaml"
    mounts = "/spec/template/spec/initContainers/0/volumeMounts/-"
    mount = "{name: home, mountPath: /home/claude/.claude}"
    more = f"      - op: add\n        path: {mounts}\n        value: {mount}\n"
    replace_in(path, "        value: gvisor\n", f"        value: gvisor\n{more}")


TEMPLATES = "chart/templates"


@subject_sabotage(
    "netpol-unlisted-hosts-blocked", "what a fleet says of all opens an agent that says otherwise"
)
def opened_for_all(directory: Path) -> None:
    path = directory / TEMPLATES / "open-egress-networkpolicy.yaml"
    replace_in(path, "(.values.network.openEgress)", "($.Values.network.openEgress)")


@subject_sabotage("netpol-unlisted-hosts-blocked", "an agent of a fleet has the list that is there for all")
def list_of_all(directory: Path) -> None:
    path = directory / TEMPLATES / "egress.yaml"
    replace_in(path, "range .values.network.allowed", "range $.Values.network.allowed")
