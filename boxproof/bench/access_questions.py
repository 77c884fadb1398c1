"""Questions about rights: access reviews side by side, against ``kubectl auth can-i`` one by one."""

from __future__ import annotations

from boxproof.bench.bench_session import Bench, spread, timed
from boxproof.core.process import run as command
from boxproof.kube.access_reviews import Answer, Question, questions_of, review
from boxproof.kube.client import Kube
from boxproof.kube.discovery import discover
from boxproof.reports.bench_results import Measure
from pytest_claims.faults import EnvironmentFault

QUESTIONS = 500
SAMPLE = 100  # of them are asked by kubectl, its time is scaled: 500 take minutes
VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")


def questions(bench: Bench) -> list[Measure]:
    """Ask what the agent may do; kubectl's answers must be the same."""
    kube = Kube(bench.cluster.kubeconfig)
    subject = bench.subject
    user = f"system:serviceaccount:{subject.namespace}:{subject.service_account}"
    asked = questions_of(discover(kube), VERBS, subject.namespace)[:QUESTIONS]
    chosen = spread(asked, SAMPLE)
    answers = review(kube, user, None, asked)  # to compare kubectl's with

    def theirs() -> float:
        said: dict[Question, bool] = {}
        seconds = timed(lambda: said.update({each: _can_i(bench, user, each) for each in chosen}))
        wrong = [each for each, allowed in said.items() if allowed != (answers[each] is Answer.ALLOWED)]
        if wrong:
            raise EnvironmentFault(f"kubectl answers otherwise: {wrong[0]}")
        return seconds * len(asked) / len(chosen)

    def ours() -> float:
        return timed(lambda: review(Kube(bench.cluster.kubeconfig), user, None, asked))

    baseline, seconds = bench.turns(theirs, ours)
    note = f"{len(asked)} questions; kubectl asked {len(chosen)} of them, its time is scaled"
    return [
        Measure(
            name="access-questions",
            baseline="kubectl auth can-i, one by one",
            baseline_seconds=baseline,
            seconds=seconds,
            target=50,
            note=note,
        )
    ]


def _can_i(bench: Bench, user: str, question: Question) -> bool:
    full = question.resource + (f".{question.group}" if question.group else "")
    where = ["--namespace", question.namespace] if question.namespace else ["--all-namespaces"]
    argv = [bench.cluster.kubectl, "--kubeconfig", bench.cluster.kubeconfig, "auth", "can-i", "--quiet"]
    argv += [question.verb, full, "--as", user, *where]
    argv += [f"--subresource={question.subresource}"] if question.subresource else []
    return command(argv, timeout=60, check=False).ok
