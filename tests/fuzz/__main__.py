"""Feeds what reads others' words with what nobody means: bounded, and the same again with the same seed.

nox -s fuzz -- [--examples N] [--minutes M] [--seed S] [--target NAME …]
"""

from __future__ import annotations

import random
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis import strategies as st

from boxproof.cli.options import Parser
from boxproof.core.settings import whole_number
from pytest_claims import progress
from pytest_claims.faults import UsageError, nearest
from pytest_claims.selection import short
from tests.fuzz import api_target, inputs, pure_targets

EXAMPLES, MINUTES = 110_000, 20
MOST = 1_000_000_000  # inputs
BATCH = 500
LIVE = {
    "http": (api_target.raw, inputs.HTTP),
    "body": (api_target.body, inputs.REQUESTS),
    "cli": (api_target.said, inputs.LINES),
}
SHARE = {"http": 0.05, "body": 0.02, "cli": 0.005}  # of all; each starts programs or connections


@dataclass
class Found:
    """What became of one target: how many inputs, what the first said that broke it, its batch's seed."""

    target: str
    tried: int = 0
    seed: int = 0
    broken: str = ""


def batch(
    check: Callable[[Any], None], values: st.SearchStrategy[Any], count: int, number: int, found: Found
) -> None:
    """Try ``count`` inputs of the seed ``number``; what breaks it is made small, and kept in ``found``."""

    def one(value: Any) -> None:
        for each in inputs.variants(value):
            found.tried += 1
            check(each)

    run = given(values)(one)
    run = settings(
        max_examples=-(-count // inputs.VARIANTS), deadline=None, database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink], verbosity=Verbosity.quiet, print_blob=False,
    )(run)  # fmt: skip
    try:
        seed(number)(run)()
    except BaseException as error:  # of whatever kind: that is what is looked for
        if isinstance(error, KeyboardInterrupt):
            raise
        notes = " ".join(getattr(error, "__notes__", ()))
        found.seed, found.broken = number, f"{type(error).__name__}: {error} {notes}"[:2000]


def fuzz(
    name: str,
    check: Callable[[Any], None],
    values: st.SearchStrategy[Any],
    share: int,
    start: int,
    end: float,
) -> Found:
    """Try ``share`` inputs, or as many as there is time for; ends with the first that breaks it."""
    found = Found(name)
    batches = random.Random(f"{name} {start}")
    while found.tried < share and time.monotonic() < end and not found.broken:
        batch(check, values, min(BATCH, share - found.tried), batches.randrange(1 << 32), found)
    said = f"broken, batch {found.seed}: {found.broken}" if found.broken else "held"
    progress.say(f"{name}: {found.tried} inputs, {said}")
    return found


def shares(names: Sequence[str], examples: int) -> dict[str, int]:
    """Return how many inputs each target gets: those of the running service less, beside others."""
    pure = [each for each in names if each not in LIVE]
    if not pure:
        return {each: -(-examples // len(names)) for each in names}
    live = {each: max(1, int(examples * SHARE[each])) for each in names if each in LIVE}
    left = examples - sum(live.values())
    return live | {each: -(-left // len(pure)) for each in pure}


def served(names: Sequence[str], counts: dict[str, int], start: int, end: float) -> list[Found]:
    """Try the targets that are about a running service."""
    service = api_target.Service()
    made = []
    try:
        for name in names:
            check, values = LIVE[name]
            made.append(fuzz(name, partial(check, service), values, counts[name], start, end))
            try:
                service.whole()
            except (AssertionError, OSError) as error:
                made[-1].broken = made[-1].broken or f"{type(error).__name__}: {error}"
    finally:
        service.close()
        shutil.rmtree(service.home)
    return made


@dataclass(frozen=True)
class Asked:
    """What was asked for: which targets, how many inputs and minutes in all, by which seed."""

    targets: Sequence[str]
    examples: int
    minutes: int
    seed: int


def asked(words: Sequence[str]) -> Asked:
    """Return what ``words`` ask for; raises UsageError."""
    known = [*LIVE, *pure_targets.TARGETS]
    parser = Parser("fuzz", str(__doc__).splitlines()[0], prog="nox -s fuzz --")
    option = parser.add_argument
    told = f"how many inputs in all (default: {EXAMPLES})"
    option("--examples", metavar="N", default=str(EXAMPLES), help=told)
    told = f"try nothing further after so many minutes (default: {MINUTES})"
    option("--minutes", metavar="M", default=str(MINUTES), help=told)
    option("--seed", metavar="S", default="1", help="the same seed tries the same inputs (default: 1)")
    told = f"only this one, repeatable (default: all): {', '.join(known)}"
    option("--target", metavar="NAME", action="append", help=told)
    given_ = parser.parse_args(words)
    for each in given_.target or ():
        if each not in known:
            raise UsageError(f"--target={short(each)!r}", hint=nearest(each, known))
    return Asked(
        list(dict.fromkeys(given_.target or known)),
        whole_number("--examples", given_.examples, MOST),
        whole_number("--minutes", given_.minutes, 6000),
        whole_number("--seed", given_.seed, 1 << 31),
    )


def main(words: Sequence[str]) -> int:
    """Run as a program: 0 if everything held, 1 if something broke, 2 for wrong usage."""
    try:
        chosen = asked(words)
    except UsageError as error:
        progress.fail(error.message, error.hint)
        return int(error.exit_code)
    except SystemExit:  # of argparse, once it has shown the help
        return 0
    counts, end = shares(chosen.targets, chosen.examples), time.monotonic() + chosen.minutes * 60
    found = []
    if live := [each for each in chosen.targets if each in LIVE]:
        found += served(live, counts, chosen.seed, end)
    for name in chosen.targets:
        if name not in LIVE:
            check, values = pure_targets.TARGETS[name]
            found.append(fuzz(name, check, values, counts[name], chosen.seed, end))
    shutil.rmtree(pure_targets.PLACE, ignore_errors=True)
    broken = [each.target for each in found if each.broken]
    total = sum(each.tried for each in found)
    progress.say(
        f"{total} inputs, seed {chosen.seed}: " + (f"broken: {', '.join(broken)}" if broken else "all held")
    )
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
