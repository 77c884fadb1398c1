"""Sabotages of one tier alone: what is tried of the default tier says nothing of it."""

from __future__ import annotations

import copy
from typing import Any

from boxproof.deployment.sabotage_ways import Objects, find, manifest_sabotage
from sabotage.box_parts import agent_of, agent_policy, pod_of

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"


def _served(objects: Objects) -> None:
    """Be about the tier that is served over HTTP; elsewhere there is no such object."""
    find(objects, "Service", "claude-api")


def _job(objects: Objects) -> dict[str, Any]:
    """Return the Job that the watch of the login makes each time."""
    found: dict[str, Any] = find(objects, "CronJob")["spec"]["jobTemplate"]["spec"]
    return found


@manifest_sabotage(
    "one-credential-file-per-agent", "where its login is watched it is prompted at night as well"
)
def prompted_at_night(objects: Objects) -> None:
    """The CLI that comes for it renews the login of the one that stays."""
    nightly = copy.deepcopy(find(objects, "CronJob"))
    nightly["metadata"]["name"] = "claude-nightly"
    nightly["spec"]["schedule"] = "0 3 * * *"
    container = nightly["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]
    container["command"] = ["/usr/local/bin/claude", "-p", "Say what is new."]
    for each in container["volumeMounts"]:
        each.pop("readOnly", None)
    objects.append(nightly)


@manifest_sabotage(
    "one-credential-file-per-agent", "where it is served a second agent serves in the same pod"
)
def served_by_another(objects: Objects) -> None:
    """One stays for remote control, the other is for requests."""
    _served(objects)
    another = {**copy.deepcopy(agent_of(objects)), "name": "api"}
    another.pop("ports", None)
    pod_of(objects)["containers"].append(another)


@manifest_sabotage("token-expiry-monitored", "a watch that hangs keeps all that come after it away")
def hangs_for_ever(objects: Objects) -> None:
    """Two at once are forbidden, and nothing ends the first."""
    find(objects, "CronJob")["spec"]["concurrencyPolicy"] = "Forbid"
    del _job(objects)["activeDeadlineSeconds"]


@manifest_sabotage(
    "token-expiry-monitored", "the watch warns a quarter of an hour before, and comes each half"
)
def warns_between_two_looks(objects: Objects) -> None:
    """Somebody was told too often."""
    find(objects, "CronJob")["spec"]["schedule"] = "*/30 * * * *"
    find(objects, "ConfigMap", "claude-config")["data"]["BOX_EXPIRY_WARN_MINUTES"] = "15"


@manifest_sabotage(
    "rbac-sa-token-usable-in-pod", "where it is served the account's token is mounted into no pod"
)
def no_token_where_served(objects: Objects) -> None:
    """A service asks no API server, somebody thought."""
    _served(objects)
    find(objects, "ServiceAccount")["automountServiceAccountToken"] = False


@manifest_sabotage(
    "rbac-sa-token-usable-in-pod", "where it is cloned for, the agent has nothing in the token's place"
)
def hidden_where_cloned(objects: Objects) -> None:
    """The init container's mount was copied with the others."""
    find(objects, "PersistentVolumeClaim", "claude-config-clone")  # in that tier alone
    mount = {"name": "nothing", "mountPath": ACCOUNT, "readOnly": True}
    agent_of(objects)["volumeMounts"].append(mount)


@manifest_sabotage(
    "netpol-apiserver-reachable", "where it gets out by itself the API server is no longer listed"
)
def no_api_server_where_open(objects: Objects) -> None:
    """Its rules for 443 seemed to be covered by the new one, and 6443 to go with them."""
    find(objects, "NetworkPolicy", "claude-open-egress")
    policy = agent_policy(objects)
    policy["egress"] = [each for each in policy["egress"] if not any("ipBlock" in one for one in each["to"])]


@manifest_sabotage("netpol-dns-works-udp-tcp", "where it is served names resolve over UDP alone")
def only_udp_where_served(objects: Objects) -> None:
    """Replace the ports of a list by fewer."""
    _served(objects)
    rule = next(each for each in agent_policy(objects)["egress"] if each["ports"][0]["port"] == 53)
    rule["ports"] = [each for each in rule["ports"] if each["protocol"] == "UDP"]


@manifest_sabotage("netpol-oauth-hosts-reachable", "where a configuration is cloned its host is on no list")
def no_git_host(objects: Objects) -> None:
    """The list is said to be short."""
    find(objects, "PersistentVolumeClaim", "claude-config-clone")  # in that tier alone
    del find(objects, "ConfigMap", "claude-egress")["data"]["allowed-config-clone"]
