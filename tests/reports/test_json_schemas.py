"""The shipped schemas are those of the models, and what is written and read here is by them."""

from __future__ import annotations

import json
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from boxproof.core.settings import ROOT
from boxproof.reports import json_schemas
from tests.support.report_samples import bench_page, matrix_page, sample


def wrong(value: Any, schema: dict[str, Any], root: dict[str, Any], where: str = "") -> list[str]:
    """Return where ``value`` has a field that the schema does not know, or lacks one that it needs."""
    if "$ref" in schema:
        return wrong(value, root["$defs"][schema["$ref"].rpartition("/")[2]], root, where)
    if "anyOf" in schema:
        ways = [wrong(value, each, root, where) for each in schema["anyOf"]]
        return [] if [] in ways else ways[0]
    kinds = {
        "object": dict,
        "array": list,
        "string": str | date,
        "boolean": bool,
        "integer": int,
        "null": type(None),
    }
    kind = kinds.get(schema.get("type", ""))
    if kind is not None and not isinstance(value, kind):
        return [f"{where}: no {schema['type']}"]
    if "const" in schema and value != schema["const"]:
        return [f"{where}: not {schema['const']}"]
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        return [each for one in value for each in wrong(one, schema["items"], root, f"{where}[]")]
    if not isinstance(value, dict):
        return []
    known, more = schema.get("properties", {}), schema.get("additionalProperties", True)
    found = [f"{where}.{each} is missing" for each in schema.get("required", ()) if each not in value]
    for key, each in value.items():
        if key in known:
            found += wrong(each, known[key], root, f"{where}.{key}")
        elif isinstance(more, dict):
            found += wrong(each, more, root, f"{where}.{key}")
        elif not more:
            found.append(f"{where}.{key} is not known")
    return found


def schema(name: str) -> dict[str, Any]:
    """Return a shipped schema."""
    found: dict[str, Any] = json.loads((json_schemas.DIRECTORY / f"{name}.schema.json").read_text())
    return found


def test_the_shipped_schemas_are_those_of_the_models() -> None:
    for name, made in json_schemas.schemas().items():
        assert json.loads((json_schemas.DIRECTORY / name).read_text()) == made, (
            f"{name}: python -m boxproof.reports.json_schemas"
        )


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of every kind that is written."""
    made = tmp_path_factory.mktemp("files")
    sample(made / "run")
    matrix_page(made / "matrix", claims=12)
    bench_page(made / "bench")
    return made


@pytest.mark.parametrize("name", json_schemas.WRITTEN)
def test_what_is_written_is_by_its_schema(root: Path, name: str) -> None:
    files = sorted(root.rglob(name))
    assert files
    for each in files[:2]:
        rows = each.read_text().splitlines() if name.endswith("l") else [each.read_text()]
        for row in rows:
            data = json.loads(row)
            told = schema(f"{name}-{data['schema']}")
            assert wrong(data, told, told) == []


@pytest.mark.parametrize("name", json_schemas.READ)
def test_what_is_read_is_by_its_schema(name: str) -> None:
    text = (ROOT / name).read_text()
    named = text.splitlines()[0].removeprefix("#:schema ")  # editors complete and check by it
    assert ROOT / named == json_schemas.DIRECTORY / f"{name}.schema.json"
    data = tomllib.loads(text)
    told = schema(name)
    assert data and wrong(data, told, told) == []


def test_a_wrong_file_is_not() -> None:
    told = schema("results.json-2")
    assert wrong({"schema": 3}, told, told)
    told = schema("subject.toml")
    assert wrong({"name": "x", "image": {"contxt": "y"}}, told, told) == [".image.contxt is not known"]
