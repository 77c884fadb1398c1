"""Where a container may write as much as it likes on its node, read from its pod."""

from __future__ import annotations

from typing import Any

import pytest

from suites.isolation.open_places import open_places

CLOSED = {"readOnlyRootFilesystem": True}
MEMORY = {"limits": {"memory": "1Gi"}}
DISK = {"limits": {"memory": "1Gi", "ephemeral-storage": "8Gi"}}
MOUNT = [{"name": "a", "mountPath": "/a"}]


@pytest.mark.parametrize(
    ("container", "volume", "wanted"),
    [
        ({"resources": DISK}, {"emptyDir": {}}, []),
        ({"resources": MEMORY}, {"emptyDir": {}}, ["its own layer"]),
        ({"resources": MEMORY, "securityContext": CLOSED}, {"emptyDir": {}}, []),
        ({"resources": MEMORY, "securityContext": CLOSED, "volumeMounts": MOUNT}, {"emptyDir": {}}, ["/a"]),
        (
            {"resources": MEMORY, "securityContext": CLOSED, "volumeMounts": MOUNT},
            {"emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
            [],
        ),
        (
            {"resources": MEMORY, "securityContext": CLOSED, "volumeMounts": [MOUNT[0] | {"readOnly": True}]},
            {"emptyDir": {}},
            [],
        ),
        ({"resources": MEMORY, "securityContext": CLOSED, "volumeMounts": MOUNT}, {"configMap": {}}, []),
        ({"securityContext": CLOSED}, {"emptyDir": {}}, ["memory"]),
        ({"resources": {"limits": {"memory": "0"}}, "securityContext": CLOSED}, {}, ["memory"]),
        ({"resources": {"limits": {"memory": "0Gi"}}, "securityContext": CLOSED}, {}, ["memory"]),
        ({"resources": {"limits": {"memory": 2147483648}}, "securityContext": CLOSED}, {}, []),
        (
            {"resources": MEMORY, "securityContext": CLOSED, "volumeMounts": MOUNT},
            {"emptyDir": {"medium": "Memory", "sizeLimit": 0}},
            ["/a"],
        ),
        ({"resources": {"limits": {"memory": "1Gi", "ephemeral-storage": "100Ti"}}}, {}, ["its own layer"]),
        (
            {"resources": MEMORY, "securityContext": CLOSED, "volumeMounts": MOUNT},
            {"emptyDir": {"sizeLimit": "500Gi"}},
            ["/a"],
        ),
        (
            {"resources": MEMORY, "securityContext": CLOSED, "volumeMounts": MOUNT},
            {"emptyDir": {"sizeLimit": "1P"}},
            ["/a"],
        ),
        (
            {"resources": MEMORY, "securityContext": CLOSED, "volumeMounts": MOUNT},
            {"emptyDir": {"sizeLimit": "2Gi"}},
            [],
        ),
    ],
)
def test_what_has_no_upper_size_is_told(
    container: dict[str, Any], volume: dict[str, Any], wanted: list[str]
) -> None:
    assert list(open_places({"volumes": [{"name": "a"} | volume]}, container)) == wanted
