"""JSON Schemas of what a run leaves and what it reads: written from the models, shipped beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from boxproof.reports.bench_results import Bench
from boxproof.reports.matrix_results import Matrix
from boxproof.subject.model import Subject
from pytest_claims.reports.history import Line, Past
from pytest_claims.reports.schema import KillTable, Results
from pytest_claims.waivers import Waiver

DIRECTORY = Path(__file__).parent / "schemas"
DRAFT = "https://json-schema.org/draft/2020-12/schema"


class Waivers(BaseModel):
    """The file waivers.toml."""

    model_config = ConfigDict(extra="forbid")

    waiver: list[Waiver] = []


class Planned(BaseModel):
    """The file planned.toml: claims that have no check yet."""

    model_config = ConfigDict(extra="forbid")

    planned: list[str] = []


WRITTEN: dict[str, type[BaseModel]] = {
    "results.json": Results,
    "sabotage.json": KillTable,
    "matrix.json": Matrix,
    "bench.json": Bench,
    "history.json": Past,
    "history.jsonl": Line,
}
READ: dict[str, type[BaseModel]] = {"subject.toml": Subject, "waivers.toml": Waivers, "planned.toml": Planned}


def schemas() -> dict[str, dict[str, Any]]:
    """Return the schema of each file, by the name it is shipped under.

    Files that a run writes say their number in ``schema``: results.json with 2 is ``results.json-2``.
    """
    made = {}
    for name, model in WRITTEN.items():
        number = model.model_json_schema(by_alias=True)["properties"]["schema"]["const"]
        made[f"{name}-{number}.schema.json"] = _schema(model, f"{name}-{number}")
    for name, model in READ.items():
        made[f"{name}.schema.json"] = _schema(model, name)
    return made


def _schema(model: type[BaseModel], name: str) -> dict[str, Any]:
    # what is computed stands in the written form alone
    told = model.model_json_schema(mode="serialization" if model is Bench else "validation")
    if model is Subject:  # it is where the file is
        told["properties"].pop("directory", None)
        told["required"] = [each for each in told.get("required", []) if each != "directory"]
    return {"$schema": DRAFT, "$id": f"urn:boxproof:{name}"} | told


def write() -> None:
    """Write the schemas anew; those of no file any more are left: older reports name them."""
    DIRECTORY.mkdir(exist_ok=True)
    for name, each in schemas().items():
        (DIRECTORY / name).write_text(json.dumps(each, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    write()
