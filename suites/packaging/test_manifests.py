"""The manifests: valid, in any combination, applied at the first try, in a namespace of their own."""

from __future__ import annotations

import itertools
from typing import Any

from boxproof.core.labels import RUN_LABEL
from boxproof.core.session import Session
from boxproof.deployment.box import Box
from boxproof.fixtures.applied_objects import Applied, Conformity, refused
from boxproof.fixtures.charts import Charts
from boxproof.kube.client import Kube
from boxproof.subject.manifests.object_diff import called
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe

LEAST = 5
Objects = list[dict[str, Any]]


def misspelt(objects: Objects) -> Objects:
    """Return the first object alone, with a field that nobody knows."""
    return [{**objects[0], "metdata": {}}]


@claim("manifests-valid-and-apply-once")
def test_base_and_components_are_valid_in_any_pair(
    charts: Charts, conformity: Conformity, session: Session, subject: Subject
) -> None:
    names = sorted(each.name for each in (subject.directory / subject.manifests.components).iterdir())
    base = charts.base()
    with control("a field that nobody knows is found, by the schemas and by the API server"):
        assert len(conformity("a misspelt field", misspelt(base))) == 1
        assert "metdata" in refused(session, "a misspelt field", misspelt(base))
    pairs = [sorted({*pair}) for pair in itertools.combinations_with_replacement(names, 2)]
    every = {str(each): each for chosen in (*pairs, names) for each in charts.base(chosen)}
    served = [each for each in every.values() if conformity.serves(each)]
    away = {each["kind"] for each in every.values() if not conformity.serves(each)}
    assert not observe("kinds not served here", "by this cluster", away) & {each["kind"] for each in base}
    assert conformity("base, chart", [*base, *charts.rendered()]) == []
    assert conformity(f"{len(pairs)} pairs of components, and all", served) == []


@claim("manifests-valid-and-apply-once")
def test_they_are_applied_at_the_first_try_and_stay(fresh: Applied) -> None:
    with control("nothing of it is there before: the first try creates each object"):
        before = fresh("first try")
    assert set(before.values()) == {"created"}, before
    again = fresh("second try")
    assert set(again.values()) == {"unchanged"}, again


def left_in(kube: Kube, namespace: str, session: Session) -> list[str]:
    """Return what the run applied, of any kind that lives in namespaces, in one of them; an observation."""
    kinds = {each.kind for each in kube.resources() if each.namespaced and "list" in each.verbs}
    found = [
        called(each)
        for kind in sorted(kinds)
        for each in kube.list(kind, namespace, f"{RUN_LABEL}={session.run}")
    ]
    return observe("applied by the run", namespace, found)


@claim("dedicated-namespace")
def test_all_objects_live_in_a_namespace_of_their_own(box_applied: Box, kube: Kube, session: Session) -> None:
    box = box_applied
    assert left_in(kube, "default", session) == []
    with control("in its own namespace they are found"):
        assert len(left_in(kube, box.namespace, session)) >= LEAST
    assert box.namespace != "default"
    placed = {each["metadata"].get("namespace") for each in box.objects}
    assert observe("namespaces", "of all objects", sorted(filter(None, placed))) == [box.namespace]
    assert any(
        each["kind"] == "Namespace" and each["metadata"]["name"] == box.namespace for each in box.objects
    )
