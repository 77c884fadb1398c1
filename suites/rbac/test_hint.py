"""What the agent is told when the API server says Forbidden."""

from __future__ import annotations

from boxproof.agent.kubectl import kubectl
from boxproof.deployment.box import Box
from pytest_claims import claim, control
from pytest_claims.recording import observations

SIGNS = ("missing right", "tier")


def hints(box: Box, *words: str) -> list[str]:
    """Return the lines about missing rights that a kubectl command leaves; an observation."""
    said = kubectl(box, *words).stderr.splitlines()
    found = [each for each in said if all(sign in each for sign in SIGNS)]
    observations.record("hints", " ".join(words), found)
    return found


@claim("rbac-forbidden-hint")
def test_forbidden_comes_with_the_right_that_is_missing(box: Box) -> None:
    with control("a command that is allowed leaves no hint"):
        assert hints(box, "get", "pods", "--namespace", box.namespace) == []
    secrets = hints(box, "get", "secrets", "--namespace", box.namespace)
    assert len(secrets) == 1
    assert 'verb "list"' in secrets[0]
    assert 'resource "secrets"' in secrets[0]
    assert "no tier" in secrets[0]
    pods = hints(box, "delete", "pod", "no-such-pod", "--namespace", box.namespace)
    assert len(pods) == 1
    assert 'verb "delete"' in pods[0]
    assert "operator" in pods[0]
