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
                made.setdefault(each.verb, []).append(what(each))
        return {verb: sorted(set(many)) for verb, many in made.items()}


def listing(found: Audit) -> list[str]:
    """Return what is allowed as lines "resource [verbs]", sorted: the form of a golden file.

    What is allowed in the namespace alone is a line of its own that says so.
    """
    everywhere = {(each.url or what(each), each.verb) for each in found.beyond if not each.namespace}
    verbs: dict[tuple[str, str], set[str]] = {}
    for each in found.beyond:
        name = each.url or what(each)
        place = "" if (name, each.verb) in everywhere else " in its namespace"
        verbs.setdefault((name, place), set()).add(each.verb)
    return [f"{name} [{' '.join(sorted(many))}]{place}" for (name, place), many in sorted(verbs.items())]


def what(question: Question) -> str:
    """Return the resource of a question as "deployments.apps/scale"."""
    full = question.resource + (f".{question.group}" if question.group else "")
    return full + (f"/{question.subresource}" if question.subresource else "")


def audit(kube: Kube, user: str, questions: Iterable[Question], groups: Sequence[str] | None = None) -> Audit:
    """Ask every question about ``user``, and those it may about anyone signed in; the time is recorded."""
    started = time.monotonic()
    answers = review(kube, user, groups, questions)
    yes = [each for each, answer in answers.items() if answer is Answer.ALLOWED]
    common = review(kube, SIGNED_IN[0], SIGNED_IN[1], yes)
    made = Audit(
        asked=len(answers),
        unclear=tuple(each for each, answer in answers.items() if answer is Answer.ERROR),
        beyond=frozenset(each for each in yes if common[each] is not Answer.ALLOWED),
        seconds=round(time.monotonic() - started, 2),
    )
    shown = sorted(str(each) for each in made.beyond)
    told = {"asked": made.asked, "unclear": len(made.unclear), "beyond": shown, "seconds": made.seconds}
    record("audit", user, told, decides=shown)
    return made
