"""What the agent is told when the API server says Forbidden."""

from __future__ import annotations

from boxproof.agent.agent_tools import kubectl
from boxproof.deployment.box import Box
from pytest_claims import claim, control, require
from pytest_claims.recording import observations

SIGNS = ("missing right", "tier")
HINTED = require(
    "one line says what is missing: {}, {}, {}",
    lambda found, *words: len(found) == 1 and all(each in found[0] for each in words),
)
BY_HAND = ('verb "list"', 'resource "secrets"', "no tier")
BY_TIER = ('verb "delete"', 'resource "pods"', "operator")


def hints(box: Box, *words: str) -> list[str]:
    """Return the lines about missing rights that a kubectl command leaves; an observation."""
    said = kubectl(box, *words).stderr.splitlines()
    found = [each for each in said if all(sign in each for sign in SIGNS)]
    observations.record("hints", " ".join(words), found)
    return found


@claim("rbac-forbidden-hint")
def test_forbidden_comes_with_the_right_that_is_missing(box: Box) -> None:
    with control("a command that is allowed leaves no hint"):
        HINTED.fails(hints(box, "get", "pods", "--namespace", box.namespace), *BY_HAND)
    HINTED(hints(box, "get", "secrets", "--namespace", box.namespace), *BY_HAND)
    HINTED(hints(box, "delete", "pod", "no-such-pod", "--namespace", box.namespace), *BY_TIER)
