"""Schemas made of the API server's own description."""

from __future__ import annotations

from typing import Any

from boxproof.kube.discovery import schemas

KIND = {"group": "apps", "version": "v1", "kind": "Thing"}
DOCUMENT: dict[str, Any] = {
    "components": {
        "schemas": {
            "apps.v1.Thing": {
                "type": "object",
                "properties": {"spec": {"allOf": [{"$ref": "#/components/schemas/Spec"}]}},
                "x-kubernetes-group-version-kind": [KIND],
            },
            "Spec": {"type": "object", "properties": {"size": {"type": "integer"}}},
            "Free": {"type": "object", "properties": {}, "x-kubernetes-preserve-unknown-fields": True},
        }
    }
}


def test_each_kind_is_a_file_that_stands_alone_and_allows_nothing_else() -> None:
    made = schemas(DOCUMENT, "apps/v1")

    assert list(made) == ["apps_v1_thing.json"]
    definitions = made["apps_v1_thing.json"]["definitions"]
    assert definitions["apps.v1.Thing"]["properties"]["spec"]["allOf"] == [{"$ref": "#/definitions/Spec"}]
    assert definitions["Spec"]["additionalProperties"] is False
    assert "additionalProperties" not in definitions["Free"]


def test_a_kind_of_another_version_is_not_there() -> None:
    assert schemas(DOCUMENT, "apps/v2") == {}
