"""The variants of a subject: its tiers, and each component that no tier names and any cluster can run."""

from __future__ import annotations

import shutil
from contextlib import suppress
from typing import Any

from boxproof.core.session import Session
from boxproof.deployment.deploy import COMPONENTS, files_of, helm_of, token_of
from boxproof.subject.manifests import render, sources
from boxproof.subject.manifests.pod_specs import pod_spec
from boxproof.subject.manifests.render import Objects
from boxproof.subject.model import Subject
from pytest_claims.faults import SubjectFault, Unprovable

GROUPS = frozenset(  # of the kinds that each API server has (Kubernetes API reference)
    {"", "apps", "autoscaling", "batch", "policy", "admissionregistration.k8s.io", "coordination.k8s.io",
     "networking.k8s.io", "rbac.authorization.k8s.io", "scheduling.k8s.io", "storage.k8s.io"}
)  # fmt: skip
OF_A_NODE = ("affinity", "nodeName", "nodeSelector", "resourceClaims", "runtimeClassName")


def with_components(session: Session, subject: Subject) -> Subject:
    """Return a subject in which each component that no tier names is a tier of its own: users may take it.

    So is what a chart that is alone has where a value switches it on, or elsewhere. A component that cannot
    be rendered alone is there for others, and comes with the tiers that name it; one that wants more than any
    cluster has, other kinds or nodes of its own, is there for those who have that.
    """
    if subject.source == "chart":
        return _of_chart(session, subject)
    named = {each for tier in subject.tiers.values() for each in tier} | set(COMPONENTS)
    below = subject.path(subject.manifests.components) if subject.source == "base" else None
    every = sorted(each for each in below.iterdir() if each.is_dir()) if below else []
    built = [each.name for each in every if any((each / one).is_file() for one in sources.KUSTOMIZATION)]
    alone = [each for each in built if each not in named and _is_rendered(session, subject, each)]
    if not alone:
        return subject
    return _with(subject, {f"component {each}": (each,) for each in alone})


def _with(subject: Subject, more: dict[str, tuple[str, ...]]) -> Subject:
    tiers = (subject.tiers or {"default": ()}) | more
    return subject.model_copy(update={"tiers": tiers})


def _is_rendered(session: Session, subject: Subject, component: str) -> bool:
    """Return whether kustomize takes a component alone; without kubectl whatever renders it says so."""
    kubectl = session.cluster.kubectl if session.cluster else shutil.which("kubectl")
    if not kubectl:
        return True
    files = files_of(session, token_of(session.suffix))
    try:
        found = render.untouched(subject, components=(component,), kubectl=kubectl, files=files)
        plain = render.untouched(subject, kubectl=kubectl, files=files)
    except SubjectFault:
        return False
    return wanted(found) <= wanted(plain)


def wanted(objects: Objects) -> set[str]:
    """Return what objects want that not any cluster has: groups of kinds, and what pods say of nodes."""
    groups = {str(each.get("apiVersion", "")).rpartition("/")[0] for each in objects} - GROUPS
    own = {
        str(each["spec"].get("group")) for each in objects if each.get("kind") == "CustomResourceDefinition"
    }
    specs: list[dict[str, Any]] = [spec for each in objects if (spec := pod_spec(each))]
    nodes = {f"{name}: {spec[name]}" for spec in specs for name in OF_A_NODE if spec.get(name)}
    return (groups - own - {"apiextensions.k8s.io"}) | nodes


def _of_chart(session: Session, subject: Subject) -> Subject:
    """Return a subject with a tier for each switch of its chart that changes its objects."""
    found: dict[str, tuple[str, ...]] = {}
    try:
        helm = helm_of(session, subject)
        plain = render.untouched(subject, helm=helm)
    except Unprovable:  # whatever renders it says so
        return subject
    for each in render.switches(subject):
        with suppress(Unprovable):  # it wants more than the switch: a name, an address
            given = render.untouched(subject, components=(each,), helm=helm)
            if given != plain and wanted(given) <= wanted(plain):
                found[f"with {each}"] = (each,)
    return _with(subject, found) if found else subject
