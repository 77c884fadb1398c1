"""What is allowed, in the form of a golden file."""

from __future__ import annotations

from boxproof.kube.access_reviews import Audit, Question, listing


def lines(*allowed: Question) -> list[str]:
    return listing(Audit(asked=4, unclear=(), beyond=frozenset(allowed), seconds=0.1), "here")


def test_what_a_namespace_alone_allows_is_a_line_of_its_own() -> None:
    asked = (
        Question.of("list", "pods"),
        Question.of("get", "pods"),
        Question.of("get", "pods", "here"),
        Question.of("delete", "pods", "here"),
        Question.of("delete", "pods", "there"),
    )
    assert lines(*asked) == ["pods [get list]", "pods [delete] in its namespace", "pods [delete] in there"]


def test_what_a_name_alone_allows_is_a_line_of_its_own() -> None:
    asked = (
        Question.of("get", "pods"),
        Question.of("get", "pods", "", "one"),
        Question.of("update", "pods", "", "one"),
    )
    assert lines(*asked) == ["pods [get]", "pods one [update]"]
    assert lines(Question.of("get", "pods", "there", "one")) == ["pods one [get] in there"]


def test_an_address_is_a_line() -> None:
    assert lines(Question(verb="get", url="/metrics")) == ["/metrics [get]"]
