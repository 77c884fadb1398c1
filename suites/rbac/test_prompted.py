"""What the account runs into while the service of the box answers, not somebody who enters the pod."""

from __future__ import annotations

from boxproof.agent.api_session import SEND
from boxproof.core.session import Session
from boxproof.deployment.cluster_requirements import answers_prompts
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.fixtures.factories import Twins
from boxproof.probes.pressure import eventually
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, require
from pytest_claims.faults import Unprovable
from suites.rbac.test_others import REFUSED, complaints

ANSWERS_AND_SAYS_NOTHING = require(
    "its service has answered a prompt, and no line of the logs says that the account is forbidden something",
    lambda lines: lines == [],
)


@claim("rbac-no-forbidden-lines")
@needs("box")
def test_the_service_that_answers_runs_into_no_missing_right(
    make_box: MakeBox, session: Session, subject: Subject, twin: Twins
) -> None:
    """What a program says that is started by hand in the pod is in nobody's log."""
    if not answers_prompts(session, subject):
        raise Unprovable("its image has no CLI that answers a prompt")
    box = make_box()
    assert box.exec(SEND, timeout=300).ok, "no prompt could be answered"
    ANSWERS_AND_SAYS_NOTHING(complaints(box))
    with control("a container of the namespace that logs such a line is seen"):
        words = ["sh", "-c", 'echo "$0"; exec sleep 3600', REFUSED.format(box.user)]
        twin(namespace=box.namespace, labels={"role": "complains"}, command=words, fresh=True)
        eventually(lambda: complaints(box), timeout=30, what="its line is in the log")
        ANSWERS_AND_SAYS_NOTHING.fails(complaints(box))
