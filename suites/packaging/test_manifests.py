"""The manifests: valid, in any combination, applied at the first try, in a namespace of their own."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

from boxproof.core.session import RUN_LABEL, Session
from boxproof.deployment.box import Box
from boxproof.fixtures.helm_release import Charts
from boxproof.kube.client import Kube
from boxproof.subject.manifests import compose_file, shipped
from boxproof.subject.manifests.object_diff import called
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope
from suites.packaging.applied_objects import Applied, Conformity, refused
from suites.packaging.told_namespaces import DEFAULT, deployed, unplaced

VALID = require("no field is wrong by the schemas", lambda faults: faults == [])
SERVED = require("the cluster serves every kind of the base", lambda away: away == [])
CREATED = require("each object is created", lambda words: words == ["created"])
UNCHANGED = require("each object stays as it is", lambda words: words == ["unchanged"])
NONE_LEFT = require("nothing of it is there", lambda found: found == [])
ONE_PLACE = require("all of it is in {}", lambda found, namespace: found == [namespace] != ["default"])
MADE = require("the namespace {} comes with it", lambda found, namespace: namespace in found)
PLACED = require("every object names a namespace that is not default", lambda found: found == [])
NOT_TOLD = require("no command works in the namespace default", lambda found: found == [])
SAYS_WHERE = require(
    "no command leaves it open where things go that name no namespace", lambda found: found == []
)
Objects = list[dict[str, Any]]
WITH_ITS_OWN = require("all that names a namespace is in one that comes with it", lambda found: found == [])


def components_of(subject: Subject) -> list[str]:
    """Return the names of a subject's components, none where it has no directory of them."""
    parent = subject.path(subject.manifests.components)
    return sorted(each.name for each in parent.iterdir()) if parent else []


def misspelt(objects: Objects) -> Objects:
    """Return the first object alone, with a field that nobody knows."""
    return [{**objects[0], "metdata": {}}]


@claim("manifests-valid-and-apply-once")
def test_base_and_components_are_valid_in_any_pair(
    charts: Charts, conformity: Conformity, session: Session, subject: Subject
) -> None:
    names = components_of(subject)
    base = charts.base()
    with control("a field that nobody knows is found, by the schemas and by the API server"):
        assert len(VALID.fails(conformity("a misspelt field", misspelt(base)))) == 1
        assert "metdata" in refused(session, "a misspelt field", misspelt(base))
        SERVED.fails(observe("kinds of the base that are not served", "an invented one", ["Nothing"]))
    pairs = [sorted({*pair}) for pair in itertools.combinations_with_replacement(names, 2)]
    every = {str(each): each for chosen in (*pairs, names) for each in charts.base(chosen)}
    served = [each for each in every.values() if conformity.serves(each)]
    away = {each["kind"] for each in every.values() if not conformity.serves(each)}
    observe("kinds not served here", "by this cluster", away)
    needed = sorted(away & {each["kind"] for each in base})
    SERVED(observe("kinds of the base that are not served", "by this cluster", needed))
    VALID(conformity("base, chart", [*base, *charts.rendered()]))
    VALID(conformity(f"{len(pairs)} pairs of components, and all", served))
    for name in sorted(subject.chart.components):
        chart = [each for each in charts.rendered(components=[name]) if conformity.serves(each)]
        VALID(conformity(f"chart with {name}", chart))
    for path, objects in shipped.objects(subject).items():
        own = [
            each for each in objects if each.get("spec") and conformity.serves(each) and "patch" not in path
        ]
        if path.startswith(str(Path(subject.manifests.base).parent)) and "kustomization" not in path:
            VALID(conformity(path, own))


@claim("manifests-valid-and-apply-once")
def test_they_are_applied_at_the_first_try_and_stay(fresh: Applied) -> None:
    with control("nothing of it is there before: the first try creates each object"):
        before = UNCHANGED.fails(applied_as("first try", fresh))
    with control("what has been applied is not created again"):
        again = CREATED.fails(applied_as("second try", fresh))
    CREATED(observe("applied as", "the first try", before))
    UNCHANGED(observe("applied as", "the second try", again))


def applied_as(asked: str, fresh: Applied) -> list[str]:
    """Apply, and return what came of it, each word once; an observation."""
    return observe("applied as", asked, sorted(set(fresh(asked).values())))


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
    with control("in its own namespace they are found"):
        NONE_LEFT.fails(left_in(kube, box.namespace, session))
        settings = {"kind": "ConfigMap", "metadata": {"name": "a", "namespace": "default"}}
        ONE_PLACE.fails(places("settings in default", [*box.objects, settings]), box.namespace)
        MADE.fails(observe("namespaces made", "objects alone", made([settings])), box.namespace)
    NONE_LEFT(left_in(kube, "default", session))
    ONE_PLACE(places("all objects", box.objects), box.namespace)
    MADE(observe("namespaces made", "all objects", made(box.objects)), box.namespace)


@claim("dedicated-namespace")
def test_no_tier_and_no_other_file_puts_anything_into_default(
    charts: Charts, subject: Subject, kube: Kube
) -> None:
    stray = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "a"}}
    with control("an object that names no namespace, and a command that names default, are seen"):
        PLACED.fails(observe("not in a namespace of its own", "a ConfigMap", astray([stray], kube)))
        for text in ("kubectl apply --namespace default -f x.yaml", "kubectl -n 'default' get pods"):
            NOT_TOLD.fails(observe("commands in default", text, DEFAULT.findall(text)))
        for text in (
            "kubectl apply -f pod.yaml",
            "sed s/a/b/ pod.yaml | kubectl apply -f -",
            "helm install a c",
        ):
            SAYS_WHERE.fails(observe("left open", text, unplaced({"a.md": text}, ["pod.yaml"], "c")))
    names = components_of(subject)
    for name in ("", *names):
        objects = charts.base([name] if name else [])
        PLACED(observe("not in a namespace of its own", name or "the base", astray(objects, kube)))
    for name in ("", *sorted(subject.chart.components)):
        objects = charts.rendered(components=[name] if name else [])
        PLACED(observe("not in a namespace of its own", f"chart {name}", astray(objects, kube)))
    told = shipped.commands(subject)
    for path, text in told.items():
        NOT_TOLD(observe("commands in default", path, DEFAULT.findall(text)))
    bare = [path for path, objects in shipped.objects(subject).items() if astray(objects, kube)]
    SAYS_WHERE(observe("left open", f"{len(told)} texts", unplaced(told, bare, subject.chart.directory)))


def places(asked: str, objects: Objects) -> list[str]:
    """Return the namespaces that objects are in, each once; an observation."""
    placed = {str(each["metadata"].get("namespace") or "") for each in objects}
    return observe("namespaces", asked, sorted(filter(None, placed)))


def made(objects: Objects) -> list[str]:
    """Return the namespaces that objects bring."""
    return sorted(each["metadata"]["name"] for each in objects if each["kind"] == "Namespace")


def astray(objects: Objects, kube: Kube) -> list[str]:
    """Return the objects that live in a namespace and name none, or default."""
    inside = {(each.kind, each.api_version) for each in kube.resources() if each.namespaced}
    mine = [each for each in objects if (each["kind"], each["apiVersion"]) in inside]
    return [called(each) for each in mine if each["metadata"].get("namespace", "default") == "default"]


@claim("dedicated-namespace")
@scope("image")
def test_every_tier_is_in_the_namespace_that_comes_with_it(charts: Charts, subject: Subject) -> None:
    def elsewhere(asked: str, objects: Objects) -> list[str]:
        placed = [each for each in objects if each["metadata"].get("namespace") not in (None, *made(objects))]
        return observe("in another's namespace", asked, [called(each) for each in placed])

    base = charts.base()
    stray = {"kind": "Role", "metadata": {"name": "a", "namespace": "kube-system"}}
    with control("a role in kube-system beside the base is seen"):
        WITH_ITS_OWN.fails(elsewhere("a role in kube-system", [*base, stray]))
    for name in ("", *components_of(subject)):
        WITH_ITS_OWN(elsewhere(name or "the base", charts.base([name] if name else [])))
    for name in ("", *sorted(subject.chart.components)):
        WITH_ITS_OWN(elsewhere(f"chart {name}", charts.rendered(components=[name] if name else [])))


SENDS_ELSEWHERE = require(
    "nothing has a controller or a program put it into default", lambda found: found == []
)
DEPLOYERS: dict[str, dict[str, Any]] = {
    "app.yaml": {"kind": "Application", "spec": {"destination": {"namespace": "default"}}},
    "release.yaml": {"kind": "HelmRelease", "spec": {"targetNamespace": "default"}},
    "overlays/dev/kustomization.yaml": {"resources": ["../../base"], "namespace": "default"},
    "helmfile.yaml": {"releases": [{"name": "a", "namespace": "default"}]},
}


@claim("dedicated-namespace")
@scope("image")
def test_nothing_that_deploys_it_puts_it_into_default(subject: Subject) -> None:
    """Argo CD, Flux and others take the namespace from their own objects, programs from their own files."""

    def into_default(asked: str, files: dict[str, list[dict[str, Any]]]) -> list[str]:
        every = [(path, one) for path, documents in files.items() for one in documents]
        found = [each for path, one in every for each in deployed(path, one)]
        return observe("deployed into default", asked, found)

    with control("an application, a release, an overlay and a list of releases are seen"):
        for path, document in DEPLOYERS.items():
            SENDS_ELSEWHERE.fails(into_default(path, {path: [document]}))
    named = {
        str(path.relative_to(subject.directory)): list(compose_file.documents(path))
        for path in shipped.files(subject, "*.yaml", "*.yml", "Kustomization")
    }
    SENDS_ELSEWHERE(into_default(f"{len(named)} files", named))


SAME_IN_ANY_ORDER = require(
    "components give the same objects in any order", lambda differences: differences == []
)


@claim("manifests-valid-and-apply-once")
@needs("box", "components")
@scope("image")
def test_components_say_the_same_in_any_order(charts: Charts, subject: Subject) -> None:
    """Users list them as they like: what one says last of a field would hold, whatever another needs."""
    names = components_of(subject)
    base, every = charts.base(), charts.base(names)
    with control("the base alone is not the base with all of them"):
        SAME_IN_ANY_ORDER.fails(charts.differences("base, all", base, every))
    backwards = charts.base(names[::-1])
    SAME_IN_ANY_ORDER(charts.differences("all, the other way round", every, backwards))
