"""Which pods an upgrade replaces, and which it has to: told by two renders."""

from __future__ import annotations

from typing import Any

from suites.packaging.chart_upgrades import noted, owed, restarted

Objects = list[dict[str, Any]]
AGENT = "StatefulSet a/agent"


def objects(content: str, *, note: str = "", space: str = "a", **spec: Any) -> Objects:
    template = {"metadata": {"annotations": {"checksum/any": note}}, "spec": spec}
    meta = {"name": "agent", "namespace": space}
    return [
        {"kind": "ConfigMap", "metadata": {"name": "m", "namespace": "a"}, "data": {"key": content}},
        {"kind": "StatefulSet", "metadata": meta, "spec": {"template": template}},
    ]


def test_who_reads_what_changes_is_owed_another_pod() -> None:
    for spec in (
        {"containers": [{"envFrom": [{"configMapRef": {"name": "m"}}]}]},
        {"volumes": [{"configMap": {"name": "m"}}]},
        {"volumes": [{"projected": {"sources": [{"configMap": {"name": "m"}}]}}]},
    ):
        assert owed(objects("1", **spec), objects("2", **spec)) == [AGENT]
        assert owed(objects("1", **spec), objects("1", **spec)) == []
    assert owed(objects("1"), objects("2")) == []
    of_another: dict[str, Any] = {"volumes": [{"configMap": {"name": "m"}}], "space": "b"}
    assert owed(objects("1", **of_another), objects("2", **of_another)) == []


def test_a_digest_in_a_variable_is_no_change_of_its_own() -> None:
    assert owed(objects("1", image="a"), objects("1", image="b")) == [AGENT]
    one, two = (objects("1", env=[{"value": each * 64}]) for each in "ab")
    assert owed(one, two) == []
    assert restarted("a variable", one, two) == [AGENT]


def test_another_annotation_is_another_pod() -> None:
    assert restarted("noted", objects("1", note="1"), objects("1", note="2")) == [AGENT]
    same = noted(objects("1", note="1"), None), noted(objects("2", note="2"), None)
    assert restarted("without", *same) == []
