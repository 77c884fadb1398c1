"""The steps of a run: numbered in the order they are taken, and said to take what is known of them."""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from boxproof.core.settings import ROOT, Settings
from boxproof.host import machine
from boxproof.host.fetch import golang
from boxproof.runs import inputs, run_steps
from boxproof.subject import model
from pytest_claims import progress
from pytest_claims.concurrency import scheduling

CALLS = {  # what a bring-up calls that takes a step of its own
    "check": run_steps.INPUTS,
    "engine_of": run_steps.ENGINE,
    "lock_of": run_steps.LOCK,
    "fetch": run_steps.MODULES,
    "canary_of": run_steps.CANARY,
    "first_instance": run_steps.INSTANCE,
    "connected": run_steps.context("x"),
}
WITHIN = {
    "cluster_of": (run_steps.NODE_IMAGE, run_steps.CLUSTER),
    "pushed": (run_steps.PROBES, run_steps.BOX_IMAGE),
}


@pytest.fixture(autouse=True)
def two_processors(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The machine that all figures are about, and no plan left for another test."""
    monkeypatch.setattr(machine, "cpus", lambda: 2)
    yield
    progress.plan([])


def taken(module: str, function: str) -> list[str]:
    """Return the steps that a bring-up takes, in the order they are written."""
    tree = ast.parse((ROOT / f"boxproof/runs/{module}.py").read_text())
    body = next(
        each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef) and each.name == function
    )
    calls = sorted(
        (each for each in ast.walk(body) if isinstance(each, ast.Call)),
        key=lambda each: (each.lineno, each.col_offset),
    )
    found: list[str] = []
    for call in calls:
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        if name == "step" and isinstance(call.args[0], ast.Attribute):
            found.append(str(getattr(run_steps, call.args[0].attr)))
        owner = getattr(getattr(call.func, "value", None), "id", "")
        if name in CALLS and owner in ("", "inputs", "bringup"):
            found.append(CALLS[name])
        found += WITHIN.get(name, ()) if not owner else ()
    return found


@pytest.mark.parametrize(
    ("module", "function", "steps"),
    [
        ("bringup", "session", run_steps.OF_A_CLUSTER),
        ("bringup", "image_alone", run_steps.OF_AN_IMAGE),
        ("bringup", "joined", run_steps.OF_A_GUEST),
        ("bringup", "external_session", run_steps.of_context(Settings(context="x"))),
    ],
)
def test_a_plan_has_the_steps_that_are_taken(module: str, function: str, steps: tuple[str, ...]) -> None:
    assert (*taken(module, function), run_steps.CHECKS, run_steps.CLEAN_UP) == steps


def test_the_first_run_says_what_is_shipped_and_a_later_one_what_it_took(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(state=tmp_path)
    run_steps.begin(settings, "cluster")
    with progress.step(run_steps.ENGINE):
        pass
    assert "step 2 of 14: engine … (about 23 s; about 35 min left" in capsys.readouterr().err
    scheduling.learn_steps(tmp_path, {run_steps.ENGINE: 70.0, run_steps.CHECKS: 4000.0})
    run_steps.begin(settings, "cluster")
    with progress.step(run_steps.ENGINE):
        pass
    said = capsys.readouterr().err
    assert "step 2 of 14: engine … (70 s the last time; about 1 h " in said
    progress.reach(run_steps.CHECKS)
    assert "step 13 of 14: checks … (1 h 6 min the last time" in capsys.readouterr().err


def test_fewer_claims_take_less(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scheduling.learn_steps(tmp_path, {run_steps.CHECKS: 4000.0})
    run_steps.begin(Settings(state=tmp_path, claims=("pvc-bound",)), "cluster")
    progress.reach(run_steps.CHECKS)
    assert capsys.readouterr().err.rstrip().endswith("step 13 of 14: checks …")


@pytest.mark.parametrize(("stage", "count"), [("static", 2), ("image", 6), ("cluster", 14)])
def test_each_stage_has_its_steps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], stage: str, count: int
) -> None:
    run_steps.begin(Settings(state=tmp_path), stage)
    with progress.step(run_steps.CLEAN_UP):
        pass
    assert f"step {count} of {count}: clean up …" in capsys.readouterr().err


def test_what_is_compiled_is_said_with_what_it_takes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = model.load(ROOT)
    module = subject.directory / subject.image.context / "modules"
    build = golang.Build(ROOT / "cluster/modules", ".", "node")
    found = inputs.Wanted(
        [build, build, dataclasses.replace(build, module=module)], [], {"bookworm": {"git"}}
    )
    monkeypatch.setattr(inputs, "every_recipe", lambda *_: [build] * 6)
    settings = Settings(state=tmp_path, cache=tmp_path)
    assert (round(inputs.minutes(found), 1), inputs.disk(settings, subject, found)) == (6.1, 20)
    scheduling.learn_steps(tmp_path, {run_steps.NODE_IMAGE: 900.0, run_steps.BOX_IMAGE: 4.0})
    run_steps.begin(settings, "cluster")
    inputs.foresee(settings, subject, found)
    with progress.step(run_steps.NODE_IMAGE), progress.step(run_steps.BOX_IMAGE):
        pass
    said = capsys.readouterr().err
    assert "node image … (about 3 min; " in said and "box image … (about 46 s)" in said
    inputs.foresee(settings, subject, inputs.Wanted())
    with progress.step(run_steps.NODE_IMAGE):
        pass
    assert re.search(r"node image … \(about \d+ min left\)", capsys.readouterr().err)
