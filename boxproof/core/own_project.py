"""This repository as a project of claims, and a session as one run of it."""

from __future__ import annotations

import json
import os
import re
import shutil
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from boxproof.core import foreign_subject, run_keys
from boxproof.core.process import run
from boxproof.core.session import Session
from boxproof.core.settings import OWNER, ROOT
from pytest_claims import waivers
from pytest_claims.faults import EnvironmentFault, UsageError
from pytest_claims.project import Extension, Project, RunContext, Source
from pytest_claims.recording import content_keys, red_lock, source_forms
from pytest_claims.recording.red_lock import RedLock
from pytest_claims.reports.drawings import Picture
from pytest_claims.reports.schema import Cell, Image, KeyPart, MovedPackage, Packages, SubjectPart
from pytest_claims.selection import is_directory, short

SOURCES = {  # claims/README.md has them too
    "A": Source(
        "Pitfalls of Claude In A Box", "research of what goes wrong with such boxes, by numbered pitfalls"
    ),
    "B": Source("Architecture of Claude In A Box", "research of how such a box is built, by components"),
    "C": Source("Claude Code CLI in Kubernetes", "an article of somebody who runs it there"),
    "D": Source(
        "Pitfalls of a bubblewrap sandbox", "research of what goes wrong in one, by numbered pitfalls"
    ),
    "E": Source("Container footguns", "a numbered list of nineteen mistakes people make with containers"),
}
PICTURES = (
    Picture(
        title="What the account may do",
        kind="access",
        pattern=r".+?: (?P<column>[a-z]+) (?P<row>\S+)(?: \S+)? in .+",
        good=("allowed",),
        rows="resources",
        columns="verbs",
    ),
    Picture(
        title="What reaches what",
        kind="reach",
        pattern=r"(?P<row>.+) -> (?P<column>.+)",
        good=("open",),
        rows="sources",
        columns="targets",
    ),
)


def _red_required() -> bool:
    """Return what the ini says: whether a check must have been seen red in its present form."""
    path = ROOT / "pyproject.toml"
    ini = _ini(path, path.stat().st_mtime_ns) if path.is_file() else {}
    return ini.get("claims_seen_red") != "reported"


@cache
def _ini(path: Path, _changed: int) -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads(path.read_text())
    for name in ("tool", "pytest", "ini_options"):
        table = table.get(name, {})
    return table


OURS = Project(
    root=ROOT,
    claims_dir=ROOT / "claims",
    sabotage_dir=ROOT / "sabotage",
    durations_dir=ROOT / "suites",
    red_required=False,  # of a subject: ``of`` says
    sources=SOURCES,
    pictures=PICTURES,
    words=foreign_subject.words_of(ROOT),
)
PREFIX = re.compile(r"[a-z0-9][a-z0-9-]*-")  # of the ids of a subject's own claims
RELATIVE = "its paths are relative to the file"
JUDGED_BY = "judged-by"  # a directory of a run
HARNESS = (  # of a foreign subject too: what its image and cluster are made with among it
    "boxproof", "pytest_claims", "claims", "suites", "sabotage", "cluster", "sandbox", "requirements",
    "conftest.py", "pyproject.toml",
)  # fmt: skip
PUT_IN = "put-in.json"  # of a run: what was put into the agent's container
LOCK = "packages.lock"  # as it was in force, beside results.json


def is_ours(subject: Path) -> bool:
    """Return whether the subject in a directory is the harness's own box."""
    return os.path.realpath(subject) == str(ROOT)  # Path.resolve raises for a loop of links


def of(subject: Path) -> Project:
    """Return our project in the words of the subject in a directory, with the claims it brings of its own.

    Those about our own box must have been seen red as they are; of another the report says where they were.
    Raises UsageError for a table ``proof`` of its subject.toml that is not as it must be.
    """
    told = foreign_subject.proof_table(subject)
    more = (_extension(subject, told),) if told else ()
    required = is_ours(subject) and _red_required()
    return replace(OURS, extensions=more, words=foreign_subject.words_of(subject), red_required=required)


def _extension(subject: Path, told: Mapping[str, object]) -> Extension:
    prefix = told.get("prefix", "")
    if not isinstance(prefix, str) or not PREFIX.fullmatch(prefix):
        hint = "allowed: lower-case letters, digits and dashes, ending with a dash, for example till-"
        raise UsageError(f"{OWNER}: proof.prefix={short(repr(prefix))}", hint=hint)
    directories = {name: subject / str(told.get(name, f"proof/{name}")) for name in ("claims", "suites")}
    for name, directory in directories.items():
        if not is_directory(directory):
            raise UsageError(f"{OWNER}: proof.{name}: there is no {directory}", hint=RELATIVE)
    sabotage = subject / str(told.get("sabotage", "proof/sabotage"))
    if "sabotage" in told and not sabotage.is_dir():
        raise UsageError(f"{OWNER}: proof.sabotage: there is no {sabotage}", hint=RELATIVE)
    return Extension(
        prefix=prefix,
        claims_dir=directories["claims"],
        suites_dir=directories["suites"],
        sabotage_dir=sabotage if sabotage.is_dir() else None,
    )


def context(session: Session, project: Project | None = None) -> RunContext:
    """Return the run of a session, of our project with the subject's own claims unless another is given."""
    return RunContext(
        run=session.run,
        directory=Path(session.directory),
        project=project or of(Path(session.subject)),
        waivers=judged_by(session),
        locks=session.locks,
        absent=session.absent,
        seen_here=_seen_here(session),
        facts={
            "subject": _subject(session),
            "cell": _cell(session),
            "packages": _packages(session),
            "key": key(session),
        },
    )


def seen_here(state: Path, subject: Path) -> Path:
    """Return the directory for what sabotages of a box that is not ours were seen to turn red."""
    return state / "seen-red" / source_forms.digest(str(subject.resolve()))


def _seen_here(session: Session) -> RedLock | None:
    """Return what was seen red on the subject itself; None for our own box, whose lock is the project's."""
    subject = Path(session.subject)
    if session.sabotage or is_ours(subject):
        return None
    return red_lock.read(seen_here(Path(session.state), subject))


def judged_by(session: Session) -> Path:
    """Return where waivers.toml and planned.toml are: as they were when the run began, if it kept them."""
    kept = Path(session.directory) / JUDGED_BY
    return kept if kept.is_dir() else Path(session.subject)


def keep(session: Session) -> None:
    """Keep waivers.toml and planned.toml as they are: what somebody edits meanwhile is for the next run."""
    kept = Path(session.directory) / JUDGED_BY
    kept.mkdir()
    for each in (waivers.FILE, waivers.PLANNED):
        if (Path(session.subject) / each).is_file():
            shutil.copyfile(Path(session.subject) / each, kept / each)


def key(session: Session) -> KeyPart | None:
    """Return what a run is about, by content; None where nobody took note of it."""
    subject, harness = (session.extra.get(name, "") for name in ("key_subject", "key_harness"))
    if not (subject and harness):
        return None
    cell = source_forms.digest(_cell(session).model_dump_json())
    return KeyPart(subject=subject, harness=harness, cell=cell)


def contents(subject: Path) -> dict[str, str]:
    """Return the contents of subject and harness as they are now, as ``key`` looks for them."""
    harness = (path for name in HARNESS if (path := ROOT / name).exists())
    return {
        "key_subject": run_keys.of_subject(subject),
        "key_harness": content_keys.several(harness, ROOT),
    }


def _subject(session: Session) -> SubjectPart:
    image = session.image
    return SubjectPart(
        name=session.extra.get("subject_name") or Path(session.subject).name,
        source=session.extra.get("source", ""),
        put_in=_put_in(session),
        image=Image()
        if image is None
        else Image(
            reference=image.reference,
            config_digest=image.config_digest,
            compressed_bytes=image.compressed_bytes,
            unpacked_bytes=image.unpacked_bytes,
            base=image.base,
            base_instead_of=image.substituted,
        ),
    )


def _put_in(session: Session) -> tuple[str, ...]:
    path = Path(session.directory) / PUT_IN
    return tuple(map(str, json.loads(path.read_text(encoding="utf-8")))) if path.is_file() else ()


def _packages(session: Session) -> Packages | None:
    lock = session.lock
    if lock is None:
        return None
    return Packages(
        system=lock.system,
        locked=lock.total,
        source=lock.source,
        moved=tuple(
            MovedPackage(name=each.name, locked=each.locked, served=each.served) for each in lock.moved
        ),
        difference=lock.difference,
        lock=LOCK,
    )


def _cell(session: Session) -> Cell:
    engine = f"{session.engine.version} ({session.engine.way})" if session.engine else ""
    cluster = session.cluster
    if cluster is None:
        return Cell(engine=engine)
    names = set(Cell.model_fields) - {"engine"}
    return Cell(engine=engine, **{name: getattr(cluster, name) for name in names})


def source_state(directory: Path) -> str:
    """Return git's description of ``directory`` ("-dirty" with edits), else a hash of its files."""
    try:
        found = run(
            ["git", "-C", directory, "describe", "--always", "--dirty", "--tags"], timeout=20, check=False
        )
    except EnvironmentFault:
        return tree_hash(directory)
    return found.stdout.strip() if found.ok and found.stdout.strip() else tree_hash(directory)


def tree_hash(directory: Path) -> str:
    """Return "tree:" and a hash over the names, modes and contents of all files."""
    return f"tree:{content_keys.tree(directory)}"
