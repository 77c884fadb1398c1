"""What an account may do: asked by its own rules, in every namespace, beside what is asked of everyone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from boxproof.kube.access_reviews import (
    Answer,
    Audit,
    Question,
    audit,
    discover,
    groups_of,
    listing,
    questions_of,
    reviewed,
)
from boxproof.kube.client import Kube, Object
from boxproof.kube.rules import among, derived, filled, given, grants, places
from pytest_claims import observe
from pytest_claims.faults import EnvironmentFault

FEWEST = 500  # questions about a whole API


def spaces(kube: Kube) -> list[str]:
    """Return all namespaces there are, and "" for all at once."""
    return ["", *sorted(str(each["metadata"]["name"]) for each in kube.list("Namespace"))]


def from_rules(kube: Kube, user: str, objects: Sequence[Object] = ()) -> list[Question]:
    """Return what the rules that the subject answers for give ``user``, as questions."""
    return derived(given(grants(kube, user), objects), discover(kube))


def brought(kube: Kube, user: str, objects: Sequence[Object]) -> list[Question]:
    """Return what the bindings among ``objects`` would give ``user``, as questions; none of it is applied."""
    own = filled([*kube.list("ClusterRole"), *objects])  # a binding may be to a role of the cluster's
    return derived(among(own, user, groups_of(user)), discover(kube))


def lines(questions: Sequence[Question], namespace: str) -> list[str]:
    """Return rights as the lines of a golden file; ``namespace`` is the account's own."""
    found = Audit(asked=len(questions), unclear=(), beyond=frozenset(questions), seconds=0.0)
    return listing(found, namespace)


def allowed(
    kube: Kube, user: str, questions: Iterable[Question], what: str, groups: Sequence[str] | None = None
) -> list[str]:
    """Return which of the questions are answered with yes, sorted; an observation.

    Raises EnvironmentFault where the API server gives one no clear answer, or where nothing is asked.
    """
    answers = reviewed(kube, user, groups, questions)
    if not answers:
        raise EnvironmentFault(f"{what}: nothing was asked about {user}")
    yes = sorted(str(each) for each, answer in answers.items() if answer is Answer.ALLOWED)
    return observe("allowed", f"{user}: {what}, {len(answers)} questions", yes)


def whole_api(kube: Kube, user: str, objects: Sequence[Object], namespace: str) -> Audit:
    """Ask about every verb of everything the API has, everywhere and wherever a rule of ``user`` holds.

    Raises EnvironmentFault where answers are not clear, or the API has too little to be one.
    """
    found, resources = grants(kube, user), discover(kube)
    own = given(found, objects)
    asked = [each for place in places(own, namespace) for each in questions_of(resources, namespace=place)]
    made = audit(kube, user, asked, brought=derived(own, resources))
    if made.unclear or made.asked < FEWEST:
        raise EnvironmentFault(f"{made.asked} questions about {user}, unclear: {made.unclear[:5]}")
    return made


def changes(made: Audit, user: str, meant: dict[str, set[str]] | None = None) -> dict[str, list[str]]:
    """Return what an audit allows other than reading, without what is ``meant``; an observation."""
    kept = {
        verb: [each for each in many if each not in (meant or {}).get(verb, ())]
        for verb, many in made.changes.items()
    }
    return observe("changes", user, {verb: many for verb, many in kept.items() if many})
