"""The stub in a cluster that is not ours: a pod and a Service in a namespace of its own."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import urlencode

from boxproof.core.labels import RUN_LABEL
from boxproof.core.session import StubInfo
from boxproof.kube import pod_status
from boxproof.kube.client import Kube, Object
from boxproof.probes.pods import probe_pods
from boxproof.stubs.certificates import DIRECTORY, Authority
from pytest_claims import progress
from pytest_claims.faults import EnvironmentFault
from pytest_claims.waiting import until

NAME = "boxproof-stub"
LABELS = {"app.kubernetes.io/name": NAME}
TLS_PORT, CONTROL_PORT = 443, 8081
MAY_BIND = {  # a policy speaks of the port of the pod: it has to be that of the real API
    "runAsUser": 0, "runAsNonRoot": False, "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
}  # fmt: skip
START = 60.0  # seconds; the nodes have the image
ANSWERS = 30.0


class Side:
    """The control side of that stub, asked through the API server, which reaches its Service."""

    def __init__(self, kubeconfig: str, service: str) -> None:
        self.kube = Kube(kubeconfig)
        namespace, _, name = service.partition("/")
        self.path = f"/api/v1/namespaces/{namespace}/services/{name}:{CONTROL_PORT}/proxy"

    def ask(self, method: str, path: str, body: object, query: dict[str, str] | None) -> dict[str, Any]:
        """Return what the control side answers; raises EnvironmentFault."""
        if method == "POST":
            return self.kube.post(f"{self.path}{path}", body if isinstance(body, dict) else {})
        return self.kube.raw(f"{self.path}{path}" + (f"?{urlencode(query)}" if query else ""))

    def close(self) -> None:
        """Close the connections."""
        self.kube.close()


def objects(namespace: str, image: str, authority: Authority, labels: dict[str, str]) -> list[Object]:
    """Return the pod, its certificate and its Service; ``labels`` are those of the run."""
    meta = {"name": NAME, "namespace": namespace, "labels": LABELS | labels}
    files = {"tls.crt": authority.chain, "tls.key": authority.key}
    data = {name: base64.b64encode(content).decode() for name, content in files.items()}
    pod = probe_pods.manifest(NAME, namespace, image, labels=meta["labels"], security=MAY_BIND)  # type: ignore[arg-type]
    container = pod["spec"]["containers"][0]
    container["command"] = [probe_pods.PROGRAM, "stub"]
    container["readinessProbe"] = {"tcpSocket": {"port": CONTROL_PORT}, "periodSeconds": 1}
    container["volumeMounts"] = [{"name": "certificate", "mountPath": f"/{DIRECTORY}", "readOnly": True}]
    pod["spec"]["volumes"] = [{"name": "certificate", "secret": {"secretName": NAME}}]
    pod["spec"]["restartPolicy"] = "Always"
    del pod["spec"]["tolerations"]
    ports = [{"name": "tls", "port": TLS_PORT}, {"name": "control", "port": CONTROL_PORT}]
    service = {"selector": LABELS, "ports": ports}
    return [
        {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": data},
        {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": service},
        pod,
    ]


def start(kube: Kube, namespace: str, image: str, authority: Authority, run: str) -> tuple[str, str]:
    """Start the stub in ``namespace`` and return its Service, "NAMESPACE/NAME", and that one's address.

    Raises EnvironmentFault when it does not start, or does not answer.
    """
    with progress.step("stub Anthropic API in the cluster"):
        kube.apply(objects(namespace, image, authority, {RUN_LABEL: run}))
        pod_status.ready(kube, namespace, NAME, START)
        side = Side(kube.kubeconfig, f"{namespace}/{NAME}")
        until(
            lambda: side.ask("GET", "/requests", None, None) is not None,
            timeout=ANSWERS,
            what="the stub in the cluster answers through the API server",
            transient=(EnvironmentFault,),
            every=0.5,
        )
        side.close()
    address = str(kube.get("Service", NAME, namespace)["spec"]["clusterIP"])
    return f"{namespace}/{NAME}", address


def side_of(info: StubInfo) -> Side | None:
    """Return the control side of the stub in the cluster, None where there is none."""
    return Side(info.kubeconfig, info.service) if info.service else None
