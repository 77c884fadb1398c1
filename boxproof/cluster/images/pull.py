"""Images by way of a registry that the nodes pull from: pushed under their own tags, and pulled."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from boxproof.core.process import Result
from boxproof.core.session import EngineInfo
from boxproof.host.engine.docker_cli import docker, image_id
from boxproof.kube.client import Kube, NotFound, Object
from boxproof.kube.pod_faults import IMAGE
from boxproof.probes.pods import helper_pods, probe_pods
from pytest_claims import progress
from pytest_claims.faults import EnvironmentFault
from pytest_claims.waiting import NotYet, until

TIMEOUT = 900.0  # seconds for some hundred megabytes on each node
NODES = 8  # at most: in a larger cluster the other nodes pull when a pod lands there
HINT = "the nodes have to pull from that registry, without a Secret: docs/existing-cluster.md"
IDLE = ("sleep", "infinity")


def pull(kube: Kube, namespace: str, wanted: Mapping[str, Sequence[str]], labels: Mapping[str, str]) -> None:
    """Have nodes pull images: ``wanted`` are the ids each may have there, its manifest's and its own.

    Raises EnvironmentFault where a node does not, or has other content under a name: one that has a name
    already does not ask the registry again.
    """
    workers = helper_pods.workers(kube)
    chosen = workers if len(workers) <= NODES else [*workers[: NODES - 1], workers[-1]]
    made = [_pod(namespace, tuple(wanted), node, labels) for node in chosen]
    with progress.step(f"images on {len(chosen)} of {len(workers)} nodes") as report:
        for each in made:
            kube.create(each)
        for each in made:
            node = each["spec"]["nodeName"]
            report(node)
            found = _pulled(kube, each)
            for reference, runs in found.items():
                if not runs.endswith(tuple(wanted[reference])):
                    hint = f"remove it there; {HINT}"
                    raise EnvironmentFault(
                        f"the node {node} has {runs} as {reference}, not what was pushed", hint=hint
                    )
        kube.delete(made, grace=0)


def _pod(namespace: str, references: Sequence[str], node: str, labels: Mapping[str, str]) -> Object:
    """Return a pod of all images: that they start in it is of no account."""
    name = f"boxproof-pull-{secrets.token_hex(3)}"
    pod = probe_pods.manifest(name, namespace, references[0], labels=labels, node=node)
    one = pod["spec"]["containers"][0]
    pod["spec"]["containers"] = [
        one | {"name": f"image-{number}", "image": each, "command": list(IDLE)}
        for number, each in enumerate(references)
    ]
    return pod


def _pulled(kube: Kube, pod: Object) -> dict[str, str]:
    """Return the id of each image of a pod once its node has them all; raises EnvironmentFault."""
    meta, node = pod["metadata"], pod["spec"]["nodeName"]
    images = {each["name"]: each["image"] for each in pod["spec"]["containers"]}

    def look() -> dict[str, str]:
        live = kube.get("Pod", meta["name"], meta["namespace"])
        statuses: list[dict[str, Any]] = live.get("status", {}).get("containerStatuses") or []
        for each in statuses:
            waiting = each.get("state", {}).get("waiting", {})
            if waiting.get("reason") in IMAGE:
                why = " ".join(str(waiting.get("message") or waiting["reason"]).split())
                raise EnvironmentFault(
                    f"the node {node} does not pull {images[each['name']]}: {why}", hint=HINT
                )
        found = {images[each["name"]]: str(each["imageID"]) for each in statuses if each.get("imageID")}
        if len(found) < len(images):
            raise NotYet(f"{len(found)} of {len(images)}")
        return found

    return until(look, timeout=TIMEOUT, what=f"images on {node}", transient=(NotFound,), every=0.5, hint=HINT)


PUSH_TIMEOUT = 1800.0
PUSHED = re.compile(r"digest: (sha256:[0-9a-f]{64})")
PULLED = re.compile(r"^Digest: (sha256:[0-9a-f]{64})$", re.MULTILINE)


def push(engine: EngineInfo, reference: str, registry: str) -> tuple[str, str]:
    """Push an image of the engine as ``registry``/NAME:TAG; return that reference and its manifest's digest.

    What the registry then gives under the tag has to be the same image: the engine asks, so that its logins
    and settings hold. The engine keeps the name. Raises EnvironmentFault.
    """
    target = f"{registry}/{reference}"
    wanted = image_id(engine, reference)
    docker(engine, "tag", reference, target)
    with progress.step(f"pushing {target}") as report:
        done = docker(engine, "push", target, timeout=PUSH_TIMEOUT, check=False, on_line=report)
        pushed = PUSHED.search(done.stdout)
        if not done.ok or not pushed:
            hint = f"see that `docker push {target}` works: docs/existing-cluster.md"
            raise EnvironmentFault(
                f"the registry {registry} does not take {reference}: {_last(done)}", hint=hint
            )
        back = docker(engine, "pull", target, timeout=PUSH_TIMEOUT, check=False)
    given = PULLED.search(back.stdout)
    if not back.ok or not given:
        raise EnvironmentFault(f"the registry {registry} does not give {reference} back: {_last(back)}")
    if given[1] != pushed[1] or image_id(engine, target) != wanted:
        text = (
            f"the registry {registry} gives another {reference} than was pushed: {given[1]}, not {pushed[1]}"
        )
        raise EnvironmentFault(text, hint="does somebody else push there just now?")
    return target, pushed[1]


def _last(result: Result) -> str:
    lines = (result.stderr.strip() or result.stdout.strip()).splitlines()
    return lines[-1].strip() if lines else f"exit code {result.code}"
