"""What an account may do beyond everyone who is signed in, asked over many questions at once."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from boxproof.kube.client import Kube
from boxproof.kube.rbac.access_reviews import Answer, Question, review
from pytest_claims.recording.observations import record

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
