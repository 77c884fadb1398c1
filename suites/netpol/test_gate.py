"""The agent starts under its policy: an engine is given the time it takes to apply it, and only then."""

from __future__ import annotations

import json
from typing import Any

from boxproof.core.session import Session
from boxproof.deployment.box import Box, workload_of
from boxproof.deployment.deploy import COMPONENTS, rendered
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.fixtures.factories import Listeners, Twins
from boxproof.kube.client import Kube, Object
from boxproof.kube.network_policies import of_pod
from boxproof.kube.pod_status import first, gate_ended, secrets_of, started
from boxproof.probes.connectivity import becomes
from boxproof.probes.pods.probe_pods import CONFINED, PROGRAM
from boxproof.probes.reach import Listener, Outside, Reach, reach
from boxproof.subject.manifests.pod_specs import labels, pod_spec, workload
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, require
from pytest_claims.waiting import holds, until

TRIES = 20
PATIENCE = 65.0  # seconds: a gate that gives up after a minute would pass a short look
STARTS = 3
FIRST_PACKETS = "first-packets"
SCRIPT = """
for each in $(seq {tries}); do {program} connect {host} {port} --within 1; done >/tmp/first
sort /tmp/first | grep -o '"reach": "[a-z ]*"' | sort | uniq -c >/dev/termination-log; cat /tmp/first
"""


def packets(target: Listener, image: str) -> dict[str, Any]:
    """Return a container whose first act is to try the listener, many times in a row."""
    script = SCRIPT.format(tries=TRIES, program=PROGRAM, host=target.address, port=target.port)
    return {
        "name": FIRST_PACKETS, "image": image, "imagePullPolicy": "Never", "command": ["sh", "-c", script],
        "securityContext": dict(CONFINED),
    }  # fmt: skip


def answers(asked: str, log: str) -> list[str]:
    """Return how the connections in such a container's log ended, each way once; an observation."""
    ends = [json.loads(each)["reach"] for each in log.splitlines()]
    assert len(ends) == TRIES, log
    return observe("first packets", asked, sorted(set(ends)))


GATE_ALONE = require(
    "for as long as no policy is in force nothing has started but {}", lambda names, gate: names == [gate]
)
NO_PACKET = require("none of its first packets is answered", lambda ends: Reach.OPEN not in ends)
NO_SECRET = require("what comes first is given no secret", lambda found: found == [])
COMES_FIRST = require("{} comes first", lambda name, gate: name == gate)


@claim("netpol-effective-from-first-packet")
def test_nothing_starts_while_no_policy_is_in_force(
    make_box: MakeBox, kube: Kube, outside: Outside, listener: Listeners, subject: Subject
) -> None:
    withheld: list[Object] = []

    def without_policy(objects: list[Object]) -> None:
        labels = pod_labels(objects, subject)
        withheld.extend(of_pod(objects, labels))
        objects[:] = [each for each in objects if each not in withheld]

    box = make_box(edit=without_policy, ready=False).wait_addressed()
    target = listener(on=outside)
    assert becomes(box, target, {Reach.OPEN}) is Reach.OPEN, "it is not open without a policy"
    gate = first(box.spec)["name"] if box.spec.get("initContainers") else "a gate"
    until(lambda: started(box.pod_object()), timeout=60, what="a container has started")
    holds(lambda: started(box.pod_object()) == [gate], seconds=PATIENCE, every=1)
    GATE_ALONE(started(box.pod_object()), gate)
    assert reach(box, target) is Reach.OPEN, "it was not open meanwhile"
    for each in withheld:
        each["metadata"]["namespace"] = box.namespace
    kube.apply(withheld)
    with control("once the policy is in force the agent starts too"):
        pod = box.wait_ready().pod_object()
        assert box.container in GATE_ALONE.fails(started(pod), gate)
    assert gate_ended(pod)


def pod_labels(objects: list[Object], subject: Subject) -> dict[str, str]:
    """Return the labels of the agent's pod."""
    return labels(workload_of(objects, subject))


@claim("netpol-effective-from-first-packet")
def test_what_follows_the_gate_is_denied_from_its_first_packet(
    make_box: MakeBox, kube: Kube, twin: Twins, outside: Outside, listener: Listeners, session: Session,
    subject: Subject,
) -> None:  # fmt: skip
    target = listener(on=outside)
    probe = packets(target, session.probe_image)
    with control("in a pod that no policy selects every one of them is answered"):
        free = twin(spec={"initContainers": [probe]}, fresh=True)
        ends = NO_PACKET.fails(answers(free.label, kube.logs(free.namespace, free.name, FIRST_PACKETS)))
        assert ends == [Reach.OPEN]

    def packets_second(objects: list[Object]) -> None:
        spec = pod_spec(workload_of(objects, subject)) or {}
        spec.setdefault("initContainers", []).append(probe)

    box = make_box(edit=packets_second)
    for number in range(STARTS):
        if number:
            box.delete_pod()
        NO_PACKET(answers(f"start {number}", kube.logs(box.namespace, box.pod, FIRST_PACKETS)))


@claim("netpol-effective-from-first-packet")
def test_the_gate_comes_first_and_has_no_secret(agent: Box, session: Session, subject: Subject) -> None:
    spec = agent.pod_object()["spec"]
    gate = first(spec)["name"]

    def comes_first(each: dict[str, Any], what: str) -> str:
        return observe("comes first", what, str(first(each)["name"]))

    with control("the agent itself has a login and the account's token; a container before the gate is seen"):
        assert len(NO_SECRET.fails(secrets_of(spec, spec["containers"][0]))) > 1
        COMES_FIRST.fails(
            comes_first({"initContainers": [{"name": "early"}], "containers": []}, "a decoy"), gate
        )
    NO_SECRET(secrets_of(spec, first(spec)))
    for name, components in subject.tiers.items():
        objects, _ = rendered(session, components=(*COMPONENTS, *components))
        written = pod_spec(workload(objects, subject.workload)) or {}
        COMES_FIRST(comes_first(written, f"tier {name}"), gate)
        NO_SECRET(secrets_of(written, first(written)))
