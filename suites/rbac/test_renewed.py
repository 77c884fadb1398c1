"""A token of the account lasts for an hour: the kubelet renews the files of a volume, and no single one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from boxproof.deployment.box import Box
from pytest_claims import claim, control, needs, observe, require

PLACE = "/var/run/secrets/kubernetes.io/serviceaccount"
RENEWED = require(
    "no token of the account is mounted as one file, which is never renewed", lambda found: found == []
)


def stale(pod: Mapping[str, Any]) -> Iterator[str]:
    """Give where containers that stay have a token of the account by a part of its volume."""
    tokens = {each["name"] for each in pod.get("volumes") or () if has_token(each)}
    firsts = (each for each in pod.get("initContainers") or () if each.get("restartPolicy") == "Always")
    for each in (*pod.get("containers", ()), *firsts):
        for mount in each.get("volumeMounts") or ():
            if mount["name"] in tokens and (mount.get("subPath") or mount.get("subPathExpr")):
                yield f"{each['name']}: {mount['mountPath']}"


def has_token(volume: Mapping[str, Any]) -> bool:
    """Return whether a volume has a token of the account that ends."""
    sources = (volume.get("projected") or {}).get("sources") or ()
    return any("serviceAccountToken" in each for each in sources)


@claim("rbac-sa-token-usable-in-pod")
@needs("box", "rights")
def test_no_tier_has_a_token_that_is_never_renewed(tiers_as_rendered: Mapping[str, Box]) -> None:
    def found(asked: str, pod: Mapping[str, Any]) -> list[str]:
        return observe("tokens that are not renewed", asked, sorted(stale(pod)))

    token = {"name": "account", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}
    for key in ("subPath", "subPathExpr"):
        with control(f"one that is mounted by {key} is seen"):
            mount = {"name": "account", "mountPath": f"{PLACE}/token", key: "token"}
            pod = {"containers": [{"name": "one", "volumeMounts": [mount]}], "volumes": [token]}
            RENEWED.fails(found(f"doctored, {key}", pod))
    for name, tier in tiers_as_rendered.items():
        RENEWED(found(name, tier.spec))
