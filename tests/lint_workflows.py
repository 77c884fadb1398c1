"""Checks the CI workflows with actionlint, built from its pinned Go module."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from boxproof.cli.options import Parser
from boxproof.core.process import run
from boxproof.core.settings import ROOT, Settings
from boxproof.host.fetch import golang
from pytest_claims import progress
from pytest_claims.faults import BoxproofError

MODULE = ROOT / ".github" / "actionlint"
PACKAGE = "github.com/rhysd/actionlint/cmd/actionlint"


def main(words: Sequence[str] = ()) -> int:
    """Print what actionlint finds in the workflows; 1 if it finds something, 3 if it cannot be had."""
    try:
        Parser("workflows", str(__doc__), prog="nox -s workflows --").parse_args(words)
        program = golang.build(MODULE, PACKAGE, name="actionlint", settings=Settings.load(), ldflags="-s -w")
        paths = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
        found = run([program, "-no-color", *paths], timeout=120, check=False)
    except BoxproofError as fault:
        progress.fail(fault.message, fault.hint)
        return int(fault.exit_code)
    print(found.stdout + found.stderr, end="")
    progress.say(f"{len(paths)} workflows: {'as they must be' if found.ok else 'not as they must be'}")
    return 0 if found.ok else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
