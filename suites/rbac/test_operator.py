"""The operator tier: somebody's decision, and able to do its work."""

from __future__ import annotations

from boxproof.agent.agent_tools import kubectl
from boxproof.core.session import Session
from boxproof.deployment.box import Box
from boxproof.deployment.deploy import COMPONENTS, added
from boxproof.fixtures.box_fixtures import Access, MakeBox
from boxproof.fixtures.factories import Twins
from boxproof.kube.access_reviews import Answer, Question
from boxproof.kube.client import Kube
from boxproof.kube.rules import becomes, changing, in_force
from boxproof.probes.pods.probe_pods import resting
from boxproof.subject.manifests.pod_specs import without_pods
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, require
from suites.rbac.rights import allowed, from_rules

MAY_NOT = require("it may not delete pods", lambda answer: answer is Answer.DENIED)
MAY = require("it may delete pods", lambda answer: answer is Answer.ALLOWED)
READS_ONLY = require("it has no right but to read", lambda yes: yes == [])
EITHER_VERB = require("exec is open to it with GET and with POST", lambda denied: denied == [])
WORKS = require("its kubectl does what was asked", lambda ended: ended == "done")


@claim("rbac-operator-is-opt-in")
def test_the_operator_comes_and_goes_with_its_component(
    reader: Box, make_box: MakeBox, kube: Kube, access: Access, subject: Subject
) -> None:
    box = make_box(components=(*COMPONENTS, *subject.tiers["operator"]), edit=without_pods, ready=False)
    in_force(kube, box.user)
    delete = Question.of("delete", "pods", box.namespace)
    usual = Question.of("delete", "pods", reader.namespace)
    with control("with the component pods may be deleted, without it not"):
        MAY_NOT.fails(becomes(kube, box.user, delete, Answer.ALLOWED))
        MAY.fails(access(reader.user, [usual])[usual])
    MAY_NOT(access(reader.user, [usual])[usual])
    extra = added(box, reader)
    kube.delete(extra)
    MAY_NOT(becomes(kube, box.user, delete, Answer.DENIED))
    kube.apply(extra)
    MAY(becomes(kube, box.user, delete, Answer.ALLOWED))


@claim("rbac-operator-is-opt-in")
def test_without_the_component_there_is_no_right_but_to_read(reader: Box, operator: Box, kube: Kube) -> None:
    def beyond_reading(box: Box) -> list[str]:
        return allowed(
            kube, box.user, [*changing(from_rules(kube, box.user, box.objects)), DELETE], "other than reading"
        )

    with control("the operator has more"):
        READS_ONLY.fails(beyond_reading(operator))
    READS_ONLY(beyond_reading(reader))


DELETE = Question.of("delete", "pods")


@claim("rbac-operator-really-works")
def test_the_operator_execs_with_either_verb(reader: Box, operator: Box, access: Access) -> None:
    def closed(box: Box) -> list[str]:
        asked = [
            Question.of(verb, "pods/exec", box.namespace) for verb in ("get", "create")
        ]  # websockets, SPDY
        answers = access(box.user, asked)
        no = [each.verb for each, answer in answers.items() if answer is not Answer.ALLOWED]
        return observe("exec is closed to", box.label, no)

    with control("to the reader both are closed"):
        EITHER_VERB.fails(closed(reader))
    EITHER_VERB(closed(operator))


@claim("rbac-operator-really-works")
def test_the_operator_restarts_deletes_and_execs(
    box: Box, operator: Box, twin: Twins, kube: Kube, session: Session
) -> None:
    space = operator.namespace
    [deployment] = kube.apply([resting("restarted", space, session.probe_image)])
    one, other = twin(namespace=space, fresh=True), twin(namespace=space)
    execute = ("exec", "-n", space, other.name, "--", "true")
    tasks: list[tuple[tuple[str, ...], dict[str, str]]] = [
        (("rollout", "restart", f"deployment/{deployment['metadata']['name']}", "-n", space), {}),
        (execute, {"KUBECTL_REMOTE_COMMAND_WEBSOCKETS": "true"}),  # asks with GET, then falls back to POST
        (execute, {"KUBECTL_REMOTE_COMMAND_WEBSOCKETS": "false"}),  # asks with POST, as older ones do
        (("delete", "pod", one.name, "-n", space, "--wait=false"), {}),
    ]

    def ended(agent: Box, words: tuple[str, ...], env: dict[str, str]) -> str:
        told = kubectl(agent, *words, env=env)
        found = "done" if told.ok else "forbidden" if told.forbidden else f"failed: {told.stderr[-200:]}"
        return observe("a task of the operator's", f"{agent.label}: {' '.join(words[:2])} {env}", found)

    with control("the reader's kubectl is told that it may not"):
        for words, env in tasks:
            assert WORKS.fails(ended(box, words, env)) == "forbidden"
    operator.wait_ready()
    for words, env in tasks:
        WORKS(ended(operator, words, env))
    restarted = kube.get("Deployment", deployment["metadata"]["name"], space)
    assert restarted["metadata"]["generation"] > deployment["metadata"]["generation"]
