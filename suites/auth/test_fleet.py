"""Agents from one values file: what each is given for a login is good for its mode."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from boxproof.fixtures.helm_release import Charts
from boxproof.kube.client import Object
from boxproof.subject.manifests.pod_specs import pod_spec
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope
from suites.auth.test_agents import VARIABLE

MODE, REFUSES = "CLAUDE_MODE", ("", "remote-control")
GOOD_FOR_IT = require(
    "no agent in remote control is given a token, which it refuses", lambda found: found == []
)


def settings(
    container: Mapping[str, Any], space: str, objects: Sequence[Object]
) -> Iterator[tuple[str, str]]:
    """Give the variables that a container has from ConfigMaps, then those of its own."""
    maps = [each["configMapRef"]["name"] for each in container.get("envFrom") or () if "configMapRef" in each]
    for each in objects:
        meta = each["metadata"]
        if each["kind"] == "ConfigMap" and meta.get("namespace") == space and meta["name"] in maps:
            yield from (each.get("data") or {}).items()
    yield from (
        (each["name"], str(each.get("value", "from elsewhere"))) for each in container.get("env") or ()
    )


@claim("token-kind-matches-mode")
@needs("fleet")
@scope("image")
def test_the_shipped_fleet_gives_no_agent_a_token_that_its_mode_refuses(
    charts: Charts, subject: Subject
) -> None:
    def refused(asked: str, objects: Sequence[Object]) -> list[str]:
        """Return the namespaces of the agents that would wait for another login for ever; an observation."""
        found = []
        for each in objects:
            if each["kind"] == subject.kind:
                space = str(each["metadata"]["namespace"])
                every = (pod_spec(each) or {})["containers"]
                agent = next(one for one in every if one["name"] == subject.container)
                given = dict(settings(agent, space, objects))
                found += [space] if VARIABLE in given and given.get(MODE, "") in REFUSES else []
        return observe("agents with a token that is refused", asked, found)

    with control("a token where no mode is said is seen"):
        words = "--set=credentials.secretName=claude-token"
        assert len(GOOD_FOR_IT.fails(refused("a token by itself", charts.rendered(words)))) == 1
    fleet = charts.rendered(f"--values={subject.directory / subject.chart.fleet}")
    assert any(each["kind"] == subject.kind for each in fleet), "the fleet has no agent"
    GOOD_FOR_IT(refused("the fleet that ships", fleet))
