"""A release in the place of the one before it: what cannot be changed hangs on no version."""

from __future__ import annotations

import copy
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from boxproof.core.session import Session
from boxproof.deployment.box import Box
from boxproof.fixtures.helm_release import Charts
from boxproof.subject.manifests import derive, helm, starting
from boxproof.subject.manifests.object_diff import called, differences
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope
from suites.packaging import lasting_objects
from suites.packaging.applied_objects import refused

Objects = list[dict[str, Any]]
LATER, TAG = "99.1.0", "99.1.0"
AS_AN_UPGRADE = "--is-upgrade"  # a template may ask for it: .Release.IsInstall, .Release.IsUpgrade
# what the API server refuses to change once an object is there, by kind: paths of fields
FIXED = {
    "StatefulSet": (
        "spec.selector",
        "spec.serviceName",
        "spec.podManagementPolicy",
        "spec.volumeClaimTemplates",
    ),
    "Deployment": ("spec.selector",),
    "DaemonSet": ("spec.selector",),
    "Job": ("spec.selector", "spec.template"),
    "Service": ("spec.clusterIP",),
    "RoleBinding": ("roleRef",),
    "ClusterRoleBinding": ("roleRef",),
    "PersistentVolumeClaim": ("spec.accessModes", "spec.storageClassName", "spec.volumeName"),
    "StorageClass": ("provisioner", "parameters", "reclaimPolicy", "volumeBindingMode"),
    "RuntimeClass": ("handler",),
    "PriorityClass": ("value", "preemptionPolicy"),
}
SEALED = ("data", "binaryData", "stringData", "immutable")  # of a ConfigMap or Secret that is immutable
NAMING = ("matchLabels", "matchExpressions", "labels", "serviceName", "selector", "name")  # of what is fixed
OF_VERSIONS = re.compile(r"(^|[./_-])(version|chart|revision|tag)$", re.IGNORECASE)  # the last part of a key
VERSION = re.compile(r"(^|[-_v])\d+\.\d+(\.\d+)?([-+_]\S*)?$")
SAME = require("nothing that cannot be changed differs in a later release", lambda found: found == [])
ACCEPTED = require("the API server takes it as a change of what is there", lambda said: said == "")
LASTS = require("what runs, holds data or is spoken to has the name of before", lambda gone: gone == [])
LEAVES = require("an upgrade deletes nothing that the installation made", lambda found: found == [])
UNVERSIONED = require(
    "no label or name that cannot be changed is called or looks like a version", lambda found: found == []
)
ROLLED = require("the later release is another one: its pods are not the same", lambda changed: changed)


def fixed(objects: Objects) -> Objects:
    """Return of each object what cannot be changed: its kind, its name and these fields."""
    made = []
    for each in objects:
        sealed = SEALED if each["kind"] in ("ConfigMap", "Secret") and each.get("immutable") else ()
        kept = {path: _at(each, path) for path in (*FIXED.get(each["kind"], ()), *sealed)}
        head = {key: each[key] for key in ("apiVersion", "kind")}
        meta = {key: each["metadata"].get(key) for key in ("name", "namespace")}
        made.append({**head, "metadata": meta, "fixed": copy.deepcopy(kept)})
    return made


def _at(item: Any, path: str) -> Any:
    for key in path.split("."):
        item = (item or {}).get(key)
    return item


def later(charts: Charts, into: Path) -> Path:
    """Return a copy of the chart as the release after this one, of another version."""
    copied = Path(shutil.copytree(charts.chart, into / "later"))
    path = copied / "Chart.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"version": LATER, "appVersion": TAG}))
    return copied


def labelled_selector(objects: Objects) -> Objects:
    """Return the objects with the classic mistake: the version is one of the labels that select the pods."""
    made = copy.deepcopy(objects)
    for each in made:
        if "selector" in each.get("spec", {}) and "template" in each["spec"]:
            each["spec"]["selector"]["matchLabels"]["app.kubernetes.io/version"] = LATER
            each["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/version"] = LATER
    return made


@claim("release-upgrades-in-place")
@needs("box")
@scope("image")
def test_what_cannot_be_changed_hangs_on_no_version(charts: Charts, session: Session, tmp_path: Path) -> None:
    chart, components = later(charts, tmp_path), sorted(charts.subject.chart.components)
    now = charts.rendered()
    with control("a version among the labels of a selector is seen; the same release is no later one"):
        SAME.fails(compared("a version in the selector", now, labelled_selector(now)))
        ROLLED.fails(observe("pods changed", "the same release", bool(differences(now, charts.rendered()))))
        LASTS.fails(gone("another name", now, lasting_objects.renamed(now, LATER)))
        LEAVES.fails(deleted("another name", now, lasting_objects.renamed(now, LATER)))
    for name in ("", *components):
        words = helm.instead_of(charts.subject, [name] if name else [], charts.directory)
        words += [each.format(name=charts.subject.image.name, tag=TAG) for each in charts.subject.chart.image]
        newer = helm.rendered(charts.program, chart, *words)
        mine = charts.rendered(components=[name] if name else [])
        ROLLED(observe("pods changed", f"chart {name}", bool(differences(mine, newer))))
        SAME(compared(f"chart {name}", mine, newer))
        LASTS(gone(f"chart {name}", mine, newer))
        upgraded = helm.rendered(charts.program, chart, *words, AS_AN_UPGRADE)
        SAME(compared(f"chart {name}, as an upgrade", mine, upgraded))
        LEAVES(deleted(f"chart {name}", mine, upgraded))
        base = charts.base([name] if name else [])
        tagged = copy.deepcopy(base)
        starting.set_image(tagged, charts.subject, f"{charts.subject.image.name}:{TAG}")
        SAME(compared(f"manifests {name}", base, tagged))


def compared(asked: str, before: Objects, after: Objects) -> list[str]:
    """Return what differs of what cannot be changed; an observation. What is new or gone is no difference."""
    found = differences(fixed(before), fixed(after), ("before", "after"))
    return observe(
        "unchangeable fields that differ", asked, [each for each in found if ": only in" not in each]
    )


def gone(asked: str, before: Objects, after: Objects) -> list[str]:
    """Return what a later release has under another name, or not at all; an observation."""
    return observe("gone with a later release", asked, lasting_objects.gone(before, after))


def deleted(asked: str, before: Objects, after: Objects) -> list[str]:
    """Return what an upgrade has Helm delete; an observation."""
    return observe("deleted by an upgrade", asked, lasting_objects.taken_away(before, after))


def versions(asked: str, objects: Objects) -> list[str]:
    """Return the labels and names that cannot be changed and tell a version; an observation."""
    found = [
        f"{called(each)}: {key}={value}"
        for each in fixed(objects)
        for key, value in named(each["fixed"])
        if OF_VERSIONS.search(key) or VERSION.search(value)
    ]
    return observe("versions that cannot be changed", asked, found)


def named(item: Any, within: bool = False) -> Iterator[tuple[str, str]]:
    """Give the keys and values of labels, selectors and names in what is fixed."""
    if isinstance(item, list):
        for each in item:
            yield from named(each, within)
    if isinstance(item, dict):
        for key, value in item.items():
            near = within or key.rpartition(".")[2] in NAMING
            if near and not isinstance(value, dict | list):
                yield (str(value), "") if key == "key" else (key, str(value))
            yield from named(value, near)


@claim("release-upgrades-in-place")
@scope("image")
def test_what_cannot_be_changed_tells_no_version(charts: Charts) -> None:
    """A version that is written out is the same in both, until somebody writes the next one."""
    components = sorted(charts.subject.chart.components)
    now = charts.rendered()
    with control("a version among the labels of a selector, and at the end of another label, are seen"):
        UNVERSIONED.fails(versions("a version", labelled_selector(now)))
        claims = {"metadata": {"labels": {"helm.sh/made-by": "agent-0.1.0"}}}
        wrong = {"kind": "StatefulSet", "apiVersion": "apps/v1", "metadata": {"name": "doctored"}}
        UNVERSIONED.fails(versions("another label", [wrong | {"spec": {"volumeClaimTemplates": [claims]}}]))
    for name in ("", *components):
        chosen = [name] if name else []
        UNVERSIONED(versions(f"chart {name}", charts.rendered(components=chosen)))
        UNVERSIONED(versions(f"manifests {name}", charts.base(chosen)))


@claim("release-upgrades-in-place")
@needs("box")
def test_the_cluster_takes_a_later_release_over_the_one_that_is_there(
    box: Box, charts: Charts, session: Session, subject: Subject, tmp_path: Path
) -> None:
    there = {called(each) for each in box.objects}
    kinds = ("StatefulSet", "Deployment", "Service", "ClusterRoleBinding", "RoleBinding")

    def placed(objects: Objects) -> Objects:
        suffix = box.suffix or box.namespace.removeprefix(subject.namespace).strip("-")
        made = derive.derive(objects, namespace=box.namespace, suffix=suffix) if suffix else objects
        return [each for each in made if each["kind"] in kinds and called(each) in there]

    newer = placed(helm.rendered(charts.program, later(charts, tmp_path)))
    with control("with the version in a selector it is refused"):
        ACCEPTED.fails(refused(session, "a version in the selector", labelled_selector(newer)))
        assert newer, "nothing of the chart is in the cluster"
    ACCEPTED(refused(session, f"the chart as {LATER} over {box.label}", newer))
