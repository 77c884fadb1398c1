"""What a kubelet changes on the volume at each start of a pod, unless it is told otherwise: every mode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from boxproof.core.session import Session
from boxproof.deployment.deploy import rendered
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require
from suites.auth.opened_claims import reopened

AS_THEY_ARE = require(
    "no pod has what is on a claim opened for its group at each start", lambda found: found == []
)
POD: dict[str, Any] = {
    "securityContext": {"fsGroup": 1000},
    "volumes": [{"name": "home", "persistentVolumeClaim": {"claimName": "home"}}],
}


@claim("auth-login-for-its-user-alone")
@needs("box")
def test_no_pod_has_the_modes_on_the_volume_changed(session: Session, subject: Subject) -> None:
    """Those of every tier, and the one that is applied for a backup: kind's own volumes do not show it."""

    def seen(asked: str, objects: Sequence[Mapping[str, Any]]) -> list[str]:
        return observe("pods that change modes", asked, reopened(objects))

    with control("a pod that says nothing, and one that says Always, are seen"):
        for policy in ({}, {"fsGroupChangePolicy": "Always"}):
            spec = POD | {"securityContext": POD["securityContext"] | policy}
            AS_THEY_ARE.fails(seen("doctored", [{"kind": "Pod", "metadata": {"name": "p"}, "spec": spec}]))
    for name, components in (subject.tiers or {"default": ()}).items():
        AS_THEY_ARE(seen(f"tier {name}", rendered(session, components=components)[0]))
    path = subject.path(subject.storage.pod) if subject.storage.pod else None
    by_hand = [each for each in yaml.safe_load_all(path.read_text()) if each] if path else []
    AS_THEY_ARE(seen("applied by hand", by_hand))
