"""The values of a chart, one by one."""

from __future__ import annotations

from suites.packaging import chart_values


def test_a_value_that_holds_no_other_is_a_leaf() -> None:
    values = {"a": {"b": 1, "c": {}}, "d": [], "e": "x"}
    assert dict(chart_values.leaves(values)) == {("a", "b"): 1, ("a", "c"): {}, ("d",): [], ("e",): "x"}
