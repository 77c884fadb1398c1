"""Manifests held to schemas with kubeconform; the schemas are those of the live API server."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from boxproof.core.process import run
from boxproof.core.settings import ROOT, Settings
from boxproof.host.fetch import golang, release_archives
from boxproof.kube.client import Kube
from pytest_claims import progress
from pytest_claims.faults import EnvironmentFault

MODULE = ROOT / "cluster/modules/kubeconform"
PACKAGE = "github.com/yannh/kubeconform/cmd/kubeconform"
NAME = "kubeconform"
RECIPE = golang.Build(MODULE, PACKAGE, NAME, "-s -w")
# the very version of the module; its sum stood in three unrelated public files
RELEASE = "https://github.com/yannh/kubeconform/releases/download/v0.8.0/kubeconform-linux-amd64.tar.gz"
SHA256 = "9bc2bffbf71f261128533edaf912153948b7ff238f9a531ae6d34466ec287883"
FILE = "{{.Group}}_{{.ResourceAPIVersion}}_{{.ResourceKind}}.json"  # in its words the core group is called v1
HERE, THERE = "#/components/schemas/", "#/definitions/"
OPEN = ("additionalProperties", "x-kubernetes-preserve-unknown-fields")
KINDS = "x-kubernetes-group-version-kind"


def program(settings: Settings) -> Path:
    """Return kubeconform, the published one where it can be downloaded; raises EnvironmentFault."""
    try:
        found = release_archives.fetch(RELEASE, SHA256, name=NAME, member=NAME, settings=settings)
    except EnvironmentFault as fault:  # a wrong pin costs a warning, not the run
        progress.say(f"{fault}; taking the other way", style="yellow")
        found = None
    return found or golang.made(RECIPE, settings)


def recipes(settings: Settings) -> list[golang.Build]:
    """Return how kubeconform is built, nothing where the published one is served."""
    served = release_archives.served(RELEASE, SHA256, name=NAME, member=NAME, settings=settings)
    return [] if served else [RECIPE]


def write_schemas(kube: Kube, versions: Iterable[str], into: Path) -> Path:
    """Write the schemas of the kinds of API ``versions`` ("v1", "apps/v1") into a directory, and return it.

    They allow nothing they do not name. Raises EnvironmentFault for a version the server does not serve.
    """
    served = kube.raw("/openapi/v3")["paths"]
    for version in sorted(set(versions)):
        path = f"apis/{version}" if "/" in version else f"api/{version}"
        if path not in served:
            raise EnvironmentFault(f"the API server tells nothing of {version}")
        for name, schema in schemas(kube.raw(served[path]["serverRelativeURL"]), version).items():
            (into / name).write_text(json.dumps(schema))
    return into


def schemas(document: Mapping[str, Any], version: str) -> dict[str, Any]:
    """Return the schema of each kind in an OpenAPI document of version 3, by file name."""
    definitions = _moved(document["components"]["schemas"])
    group = version.partition("/")[0]
    found = {}
    for name, each in definitions.items():
        for kind in each.get(KINDS, ()):
            if f"{kind['group']}/{kind['version']}".strip("/") == version:
                file = f"{group}_{kind['version']}_{kind['kind'].lower()}.json"
                found[file] = {"$ref": f"{THERE}{name}", "definitions": definitions}
    return found


def _moved(value: Any) -> Any:
    """Return a copy with references that hold in a file of its own, closed to what it does not name."""
    if isinstance(value, list):
        return [_moved(each) for each in value]
    if isinstance(value, str):
        return value.replace(HERE, THERE)
    if not isinstance(value, Mapping):
        return value
    made = {key: _moved(each) for key, each in value.items()}
    if isinstance(made.get("properties"), dict) and not any(each in made for each in OPEN):
        made["additionalProperties"] = False
    return made


def faults(program: Path, objects: Sequence[Mapping[str, Any]], directories: Sequence[Path]) -> list[str]:
    """Return what is wrong with ``objects`` by the schemas in ``directories``; raises EnvironmentFault."""
    argv: list[str] = [str(program), "-strict", "-output", "json", "-summary"]
    argv += [word for each in directories for word in ("-schema-location", f"{each}/{FILE}")]
    text = yaml.safe_dump_all(objects, sort_keys=False)
    done = run(argv, stdin=text.encode(), timeout=120, check=False)
    try:
        report = json.loads(done.stdout)
    except ValueError as error:
        raise EnvironmentFault(f"kubeconform broke: {done.describe()}") from error
    judged = sum(report["summary"][key] for key in ("valid", "invalid", "errors"))
    if judged != len(objects):
        raise EnvironmentFault(f"kubeconform judged {judged} of {len(objects)} objects")
    return [f"{each['kind']} {each['name']}: {each['msg']}" for each in report["resources"]]
