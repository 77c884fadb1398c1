"""Variables that objects, services and values set."""

from __future__ import annotations

import pytest
import yaml

from suites.ci import set_variables


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{env: [{name: A_B, value: '1'}, {name: C, valueFrom: {}}]}", {"A_B": "1", "C": "from elsewhere"}),
        ("{data: {A: x, lower: y, A.json: z}}", {"A": "x"}),
        ("{environment: [A=1, B_C=x=y, lower=1]}", {"A": "1", "B_C": "x=y"}),
        ("{environment: {A: true, B: null, C: 0}}", {"A": "true", "B": "", "C": "0"}),
        ("[{name: ABC, image: x}, {args: [plain]}]", {}),
    ],
)
def test_each_form_is_read(text: str, found: dict[str, str]) -> None:
    assert set_variables.of_tree(yaml.safe_load(text)) == found
