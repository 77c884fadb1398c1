"""What policy checks share: the agent once its policies took hold, and a pod that hears and says nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from boxproof.core.session import Session
from boxproof.deployment import deploy
from boxproof.deployment.box import Box
from boxproof.fixtures.factories import Listeners, Twins
from boxproof.kube.client import Kube
from boxproof.probes.network.enforcement import TAKES_HOLD, becomes, deny_all
from boxproof.probes.network.reach import DENIED, Reach, reached
from boxproof.probes.pods.probe_pods import Twin
from boxproof.probes.pods.startup_order import gate_ended
from pytest_claims.faults import DeadlineExceeded, EnvironmentFault
from pytest_claims.waiting import until

MUTED = {"boxproof.dev/canary": "muted"}


@pytest.fixture(scope="session")
def agent(box_applied: Box) -> Box:
    """The instance under test once its policies had time to take hold; its gate may hold it still."""
    box = box_applied.wait_addressed()
    with contextlib.suppress(DeadlineExceeded):  # what gets through, and what not, is for the checks to see
        until(lambda: gate_ended(box.pod_object()), timeout=TAKES_HOLD, what="the gate lets the agent go")
    return box


@pytest.fixture(scope="session")
def authority(session: Session) -> str:
    """The certificate of the authority that vouches for the stub, PEM."""
    return deploy.stub_of(session).ca


@pytest.fixture
def muted(kube: Kube, twin: Twins, aside: str, listener: Listeners) -> Iterator[Twin]:
    """A twin under a policy that denies everything, shown to be in force."""
    policy = deny_all(aside, MUTED, "muted")
    kube.apply([policy])
    made, target = twin(labels=MUTED), listener.on(twin())
    if becomes(made, target, DENIED) not in DENIED:
        raise EnvironmentFault(
            "a deny-all policy is not enforced", hint="the pod network must enforce policies"
        )
    if reached(twin(), target) is not Reach.OPEN:
        raise EnvironmentFault("the listener is not reached by another pod either")
    yield made
