"""What the agent is told when the API server says Forbidden."""

from __future__ import annotations

from boxproof.agent.agent_tools import kubectl
from boxproof.deployment.box import Box
from pytest_claims import claim, control, observe, require
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


FORMS = require(
    "whatever the form of the answer, one line says what is missing: {}, {}, {}",
    lambda found, *words: len(found) == 1 and all(each in found[0] for each in words),
)
OLDER = {"KUBECTL_REMOTE_COMMAND_WEBSOCKETS": "false"}  # exec is asked for once, with POST


def hinted(box: Box, *words: str) -> list[str]:
    """Return the lines about missing rights that a kubectl command leaves; an observation."""
    said = kubectl(box, *words, env=OLDER).stderr.splitlines()
    found = [each for each in said if all(sign in each for sign in SIGNS)]
    return observe("hints", " ".join(words), found)


@claim("rbac-forbidden-hint")
def test_each_form_of_forbidden_comes_with_a_hint(box: Box) -> None:
    """A resource below another one, a group with dots, all namespaces, no namespace at all, a path."""
    here = ("--namespace", box.namespace)
    into = ("exec", box.pod, "--container", box.container, *here, "--", "true")
    forms = {
        into: ('verb "create"', 'resource "pods/exec"', "operator"),
        ("create", "token", "default", *here): ('verb "create"', '"serviceaccounts/token"', "no tier"),
        ("get", "leases.coordination.k8s.io", *here): ('verb "list"', '"coordination.k8s.io"', "no tier"),
        ("get", "secrets", "--all-namespaces"): ('resource "secrets"', "in the whole cluster", "no tier"),
        ("get", "clusterroles"): ('resource "clusterroles"', "in the whole cluster", "no tier"),
        ("get", "--raw", "/metrics"): ('verb "get"', 'path "/metrics"', "no tier"),
    }
    with control("a command that is allowed leaves no hint"):
        FORMS.fails(hinted(box, "get", "pods", *here), *forms[into])
    for words, wanted in forms.items():
        FORMS(hinted(box, *words), *wanted)
