"""The Helm chart beside the kustomize files: the same objects, and values that do what they say."""

from __future__ import annotations

from boxproof.deployment.deploy import COMPONENTS
from boxproof.fixtures.helm_release import Charts
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope
from suites.packaging import lasting_objects

LEAST = 8  # objects: fewer are no deployment of an agent
SAME = require("the two say the same", lambda differences: differences == [])
WHOLE = require(f"there are {LEAST} objects or more", lambda counted: counted >= LEAST)
NOBODY = ("--set=rbac.create=false",)


@claim("helm-default-equals-raw-manifests")
@scope("image")
def test_the_chart_renders_the_base(charts: Charts, subject: Subject) -> None:
    base, chart = charts.base(), charts.rendered()
    with control("without some of its objects the chart differs, object by object"):
        ours = "box" in subject.profiles
        fewer = charts.rendered(*NOBODY) if ours else base[1:]
        other = charts.differences("base, chart without roles" if ours else "base, all but one", base, fewer)
        kinds = [each.partition(":")[0].split()[0] for each in SAME.fails(other)]
        assert ({"ClusterRole", "ClusterRoleBinding"} if ours else {base[0]["kind"]}) <= set(kinds)
        WHOLE.fails(
            observe(
                "objects", "the workloads alone", sum("template" in each.get("spec", {}) for each in base)
            )
        )
    if "box" in subject.profiles:
        WHOLE(observe("objects", "of the base", len(base)))
        WHOLE(observe("objects", "of the chart", len(chart)))
    SAME(charts.differences("base, chart", base, chart))
    upgrade = lasting_objects.without_new_hooks(charts.rendered("--is-upgrade"), chart)
    SAME(charts.differences("base, chart as an upgrade", base, upgrade))


@claim("helm-default-equals-raw-manifests")
@needs("components")
@scope("image")
def test_the_chart_renders_each_component(charts: Charts, subject: Subject) -> None:
    every = {each.name for each in (subject.directory / subject.manifests.components).iterdir()}
    own = sorted(every - set(COMPONENTS))
    with control("the base alone is not what the chart renders for all of them"):
        SAME.fails(charts.differences("base, chart with all", charts.base(), charts.rendered(components=own)))
    require.expected(SAME)
    for chosen in (*([each] for each in own), own):
        SAME(charts.differences(" ".join(chosen), charts.base(chosen), charts.rendered(components=chosen)))
