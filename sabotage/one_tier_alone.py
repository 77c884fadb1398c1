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
    """The CLI that comes with the watch renews the login of the one that stays."""
    container = _job(objects)["template"]["spec"]["containers"][0]
    container["command"] = ["/usr/local/bin/claude", "-p", "Say what is new."]
    for each in container["volumeMounts"]:
        each.pop("readOnly", None)


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
