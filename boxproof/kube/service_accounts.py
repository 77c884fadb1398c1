"""Tokens of service accounts, and kubeconfigs that carry them."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping

import yaml

from boxproof.kube.client import Kube
from pytest_claims.waiting import until

INSIDE = "https://kubernetes.default.svc"
LASTS = 3600  # seconds
CA = ("kube-root-ca.crt", "ca.crt")  # where every namespace has the cluster's CA


def token(kube: Kube, namespace: str, account: str) -> str:
    """Return a new token of a service account, which a new namespace has only after a moment."""
    until(lambda: kube.find("ServiceAccount", account, namespace), timeout=30, what=f"account {account}")
    path = kube.path("ServiceAccount", account, namespace) + "/token"
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"}
    found = kube.post(path, {**body, "spec": {"expirationSeconds": LASTS}})
    return str(found["status"]["token"])


def authority(kube: Kube, namespace: str = "default") -> str:
    """Return the CA of the API server, in PEM."""
    return str(kube.get("ConfigMap", CA[0], namespace)["data"][CA[1]])


def kubeconfig(tokens: Mapping[str, str], ca: str, *, server: str = INSIDE) -> str:
    """Return a kubeconfig with a context, cluster and user for each token, by name; the first is current."""
    names = list(tokens)
    cluster = {"server": server, "certificate-authority-data": b64encode(ca.encode()).decode()}
    made = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": each, "cluster": cluster} for each in names],
        "users": [{"name": each, "user": {"token": tokens[each]}} for each in names],
        "contexts": [{"name": each, "context": {"cluster": each, "user": each}} for each in names],
        "current-context": names[0],
    }
    return yaml.safe_dump(made)
