"""Who still speaks of what values have switched off."""

from __future__ import annotations

from typing import Any

import pytest

from suites.packaging import switched_off

SERVICE = {"kind": "Service", "metadata": {"name": "proxy"}}


def pod(*command: str) -> dict[str, Any]:
    spec = {"containers": [{"name": "a", "image": "i:1", "command": [*command]}]}
    return {"kind": "Pod", "metadata": {"name": "p"}, "spec": spec}


@pytest.mark.parametrize(
    ("after", "found"),
    [
        pytest.param([pod("wait", "proxy:3128")], ["Pod/p: proxy"], id="a pod"),
        pytest.param([pod("wait", "other-proxy:1")], [], id="a longer name"),
        pytest.param([pod("wait", "proxy:3128"), SERVICE], [], id="what is still there"),
    ],
)
def test_what_is_named_and_gone_is_found(after: list[dict[str, Any]], found: list[str]) -> None:
    assert switched_off.named([SERVICE], after) == found


def test_settings_that_name_it_count() -> None:
    settings = {"kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"HTTPS_PROXY": "http://proxy:3128"}}

    assert switched_off.named([SERVICE], [settings]) == ["ConfigMap/c: proxy"]
