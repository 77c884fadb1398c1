"""The same rules for clusters with Cilium, as far as they can be read: none of ours has it."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from boxproof.core.session import ClusterInfo, Session
from boxproof.deployment.deploy import rendered
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe
from suites.netpol import cilium

COMPONENT = "cilium"
LIST = "allowed"


@pytest.fixture
def objects(session: Session, subject: Subject) -> list[dict[str, Any]]:
    """The rendered objects with the component."""
    if subject.path(f"{subject.manifests.components}/{COMPONENT}") is None:
        pytest.skip("the subject has no policy for Cilium")
    return rendered(session, components=(COMPONENT,))[0]


@claim("netpol-fqdn-allowlist-cilium")
def test_the_policy_names_what_the_proxy_allows(objects: list[dict[str, Any]]) -> None:
    policy = next(each for each in objects if each["kind"] == cilium.KIND)
    names = allowed(objects)
    assert names
    with control("a policy that resolves one name only, in its own namespace, is seen to be wrong"):
        wrong = copy.deepcopy(policy)
        rule = wrong["spec"]["egress"][0]
        rule["toPorts"][0]["rules"]["dns"] = [{"matchPattern": names[0]}]
        del rule["toEndpoints"][0]["matchLabels"][cilium.SPACE]
        found = " ".join(observe("problems", "the wrong one", cilium.problems(wrong, names)))
        assert "does not name the namespace" in found
        assert "only some names resolve" in found
    assert observe("problems", COMPONENT, cilium.problems(policy, names)) == []


@claim("netpol-fqdn-allowlist-cilium")
def test_cilium_enforces_the_policy(cluster: ClusterInfo) -> None:
    pytest.skip(f"the policy was read, not tried: no cluster of ours has Cilium, this one has {cluster.cni}")


def allowed(objects: list[dict[str, Any]]) -> list[str]:
    """Return the names on the proxy's list."""
    texts = [each["data"][LIST] for each in objects if each["kind"] == "ConfigMap" and LIST in each["data"]]
    return [each for text in texts for each in text.split()]
