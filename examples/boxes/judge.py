"""Proves every box in this directory as its maintainer would, and holds each report to defects.toml."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from boxproof.cli import init
from boxproof.core.process import run
from boxproof.core.settings import ROOT, Settings
from boxproof.subject import model
from pytest_claims.faults import BoxproofError

HERE = Path(__file__).resolve().parent
STAGES = ("static", "image", "cluster")
LONGEST = 7200.0  # seconds until a run is taken for one that stands still
# Claims that are proven or refuted up to the stage cluster, at least: slightly below what was measured.
JUDGED = {
    "plain-deployment": 75,
    "whole-home-chart": 70,
    "numbered-manifests": 70,
    "custom-resource": 30,
    "bare-dockerfile": 35,
    "sound-dockerfile": 35,
}
OURS = "a defect of the harness"  # how a fault of a check's own begins


def main() -> int:
    """Judge the boxes that are named, all without a name; 1 if a report has a wrong line."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("boxes", nargs="*", help="names of directories beside this file")
    options.add_argument("--stage", choices=STAGES, default=STAGES[-1])
    options.add_argument("--reports", type=Path, default=Path("reports/boxes"))
    given = options.parse_args()
    known = tomllib.loads((HERE / "defects.toml").read_text())
    names = given.boxes or sorted(known)
    if strange := [name for name in names if name not in known]:
        options.error(f"{', '.join(strange)}: no box here; there are {', '.join(sorted(known))}")
    found = [line for name in names for line in wrong(name, given.stage, given.reports.resolve() / name)]
    sys.stdout.write("".join(f"{each}\n" for each in found))
    return int(bool(found))


def wrong(name: str, stage: str, reports: Path) -> list[str]:
    """Prove a copy of a box up to a stage and return what is wrong with the report, a line each."""
    began = time.monotonic()
    told = proven(name, stage, reports)
    seconds = time.monotonic() - began
    if told is None:
        return [f"{name}: the run has left no report"]
    found = [*of_the_run(name, told), *of_the_claims(name, told["claims"], expected_of(name, stage))]
    judged = judged_of(told)
    if stage == STAGES[-1] and judged < JUDGED[name]:
        found.append(f"{name}: {judged} claims are judged, of at least {JUDGED[name]}")
    counts = ", ".join(
        f"{count} {verdict.replace('_', ' ')}" for verdict, count in told["counts"].items() if count
    )
    sys.stdout.write(
        f"{name}: {judged} claims judged ({counts}), {len(found)} lines wrong, {seconds:.0f} s\n"
    )
    return found


def proven(name: str, stage: str, reports: Path) -> dict[str, Any] | None:
    """Write subject.toml for a copy of a box, prove it up to a stage and return this run's report."""
    latest = reports / "latest"
    before = latest.resolve()
    with tempfile.TemporaryDirectory(prefix="boxproof-boxes-") as below:
        box = Path(shutil.copytree(HERE / name, Path(below) / name))
        init.main(Settings(), directory=box)
        model.demand_parts(model.load(box))
        argv = [sys.executable, "-m", "boxproof", "e2e", "--stage", stage, "--subject", str(box)]
        env = {"BOXPROOF_REPORTS": str(reports)}
        try:
            run(argv, cwd=ROOT, env=env, timeout=LONGEST, check=False, on_line=show)
        except BoxproofError as fault:
            show(f"{name}: {fault}")
    if latest.resolve() == before or not (latest / "results.json").is_file():
        return None
    told: dict[str, Any] = json.loads((latest / "results.json").read_text())
    return told


def show(line: str) -> None:
    """Show a line of the run as it comes, so that one that stands still says where."""
    sys.stderr.write(f"{line}\n")


def expected_of(name: str, stage: str) -> set[str]:
    """Return the claims that a report up to a stage has to refute."""
    known = tomllib.loads((HERE / "defects.toml").read_text())[name]
    reached = STAGES[: STAGES.index(stage) + 1]
    expected = {each for part in reached for each in known.get(part, ())}
    if stage == STAGES[-1] or shutil.which("helm"):  # that stage brings its own
        expected |= set(known.get("with-helm", {}).get("static", ()))
    return expected


def judged_of(told: Mapping[str, Any]) -> int:
    """Return how many claims of a report are proven or refuted."""
    return sum(each["verdict"] in ("proven", "refuted") for each in told["claims"])


def of_the_run(name: str, told: Mapping[str, Any]) -> Iterator[str]:
    """Yield why a report cannot stand for its box, whatever its lines say."""
    if told["interrupted"]:
        yield f"{name}: the run was interrupted"
    if told.get("fault"):
        yield f"{name}: the run did not come to its end: {told['fault']}"
    if not judged_of(told):
        yield f"{name}: no claim was judged"


def of_the_claims(name: str, claims: list[dict[str, Any]], expected: set[str]) -> Iterator[str]:
    """Yield the lines of a report that are not true of its box, and those that its list has beyond it."""
    for each in claims:
        line, verdict = f"{name}: {each['id']} is {each['verdict']}", each["verdict"]
        strange = verdict == "refuted" and each["id"] not in expected
        if strange or verdict == "blocked" or OURS in each["reason"]:
            yield f"{line}: {each['reason']}"
        elif verdict in ("proven", "not applicable") and each["id"] in expected:
            yield f"{line}, and defects.toml says that it is wrong with it"
    for missing in sorted(expected - {each["id"] for each in claims}):
        yield f"{name}: {missing}, of defects.toml, is no claim of the report"


if __name__ == "__main__":
    sys.exit(main())
