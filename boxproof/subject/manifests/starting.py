"""What the harness puts into the agent's pod, so that any box comes up here: image, environment, login."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from boxproof.subject.manifests.pod_specs import agent, agent_container, containers, pod_spec
from boxproof.subject.model import Subject

Objects = list[dict[str, Any]]
LOGIN, CA = "boxproof-login", "boxproof-ca"
CA_PLACE = "/etc/boxproof-ca"


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
