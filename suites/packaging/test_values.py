"""The chart's values: each with its effect, rendered and in the cluster."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

from boxproof.fixtures.helm_release import Charts
from boxproof.subject.manifests.object_diff import called
from boxproof.subject.manifests.pod_specs import floating, images, pod_spec
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope
from pytest_claims.faults import SubjectFault
from suites.packaging import chart_values, switched_off

Objects = list[dict[str, Any]]
ROLES = {"ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"}
NOTHING_LEFT = require("nothing of what {} switches off is rendered", lambda left, _: left == [])
TOLD = require("every image has the tag {}, and no other", lambda found, tag: found == [tag])
ANOTHER = require("whoever is named as the agent's account is {}", lambda found, name: found == [name])
SWITCHES = {
    "rbac.create=false": ROLES,
    "serviceAccount.create=false": {"ServiceAccount"},
    "network.create=false": {"NetworkPolicy", "CiliumNetworkPolicy"},
}
NOT_AWAITED = require("nothing that is left speaks of what {} switches off", lambda found, _: found == [])
AS_WRITTEN = require("it is refused, or comes out as it was written", lambda found: found in ([], [DIGITS]))
EVERY_TAG, OTHER_ACCOUNT = "1.2.3", "other"
DIGITS = "1234567"  # the beginning of a commit's name may have no letter in it: a number, to YAML
NO_ACCOUNT = "serviceAccount.create=false"
FLEET = '--set-json=agents={"first": {"rbac": {"operator": true}}, "second": {}}'
# an account as policies of admission and their expressions name it
ACCOUNT = re.compile(r"(?:system:serviceaccount:[\w.-]+:|endsWith\([\"']:)([\w.-]+)")


def kinds(*wanted: str) -> Callable[[Objects], Any]:
    """Return what counts the objects of some kinds."""
    return lambda objects: sum(each["kind"] in wanted for each in objects)


def accounts(objects: Objects) -> Any:
    """Return the accounts that pods run as and bindings name."""
    pods = {str((pod_spec(each) or {}).get("serviceAccountName", "")) for each in objects} - {""}
    return sorted(pods | {one["name"] for each in objects for one in each.get("subjects") or ()})


def requests(objects: Objects) -> Any:
    """Return the memory that the agents ask for, "" for one that asks for none."""
    agents = [pod_spec(each) or {} for each in objects if each["kind"] == "StatefulSet"]
    asked = [each["containers"][0].get("resources", {}).get("requests") or {} for each in agents]
    return [each.get("memory", "") for each in asked]


def tags(objects: Objects) -> Any:
    """Return the tags of all images."""
    return sorted({each.rpartition(":")[2] for each in images(objects).values()})


MAKES = require("{} makes it {}", lambda seen, _, after: seen == after)
ALL_READ = require("every value changes something", lambda idle: idle == [])
FIXED = require("no image can come to mean another", lambda found: found == {})
TOGGLES: dict[str, tuple[Callable[[Objects], Any], Any]] = {
    "rbac.create=false": (kinds(*ROLES), 0),
    "rbac.operator=true": (kinds("ClusterRole"), 2),
    "serviceAccount.create=false": (kinds("ServiceAccount"), 0),
    "serviceAccount.name=other": (accounts, ["other"]),
    "image.tag=1.2.3": (tags, ["1.2.3"]),
    "resources.requests.memory=3Gi": (requests, ["3Gi"]),
    "network.create=false": (kinds("NetworkPolicy"), 0),
}


@claim("helm-toggles-honoured")
@needs("box")
@scope("image")
def test_each_value_has_its_effect(charts: Charts) -> None:
    default = charts.rendered()
    with control("without it the render says otherwise"):
        for toggle, (seen, after) in TOGGLES.items():
            MAKES.fails(observe("rendered", f"default of {toggle}", seen(default)), toggle, after)
    for toggle, (seen, after) in TOGGLES.items():
        MAKES(observe("rendered", toggle, seen(charts.rendered(f"--set={toggle}"))), toggle, after)


@claim("helm-toggles-honoured")
@scope("image")
def test_no_value_is_without_effect(charts: Charts, tmp_path: Path) -> None:
    other = Path(shutil.copytree(charts.chart, tmp_path / "other"))
    (other / "values.schema.json").unlink(missing_ok=True)
    with (other / "values.yaml").open("a") as file:
        file.write("unread: 1\npart: {enabled: false, of: other}\n")
    with control("values that no template reads are found"):
        parts = ("unread", "part")  # none of the chart's own: of those the check itself tells
        found = chart_values.idle(charts.program, other, "with values that nothing reads", among=parts)
        assert ALL_READ.fails(found) == ["unread", "part.enabled", "part.of"]
    ALL_READ(chart_values.idle(charts.program, charts.chart, "the chart"))


@claim("helm-toggles-honoured")
@scope("image")
def test_no_image_of_any_render_can_come_to_mean_another(charts: Charts, subject: Subject) -> None:
    with control("an image without a tag is seen as such"):
        bare = {
            "kind": "Pod",
            "metadata": {"name": "bare"},
            "spec": {"containers": [{"name": "a", "image": "b"}]},
        }
        FIXED.fails(observe("floating", "bare", floating([bare])))
    for name in ("", *sorted(subject.chart.components)):
        objects = charts.rendered(components=[name] if name else [])
        if not name and not any(pod_spec(each) for each in objects):
            raise SubjectFault("the chart renders no agent")
        FIXED(observe("floating", name or "default", floating(objects)))


def left(asked: str, objects: Objects, switched_off: Collection[str]) -> list[str]:
    """Return the objects of some kinds; an observation."""
    return observe("rendered", asked, [called(each) for each in objects if each["kind"] in switched_off])


def named_accounts(asked: str, objects: Objects) -> list[str]:
    """Return the accounts that pods run as, that bindings name, and that policies ask for; an observation."""
    texts = [each for one in objects if one["kind"].startswith("Validating") for each in strings(one)]
    every = {*accounts(objects), *(name for each in texts for name in ACCOUNT.findall(each))}
    return observe("accounts", asked, sorted(every))


def strings(item: Any) -> Iterator[str]:
    """Give the texts in an object, however deep."""
    if isinstance(item, str):
        yield item
    for each in item.values() if isinstance(item, dict) else item if isinstance(item, list) else ():
        yield from strings(each)


def awaited(asked: str, before: Objects, after: Objects) -> list[str]:
    """Return what pods and settings name that a switch has taken away; an observation."""
    return observe("named, and not there", asked, switched_off.named(before, after))


def bare(objects: Objects) -> Objects:
    """Return objects without the Services and settings among them."""
    return [each for each in objects if each["kind"] not in ("Service", "ConfigMap")]


@claim("helm-toggles-honoured")
@needs("box")
@scope("image")
def test_a_tag_of_digits_alone_is_no_number(charts: Charts, tmp_path: Path) -> None:
    def given(asked: str, written: str) -> list[str]:
        path = tmp_path / "values.yaml"
        path.write_text(f"image:\n  tag: {written}\n")
        try:
            found = tags(charts.rendered(f"--values={path}"))
        except SubjectFault:
            found = []
        return observe("tags", asked, found)

    with control("a number as a template writes it is another tag; one that is refused is no tag"):
        AS_WRITTEN.fails(observe("tags", "as a number", [f"{float(DIGITS):e}"]))
        TOLD.fails(observe("tags", "refused", []), DIGITS)
    TOLD(given("in quotes", f'"{DIGITS}"'), DIGITS)
    AS_WRITTEN(given("without quotes", DIGITS))


@claim("helm-toggles-honoured")
@needs("box")
@scope("image")
def test_each_value_has_its_effect_beside_others(charts: Charts) -> None:
    """In each tier and in a fleet: what a tier adds is switched off, named and tagged with the rest."""
    tag, account = f"--set=image.tag={EVERY_TAG}", f"--set=serviceAccount.name={OTHER_ACCOUNT}"
    tiers = {name: charts.rendered(components=[name]) for name in sorted(charts.subject.chart.components)}
    tiers |= {"default": charts.rendered(), "fleet": charts.rendered(FLEET)}
    with control(
        "without them each tier has roles, accounts and policies, and the tag and account of before"
    ):
        for name, objects in tiers.items():
            for switch, kinds_of in SWITCHES.items():
                NOTHING_LEFT.fails(left(f"{name}, {switch} not given", objects, kinds_of), switch)
            NOT_AWAITED.fails(awaited(f"{name}, without what pods read", objects, bare(objects)), "nobody")
            TOLD.fails(observe("tags", name, tags(objects)), EVERY_TAG)
            ANOTHER.fails(named_accounts(name, objects), OTHER_ACCOUNT)
    for name in tiers:
        words = [FLEET] if name == "fleet" else []
        components = [name] if name in charts.subject.chart.components else []
        for switch, kinds_of in SWITCHES.items():
            objects = charts.rendered(*words, f"--set={switch}", components=components)
            NOTHING_LEFT(left(f"{name}, {switch}", objects, kinds_of), switch)
            NOT_AWAITED(awaited(f"{name}, {switch}", tiers[name], objects), switch)
        objects = charts.rendered(*words, tag, account, components=components)
        TOLD(observe("tags", name, tags(objects)), EVERY_TAG)
        ANOTHER(named_accounts(name, objects), OTHER_ACCOUNT)
        brought = charts.rendered(*words, f"--set={NO_ACCOUNT}", account, components=components)
        ANOTHER(named_accounts(f"{name}, {NO_ACCOUNT}", brought), OTHER_ACCOUNT)
