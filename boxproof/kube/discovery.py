"""What the live API server offers, from aggregated discovery; manifests held to its schemas."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from boxproof.core.process import run
from boxproof.core.settings import ROOT, Settings
from boxproof.host.fetch import golang, release_archives
from pytest_claims import progress
from pytest_claims.faults import EnvironmentFault

if TYPE_CHECKING:
    from boxproof.kube.client import Kube

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
PREFERRED = (
    "",
    "apps",
    "batch",
    "rbac.authorization.k8s.io",
    "networking.k8s.io",
    "policy",
    "storage.k8s.io",
)
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


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One resource of the API; a subresource is named "pods/log" and has its parent's ``kind``."""

    group: str
    version: str
    name: str
    kind: str = ""
    namespaced: bool = True
    verbs: tuple[str, ...] = ()

    @property
    def api_version(self) -> str:
        """Group and version as an object's apiVersion."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def parent(self) -> str:
        """The resource without its subresource."""
        return self.name.partition("/")[0]

    @property
    def subresource(self) -> str:
        """The part after the slash, or ""."""
        return self.name.partition("/")[2]

    def answers_to(self, kind: str, api_version: str = "") -> bool:
        """Return whether this serves ``kind`` (a Kind, a plural name, "plural.group")."""
        if self.subresource or (api_version and api_version != self.api_version):
            return False
        return kind in (self.kind, self.name, f"{self.name}.{self.group}", self.kind.lower())

    def path(self, name: str = "", namespace: str | None = None) -> str:
        """Return the URL path of one object, or of the list; raises ValueError for one without namespace."""
        if name and self.namespaced and not namespace:
            raise ValueError(f"a {self.kind} lives in a namespace")
        parts = ["/apis" if self.group else "/api", self.api_version]
        if self.namespaced and namespace:
            parts += ["namespaces", namespace]
        parts.append(self.parent)
        if name:
            parts.append(name)
        if name and self.subresource:
            parts.append(self.subresource)
        return "/".join(parts)


def discover(kube: Kube) -> list[Resource]:
    """Return every resource and subresource of every group, each in the first version that has it.

    Access rules know groups, not versions: a resource only an older version serves counts as well.
    """
    found: list[Resource] = []
    for root in ("/api", "/apis"):
        answer = kube.raw(root, headers={"Accept": AGGREGATED})
        if answer.get("kind") != "APIGroupDiscoveryList":
            found += _one_by_one(kube, root, answer)
            continue
        for group in answer.get("items", []):
            for version in group.get("versions", []):
                found += _aggregated(group["metadata"].get("name", ""), version)
    first: dict[tuple[str, str], Resource] = {}
    for each in found:
        first.setdefault((each.group, each.name), each)
    return list(first.values())


def _aggregated(group: str, version: dict[str, Any]) -> list[Resource]:
    made = []
    for item in version.get("resources", []):
        kind = item.get("responseKind", {}).get("kind", "")
        namespaced = item.get("scope") == "Namespaced"
        common: dict[str, Any] = {
            "group": group, "version": version["version"], "kind": kind, "namespaced": namespaced,
        }  # fmt: skip
        made.append(Resource(name=item["resource"], verbs=tuple(item.get("verbs", [])), **common))
        for sub in item.get("subresources", []):
            name = f"{item['resource']}/{sub['subresource']}"
            made.append(Resource(name=name, verbs=tuple(sub.get("verbs", [])), **common))
    return made


def _one_by_one(kube: Kube, root: str, answer: dict[str, Any]) -> list[Resource]:
    """Ask group by group, as servers without aggregated discovery want it."""
    if root == "/api":
        versions = [("", each) for each in answer.get("versions", [])]
    else:
        versions = [
            (each["name"], version["version"])
            for each in answer["groups"]
            for version in (each["preferredVersion"], *each["versions"])
        ]
    made: list[Resource] = []
    for group, version in versions:
        path = f"{root}/{group}/{version}" if group else f"{root}/{version}"
        items = kube.raw(path)["resources"]
        kinds = {item["name"]: item["kind"] for item in items}
        made += [
            Resource(
                group=group,
                version=version,
                name=item["name"],
                kind=kinds.get(item["name"].partition("/")[0], item["kind"]),
                namespaced=item["namespaced"],
                verbs=tuple(item.get("verbs", [])),
            )
            for item in items
        ]
    return made


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
