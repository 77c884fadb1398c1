"""The operator tier: somebody's decision, and able to do its work."""

from __future__ import annotations

from boxproof.agent.kubectl import kubectl
from boxproof.core.session import Session
from boxproof.deployment.box import Box
from boxproof.deployment.deploy import COMPONENTS, added
from boxproof.fixtures.box_fixtures import Access, MakeBox
from boxproof.fixtures.factories import Twins
from boxproof.kube.client import Kube
from boxproof.kube.rbac.access_reviews import Answer, Question
from boxproof.kube.rbac.rules import becomes, in_force
from boxproof.probes.pods.probe_pods import resting
from boxproof.subject.manifests.pod_specs import without_pods
from boxproof.subject.model import Subject
from pytest_claims import claim, control

DELETE = Question.of("delete", "pods")


@claim("rbac-operator-is-opt-in")
def test_the_operator_comes_and_goes_with_its_component(
    reader: Box, make_box: MakeBox, kube: Kube, access: Access, subject: Subject
) -> None:
    box = make_box(components=(*COMPONENTS, *subject.tiers["operator"]), edit=without_pods, ready=False)
    in_force(kube, box.user)
    with control("with the component, pods may be deleted"):
        assert access(box.user, [DELETE])[DELETE] is Answer.ALLOWED
    assert access(reader.user, [DELETE])[DELETE] is Answer.DENIED
    extra = added(box, reader)
    kube.delete(extra)
    assert becomes(kube, box.user, DELETE, Answer.DENIED) is Answer.DENIED
    kube.apply(extra)
    assert becomes(kube, box.user, DELETE, Answer.ALLOWED) is Answer.ALLOWED


@claim("rbac-operator-really-works")
def test_the_operator_execs_with_either_verb(reader: Box, operator: Box, access: Access) -> None:
    asked = [Question.of(verb, "pods/exec") for verb in ("get", "create")]  # websockets and SPDY
    with control("the reader may with neither"):
        assert set(access(reader.user, asked).values()) == {Answer.DENIED}
    answers = access(operator.user, asked)
    assert [str(each) for each, answer in answers.items() if answer is not Answer.ALLOWED] == []


@claim("rbac-operator-really-works")
def test_the_operator_restarts_deletes_and_execs(
    box: Box, operator: Box, twin: Twins, kube: Kube, session: Session, aside: str
) -> None:
    [deployment] = kube.apply([resting("restarted", aside, session.probe_image)])
    one, other = twin(fresh=True), twin()
    execute = ("exec", "-n", other.namespace, other.name, "--", "true")
    tasks: list[tuple[tuple[str, ...], dict[str, str]]] = [
        (("rollout", "restart", f"deployment/{deployment['metadata']['name']}", "-n", aside), {}),
        (execute, {"KUBECTL_REMOTE_COMMAND_WEBSOCKETS": "true"}),  # asks with GET, then falls back to POST
        (execute, {"KUBECTL_REMOTE_COMMAND_WEBSOCKETS": "false"}),  # asks with POST, as older ones do
        (("delete", "pod", one.name, "-n", one.namespace, "--wait=false"), {}),
    ]
    with control("the reader's kubectl is told that it may not"):
        assert all(kubectl(box, *words, env=env).forbidden for words, env in tasks)
    operator.wait_ready()
    told = [kubectl(operator, *words, env=env) for words, env in tasks]
    assert [each.stderr for each in told if not each.ok] == []
    restarted = kube.get("Deployment", deployment["metadata"]["name"], aside)
    assert restarted["metadata"]["generation"] > deployment["metadata"]["generation"]
