"""What a pod has at /tmp is told from what is as it should be."""

from __future__ import annotations

from typing import Any

import pytest

from suites.resources.tmp_places import open_places

MEMORY = {"emptyDir": {"medium": "Memory", "sizeLimit": "256Mi"}}
SHUT = {"securityContext": {"readOnlyRootFilesystem": True}}


@pytest.mark.parametrize(
    ("mounts", "volume", "found"),
    [
        ({"/tmp": {}}, MEMORY, []),
        ({"/tmp/": {}}, MEMORY, []),
        ({"/home": {}}, {"emptyDir": {}}, []),
        ({"/tmpx": {}}, {"emptyDir": {}}, []),
        ({"/tmp": {}}, {"emptyDir": {}}, ["/tmp"]),
        ({"/tmp/": {}}, {"emptyDir": {"sizeLimit": "1Gi"}}, ["/tmp"]),
        ({"/tmp": {}}, {"emptyDir": {"medium": "Memory", "sizeLimit": "0"}}, ["/tmp"]),
        ({"/tmp": {}}, {"emptyDir": {"medium": "Memory", "sizeLimit": "64Gi"}}, ["/tmp"]),
        ({"/tmp": {}}, {"persistentVolumeClaim": {"claimName": "a"}}, ["/tmp"]),
        ({"/tmp/cache": {}}, {"emptyDir": {}}, ["/tmp/cache"]),
        ({"/tmp/cache": {"readOnly": True}}, {"emptyDir": {}}, []),
        ({"/tmp/ca.crt": {"subPath": "ca.crt"}}, {"configMap": {"name": "a"}}, []),
    ],
)
def test_places_at_tmp(mounts: dict[str, Any], volume: dict[str, Any], found: list[str]) -> None:
    every = [{"name": "a", "mountPath": path} | more for path, more in mounts.items()]
    one = {"name": "one", "resources": {"limits": {"memory": "4Gi"}}, "volumeMounts": every} | SHUT
    assert list(open_places({"containers": [one], "volumes": [{"name": "a"} | volume]}, one)) == found


def test_a_layer_that_can_be_written_has_a_tmp() -> None:
    assert list(open_places({}, {"name": "one"})) == ["/tmp in its own layer"]
    assert list(open_places({}, {"name": "one"} | SHUT)) == []


def test_where_no_memory_is_limited_a_size_is_a_bound() -> None:
    one = {"name": "one", "volumeMounts": [{"name": "a", "mountPath": "/tmp"}]}
    assert list(open_places({"containers": [one], "volumes": [{"name": "a"} | MEMORY]}, one)) == []
