"""The kubeconfigs of several agents from one values file: each its own cluster's."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from boxproof.core.session import Session
from boxproof.deployment.deploy import rendered
from boxproof.fixtures.helm_release import Charts
from boxproof.kube.client import Object
from boxproof.kube.rules import kubeconfig
from boxproof.subject.manifests.pod_specs import agent_container, holders, pod_spec, workload
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope

AGENTS, ALL = ("alpha", "beta"), "for-all"
ITS_OWN = require(
    "each agent's Secret is for its own cluster, and for no other",
    lambda found: found == {each: [each] for each in AGENTS},
)


def token_of(cluster: str) -> str:
    """Return the token by which a cluster's kubeconfig is told from others."""
    return f"stub-token-at-{cluster}"


def said(cluster: str) -> dict[str, Any]:
    """Return the values of an agent that works on a cluster."""
    return {"enabled": True, "content": kubeconfig({cluster: token_of(cluster)}, "")}


def mounted(workload: Object, objects: Sequence[Object]) -> Iterator[str]:
    """Give what the Secrets hold that a workload's pod mounts."""
    names = {each.get("secret", {}).get("secretName") for each in (pod_spec(workload) or {})["volumes"]}
    space = workload["metadata"]["namespace"]
    for each in objects:
        meta = each["metadata"]
        if each["kind"] == "Secret" and meta["name"] in names and meta["namespace"] == space:
            yield from (b64decode(value or "").decode() for value in (each.get("data") or {}).values())


@claim("per-agent-kubeconfig-from-secret")
@needs("fleet")
@scope("image")
def test_each_agent_of_a_fleet_has_the_kubeconfig_of_its_own_cluster(
    charts: Charts, subject: Subject
) -> None:
    def clusters(asked: str, agents: Mapping[str, Any]) -> dict[str, list[str]]:
        """Return of which clusters each agent mounts a kubeconfig; an observation."""
        objects = charts.rendered(
            f"--set-json=kubeconfig={json.dumps(said(ALL))}", f"--set-json=agents={json.dumps(agents)}"
        )
        found = {}
        for each in objects:
            if each["kind"] == subject.kind:
                text = "".join(mounted(each, objects))
                known = [one for one in (*AGENTS, ALL) if token_of(one) in text]
                found[str(each["metadata"]["namespace"]).removeprefix(f"{subject.namespace}-")] = known
        return observe("clusters of the agents", asked, found)

    with control("where one is said for all, they share it"):
        shared = ITS_OWN.fails(clusters("one for all", {each: {} for each in AGENTS}))
        assert shared == {each: [ALL] for each in AGENTS}
    ITS_OWN(clusters("one each", {each: {"kubeconfig": said(each)} for each in AGENTS}))


ITS_ALONE = require(
    "of all containers the agent's alone has the kubeconfig", lambda found, name: found == [name]
)


@claim("per-agent-kubeconfig-from-secret")
@needs("tier:multicluster", "clone")
def test_no_other_container_has_the_kubeconfig(session: Session, subject: Subject) -> None:
    """Neither what prepares the pod nor what stands beside it works on that cluster."""
    clone = subject.config_clone.component

    def having(asked: str, objects: Sequence[Object]) -> list[str]:
        """Return the containers that get the Secret which the agent has at its KUBECONFIG; an observation."""
        agent = agent_container(objects, subject)
        path = next(str(each["value"]) for each in agent["env"] if each["name"] == "KUBECONFIG")
        named = {each["name"] for each in agent["volumeMounts"] if path.startswith(f"{each['mountPath']}/")}
        volumes = (pod_spec(workload(objects, subject.workload)) or {})["volumes"]
        secrets = [
            each["secret"]["secretName"] for each in volumes if each["name"] in named and "secret" in each
        ]
        specs = [spec for each in objects if (spec := pod_spec(each))]
        found = [each for secret in secrets for spec in specs for each in holders(spec, secret)]
        return observe("containers with the kubeconfig", asked, sorted(found))

    tier = subject.tiers["multicluster"]
    with control("an init container that has it too is seen"):
        doctored = rendered(session, components=tier)[0]
        pod = pod_spec(workload(doctored, subject.workload)) or {}
        pod["initContainers"][0]["volumeMounts"] = agent_container(doctored, subject)["volumeMounts"]
        ITS_ALONE.fails(having("doctored", doctored), subject.container)
    for more in ((), (clone,)):
        objects = rendered(session, components=(*tier, *more))[0]
        ITS_ALONE(having(" and ".join((*tier, *more)), objects), subject.container)
