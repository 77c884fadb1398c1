"""Which areas of claims a changed file of the subject touches."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import yaml

from boxproof.subject.model import Subject

IMAGE = ("IMG", "ENT", "SIZE", "TOOL", "ISO")
PROGRAMS = ("ENT", "AUTH", "PROBE", "ISO")
KINDS = {  # kind of an object in a changed manifest -> areas
    "NetworkPolicy": ("NET",),
    "ClusterRole": ("RBAC",),
    "ClusterRoleBinding": ("RBAC",),
    "Role": ("RBAC",),
    "RoleBinding": ("RBAC",),
    "ServiceAccount": ("RBAC",),
    "ConfigMap": ("ENT", "PROBE"),
    "Secret": ("SEC", "AUTH"),
    "PersistentVolumeClaim": ("PVC",),
    "StatefulSet": ("ENT", "KIND", "PVC", "PROBE", "RES", "ISO"),
    "Deployment": ("RES", "ISO"),
    "Namespace": ("KIND", "ISO"),
}
EVERYTHING_APPLIED = ("KIND", "RBAC", "NET", "PVC", "RES", "HELM", "ISO")


def areas(subject: Subject, paths: Iterable[Path]) -> tuple[str, ...]:
    """Return the areas that the changed ``paths`` touch, each once; () for what is no part of the subject."""
    found: dict[str, None] = {}
    for path in paths:
        found |= dict.fromkeys(_areas_of(subject, path))
    return tuple(found)


def watched(subject: Subject) -> tuple[Path, ...]:
    """Return the files and directories of the subject whose edits count."""
    parts = (subject.image.context, subject.manifests.base, subject.manifests.components, "subject.toml")
    return tuple(found for each in parts if (found := subject.path(each)))


def _areas_of(subject: Subject, path: Path) -> tuple[str, ...]:
    directory = subject.directory.resolve()
    inside = path.resolve()
    if inside == directory / "subject.toml":
        return (*IMAGE, *PROGRAMS, *EVERYTHING_APPLIED)
    if inside.is_relative_to(directory / subject.image.context):
        where = inside.relative_to(directory / subject.image.context)
        return PROGRAMS if where.parts[0] == "rootfs" else IMAGE
    manifests = (directory / subject.manifests.base, directory / subject.manifests.components)
    if any(inside.is_relative_to(each) for each in manifests):
        return _areas_of_manifest(inside)
    return ()


def _areas_of_manifest(path: Path) -> tuple[str, ...]:
    try:
        kinds = [each.get("kind", "") for each in yaml.safe_load_all(path.read_text()) if each]
    except (OSError, AttributeError, yaml.YAMLError):  # gone, or not what it will be when it is saved again
        return EVERYTHING_APPLIED
    if not kinds or not set(kinds) <= set(KINDS):
        return EVERYTHING_APPLIED
    return tuple(area for kind in kinds for area in KINDS[kind])
