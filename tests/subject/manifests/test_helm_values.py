"""What values the commands of a page give a chart."""

from __future__ import annotations

from typing import Any

import pytest

from boxproof.subject.manifests import helm_values


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("helm install a b --set image.tag=latest", [{"image": {"tag": "latest"}}]),
        ("helm upgrade a b --set=a.b=1,c={x,y}", [{"a": {"b": "1"}}, {"c": "{x,y}"}]),
        ("helm template a b --set-string 'a\\.b/c=one\\,two'", [{"a.b/c": "one\\,two"}]),
        ("""helm upgrade a b --set-json='image={"tag": "latest"}'""", [{"image": {"tag": "latest"}}]),
        ("""helm upgrade a b --set-json '{"image": {"tag": "1"}}'""", [{"image": {"tag": "1"}}]),
        ("helm upgrade a b \\\n  --set x=1", [{"x": "1"}]),
        ("helm upgrade a b --set-json image=", []),
        ("helm upgrade a b --set-json='a=[1", []),
        ("kubectl set image deployment/a a=b:latest", []),
        ("docker run --set x=1", []),
    ],
)
def test_the_options_of_a_command_are_read_as_values(line: str, values: list[dict[str, Any]]) -> None:
    assert list(helm_values.given(line)) == values
