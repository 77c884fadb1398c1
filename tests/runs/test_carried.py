"""Proofs are carried only where every input is the very same, and then with their evidence."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from boxproof.cli import e2e
from boxproof.core import own_project, run_keys
from boxproof.core.session import ImageInfo
from boxproof.core.settings import Settings
from boxproof.runs import bringup, carried, run_life, suite_runner
from boxproof.subject.model import Subject
from pytest_claims.recording import records
from pytest_claims.reports import history, results
from tests.support.commands import Ended, boxproof
from tests.test_own_claims import FILES

pytestmark = pytest.mark.integration

OURS = (
    "boxproof/x.py", "pytest_claims/x.py", "claims/x.toml", "suites/x.py", "sabotage/x.py", "cluster/x.toml",
)  # fmt: skip
CLAIM = "till-price-is-whole"
BESIDE = {  # what the subject refers to, and what lies in the context of its image
    "shared/linked": "x",
    "shared/base/a.yaml": "x: 1",
    "subject/deploy/kustomization.yaml": "resources: [../../shared/base]\n",
    "subject/image/node_modules/x.js": "x",
}


@pytest.fixture(scope="module")
def proven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small subject, and beside it the report and the state of a run that has just proven it."""
    place = tmp_path_factory.mktemp("carried")
    for name, text in FILES.items():
        (place / "subject" / name).parent.mkdir(parents=True, exist_ok=True)
        (place / "subject" / name).write_text(text)
    for name, text in BESIDE.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)
    (place / "subject/link").symlink_to("../shared/linked")
    ran = prove(settings_of(place))
    assert ran.code == 0, ran.said
    return place


@pytest.fixture
def settings(proven: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a copy of it, judged by a harness of a few files."""
    place = shutil.copytree(proven, tmp_path / "copy", symlinks=True)
    harness = tmp_path / "harness"
    for name in (*OURS, "conftest.py", "pyproject.toml"):
        (harness / name).parent.mkdir(parents=True, exist_ok=True)
        (harness / name).write_text("# as it is\n")
    monkeypatch.setattr("boxproof.core.own_project.ROOT", harness)
    made = settings_of(place)
    path = _latest(made) / results.FILE
    told = json.loads(path.read_text())
    told["key"]["harness"] = own_project.contents(made.subject)["key_harness"]
    path.write_text(json.dumps(told))
    return made


def settings_of(place: Path) -> Settings:
    """Return the settings of a run with everything in one directory."""
    return Settings(
        claims=("till-*",),
        workers=1,
        subject=place / "subject",
        reports=place / "reports",
        state=place / "state",
        cache=place / "cache",
    )


def prove(settings: Settings, *words: str) -> Ended:
    """Run e2e as a person would."""
    places = {name: getattr(settings, name) for name in ("reports", "state", "cache", "subject")}
    return boxproof("e2e", "--claims", "till-*", "--workers", "1", *words, **places)


def _latest(settings: Settings) -> Path:
    return (settings.reports / "latest").resolve()


def test_the_very_same_is_carried_with_its_evidence(settings: Settings) -> None:
    found = carried.find(settings)

    assert found is not None
    assert set(found.proven) == {CLAIM}
    assert carried.left(settings, found) == ()


def harness_of(settings: Settings) -> Path:
    """Return the directory of the harness that judged."""
    return settings.subject.parents[1] / "harness"


def _append(path: Path) -> None:
    path.write_text(path.read_text() + "\n# another\n")


def _append_to_harness(name: str, settings: Settings) -> None:
    _append(harness_of(settings) / name)


CHANGES: dict[str, Callable[[Settings], object]] = {
    **{f"harness: {name}": partial(_append_to_harness, name) for name in OURS},
    "harness: a new file": lambda each: (harness_of(each) / "suites" / "y.py").write_text(""),
    "harness: a mode": lambda each: (harness_of(each) / "suites" / "x.py").chmod(0o700),
    "subject: a file": lambda each: (each.subject / "price.txt").write_text("321"),
    "subject: a new file": lambda each: (each.subject / "untracked").write_text(""),
    "subject: its own check": lambda each: _append(each.subject / "proof/suites/test_till.py"),
    "subject: its own claim": lambda each: _append(each.subject / "proof/claims/till.toml"),
    "subject: its own sabotage": lambda each: _append(each.subject / "proof/sabotage/till.py"),
    "machine": lambda each: (each.state / history.LINES).unlink(),
    "subject: what it links to": lambda each: _append(each.subject.parent / "shared/linked"),
    "subject: what lies beside it": lambda each: _append(each.subject.parent / "shared/base/a.yaml"),
    "subject: packages in its context": lambda each: _append(each.subject / "image/node_modules/x.js"),
    "session": lambda each: (_latest(each) / carried.SESSION).unlink(),
    "evidence": lambda each: shutil.rmtree(_latest(each) / "evidence"),
    "records": lambda each: shutil.rmtree(_latest(each) / records.CHECKS),
    "report": lambda each: (_latest(each) / results.FILE).write_text("{"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_nothing_is_carried_where_an_input_differs(settings: Settings, what: str) -> None:
    CHANGES[what](settings)

    assert carried.find(settings) is None


def test_nothing_is_carried_for_longer_than_a_day(settings: Settings) -> None:
    [record] = records.load(_latest(settings)).values()
    assert record.ended is not None

    assert carried.find(settings, now=record.ended + carried.OLDEST) is not None
    assert carried.find(settings, now=record.ended + carried.OLDEST + timedelta(seconds=1)) is None


@dataclass(frozen=True)
class Again:
    """The second run of the very same: where it left what, and how it ended."""

    settings: Settings
    ended: Ended


@pytest.fixture(scope="module")
def second(proven: Path, tmp_path_factory: pytest.TempPathFactory) -> Again:
    """A run after the one that proved it."""
    copy = tmp_path_factory.mktemp("second") / "copy"
    settings = settings_of(shutil.copytree(proven, copy, symlinks=True))
    return Again(settings, prove(settings))


def test_what_is_carried_again_grows_old_all_the_same(proven: Path, second: Again) -> None:
    settings = second.settings
    [first] = records.load(_latest(settings_of(proven))).values()
    [again] = records.load(_latest(settings)).values()

    assert again.carried
    assert again.ended is not None
    assert again.ended == first.ended
    assert carried.find(settings, now=again.ended + carried.OLDEST + timedelta(seconds=1)) is None


def test_a_run_says_what_is_carried_and_keeps_its_evidence(second: Again) -> None:
    assert second.ended.code == 0, second.ended.said
    assert "1 carried from" in second.ended.said
    latest = _latest(second.settings)
    found = results.read(latest / results.FILE)
    assert found.claims[0].carried in second.ended.said
    assert all((latest / path).is_file() for path in found.claims[0].checks[0].evidence)


def test_fresh_carries_nothing(proven: Path, tmp_path: Path) -> None:
    settings = settings_of(shutil.copytree(proven, tmp_path / "copy", symlinks=True))
    fresh = prove(settings, "--fresh")
    assert fresh.code == 0, fresh.said
    assert "carried" not in fresh.said


def test_what_was_refuted_is_never_carried(proven: Path, tmp_path: Path) -> None:
    settings = settings_of(shutil.copytree(proven, tmp_path / "copy", symlinks=True))
    (settings.subject / "price.txt").write_text("three")
    assert prove(settings).code == 1
    assert results.read(_latest(settings) / results.FILE).verdict == "refuted"
    found = carried.find(settings)
    assert found is None or found.proven == {}


SETTINGS: dict[str, Callable[[Settings, Path], Settings]] = {
    "another registry": lambda each, _: replace(each, registry="registry.example"),
    "packages of another day": lambda each, _: replace(each, snapshot="20250101T000000Z"),
    "another engine": lambda each, _: replace(each, engine="embedded"),
    "a database of vulnerabilities": lambda each, file: replace(each, vulnerability_db=str(file)),
}


@pytest.mark.parametrize("what", SETTINGS)
def test_nothing_is_carried_where_a_setting_decides_otherwise(
    settings: Settings, tmp_path: Path, what: str
) -> None:
    (tmp_path / "database").write_text("x")
    assert carried.find(SETTINGS[what](settings, tmp_path / "database")) is None


def test_a_database_counts_by_its_content(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "database"
    seen = set()
    for content in ("x", "y"):
        file.write_text(content)
        seen.add(run_keys.of_circumstances(replace(settings, vulnerability_db=str(file))))
    assert len(seen) == 2


@pytest.mark.parametrize(
    ("name", "value"), [("DOCKER_HOST", "tcp://elsewhere:2375"), ("DOCKER_CONTEXT", "elsewhere")]
)
def test_nothing_is_carried_from_another_engine(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    assert carried.find(settings) is None


def test_a_third_run_carries_from_the_second(proven: Path, tmp_path: Path) -> None:
    settings = settings_of(shutil.copytree(proven, tmp_path / "copy", symlinks=True))
    for _ in range(2):
        again = prove(settings)
        assert (again.code, "1 carried from" in again.said) == (0, True), again.said


@pytest.mark.parametrize(
    ("image", "recipe", "told"),
    [
        ({}, "", True),
        ({"reference": "box"}, "", False),
        ({"reference": f"host/box@sha256:{'a' * 64}"}, "", True),
        ({}, "FROM debian:12\n", False),
        ({}, f"FROM debian:12@sha256:{'a' * 64}\n", True),
        ({}, f"FROM debian:12@sha256:{'a' * 64}\nCOPY --from=uv:1 /uv /uv\n", False),
        ({}, "ARG BASE\nFROM $BASE\n", False),
        ({}, "FROM scratch\nCOPY . /\n", True),
    ],
)
def test_an_image_that_no_file_tells_is_looked_at(
    tmp_path: Path, image: dict[str, str], recipe: str, told: bool
) -> None:
    if recipe:
        (tmp_path / "image").mkdir()
        (tmp_path / "image" / "Dockerfile").write_text(recipe)
    subject = Subject.model_validate({"name": "box", "directory": tmp_path, "image": image})
    assert carried.told_by_files(subject) is told


def test_an_image_that_no_file_tells_is_brought_up_before_its_proofs_are_shown(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []
    monkeypatch.setattr(bringup, "of_stage", lambda run, _: looked.append(run.session.stage))
    monkeypatch.setattr(suite_runner, "prove", lambda *_: looked.append("proven anew"))
    (settings.subject / "subject.toml").write_text('name = "till"\n[image]\nreference = "box"\n')
    subject = Subject.model_validate(
        {"name": "till", "directory": settings.subject, "image": {"reference": "box"}}
    )
    some = replace(settings, claims=("pvc-bound",))
    run = run_life.begin(some, "till")
    earlier = carried.Earlier(_latest(settings), {"pvc-bound": ()})
    other = ImageInfo(reference="box", config_digest="sha256:2", nonce="n")
    run.know(image=other)
    e2e.judge(run, subject, earlier)
    run.held.close()
    assert looked == ["cluster", "proven anew"]
