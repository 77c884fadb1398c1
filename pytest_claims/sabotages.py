"""The registry of sabotages: the smallest changes to the subject that must turn a check red."""

from __future__ import annotations

import copy
import difflib
import importlib.util
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from pytest_claims import selection
from pytest_claims.concurrency.scopes import Scope
from pytest_claims.faults import UsageError
from pytest_claims.recording.records import Record
from pytest_claims.verdicts import Verdict

Objects = list[dict[str, Any]]
ManifestEdit = Callable[[Objects], None]
SubjectEdit = Callable[[Path], None]
ClusterEdit = Callable[[Any, Any], AbstractContextManager[None]]
Way = Literal["manifest", "image", "subject", "cluster"]
Load = Literal["full", "stale"]  # stale: the nodes keep the old content under the new tag


@dataclass(frozen=True, kw_only=True)
class Sabotage:
    """One change; which of the edits is set depends on ``way``."""

    id: str
    claim: str
    sentence: str
    way: Way
    scope: Scope
    manifest: ManifestEdit | None = None
    dockerfile: str = ""
    load: Load = "full"
    subject: SubjectEdit | None = None
    cluster: ClusterEdit | None = None


class SabotageError(UsageError):
    """A sabotage is wrong in itself: it changes nothing, or its claim does not exist."""


_registry: dict[str, Sabotage] = {}


def _add(sabotage: Sabotage) -> None:
    if sabotage.id in _registry:
        raise SabotageError(f"two sabotages are called {sabotage.id!r}", hint="rename one function")
    _registry[sabotage.id] = sabotage


def _id(claim: str, name: str) -> str:
    return f"{claim}/{name.strip('_').replace('_', '-')}"


def manifest_sabotage(
    claim: str, sentence: str, *, scope: Scope = "instance"
) -> Callable[[ManifestEdit], ManifestEdit]:
    """Register a function that edits the rendered objects in place (before they become an instance)."""

    def register(edit: ManifestEdit) -> ManifestEdit:
        name = _id(claim, edit.__name__)
        _add(Sabotage(id=name, claim=claim, sentence=sentence, way="manifest", scope=scope, manifest=edit))
        return edit

    return register


def image_sabotage(name: str, claim: str, sentence: str, *, dockerfile: str, load: Load = "full") -> Sabotage:
    """Register Dockerfile lines that make one layer on top of the box.

    With ``load="stale"`` it is built and never loaded: the nodes have the untouched box under its tag.
    """
    made = Sabotage(
        id=_id(claim, name), claim=claim, sentence=sentence, way="image", scope="image",
        dockerfile=dockerfile, load=load,
    )  # fmt: skip
    _add(made)
    return made


def as_root(*commands: str) -> str:
    """Return Dockerfile lines that change files as root, in one layer."""
    return f"USER root\nRUN {' && '.join(commands)}\nUSER 1000:1000"


def edited(path: str, expression: str) -> str:
    """Return Dockerfile lines that edit a file with sed; the build fails where that changes nothing."""
    edit = f"sed -i -E '{expression}' {path}"
    return as_root(f"cp {path} /tmp/was", edit, f"! cmp -s /tmp/was {path}", "rm /tmp/was")


def subject_sabotage(
    claim: str, sentence: str, *, scope: Scope = "instance"
) -> Callable[[SubjectEdit], SubjectEdit]:
    """Register a function that edits a copy of the subject directory; scope "host" needs no cluster."""

    def register(edit: SubjectEdit) -> SubjectEdit:
        name = _id(claim, edit.__name__)
        _add(Sabotage(id=name, claim=claim, sentence=sentence, way="subject", scope=scope, subject=edit))
        return edit

    return register


def cluster_sabotage(
    claim: str, sentence: str
) -> Callable[[Callable[[Any, Any], Iterator[None]]], ClusterEdit]:
    """Register a generator ``f(session, kube)`` that breaks the cluster, yields, and mends it; run alone."""

    def register(edit: Callable[[Any, Any], Iterator[None]]) -> ClusterEdit:
        manager = contextmanager(edit)
        name = _id(claim, edit.__name__)
        _add(
            Sabotage(id=name, claim=claim, sentence=sentence, way="cluster", scope="cluster", cluster=manager)
        )
        return manager

    return register


def find(objects: Iterable[dict[str, Any]], kind: str, name: str = "") -> dict[str, Any]:
    """Return the object of that kind (and name, where given); raises SabotageError if there is none."""
    for each in objects:
        if each.get("kind") == kind and name in ("", each.get("metadata", {}).get("name")):
            return each
    raise SabotageError(f"no {kind} {name!r} in the rendered objects")


def replace_in(path: Path, old: str, new: str) -> None:
    """Replace ``old`` in a file of the subject; raises SabotageError if it is not there."""
    text = path.read_text()
    if old not in text:
        raise SabotageError(f"{path.name} does not say {old!r}")
    path.write_text(text.replace(old, new))


def load(directory: Path, known: Iterable[str]) -> dict[str, Sabotage]:
    """Import ``directory``/*.py once each and return every registered sabotage by id."""
    for path in sorted(directory.glob("*.py")):
        name = "sabotage" if path.stem == "__init__" else f"sabotage.{path.stem}"
        there = sys.modules.get(name)
        if there is not None and Path(there.__file__ or "") == path:
            continue
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    ids = list(known)
    for each in _registry.values():
        if each.claim not in ids:
            raise selection.unknown(each.claim, ids, f"sabotage {each.id}")
    return dict(_registry)


def of_claims(claims: Iterable[str], known: Mapping[str, Sabotage]) -> dict[str, list[Sabotage]]:
    """Return the sabotages of each claim, an empty list where it has none."""
    by_claim: dict[str, list[Sabotage]] = {each: [] for each in claims}
    for each in known.values():
        if each.claim in by_claim:
            by_claim[each.claim].append(each)
    return by_claim


def apply_manifest(sabotage: Sabotage, objects: Sequence[dict[str, Any]]) -> tuple[Objects, str]:
    """Return edited copies of ``objects`` and the unified diff of their YAML.

    Raises SabotageError if the edit changes nothing or cannot find what it edits.
    """
    assert sabotage.manifest is not None
    before = list(objects)
    after = copy.deepcopy(before)
    try:
        sabotage.manifest(after)
    except (KeyError, IndexError, StopIteration) as error:
        raise SabotageError(f"{sabotage.id}: nothing to edit: {error!r}") from error
    changed = diff(_yaml(before), _yaml(after), "rendered.yaml")
    if not changed:
        raise SabotageError(f"{sabotage.id} changes nothing in the rendered objects")
    return after, changed


def apply_subject(sabotage: Sabotage, directory: Path) -> str:
    """Edit the copy of the subject in ``directory`` and return the unified diff of its files.

    Raises SabotageError if no file changes.
    """
    assert sabotage.subject is not None
    with tempfile.TemporaryDirectory() as kept:
        before = Path(shutil.copytree(directory, Path(kept) / "before", symlinks=True))
        sabotage.subject(directory)
        names = sorted({each.relative_to(root) for root in (before, directory) for each in _files(root)})
        parts = [diff(_text(before / each), _text(directory / each), str(each)) for each in names]
    changed = "".join(parts)
    if not changed:
        raise SabotageError(f"{sabotage.id} changes no file of the subject")
    return changed


def dockerfile_diff(sabotage: Sabotage) -> str:
    """Return the added Dockerfile lines of an image sabotage, as a diff."""
    return "".join(f"+{line}\n" for line in sabotage.dockerfile.strip().splitlines())


def diff(before: str, after: str, name: str) -> str:
    """Return a unified diff with two lines of context, "" if nothing differs."""
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), f"a/{name}", f"b/{name}", n=2, lineterm=""
    )
    return "".join(f"{each}\n" for each in lines)


def _yaml(objects: Objects) -> str:
    return yaml.safe_dump_all(objects, sort_keys=True, default_flow_style=False, width=200)


def _files(root: Path) -> Iterator[Path]:
    return (each for each in root.rglob("*") if each.is_file() and ".git" not in each.parts)


def _text(path: Path) -> str:
    return path.read_bytes().decode(errors="replace") if path.is_file() else ""


def judge(baseline: Verdict, sabotaged: Verdict, record: Record | None = None) -> bool:
    """Return whether a sabotage is killed: proven before, refuted now, and not by a failed control."""
    outside = record is None or not record.failed_controls
    return baseline is Verdict.PROVEN and sabotaged is Verdict.REFUTED and outside
