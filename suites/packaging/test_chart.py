"""The Helm chart beside the kustomize files: the same objects, and values that do what they say."""

from __future__ import annotations

from boxproof.deployment.deploy import COMPONENTS
from boxproof.fixtures.charts import Charts
from boxproof.subject.model import Subject
from pytest_claims import claim, control, scope

LEAST = 8  # objects: fewer are no deployment of an agent
NOBODY = ("--set=rbac.create=false",)


@claim("helm-default-equals-raw-manifests")
@scope("image")
def test_the_chart_renders_the_base(charts: Charts) -> None:
    base, chart = charts.base(), charts.rendered()
    assert min(len(base), len(chart)) >= LEAST
    with control("without its roles the chart differs, object by object"):
        other = charts.differences("base, chart without roles", base, charts.rendered(*NOBODY))
        assert [each.partition(":")[0].split()[0] for each in other] == ["ClusterRole", "ClusterRoleBinding"]
    assert charts.differences("base, chart", base, chart) == []


@claim("helm-default-equals-raw-manifests")
@scope("image")
def test_the_chart_renders_each_component(charts: Charts, subject: Subject) -> None:
    every = {each.name for each in (subject.directory / subject.manifests.components).iterdir()}
    own = sorted(every - set(COMPONENTS))
    with control("the base alone is not what the chart renders for all of them"):
        assert charts.differences("base, chart with all", charts.base(), charts.rendered(components=own))
    for chosen in (*([each] for each in own), own):
        assert (
            charts.differences(" ".join(chosen), charts.base(chosen), charts.rendered(components=chosen))
            == []
        )
