"""What the API server really stores: objects as they lie in etcd."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass

from boxproof.kube.client import Kube
from boxproof.kube.exec import exec_in
from pytest_claims.faults import EnvironmentFault
from pytest_claims.recording import observations

PKI = "/etc/kubernetes/pki/etcd"
CLIENT = (
    "etcdctl", "--endpoints=https://127.0.0.1:2379", f"--cacert={PKI}/ca.crt", f"--cert={PKI}/server.crt",
    f"--key={PKI}/server.key",
)  # fmt: skip
ENCRYPTED = b"k8s:enc:"


@dataclass(frozen=True)
class Stored:
    """One object as etcd has it: whether it is encrypted, and whether what was looked for stands in it."""

    key: str
    encrypted: bool
    holds: bool


def stored(kube: Kube, resource: str, namespace: str, wanted: str) -> list[Stored]:
    """Return the objects of a namespace as they are stored, and whether ``wanted`` can be read there.

    An observation. Raises EnvironmentFault if etcd does not answer.
    """
    pods = kube.list("Pod", "kube-system", "component=etcd")
    if not pods:
        raise EnvironmentFault("no etcd among the pods of kube-system")
    argv = [*CLIENT, "get", "--prefix", f"/registry/{resource}/{namespace}/", "--write-out=json"]
    done = exec_in(kube, "kube-system", pods[0]["metadata"]["name"], "etcd", argv, timeout=60)
    if not done.ok:
        raise EnvironmentFault(f"etcd does not answer: {done.stderr[-300:]}")
    found = [_stored(each, wanted) for each in json.loads(done.stdout).get("kvs", [])]
    facts = sorted({(each.encrypted, each.holds) for each in found})
    observations.record("etcd", f"{resource} of {namespace}", found, decides=facts)
    return found


def _stored(entry: dict[str, str], wanted: str) -> Stored:
    value = base64.b64decode(entry["value"])
    plain = base64.b64encode(wanted.encode()).strip(b"=")
    holds = wanted.encode() in value or plain in value
    return Stored(base64.b64decode(entry["key"]).decode(), value.startswith(ENCRYPTED), holds)
