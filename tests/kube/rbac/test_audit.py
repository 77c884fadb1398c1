"""What is allowed, in the form of a golden file."""

from __future__ import annotations

from boxproof.kube.rbac.access_reviews import Question
from boxproof.kube.rbac.audit import Audit, listing


def test_what_the_namespace_alone_allows_is_a_line_of_its_own() -> None:
    allowed = [
        Question.of("list", "pods"),
        Question.of("get", "pods"),
        Question.of("get", "pods", "here"),
        Question.of("delete", "pods", "here"),
    ]
    found = Audit(asked=4, unclear=(), beyond=frozenset(allowed), seconds=0.1)
    assert listing(found) == ["pods [get list]", "pods [delete] in its namespace"]
