"""The two tiers as the access reviews see them: applied, their bindings in force, no pod needed."""

from __future__ import annotations

import pytest

from boxproof.deployment.box import Box
from boxproof.fixtures.box_fixtures import Tier
from boxproof.kube.client import Kube
from boxproof.kube.rbac.rules import in_force
from boxproof.subject.model import Subject


@pytest.fixture
def reader(box_applied: Box, kube: Kube) -> Box:
    """The default tier."""
    in_force(kube, box_applied.user)
    return box_applied


@pytest.fixture
def operator(tier: Tier, subject: Subject, kube: Kube) -> Box:
    """The operator tier."""
    if not subject.tiers.get("operator"):
        pytest.skip("the subject has no operator tier")
    made = tier(*subject.tiers["operator"], ready=False)
    in_force(kube, made.user)
    return made


@pytest.fixture(params=["reader", "operator"])
def either(request: pytest.FixtureRequest) -> Box:
    """Each of the two tiers."""
    found: Box = request.getfixturevalue(request.param)
    return found
