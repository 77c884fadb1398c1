"""What an account may do, asked of the API server in parallel by SubjectAccessReviews."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum

from boxproof.kube.client import ApiError, Kube, Late, Object
from boxproof.kube.discovery import Resource, discover
from pytest_claims.faults import DeadlineExceeded, EnvironmentFault
from pytest_claims.recording.observations import record
from pytest_claims.waiting import NotYet, until

__all__ = ["Answer", "Question", "Resource", "discover", "groups_of", "questions_of", "review", "reviewed"]

ANSWERS = 60.0  # seconds until a late answer is given up on
BUSY = frozenset({429, 503, 504})  # statuses of an API server that may do better a moment later
# what the authorizer says of a binding to a role that is not there: it gives nothing, and that is an answer
NO_SUCH_ROLE = re.compile(r'(RBAC: )?(cluster)?roles?\.rbac\.authorization\.k8s\.io "[^"]*" not found')
PATH = "/apis/authorization.k8s.io/v1/subjectaccessreviews"


class Answer(StrEnum):
    """The answer to one question; ``ERROR`` is neither yes nor no."""

    ALLOWED = "allowed"
    DENIED = "denied"
    ERROR = "error"


@dataclass(frozen=True, kw_only=True)
class Question:
    """May ``verb`` be done to ``resource`` (or the non-resource ``url``)? ``namespace`` "" is all of them."""

    verb: str
    resource: str = ""
    group: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    url: str = ""

    def __str__(self) -> str:
        if self.url:
            return f"{self.verb} {self.url}"
        full = self.resource + (f".{self.group}" if self.group else "")
        full += f"/{self.subresource}" if self.subresource else ""
        full += f" {self.name}" if self.name else ""
        return f"{self.verb} {full} in {self.namespace or 'all namespaces'}"

    @classmethod
    def of(cls, verb: str, what: str, namespace: str = "", name: str = "") -> Question:
        """Return the question about "pods", "pods/log", "deployments.apps" or "deployments.apps/scale"."""
        full, _, subresource = what.partition("/")
        resource, _, group = full.partition(".")
        return cls(
            verb=verb, resource=resource, group=group, subresource=subresource, namespace=namespace, name=name
        )


def questions_of(
    resources: Iterable[Resource], verbs: Sequence[str] = (), namespace: str = ""
) -> list[Question]:
    """Return a question for each verb (default: those the resource has) of each resource."""
    return [
        Question(
            verb=verb,
            resource=each.parent,
            group=each.group,
            subresource=each.subresource,
            namespace=namespace if each.namespaced else "",
        )
        for each in resources
        for verb in verbs or each.verbs
    ]


def groups_of(user: str) -> tuple[str, ...]:
    """Return the groups the API server gives a user: a service account's, or those of anyone signed in."""
    signed_in = "system:authenticated"
    parts = user.split(":")
    if parts[:2] == ["system", "serviceaccount"] and len(parts) == 4:
        return ("system:serviceaccounts", f"system:serviceaccounts:{parts[2]}", signed_in)
    return (signed_in,)


def review(
    kube: Kube,
    user: str,
    groups: Sequence[str] | None,
    questions: Iterable[Question],
    workers: int = 16,
) -> dict[Question, Answer]:
    """Return the API server's answer to each question about ``user``; ``groups`` None means its own.

    A question the authorizer could not evaluate, or that the API server refused, is ERROR. Raises
    EnvironmentFault if it gives no answer at all.
    """
    asked = list(dict.fromkeys(questions))
    member_of = list(groups_of(user) if groups is None else groups)
    with ThreadPoolExecutor(max(1, min(workers, len(asked)))) as pool:
        answers = list(pool.map(lambda each: _ask(kube, user, member_of, each), asked))
    found = dict(zip(asked, answers, strict=True))
    for question, answer in found.items():
        record("access", f"{user}: {question}", answer)
    return found


def reviewed(
    kube: Kube, user: str, groups: Sequence[str] | None, questions: Iterable[Question]
) -> dict[Question, Answer]:
    """Return yes or no for each question, as ``review``; raises EnvironmentFault where one gets neither."""
    answers = review(kube, user, groups, questions)
    unclear = [str(each) for each, answer in answers.items() if answer is Answer.ERROR]
    if unclear:
        raise EnvironmentFault(f"the API server neither allows nor denies {user}: {', '.join(unclear[:5])}")
    return answers


def _ask(kube: Kube, user: str, groups: list[str], question: Question) -> Answer:
    spec: dict[str, object] = {"user": user, "groups": groups}
    if question.url:
        spec["nonResourceAttributes"] = {"path": question.url, "verb": question.verb}
    else:
        names = ("verb", "resource", "group", "subresource", "namespace", "name")
        spec["resourceAttributes"] = {each: getattr(question, each) for each in names}
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
    what = f"the answer to {question} for {user}"

    def asked() -> Object:
        try:
            return kube.post(PATH, body)
        except ApiError as refused:
            if refused.status in BUSY:
                raise NotYet(refused.message) from refused
            raise

    try:  # to ask changes nothing, so that one which is late is asked again
        answer = until(asked, timeout=ANSWERS, what=what, transient=(Late,))
        status = answer["status"]
    except DeadlineExceeded:
        raise
    except EnvironmentFault:
        if not kube.alive():
            raise
        return Answer.ERROR
    return classify(status)


def classify(status: dict[str, object]) -> Answer:
    """Return the answer a review's status stands for."""
    if status.get("allowed"):
        return Answer.ALLOWED
    trouble = NO_SUCH_ROLE.sub("", str(status.get("evaluationError") or ""))
    return Answer.ERROR if trouble.strip("[], ") else Answer.DENIED


READS = frozenset({"get", "list", "watch"})
SIGNED_IN = ("boxproof:anyone", ("system:authenticated",))  # an account nobody has bound to anything
ADMIN = ("boxproof:admin", ("system:masters",))  # may do everything, by definition of that group


@dataclass(frozen=True, kw_only=True)
class Audit:
    """How many questions were asked, which got no clear answer, and what is allowed beyond everyone."""

    asked: int
    unclear: tuple[Question, ...]
    beyond: frozenset[Question]
    seconds: float

    @property
    def changes(self) -> dict[str, list[str]]:
        """What it may do other than read: verb -> resources."""
        made: dict[str, list[str]] = {}
        for each in sorted(self.beyond, key=str):
            if each.verb not in READS:
                made.setdefault(each.verb, []).append(f"{what(each)} {each.name}".rstrip())
        return {verb: sorted(set(many)) for verb, many in made.items()}


def listing(found: Audit, own: str = "") -> list[str]:
    """Return what is allowed as lines "resource [verbs]", sorted: the form of a golden file.

    What is allowed in one namespace alone is a line that says so ("its namespace" for ``own``); what is
    allowed for one name alone is a line with that name.
    """
    everything = {(what(each), each.verb, each.namespace) for each in found.beyond if not each.name}
    verbs: dict[tuple[str, str], set[str]] = {}
    for each in found.beyond:
        plain, verb, space = what(each), each.verb, each.namespace
        if each.name and {(plain, verb, space), (plain, verb, "")} & everything:
            continue
        name = f"{plain} {each.name}" if each.name else plain
        wide = (plain, verb, "") in everything or not space
        place = "" if wide else " in its namespace" if space == own else f" in {space}"
        verbs.setdefault((name, place), set()).add(verb)
    return [f"{name} [{' '.join(sorted(many))}]{place}" for (name, place), many in sorted(verbs.items())]


def what(question: Question) -> str:
    """Return the resource of a question as "deployments.apps/scale", or its address."""
    full = question.resource + (f".{question.group}" if question.group else "")
    return question.url or full + (f"/{question.subresource}" if question.subresource else "")


def audit(
    kube: Kube,
    user: str,
    questions: Iterable[Question],
    groups: Sequence[str] | None = None,
    *,
    brought: Iterable[Question] = (),
) -> Audit:
    """Ask every question about ``user``, and those it may about anyone signed in; the time is recorded.

    What is ``brought`` by the subject's own rules counts as beyond everyone, although a binding of the
    subject's may give it to everyone.
    """
    started, own = time.monotonic(), frozenset(brought)
    answers = review(kube, user, groups, [*questions, *own])
    yes = [each for each, answer in answers.items() if answer is Answer.ALLOWED]
    common = review(kube, SIGNED_IN[0], SIGNED_IN[1], [each for each in yes if each not in own])
    made = Audit(
        asked=len(answers),
        unclear=tuple(each for each, answer in answers.items() if answer is Answer.ERROR),
        beyond=frozenset(each for each in yes if common.get(each) is not Answer.ALLOWED),
        seconds=round(time.monotonic() - started, 2),
    )
    shown = sorted(str(each) for each in made.beyond)
    told = {"asked": made.asked, "unclear": len(made.unclear), "beyond": shown, "seconds": made.seconds}
    record("audit", user, told, decides=shown)
    return made
