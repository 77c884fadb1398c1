"""The variants of a subject: its tiers, and the components and overlays that no tier names."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import yaml

from boxproof.core.session import Session
from boxproof.deployment.deploy import COMPONENTS, files_of, helm_of, token_of
from boxproof.subject.manifests import overlays, pod_specs, render, sources
from boxproof.subject.model import Subject
from pytest_claims.faults import SubjectFault, Unprovable

GROUPS = frozenset(  # that each API server has (Kubernetes API reference), and that of kustomize
    {"apps", "autoscaling", "batch", "policy", "admissionregistration.k8s.io", "apiextensions.k8s.io",
     "coordination.k8s.io", "kustomize.config.k8s.io", "networking.k8s.io", "rbac.authorization.k8s.io",
     "scheduling.k8s.io", "storage.k8s.io"}
)  # fmt: skip
COMMENT = re.compile(r"(?<!\S)#.*$", re.MULTILINE)
API = re.compile(r"\bapiVersion[\"']?:\s*[\"']?([\w.-]+)/")
DEFINED = re.compile(r"^[ ]+group:\s*[\"']?([\w.-]+)", re.MULTILINE)  # by a CustomResourceDefinition
OF_A_NODE = re.compile(r"\b(affinity|nodeName|nodeSelector|resourceClaims|runtimeClassName)\b")
Tiers = dict[str, tuple[str, ...]]  # names of components by name


def with_components(session: Session, subject: Subject) -> Subject:
    """Return a subject in which each component that no tier names is a tier of its own: users may take it.

    So is what a chart that is alone has where a value switches it on, or elsewhere. A component that cannot
    be rendered alone is there for others, and comes with the tiers that name it; one that wants more than any
    cluster has, other kinds or nodes of its own, is there for those who have that. It is the same with
    overlays beside the directory that is deployed.
    """
    if subject.source == "chart":
        return _of_chart(session, subject)
    more = _components(session, subject) | _overlays(session, subject)
    return _with(subject, more) if more else subject


def _components(session: Session, subject: Subject) -> Tiers:
    """Return a tier for each component that no tier names."""
    named = {each for tier in subject.tiers.values() for each in tier} | set(COMPONENTS)
    below = subject.path(subject.manifests.components) if subject.source == "base" else None
    every = sorted(each for each in below.iterdir() if each.is_dir()) if below else []
    built = [each.name for each in every if any((each / one).is_file() for one in sources.KUSTOMIZATION)]
    free = [each for each in built if each not in named]
    if below is None or not free:
        return {}
    plain = wanted(_text(sources.paths(subject)))
    anywhere = [each for each in free if wanted(_text(sources.of_directory(below / each))) <= plain]
    alone = (each for each in anywhere if _is_rendered(session, subject, each))
    return {f"component {each}": (each,) for each in alone}


def _overlays(session: Session, subject: Subject) -> Tiers:
    """Return a tier for each overlay that has the agent under the name that the subject says."""
    found = overlays.beside(subject)
    kubectl = _kubectl(session) if found else ""
    if not kubectl:  # whatever renders the subject says so
        return {}
    made: Tiers = {}
    try:
        plain = wanted(yaml.safe_dump_all(render.untouched(subject, kubectl=kubectl)))
    except (SubjectFault, Unprovable):  # likewise
        return made
    for each in found:
        name = f"{overlays.MARK}{each}"
        with suppress(SubjectFault, Unprovable):  # one that needs others, or gives the agent another name
            objects = render.untouched(subject, components=(name,), kubectl=kubectl)
            pod_specs.agent(objects, subject)
            if wanted(yaml.safe_dump_all(objects)) <= plain:
                made[name] = (name,)
    return made


def _kubectl(session: Session) -> str:
    return session.cluster.kubectl if session.cluster else shutil.which("kubectl") or ""


def _with(subject: Subject, more: Tiers) -> Subject:
    tiers = (subject.tiers or {"default": ()}) | more
    return subject.model_copy(update={"tiers": tiers})


def _is_rendered(session: Session, subject: Subject, component: str) -> bool:
    """Return whether kustomize takes a component alone; without kubectl whatever renders it says so."""
    kubectl = _kubectl(session)
    if not kubectl:
        return True
    files = files_of(session, token_of(session.suffix))
    try:
        render.untouched(subject, components=(component,), kubectl=kubectl, files=files)
    except SubjectFault:
        return False
    return True


def _text(paths: Iterable[Path]) -> str:
    return "\n---\n".join(each.read_text(errors="replace") for each in paths)


def wanted(text: str) -> set[str]:
    """Return what objects in YAML want that not any cluster has: groups of kinds, and nodes of their own."""
    told = COMMENT.sub("", text)
    return (set(API.findall(told)) - GROUPS - set(DEFINED.findall(told))) | set(OF_A_NODE.findall(told))


def _of_chart(session: Session, subject: Subject) -> Subject:
    """Return a subject with a tier for each switch of its chart that changes its objects."""
    found: Tiers = {}
    try:
        helm = helm_of(session, subject)
        plain = render.untouched(subject, helm=helm)
    except Unprovable:  # whatever renders it says so
        return subject
    for each in render.switches(subject):
        with suppress(Unprovable):  # it wants more than the switch: a name, an address
            given = render.untouched(subject, components=(each,), helm=helm)
            if given != plain and wanted(yaml.safe_dump_all(given)) <= wanted(yaml.safe_dump_all(plain)):
                found[f"with {each}"] = (each,)
    return _with(subject, found) if found else subject
