"""Secrets at rest, read back from etcd."""

from __future__ import annotations

from boxproof.deployment.box import Box
from boxproof.kube.client import Kube
from boxproof.probes.pods.helper_pods import applied, unique
from pytest_claims import claim, control, own_cluster
from suites.secrets.etcd import stored

OTHERS = ("configmaps", "statefulsets", "controllerrevisions", "pods")


@claim("secret-encrypted-at-rest")
@own_cluster()
def test_etcd_has_the_secret_in_no_readable_form(box_applied: Box, kube: Kube, aside: str) -> None:
    box, canary = box_applied, unique("stub-token")
    meta = {"name": unique("canary"), "namespace": aside}
    plain = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"token": canary}}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": {"token": canary}}
    with applied(kube, plain, secret):
        with control("the same words in a ConfigMap, which nothing encrypts, are read back from etcd"):
            found = stored(kube, "configmaps", aside, canary)
            assert [each.encrypted for each in found if each.holds] == [False]
        assert not any(each.holds or not each.encrypted for each in stored(kube, "secrets", aside, canary))
    own = stored(kube, "secrets", box.namespace, box.token)
    assert own, "the box has no Secret"
    assert [each.key for each in own if each.holds or not each.encrypted] == []
    readable = [
        each.key for name in OTHERS for each in stored(kube, name, box.namespace, box.token) if each.holds
    ]
    assert readable == []
