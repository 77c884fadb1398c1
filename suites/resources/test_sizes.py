"""What a way of starting the agent says by hand of sizes: the box leaves it as it is."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from boxproof.deployment.deploy import Rendered
from boxproof.probes.cgroup import quantity
from boxproof.subject.manifests.pod_specs import agent_container
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require
from suites import agent_starts
from suites.resources import engine_limits, hand_sizes
from suites.resources.engine_limits import Amounts

OF_ITS_LIMIT = require(
    "no runtime is told by hand of more than the box may have, or of next to nothing",
    lambda found: found == [],
)
HELD = (float(4 << 30), 3.0)  # bytes and processors
WRONG = (
    {"NODE_OPTIONS": "--use-openssl-ca --max-old-space-size=8192"},
    {"GOMEMLIMIT": "16GiB"},
    {"GOMEMLIMIT": "off"},
    {"BUN_JSC_forceRAMSize": "1048576"},
    {"GOMAXPROCS": "64"},
)


def starts(every: Rendered, subject: Subject) -> Iterator[tuple[str, Mapping[str, str], Amounts]]:
    """Give each way of starting the agent, the variables that it says, and the memory and processors."""
    for name, objects in every.items():
        limits = (agent_container(objects, subject).get("resources") or {}).get("limits") or {}
        memory, cpus = (quantity(limits.get(each) or math.inf) for each in ("memory", "cpu"))
        yield name, agent_starts.of_objects(name, objects, subject).variables, (memory, cpus)
    for name, service in agent_starts.services(subject):
        yield name, agent_starts.of_service(name, service).variables, engine_limits.of_service(service)
    for run in agent_starts.commands(subject):
        yield run.page, agent_starts.of_run(run).variables, engine_limits.of_options(run.options)


@claim("limits-read-from-cgroup")
@needs("box", "default-tier")
def test_no_way_of_starting_it_says_other_sizes_by_hand(every: Rendered, subject: Subject) -> None:
    def found(asked: str, variables: Mapping[str, str], amounts: Amounts) -> list[str]:
        return observe("sizes by hand", asked, sorted(hand_sizes.beyond(variables, amounts)))

    for wrong in WRONG:
        with control(f"{wrong} is seen"):
            OF_ITS_LIMIT.fails(found("doctored", wrong, HELD))
    for name, variables, amounts in starts(every, subject):
        OF_ITS_LIMIT(found(name, variables, amounts))
