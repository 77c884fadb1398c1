"""The registry of sabotages: the smallest changes to the subject that must turn a check red."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import inspect
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from types import ModuleType

from pytest_claims import selection
from pytest_claims.concurrency.scopes import Scope
from pytest_claims.faults import UsageError, one_line
from pytest_claims.own_process import PROCESS
from pytest_claims.recording import redaction, source_forms
from pytest_claims.recording.records import Record
from pytest_claims.recording.source_forms import PACKAGE
from pytest_claims.verdicts import Verdict

SubjectEdit = Callable[[Path], None]
LEFT_OUT = shutil.ignore_patterns("__pycache__", ".git", ".venv", ".nox", ".pytest_cache")
REPORTS = "reports"  # at the top alone: below it may be a package of that name


class SabotageError(UsageError):
    """A sabotage is wrong in itself: it changes nothing, or its claim does not exist."""


@dataclass(frozen=True, kw_only=True)
class Applied:
    """A sabotage in force: what it changed, as a diff, and the directory the checks are to run in."""

    diff: str
    root: Path


@dataclass(frozen=True, kw_only=True)
class Sabotage:
    """The smallest change that must turn a check of ``claim`` red; a subclass says how it is made.

    ``scope`` is that of what it touches: one of "cluster" or "host" is tried while no other is.
    """

    id: str
    claim: str
    sentence: str
    scope: Scope

    def applied(self, root: Path) -> AbstractContextManager[Applied]:
        """Have the project in ``root`` changed for as long as the block lasts; raises SabotageError."""
        raise SabotageError(f"{self.id}: a {type(self).__name__} is not for pytest --kill-table: {root}")


@dataclass(frozen=True, kw_only=True)
class SubjectSabotage(Sabotage):
    """A change of files, made in a copy of the project."""

    subject: SubjectEdit

    @contextmanager
    def applied(self, root: Path) -> Iterator[Applied]:
        """Change a copy of ``root``; raises SabotageError if no file changes."""
        with copied(root) as copy:
            yield Applied(diff=apply_subject(self, copy), root=copy)


@contextmanager
def copied(root: Path) -> Iterator[Path]:
    """Give a copy of a project to change: without what git, environments and runs leave there."""
    with tempfile.TemporaryDirectory() as below:
        yield Path(shutil.copytree(root, Path(below) / root.name, symlinks=True, ignore=left_out(root)))


def left_out(root: Path) -> Callable[[str, list[str]], set[str]]:
    """Return what copies of the project in ``root`` leave out, as ``shutil.copytree`` asks for it."""

    def ignore(directory: str, names: list[str]) -> set[str]:
        top = {REPORTS} if Path(directory) == root else set()
        return set(LEFT_OUT(directory, names)) | top & set(names)

    return ignore


class Registry:
    """The sabotages of the files that are being loaded, by id."""

    def __init__(self) -> None:
        self.known: dict[str, Sabotage] | None = None


@contextmanager
def collecting() -> Iterator[dict[str, Sabotage]]:
    """Yield what is registered within the block, by id."""
    found: dict[str, Sabotage] = {}
    registry = PROCESS.get(Registry)
    before, registry.known = registry.known, found
    try:
        yield found
    finally:
        registry.known = before


def register(sabotage: Sabotage) -> None:
    """Add a sabotage to those of the files being loaded; raises SabotageError for a second of its id."""
    known = PROCESS.get(Registry).known
    if known is None:
        raise SabotageError(f"{sabotage.id} is registered outside the directory of sabotages")
    if sabotage.id in known:
        raise SabotageError(f"two sabotages are called {sabotage.id!r}", hint="rename one function")
    known[sabotage.id] = sabotage


def id_of(claim: str, name: str) -> str:
    """Return the id of the sabotage of ``claim`` that a function called ``name`` makes."""
    return f"{claim}/{name.strip('_').replace('_', '-')}"


def subject_sabotage(
    claim: str, sentence: str, *, scope: Scope = "instance"
) -> Callable[[SubjectEdit], SubjectEdit]:
    """Register a function that edits a copy of the subject directory; scope "host" needs no cluster."""

    def decorate(edit: SubjectEdit) -> SubjectEdit:
        name = id_of(claim, edit.__name__)
        register(SubjectSabotage(id=name, claim=claim, sentence=sentence, scope=scope, subject=edit))
        return edit

    return decorate


def replace_in(path: Path, old: str, new: str) -> None:
    """Replace ``old`` in a file of the subject; raises SabotageError if it is not there."""
    text = path.read_text()
    if old not in text:
        raise SabotageError(f"{path.name} does not say {old!r}")
    path.write_text(text.replace(old, new))


def load(directory: Path, known: Iterable[str]) -> dict[str, Sabotage]:
    """Return every sabotage of ``directory``/*.py by id; raises UsageError for one of an unknown claim."""
    ids, found = dict.fromkeys(known), _loaded(directory)
    for each in found.values():
        if each.claim not in ids:
            raise selection.unknown(each.claim, ids, f"sabotage {each.id}")
    return dict(found)


@cache
def _loaded(directory: Path) -> Mapping[str, Sabotage]:
    with collecting() as found:
        _open_package(directory)
        for path in sorted(directory.glob("*.py")):
            _import(path)
    redaction.keep(*found)
    return found


def _import(path: Path) -> None:
    """Import a file of sabotages; raises SabotageError for one that cannot be, or that ends the program."""
    try:
        importlib.import_module(PACKAGE if path.stem == "__init__" else f"{PACKAGE}.{path.stem}")
    except UsageError:
        raise
    except (Exception, SystemExit) as error:
        told = one_line(f"{type(error).__name__}: {error}")
        raise SabotageError(f"{path} cannot be imported: {told}", hint="python FILE shows where") from error


def _open_package(directory: Path) -> None:
    """Let the modules of ``directory`` be those of the package, where they find helpers of each other."""
    for name in [each for each in sys.modules if each.partition(".")[0] == PACKAGE]:
        del sys.modules[name]  # of another directory
    importlib.invalidate_caches()
    first = directory / "__init__.py"
    if first.is_file():
        spec = importlib.util.spec_from_file_location(
            PACKAGE, first, submodule_search_locations=[str(directory)]
        )
        assert spec is not None and spec.loader is not None
        sys.modules[PACKAGE] = package = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(package)
    else:
        sys.modules[PACKAGE] = package = ModuleType(PACKAGE)
        package.__path__ = [str(directory)]


def apply_subject(sabotage: SubjectSabotage, directory: Path) -> str:
    """Edit the copy of the subject in ``directory`` and return the unified diff of its files.

    Raises SabotageError if no file changes.
    """
    with tempfile.TemporaryDirectory() as kept:
        before = Path(shutil.copytree(directory, Path(kept) / "before", symlinks=True))
        sabotage.subject(directory)
        names = sorted({each.relative_to(root) for root in (before, directory) for each in _files(root)})
        parts = [diff(_text(before / each), _text(directory / each), str(each)) for each in names]
    changed = "".join(parts)
    if not changed:
        raise SabotageError(f"{sabotage.id} changes no file of the subject")
    return changed


def of_claims(claims: Iterable[str], known: Mapping[str, Sabotage]) -> dict[str, list[Sabotage]]:
    """Return the sabotages of each claim, an empty list where it has none."""
    by_claim: dict[str, list[Sabotage]] = {each: [] for each in claims}
    for each in known.values():
        if each.claim in by_claim:
            by_claim[each.claim].append(each)
    return by_claim


def diff(before: str, after: str, name: str) -> str:
    """Return a unified diff with two lines of context, "" if nothing differs."""
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), f"a/{name}", f"b/{name}", n=2, lineterm=""
    )
    return "".join(f"{each}\n" for each in lines)


def _files(root: Path) -> Iterator[Path]:
    return (each for each in root.rglob("*") if each.is_file() and ".git" not in each.parts)


def _text(path: Path) -> str:
    return path.read_bytes().decode(errors="replace") if path.is_file() else ""


def judge(before: Verdict, record: Record) -> bool:
    """Return whether a sabotage killed a check: proven before, and red by what it proves by."""
    return before is Verdict.PROVEN and record.shown_red


def form(sabotage: Sabotage) -> str:
    """Return the form of a sabotage: of the functions that make the change, and of its other words."""
    parts = [type(sabotage).__name__]
    for each in fields(sabotage):
        value = inspect.unwrap(value) if callable(value := getattr(sabotage, each.name)) else value
        code = getattr(value, "__code__", None)
        own = source_forms.form_of(Path(code.co_filename), code.co_name) if code else repr(value)
        parts.append(f"{each.name}={own}")
    return source_forms.digest("\n".join(parts))
