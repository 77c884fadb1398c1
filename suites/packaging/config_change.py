"""An instance whose ConfigMaps change, and that is restarted to take notice."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

from boxproof.deployment.box import Box
from boxproof.fixtures.helm_release import Release
from boxproof.kube.client import Kube, NotFound
from boxproof.kube.exec import exec_in
from boxproof.subject.manifests.pod_specs import pod_spec, selector
from pytest_claims import observe
from pytest_claims.faults import SubjectFault
from pytest_claims.waiting import NotYet, until


def changed(kube: Kube, box: Box, key: str, value: str) -> None:
    """Set a key of the ConfigMap that has it; raises SubjectFault if none of the instance's has."""
    for each in box.objects:
        if each["kind"] == "ConfigMap" and key in each.get("data", {}):
            path = kube.path("ConfigMap", each["metadata"]["name"], box.namespace)
            kube.patch(path, {"data": {key: value}})
            return
    raise SubjectFault(f"no ConfigMap has {key}")


def restarted(box: Box, *, timeout: float = 120) -> None:
    """Delete the pod and wait until the next one's container runs, Ready or not; raises DeadlineExceeded."""
    old = box.pod_object()["metadata"]["uid"]
    box.delete_pod(wait=False)

    def runs() -> bool:
        pod = box.pod_object()
        if pod["metadata"]["uid"] == old:
            raise NotYet("the old pod is there")
        if "running" not in box.status().get("state", {}):
            raise NotYet(str(pod["status"].get("phase")))
        return True

    until(runs, timeout=timeout, what=f"{box.label} runs again", transient=(NotFound,))


def words(settings: Mapping[str, str]) -> list[str]:
    """Return Helm's options for a log level, an MCP server and a name that the proxy lets through."""
    servers = {"mcpServers": {settings["servers"]: {"type": "stdio", "command": "true"}}}
    return [
        f"--set=config.BOX_LOG_LEVEL={settings['BOX_LOG_LEVEL']}",
        f"--set-json=mcp={json.dumps(json.dumps(servers))}",
        f"--set-json=network.allowed={json.dumps(['api.anthropic.com', settings['names']])}",
    ]


def pods(release: Release) -> dict[str, str]:
    """Return the uid of each pod of a release that reads a ConfigMap, by the workload it belongs to."""
    found = {}
    for each in release.rendered:
        spec = pod_spec(each)
        if spec is None or each["kind"] not in ("StatefulSet", "Deployment") or not _reads_a_map(spec):
            continue
        live = release.kube.list("Pod", release.namespace, selector(each))
        going = [one for one in live if "deletionTimestamp" not in one["metadata"]]
        found[f"{each['kind']} {each['metadata']['name']}"] = " ".join(
            sorted(one["metadata"]["uid"] for one in going)
        )
    return found


def kept(release: Release, before: Mapping[str, str]) -> list[str]:
    """Return the workloads that read a ConfigMap and whose pods are the same as before; an observation."""
    now = pods(release)
    return observe(
        "not restarted", release.name, sorted(name for name, uid in before.items() if now.get(name) == uid)
    )


def renewed(release: Release, before: Mapping[str, str]) -> list[str]:
    """Return the workloads that read a ConfigMap and whose pods are others than before; an observation."""
    now = pods(release)
    return observe(
        "restarted", release.name, sorted(name for name, uid in before.items() if now.get(name) != uid)
    )


def in_force(release: Release, settings: Mapping[str, str]) -> dict[str, str]:
    """Return what the running pods have of ``settings``, "" for what they do not have; an observation."""
    box = release.box
    level = box.exec(["printenv", "BOX_LOG_LEVEL"]).stdout.strip()
    servers = box.exec(["cat", release.charts.subject.mcp.config]).stdout
    found = {
        "BOX_LOG_LEVEL": level if level == settings["BOX_LOG_LEVEL"] else "",
        "servers": settings["servers"] if settings["servers"] in servers else "",
        "names": settings["names"] if _proxied(release, settings["names"]) else "",
    }
    return observe("in force", release.name, found)


def _proxied(release: Release, name: str) -> bool:
    """Return whether a name is in the files of a running pod beside the agent's that reads a ConfigMap."""
    for each in release.rendered:
        spec = pod_spec(each)
        if each["kind"] != "Deployment" or spec is None or not _reads_a_map(spec):
            continue
        for pod in release.kube.list("Pod", release.namespace, selector(each)):
            for container in spec["containers"]:
                paths = [one["mountPath"] for one in container.get("volumeMounts") or ()]
                run = partial(
                    exec_in, release.kube, release.namespace, pod["metadata"]["name"], container["name"]
                )
                if paths and run(["grep", "-rqF", name.replace(".", r"\."), *paths], timeout=30).ok:
                    return True
                if paths and run(["grep", "-rqF", name, *paths], timeout=30).ok:
                    return True
    return False


def _reads_a_map(spec: Mapping[str, Any]) -> bool:
    """Return whether a pod gets something of a ConfigMap, as files or as variables."""
    text = json.dumps(spec)
    return '"configMap"' in text or "configMapRef" in text or "configMapKeyRef" in text
