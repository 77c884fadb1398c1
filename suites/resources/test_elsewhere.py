"""What the agent may use where no manifest says it: by Compose, by a command, as one of a fleet."""

from __future__ import annotations

from collections.abc import Sequence

from boxproof.fixtures.helm_release import Charts
from boxproof.kube.client import Object
from boxproof.subject.manifests.pod_specs import pod_spec
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope
from suites import agent_starts
from suites.resources import engine_limits
from suites.resources.test_limits import KILLED, LIMIT, LIMIT_CPU, REQUEST, REQUEST_CPU, numbers

LEFT_ENOUGH = require(
    "what bounds it leaves it 4Gi or more and 3 CPUs or more",
    lambda found: found[0] >= LIMIT and found[1] >= LIMIT_CPU,
)
OF_A_FLEET = require(
    "each agent asks for 1Gi and 500m or more, and is limited at 4Gi or more and 3 CPUs or more",
    lambda found: (
        found[0] >= REQUEST and found[1] >= REQUEST_CPU and found[2] >= LIMIT and found[3] >= LIMIT_CPU
    ),
)


@claim("memory-limit-sized-for-the-agent")
@needs("fleet", "compose", "command:run")
@scope("image")
def test_it_may_use_as_much_however_it_is_started(charts: Charts, subject: Subject) -> None:
    def left(asked: str, amounts: engine_limits.Amounts) -> engine_limits.Amounts:
        return observe("memory and processors", asked, amounts)

    def of_agents(asked: str, objects: Sequence[Object]) -> list[tuple[float, ...]]:
        """Return what each agent among objects asks for and may have, each an observation."""
        every = [(pod_spec(each) or {})["containers"] for each in objects if each["kind"] == subject.kind]
        agents = [one for each in every for one in each if one["name"] == subject.container]
        return [numbers(f"{asked}, agent {at}", each["resources"]) for at, each in enumerate(agents)]

    with control("under half of it agents were killed, in whatever words it is said"):
        small = {"mem_limit": "2g"}, {"deploy": {"resources": {"limits": {"memory": "2G", "cpus": "1"}}}}
        for each in small:
            LEFT_ENOUGH.fails(left(f"doctored {each}", engine_limits.of_service(each)))
        LEFT_ENOUGH.fails(left("doctored options", engine_limits.of_options(("--memory=2048m",))))
        OF_A_FLEET.fails(numbers("too small", KILLED))
    for name, service in agent_starts.services(subject):
        LEFT_ENOUGH(left(name, engine_limits.of_service(service)))
    for run in agent_starts.commands(subject):
        LEFT_ENOUGH(left(run.page, engine_limits.of_options(run.options)))
    fleet = of_agents("the fleet", charts.rendered(f"--values={subject.directory / subject.chart.fleet}"))
    assert fleet, "the fleet has no agent"
    for found in fleet:
        OF_A_FLEET(found)
