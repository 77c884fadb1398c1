"""Which settings are in the place of the image's, whatever volume brings them, and what they leave open."""

from __future__ import annotations

import json
from typing import Any

import pytest

from suites.isolation.managed_settings import KEPT, LINK, given, left_open

HELD = json.dumps(
    {"allowManagedHooksOnly": True, "permissions": {"disableBypassPermissionsMode": "disable"}, "env": {}}
)
FILE = "managed-settings.json"
PLAIN = {"configMap": {"name": "one"}}


def texts(volume: dict[str, Any], data: dict[str, str], **mount: Any) -> list[str]:
    pod = {
        "containers": [{"name": "a", "volumeMounts": [{"name": "v", **mount}]}, {"name": "b"}],
        "volumes": [{"name": "v", **volume}],
    }
    objects = [{"kind": "ConfigMap", "metadata": {"name": "one"}, "data": data}]
    assert given(objects, pod, "b") == []
    return given(objects, pod, "a")


@pytest.mark.parametrize(
    ("volume", "data", "mount", "wanted"),
    [
        (PLAIN, {FILE: HELD}, {"mountPath": "/etc/box/mcp"}, [HELD]),
        (PLAIN, {FILE: HELD}, {"mountPath": "/etc/box/mcp/"}, [HELD]),
        (PLAIN, {FILE: HELD}, {"mountPath": "/etc/claude-code"}, [HELD]),
        (PLAIN, {FILE: HELD}, {"mountPath": KEPT, "subPath": FILE}, [HELD]),
        (PLAIN, {"mcp.json": "{}"}, {"mountPath": "/etc/box/mcp"}, [""]),
        (PLAIN, {FILE: HELD}, {"mountPath": "/tmp"}, []),
        (PLAIN, {FILE: HELD}, {"mountPath": "/etc/box/kubeconfig"}, []),
        ({"emptyDir": {}}, {FILE: HELD}, {"mountPath": "/etc/box/mcp"}, [""]),
        (
            {"projected": {"sources": [{"secret": {"name": "x"}}, PLAIN]}},
            {FILE: HELD},
            {"mountPath": "/etc/box/mcp"},
            [HELD],
        ),
        (
            {"configMap": {"name": "one", "items": [{"key": "settings", "path": FILE}]}},
            {"settings": HELD, FILE: "{}"},
            {"mountPath": "/etc/box/mcp"},
            [HELD],
        ),
    ],
)
def test_what_is_mounted_over_the_images_settings_counts(
    volume: dict[str, Any], data: dict[str, str], mount: dict[str, Any], wanted: list[str]
) -> None:
    assert texts(volume, data, **mount) == wanted


OPEN = '{"allowManagedHooksOnly": false}'
BESIDE = "/etc/claude-code/managed-settings.d"


@pytest.mark.parametrize(
    ("data", "mount", "wanted"),
    [
        ({"50.json": OPEN}, {"mountPath": BESIDE}, ["hooks of others"]),
        ({"50.json": OPEN}, {"mountPath": f"{BESIDE}/team.json", "subPath": "50.json"}, ["hooks of others"]),
        ({"50.json": OPEN, "60.json": HELD}, {"mountPath": BESIDE}, []),
        ({"50.json": OPEN, "40.json": HELD}, {"mountPath": BESIDE}, ["hooks of others"]),
        ({"50.json": '{"permissions": {"deny": []}}'}, {"mountPath": BESIDE}, []),
        ({"50.json": "no settings"}, {"mountPath": BESIDE}, ["no JSON"]),
        ({"50.txt": OPEN, ".50.json": OPEN}, {"mountPath": BESIDE}, []),
        ({"50.json": OPEN}, {"mountPath": "/tmp"}, []),
    ],
)
def test_fragments_count_by_what_they_take_back(
    data: dict[str, str], mount: dict[str, Any], wanted: list[str]
) -> None:
    assert [one for each in texts(PLAIN, data, **mount) for one in left_open(each)] == wanted


def test_a_directory_that_has_both_is_read_whole() -> None:
    items = [{"key": "a", "path": FILE}, {"key": "b", "path": "managed-settings.d/50.json"}]
    volume = {"configMap": {"name": "one", "items": items}}
    found = texts(volume, {"a": HELD, "b": OPEN}, mountPath="/etc/claude-code")
    assert [left_open(each) for each in found] == [[], ["hooks of others"]]


def test_binary_data_is_read_too() -> None:
    objects = [{"kind": "ConfigMap", "metadata": {"name": "one"}, "binaryData": {FILE: "e30="}}]
    mount = {"name": "v", "mountPath": "/etc/box/mcp"}
    pod = {"containers": [{"name": "a", "volumeMounts": [mount]}], "volumes": [{"name": "v"} | PLAIN]}
    assert given(objects, pod, "a") == ["{}"]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (HELD, []),
        ("", ["no JSON"]),
        ("[]", ["no settings"]),
        ("{}", ["hooks of others", "a mode that asks for no permission"]),
        (HELD.replace("true", '"true"'), ["hooks of others"]),
        (HELD.replace('"disable"', '"allow"'), ["a mode that asks for no permission"]),
    ],
)
def test_what_settings_leave_open_is_named(text: str, wanted: list[str]) -> None:
    assert left_open(text) == wanted


def test_the_link_and_what_it_leads_to_are_files_of_one_name() -> None:
    assert {each.rpartition("/")[2] for each in (LINK, KEPT)} == {FILE}
