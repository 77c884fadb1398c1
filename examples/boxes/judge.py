"""Proves every box in this directory as its maintainer would, and holds each report to defects.toml."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
import tomllib
from pathlib import Path

from boxproof.cli import init
from boxproof.core.process import run
from boxproof.core.settings import ROOT, Settings
from boxproof.subject import model

HERE = Path(__file__).resolve().parent
STAGES = ("static", "image", "cluster")
LONGEST = 3600.0  # seconds for one box
JUDGED = {"plain-deployment": 70, "bare-dockerfile": 35}  # claims, at least, that are proven or refuted


def wrong(name: str, stage: str, reports: Path) -> list[str]:
    """Prove a copy of a box up to a stage and return what is wrong with the report, a line each."""
    with tempfile.TemporaryDirectory(prefix="boxproof-boxes-") as below:
        box = Path(shutil.copytree(HERE / name, Path(below) / name))
        began = time.monotonic()
        init.main(Settings(), directory=box)
        model.demand_parts(model.load(box))
        argv = [sys.executable, "-m", "boxproof", "e2e", "--stage", stage, "--subject", str(box)]
        run(argv, cwd=ROOT, env={"BOXPROOF_REPORTS": str(reports)}, timeout=LONGEST, check=False)
        seconds = time.monotonic() - began
    told = json.loads((reports / "latest/results.json").read_text())
    claims = told["claims"]
    known = tomllib.loads((HERE / "defects.toml").read_text())[name]
    reached = STAGES[: STAGES.index(stage) + 1]
    expected = {each for part in reached for each in known.get(part, ())}
    if stage == STAGES[-1]:  # which brings its own Helm
        expected |= set(known.get("with-helm", {}).get("static", ()))
    found = [
        f"{name}: {each['id']} is {each['verdict']}: {each['reason']}"
        for each in claims
        if each["verdict"] == "blocked" or (each["verdict"] == "refuted" and each["id"] not in expected)
    ]
    found += [
        f"{name}: {each['id']} is {each['verdict']}, and defects.toml says that it is wrong with it"
        for each in claims
        if each["id"] in expected and each["verdict"] in ("proven", "not applicable")
    ]
    judged = sum(each["verdict"] in ("proven", "refuted") for each in claims)
    if stage == STAGES[-1] and judged < JUDGED.get(name, 0):
        found.append(f"{name}: {judged} claims are judged, of at least {JUDGED[name]}")
    counts = ", ".join(
        f"{count} {verdict.replace('_', ' ')}" for verdict, count in told["counts"].items() if count
    )
    sys.stdout.write(
        f"{name}: {judged} claims judged ({counts}), {len(found)} lines wrong, {seconds:.0f} s\n"
    )
    return found


def main() -> int:
    """Judge the boxes that are named, all without a name; 1 if a report has a wrong line."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("boxes", nargs="*", help="names of directories beside this file")
    options.add_argument("--stage", choices=STAGES, default=STAGES[-1])
    options.add_argument("--reports", type=Path, default=Path("reports/boxes"))
    given = options.parse_args()
    known = tomllib.loads((HERE / "defects.toml").read_text())
    names = given.boxes or sorted(known)
    found = [line for name in names for line in wrong(name, given.stage, given.reports.resolve() / name)]
    sys.stdout.write("".join(f"{each}\n" for each in found))
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
