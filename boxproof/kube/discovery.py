"""What the live API server offers, from aggregated discovery: two requests for everything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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
