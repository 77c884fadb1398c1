"""Ways to break the box: its rendered objects, its image, its cluster; its files are the engine's way."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import yaml

from boxproof.subject.manifests import pod_specs, starting
from pytest_claims.concurrency.scopes import Scope
from pytest_claims.faults import SubjectFault
from pytest_claims.own_process import PROCESS
from pytest_claims.sabotages import Sabotage, SabotageError, diff, id_of, register

if TYPE_CHECKING:
    from boxproof.subject.model import Subject


Object = dict[str, Any]
Objects = list[Object]
RBAC = "rbac.authorization.k8s.io"
OF_THE_HARNESS = "boxproof-sabotage"  # a role where the box has none


class Roles(threading.local):
    """Whose agent the roles are played to, in this thread."""

    subject: Subject | None = None


@contextmanager
def about(subject: Subject | None) -> Iterator[None]:
    """Have roles be those of a subject's agent for the length of the block."""
    roles = PROCESS.get(Roles)
    before, roles.subject = roles.subject, subject
    try:
        yield
    finally:
        roles.subject = before


def played(objects: Objects, kind: str, name: str) -> Object | None:
    """Return the object that plays the role of our own box's object ``kind`` ``name``, None if there is none.

    Of a box without rights the role, and the binding to the agent's account, are made: a sabotage that gives
    too much gives it there too.
    """
    role = ROLES.get((kind, name))
    try:
        workload = pod_specs.agent(objects, PROCESS.get(Roles).subject)
    except SubjectFault:
        return None
    return role(objects, workload) if role else None


def _workload(_objects: Objects, workload: Object) -> Object:
    return workload


def _beside(objects: Objects, workload: Object) -> Object | None:
    """Return another workload that stays: what runs beside the agent."""
    others = (each for each in objects if each["kind"] in pod_specs.KINDS[:3] and each is not workload)
    return next(others, None)


def _policy(objects: Objects, workload: Object) -> Object | None:
    """Return the policy that selects the agent's pod, of several one about what goes out."""
    labels = (workload.get("spec") or {}).get("template", workload)["metadata"].get("labels") or {}
    found = [each for each in objects if each["kind"] == "NetworkPolicy" and _selects(each, labels)]
    return min(found, key=lambda each: "egress" not in each["spec"], default=None)


def _selects(policy: Object, labels: Mapping[str, str]) -> bool:
    wanted = ((policy.get("spec") or {}).get("podSelector") or {}).get("matchLabels") or {}
    return wanted.items() <= labels.items()


def _account(workload: Object) -> Object:
    named = (pod_specs.pod_spec(workload) or {}).get("serviceAccountName") or "default"
    space = workload["metadata"].get("namespace", "default")
    return {"kind": "ServiceAccount", "name": named, "namespace": space}


def _bindings(objects: Objects, workload: Object) -> Objects:
    """Return the bindings that name the agent's account, those of the cluster first."""
    account = _account(workload)
    kinds = ("ClusterRoleBinding", "RoleBinding")
    found = [each for each in objects if each["kind"] in kinds and _names(each, account)]
    return sorted(found, key=lambda each: kinds.index(each["kind"]))


def _names(binding: Object, account: Object) -> bool:
    space = binding["metadata"].get("namespace")
    return any(
        {"namespace": space} | each | {"apiGroup": ""} == account | {"apiGroup": ""}
        for each in binding.get("subjects") or ()
    )


def _binding(objects: Objects, workload: Object) -> Object:
    """Return a binding of the agent's account; where there is none, one that is not applied."""
    found = _bindings(objects, workload)
    return found[0] if found else {"kind": "ClusterRoleBinding", "subjects": [_account(workload)]}


def _role(objects: Objects, workload: Object) -> Object:
    """Return the role that is bound to the agent's account; where there is none, one made and bound now."""
    for binding in _bindings(objects, workload):
        reference = binding["roleRef"]
        for each in objects:
            if (each["kind"], each["metadata"]["name"]) == (reference["kind"], reference["name"]):
                return each
    role: Object = {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRole",
                    "metadata": {"name": OF_THE_HARNESS}, "rules": []}  # fmt: skip
    reference = {"apiGroup": RBAC, "kind": "ClusterRole", "name": OF_THE_HARNESS}
    binding = {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRoleBinding",
               "metadata": {"name": OF_THE_HARNESS}, "roleRef": reference}  # fmt: skip
    objects += [role, binding | {"subjects": [_account(workload)]}]
    return role


def _login(objects: Objects, _workload: Object) -> Object | None:
    secrets = (each for each in objects if each["kind"] == "Secret")
    return next((each for each in secrets if each["metadata"]["name"] == starting.LOGIN), None)


ROLES: dict[tuple[str, str], Callable[[Objects, Object], Object | None]] = {
    ("StatefulSet", ""): _workload,
    ("StatefulSet", "claude-agent"): _workload,
    ("Deployment", ""): _beside,
    ("NetworkPolicy", "claude-agent"): _policy,
    ("ClusterRoleBinding", "claude-reader"): _binding,
    ("ClusterRole", "claude-reader"): _role,
    ("Secret", "claude-token"): _login,
}


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
    found = named[0] if name and named else played(objects, kind, name)
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
        with about(subject):
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
