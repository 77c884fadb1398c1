"""What several policy checks share: a pod that hears and says nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from boxproof.errors import EnvironmentFault
from boxproof.kube.client import Kube
from boxproof.probes.enforcement import becomes, deny_all
from boxproof.probes.pods import Twin
from boxproof.probes.reach import DENIED, reach
from boxproof.proof.factories import Listeners, Twins

MUTED = {"boxproof.dev/canary": "muted"}


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
    assert reach(twin(), target) not in DENIED
    yield made
