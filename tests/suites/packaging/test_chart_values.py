"""The values of a chart, one by one."""

from __future__ import annotations

from typing import Any

from suites.packaging import chart_values
from suites.packaging.lasting_objects import gone, renamed


def test_a_value_that_holds_no_other_is_a_leaf() -> None:
    values = {"a": {"b": 1, "c": {}}, "d": [], "e": "x"}
    assert dict(chart_values.leaves(values)) == {("a", "b"): 1, ("a", "c"): {}, ("d",): [], ("e",): "x"}


def settings(name: str, space: str, **more: Any) -> dict[str, Any]:
    """Return a ConfigMap."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": space}, **more}


def test_a_value_of_one_agent_reaches_no_other() -> None:
    both = [settings("a", "box-first"), settings("a", "box-second")]
    assert chart_values.strays(both, both) == ["nothing changes"]
    mine = [settings("a", "box-first", data={"x": "1"}), both[1]]
    assert chart_values.strays(both, mine) == []
    every = [mine[0], settings("a", "box-second", data={"x": "1"})]
    assert [each.partition(":")[0] for each in chart_values.strays(both, every)] == ["ConfigMap box-second/a"]


def test_what_lasts_keeps_its_name() -> None:
    claim = {"kind": "PersistentVolumeClaim", "metadata": {"name": "home", "namespace": "a"}}
    one = [claim, settings("a-1", "a")]
    assert gone(one, one) == []
    assert gone(one, [claim, settings("a-2", "a")]) == []
    assert gone(one, renamed(one, "1.2")) == ["PersistentVolumeClaim a/home"]
