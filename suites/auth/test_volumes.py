"""What holds the login is one agent's, in every tier."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from boxproof.core.session import Session
from boxproof.deployment.deploy import rendered
from boxproof.kube.client import Object
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require
from suites.auth.kept_claims import CLAIM, of_the_login

ONCE = frozenset({"ReadWriteOnce", "ReadWriteOncePod"})
OF_ONE = require("no claim of a tier can be mounted by two nodes", lambda found: found == [])


def claims(objects: Sequence[Object]) -> Iterator[tuple[str, list[str]]]:
    """Give the name and the access modes of each claim that objects make, or have made."""
    for each in objects:
        made = [each] if each["kind"] == CLAIM else (each.get("spec") or {}).get("volumeClaimTemplates") or ()
        yield from (
            (str(one["metadata"]["name"]), list(one["spec"].get("accessModes") or ())) for one in made
        )


@claim("one-credential-file-per-agent")
@needs("default-tier")
def test_no_claim_of_any_tier_is_for_two_nodes(session: Session, subject: Subject) -> None:
    def shared(asked: str, objects: Sequence[Object]) -> list[str]:
        found = [name for name, modes in claims(objects) if not modes or set(modes) - ONCE]
        return observe("claims for several nodes", asked, found)

    with control("a claim for many, and a template of one, are seen"):
        spec = {"accessModes": ["ReadWriteOnce", "ReadWriteMany"]}
        many: Object = {"kind": CLAIM, "metadata": {"name": "many"}, "spec": spec}
        OF_ONE.fails(shared("a claim", [many]))
        OF_ONE.fails(
            shared("a template", [{"kind": "StatefulSet", "spec": {"volumeClaimTemplates": [many]}}])
        )
    tiers = {
        name: of_the_login(rendered(session, components=components)[0], subject)
        for name, components in (subject.tiers or {"default": ()}).items()
    }
    if not any(tiers.values()):
        pytest.skip("no claim of its manifests holds the state of its agent")
    for name, objects in tiers.items():
        assert objects, f"tier {name} has no claim"
        OF_ONE(shared(f"tier {name}", objects))
