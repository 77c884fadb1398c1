"""What the harness changes in objects so that any box comes up here: namespace, image, environment, login."""

from __future__ import annotations

import base64
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from boxproof.subject.manifests import derive
from boxproof.subject.manifests.derive import DEFINITIONS
from boxproof.subject.manifests.pod_specs import (
    GROUPS,
    agent,
    agent_container,
    containers,
    is_clustered,
    limited,
    pod_spec,
)
from boxproof.subject.model import Subject

Objects = list[dict[str, Any]]
LOGIN, CA = "boxproof-login", "boxproof-ca"
CA_PLACE = "/etc/boxproof-ca"
LITTLE = "50m"  # of a processor: some thirty instances then fit where the scheduler counts two
SHARED = frozenset({"default", "kube-system", "kube-public", "kube-node-lease"})  # nobody's to make or remove


def repository(reference: str) -> str:
    """Return an image's name without tag and digest; the port of a registry is no tag."""
    bare = reference.partition("@")[0]
    head, slash, last = bare.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"


def set_image(objects: Objects, subject: Subject, image: str) -> list[str]:
    """Have the agent's container, and all that name the same image, run ``image``; returns what they named.

    Whatever tag or digest stands there is replaced; a pull policy that asks a registry each time gives way
    where the subject is not one that says how its image is loaded.
    """
    own = agent_container(objects, subject)
    names = {subject.image.name, repository(str(own.get("image", "")))} - {""}
    replaced = []
    for where, container in containers(objects):
        named = str(container.get("image", ""))
        if container is not own and repository(named) not in names:
            continue
        if named != image:
            replaced.append(f"{where}: {named or 'no image'}")
        container["image"] = image
        if "box" not in subject.profiles and container.get("imagePullPolicy") == "Always":
            container["imagePullPolicy"] = "IfNotPresent"
            replaced.append(f"{where}: imagePullPolicy Always")
    return replaced


def patched(objects: Objects, subject: Subject, files: Mapping[str, bytes]) -> list[str]:
    """Put what ``[start]`` says into the agent's container, in place; returns the patch as lines of a report.

    ``files`` has the login as "token" and the stub's CA as "ca.crt".
    """
    start, told = subject.start, []
    workload = agent(objects, subject)
    where = workload["metadata"].get("namespace")
    container = agent_container(objects, subject)
    for name, data in start.secrets.items():
        objects.append(_secret(name, where, {key: value.encode() for key, value in data.items()}))
        told.append(f"keys {', '.join(data)} of Secret {name}")
    for name, value in start.env.items():
        _set(container, {"name": name, "value": value})
        told.append(f"env {name}={value}")
    if start.token_env:
        objects.append(_secret(LOGIN, where, {"token": files["token"]}))
        _set(container, {"name": start.token_env,
                         "valueFrom": {"secretKeyRef": {"name": LOGIN, "key": "token"}}})  # fmt: skip
        told.append(f"env {start.token_env} from Secret {LOGIN}")
    if start.ca_env and "ca.crt" in files:
        _add_ca(objects, workload, container, files["ca.crt"].decode())
        _set(container, {"name": start.ca_env, "value": f"{CA_PLACE}/ca.crt"})
        told.append(f"env {start.ca_env}, the CA of the API's stub in {CA_PLACE}")
    return told


def ranged(objects: Objects) -> None:
    """Give each container, in place, what a LimitRange among the objects has the API server give it."""
    ranges = [each for each in objects if each["kind"] == "LimitRange"]
    for _, container in containers(objects, GROUPS[:2]) if ranges else ():
        told = {kind: each for kind, each in limited(container, ranges).items() if each}
        container["resources"] = {**(container.get("resources") or {}), **told}


def _set(container: dict[str, Any], variable: dict[str, Any]) -> None:
    others = [each for each in container.get("env") or () if each["name"] != variable["name"]]
    container["env"] = [*others, variable]


def _secret(name: str, namespace: str | None, data: Mapping[str, bytes]) -> dict[str, Any]:
    encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
    meta = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": encoded}


def _add_ca(objects: Objects, workload: dict[str, Any], container: dict[str, Any], text: str) -> None:
    where = workload["metadata"].get("namespace")
    meta = {"name": CA} | ({"namespace": where} if where else {})
    objects.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"ca.crt": text}})
    spec = pod_spec(workload)
    if spec is None:
        return
    spec["volumes"] = [*(spec.get("volumes") or ()), {"name": CA, "configMap": {"name": CA}}]
    mount = {"name": CA, "mountPath": CA_PLACE, "readOnly": True}
    container["volumeMounts"] = [*(container.get("volumeMounts") or ()), mount]


def housed(objects: Sequence[dict[str, Any]], subject: Subject) -> tuple[Objects, str]:
    """Return the objects in a namespace that comes and goes with them, and its name.

    Where they bring their agent's Namespace nothing changes. Else one is added: called as they or the subject
    call it, and as the subject where that is a namespace every cluster has.
    """
    made = list(objects)
    where = str(agent(made, subject)["metadata"].get("namespace") or subject.namespace)
    for each in made:
        if not is_clustered(each, made):
            each["metadata"].setdefault("namespace", where)
    if any(each["kind"] == "Namespace" and each["metadata"]["name"] == where for each in made):
        return made, where
    own = _slug(subject.name) if where in SHARED else where
    if own != where:
        made = derive.derive(made, namespace=own, suffix="", old=where)
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": own}}
    return [space, *made], own


def _slug(name: str) -> str:
    """Return a name as a namespace can have it."""
    return re.sub(r"[^a-z0-9]+", "-", f"boxproof-{name.lower()}").strip("-")[:40].rstrip("-")


def freed(objects: Objects) -> list[str]:
    """Take from objects, in place, what only one instance of a cluster can have; returns what that was.

    A port of every node, a port of the node the pod is on, the host names of an Ingress, and definitions of
    kinds, which the first instance brings.
    """
    gone = [f"{each['kind']}/{each['metadata']['name']}" for each in objects if each["kind"] in DEFINITIONS]
    objects[:] = [each for each in objects if each["kind"] not in DEFINITIONS]
    for each in objects:
        where = f"{each['kind']}/{each['metadata']['name']}"
        ports = [*_ports(each)]
        for port, key in ((port, key) for port in ports for key in ("nodePort", "hostPort")):
            if port.pop(key, None) is not None:
                gone.append(f"{key} of {where}")
        if each["kind"] == "Ingress":
            named = [rule for rule in each["spec"].get("rules") or () if rule.pop("host", "")]
            tls = each["spec"].pop("tls", None)
            gone += [f"host names of {where}"] if named or tls else []
    return gone


def foreign(objects: Sequence[dict[str, Any]], groups: Collection[str]) -> Objects:
    """Return the objects of API groups that are not among ``groups`` and that none of them defines.

    An operator or a monitor that a cluster of ours does not have would take care of them.
    """
    brought = {each["spec"].get("group") for each in objects if each["kind"] in DEFINITIONS}
    return [each for each in objects if _group(each) not in brought and _group(each) not in groups]


def _group(manifest: dict[str, Any]) -> str:
    group, slash, _ = str(manifest["apiVersion"]).partition("/")
    return group if slash else ""


def packed(objects: Objects) -> None:
    """Have the containers of a further instance ask for little processor time, in place.

    Checks stand side by side in a small cluster of ours, and most of their instances only wait: where each
    asks for what an agent at work needs, a scheduler keeps the next one waiting on an idle machine. What a
    container may use (its limits) and its memory stay, and so does what is asked for where that is the limit,
    as it decides on the pod's class of service.
    """
    from kubernetes.utils.quantity import parse_quantity

    for _, container in containers(objects):
        resources = container.get("resources") or {}
        asked, limit = (str((resources.get(kind) or {}).get("cpu", "")) for kind in ("requests", "limits"))
        if asked and asked != limit and parse_quantity(asked) > parse_quantity(LITTLE):
            resources["requests"]["cpu"] = LITTLE


def judging_its_own(objects: Objects, namespace: str) -> None:
    """Have the admission policies of a further instance judge the accounts of its own namespace, in place.

    Others stand beside it: what one does not refuse was refused by theirs.
    """
    own = f'request.userInfo.username.startsWith("{derive.ACCOUNTS[0].format(namespace)}")'
    for each in objects:
        if each["kind"] == "ValidatingAdmissionPolicy":
            conditions = each.setdefault("spec", {}).setdefault("matchConditions", [])
            conditions.append({"name": "accounts-of-this-instance", "expression": own})


def _ports(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    if manifest["kind"] == "Service":
        return list(manifest["spec"].get("ports") or ())
    spec = pod_spec(manifest) or {}
    return [port for group in GROUPS for each in spec.get(group) or () for port in each.get("ports") or ()]
