"""Where the variables and files of a container come from."""

from __future__ import annotations

from typing import Any

import pytest

from suites.packaging import settings_sources

MAP = {"kind": "ConfigMap", "metadata": {"name": "m"}, "data": {"MODE": "api", "servers.json": "{}"}}
OF_THE_MAP = {"name": "MODE", "valueFrom": {"configMapKeyRef": {"name": "m", "key": "MODE"}}}


def pod(**container: Any) -> dict[str, Any]:
    return {
        "containers": [{"name": "a", **container}],
        "volumes": [{"name": "v", "configMap": {"name": "m"}}],
    }


@pytest.mark.parametrize(
    ("container", "found"),
    [
        ({"envFrom": [{"configMapRef": {"name": "m"}}]}, []),
        ({"env": [OF_THE_MAP]}, []),
        ({"env": [{"name": "MODE", "value": "api"}], "envFrom": [{"configMapRef": {"name": "m"}}]},
         ["MODE: the pod's own"]),
        ({"envFrom": [{"secretRef": {"name": "m"}}]}, ["MODE: nobody's"]),
    ],
)  # fmt: skip
def test_a_variable_is_the_maps_or_not(container: dict[str, Any], found: list[str]) -> None:
    assert settings_sources.elsewhere([MAP], pod(**container), "a", ["MODE"]) == found


def test_a_file_is_there_where_its_map_is_mounted() -> None:
    mounted = pod(volumeMounts=[{"name": "v", "mountPath": "/etc"}])

    assert settings_sources.unmounted([MAP], mounted, "a", "servers.json") == []
    assert settings_sources.unmounted([MAP], pod(), "a", "servers.json") == ["servers.json: not mounted"]
