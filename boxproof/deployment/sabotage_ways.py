"""Ways to break the box: its rendered objects, its image, its cluster; its files are the engine's way."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import yaml

from boxproof.deployment import sabotage_roles
from pytest_claims.concurrency.scopes import Scope
from pytest_claims.sabotages import Sabotage, SabotageError, diff, id_of, register

if TYPE_CHECKING:
    from boxproof.subject.model import Subject

Objects = list[dict[str, Any]]
ManifestEdit = Callable[[Objects], None]
ClusterEdit = Callable[[Any, Any], AbstractContextManager[None]]
Load = Literal["full", "stale"]  # stale: the nodes keep the old content under the new tag


@dataclass(frozen=True, kw_only=True)
class ManifestSabotage(Sabotage):
    """A change of the rendered objects, before they become an instance."""

    manifest: ManifestEdit


@dataclass(frozen=True, kw_only=True)
class ImageSabotage(Sabotage):
    """Dockerfile lines that make one layer on top of the box."""

    dockerfile: str
    load: Load = "full"


@dataclass(frozen=True, kw_only=True)
class ClusterSabotage(Sabotage):
    """A change of the cluster, mended at the end of its block."""

    cluster: ClusterEdit


def manifest_sabotage(
    claim: str, sentence: str, *, scope: Scope = "instance"
) -> Callable[[ManifestEdit], ManifestEdit]:
    """Register a function that edits the rendered objects in place (before they become an instance)."""

    def decorate(edit: ManifestEdit) -> ManifestEdit:
        name = id_of(claim, edit.__name__)
        register(ManifestSabotage(id=name, claim=claim, sentence=sentence, scope=scope, manifest=edit))
        return edit

    return decorate


def image_sabotage(
    name: str, claim: str, sentence: str, *, dockerfile: str, load: Load = "full"
) -> ImageSabotage:
    """Register Dockerfile lines that make one layer on top of the box.

    With ``load="stale"`` it is built and never loaded: the nodes have the untouched box under its tag.
    """
    made = ImageSabotage(
        id=id_of(claim, name), claim=claim, sentence=sentence, scope="image", dockerfile=dockerfile, load=load
    )
    register(made)
    return made


def as_root(*commands: str) -> str:
    """Return Dockerfile lines that change files as root, in one layer."""
    return f"USER root\nRUN {' && '.join(commands)}\nUSER 1000:1000"


def edited(path: str, expression: str) -> str:
    """Return Dockerfile lines that edit a file with sed; the build fails where that changes nothing."""
    edit = f"sed -i -E '{expression}' {path}"
    return as_root(f"cp {path} /tmp/was", edit, f"! cmp -s /tmp/was {path}", "rm /tmp/was")


def cluster_sabotage(
    claim: str, sentence: str
) -> Callable[[Callable[[Any, Any], Iterator[None]]], ClusterEdit]:
    """Register a generator ``f(session, kube)`` that breaks the cluster, yields, and mends it; run alone."""

    def decorate(edit: Callable[[Any, Any], Iterator[None]]) -> ClusterEdit:
        manager = contextmanager(edit)
        name = id_of(claim, edit.__name__)
        register(ClusterSabotage(id=name, claim=claim, sentence=sentence, scope="cluster", cluster=manager))
        return manager

    return decorate


def find(objects: Objects, kind: str, name: str = "") -> dict[str, Any]:
    """Return the object of that kind (and name, where given); raises SabotageError if there is none.

    The name is our own box's. Another box has an object that plays the same role: its agent's workload, the
    policy that selects its pod, the role that is bound to its account.
    """
    named = [each for each in objects if each.get("kind") == kind and _called(each, name)]
    found = named[0] if name and named else sabotage_roles.played(objects, kind, name)
    if found is None and not named:
        raise SabotageError(f"no {kind} {name!r} in the rendered objects")
    return found if found is not None else named[0]


def _called(item: dict[str, Any], name: str) -> bool:
    return name in ("", item.get("metadata", {}).get("name"))


def apply_manifest(
    sabotage: ManifestSabotage, objects: Sequence[dict[str, Any]], subject: Subject | None = None
) -> tuple[Objects, str]:
    """Return edited copies of ``objects`` and the unified diff of their YAML.

    Raises SabotageError if the edit changes nothing or cannot find what it edits.
    """
    before = list(objects)
    after = copy.deepcopy(before)
    try:
        with sabotage_roles.about(subject):
            sabotage.manifest(after)
    except (KeyError, IndexError, StopIteration, TypeError) as error:
        raise SabotageError(f"{sabotage.id}: nothing to edit: {error!r}") from error
    changed = diff(_yaml(before), _yaml(after), "rendered.yaml")
    if not changed:
        raise SabotageError(f"{sabotage.id} changes nothing in the rendered objects")
    return after, changed


def dockerfile_diff(sabotage: ImageSabotage) -> str:
    """Return the added Dockerfile lines of an image sabotage, as a diff."""
    return "".join(f"+{line}\n" for line in sabotage.dockerfile.strip().splitlines())


def _yaml(objects: Objects) -> str:
    return yaml.safe_dump_all(objects, sort_keys=True, default_flow_style=False, width=200)
