"""cyclonus' pods: what agnhost says of a connection, and until when a pod's policies are not in force."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

import pytest

from boxproof.core.process import Result
from boxproof.kube.client import Kube, Object
from boxproof.operations import cyclonus
from boxproof.operations.cyclonus import Peer, connect, in_force
from boxproof.probes.reach import Reach
from pytest_claims.faults import EnvironmentFault

PODS = [Peer("x", "a", "10.0.0.1"), Peer("x", "b", "10.0.0.2"), Peer("y", "a", "10.0.0.3")]


class FakeKube:
    """Holds policies; a pod of ``free`` is in a direction that they never reach."""

    def __init__(self, free: Iterable[tuple[str, str]] = ()) -> None:
        self.policies: dict[tuple[str, str], Object] = {}
        self.free = set(free)

    def apply(self, objects: Iterable[Object]) -> None:
        """Hold policies."""
        self.policies |= {(each["metadata"]["namespace"], each["metadata"]["name"]): each for each in objects}

    def delete(self, objects: Iterable[Object]) -> None:
        """Let go of them."""
        for each in objects:
            del self.policies[each["metadata"]["namespace"], each["metadata"]["name"]]

    def denies(self, pod: Peer, direction: str) -> bool:
        """Return whether a policy denies a pod a direction."""
        types = [
            each["spec"]["policyTypes"]
            for (space, _), each in self.policies.items()
            if space == pod.namespace
        ]
        return [direction] in types and (pod.text, direction) not in self.free


@pytest.fixture
def agnhost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have connections end as the policies of the fake say."""

    def exec_in(
        kube: Any, namespace: str, pod: str, container: str, argv: Sequence[str], *, timeout: float
    ) -> Result:
        source = next(each for each in PODS if (each.namespace, each.name) == (namespace, pod))
        target = next(each for each in PODS if argv[2] == f"{each.address}:80")
        denied = kube.denies(source, "Egress") or kube.denies(target, "Ingress")
        return Result(tuple(argv), int(denied), "", "TIMEOUT\n" if denied else "", timeout)

    monkeypatch.setattr(cyclonus, "exec_in", exec_in)


def test_policies_are_seen_in_force_for_each_pod_both_ways(agnhost: None) -> None:
    kube = FakeKube()
    found = in_force(cast(Kube, kube), PODS)
    assert set(found) == {f"{each.text}, {way}" for each in PODS for way in ("egress", "ingress")}
    assert kube.policies == {}


@pytest.mark.parametrize(
    ("direction", "said"),
    [
        ("Egress", "egress are not in force.*: x/b -> y/a$"),
        ("Ingress", "ingress are not in force.*: x/a -> x/b$"),
    ],
)
def test_a_pod_that_stays_free_is_named(
    agnhost: None, monkeypatch: pytest.MonkeyPatch, direction: str, said: str
) -> None:
    monkeypatch.setattr(cyclonus, "BY_THEN", 0.3)
    kube = FakeKube([("x/b", direction)])
    with pytest.raises(EnvironmentFault, match=said):
        in_force(cast(Kube, kube), PODS)
    assert kube.policies == {}


@pytest.mark.parametrize(
    ("code", "said", "end"),
    [
        (0, "", Reach.OPEN),
        (1, "TIMEOUT\n", Reach.FILTERED),
        (1, "REFUSED: connection refused\n", Reach.REFUSED),
        (1, "OTHER: no route to host\n", Reach.NO_ROUTE),
    ],
)
def test_what_agnhost_says_is_understood(
    monkeypatch: pytest.MonkeyPatch, code: int, said: str, end: Reach
) -> None:
    monkeypatch.setattr(cyclonus, "exec_in", lambda *_, **__: Result((), code, "", said, 0.1))
    assert connect(cast(Kube, None), PODS[0], PODS[1]) is end


def test_an_agnhost_that_does_not_start_is_no_denial(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cyclonus, "exec_in", lambda *_, **__: Result((), 127, "", "no such file", 0.1))
    with pytest.raises(EnvironmentFault, match="agnhost broke in x/a: 127"):
        connect(cast(Kube, None), PODS[0], PODS[1])
