"""Checks that vanish before they can report: left out, in a file that is skipped or broken, not found."""

from __future__ import annotations

import re
from collections.abc import Collection, Generator, Iterator
from pathlib import Path

import pytest

from pytest_claims.recording import redaction
from pytest_claims.recording.red_lock import RedLock

QUOTED = re.compile(r"[\"']([a-z0-9-]+)[\"']")  # what may be a claim's id in the source of a check
LEFT_OUT = "its check was left out by an option or a plugin of pytest"
GONE = "its check was not collected"
SkippedFile = tuple[str, str, frozenset[str]]  # its name, why, and the claims that it names
LONGEST = 1500  # characters of what pytest says of a broken file, its last ones


def claims_of(item: pytest.Item) -> tuple[str, ...]:
    """Return the ids in the claim marks of a check, nearest mark first, each once."""
    return tuple(dict.fromkeys(str(each) for mark in item.iter_markers("claim") for each in mark.args))


class Absentees:
    """Notes which checks were there and do not run, be it that nobody says so.

    ``own`` are those that the engine leaves out for a reason it tells itself.
    """

    def __init__(self) -> None:
        self.own: set[pytest.Item] = set()
        self.left_out: list[pytest.Item] = []
        self.skipped: list[tuple[str, str]] = []
        self.faults: list[str] = []
        self.collected: frozenset[str] = frozenset()

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Remember a file, or a directory, that skips itself as a whole or cannot be collected."""
        if report.failed:
            text = redaction.text(report.longreprtext)  # before it is cut
            self.faults.append(redaction.text(f"{report.nodeid}: {text[-LONGEST:]}"))
        if report.skipped:
            told = report.longrepr
            reason = str(told[2]) if isinstance(told, tuple) else report.longreprtext
            self.skipped.append((report.nodeid, reason.removeprefix("Skipped: ")))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> Generator[None]:
        """Compare what was collected with what is left once every plugin has chosen."""
        every = list(items)
        self.collected = frozenset(each.nodeid for each in every)
        yield
        kept = {*items, *self.own}
        self.left_out = [each for each in every if each not in kept]

    def reasons(self, wanted: Collection[str], lock: RedLock) -> dict[str, str]:
        """Return why claims of ``wanted`` are at best unproven: a check of theirs did not run.

        ``lock`` knows checks that there were.
        """
        found: dict[str, str] = {}
        for claim, why in (*self._deselected(), *self._unfound(lock)):
            if claim in wanted:
                found.setdefault(claim, why)
        return found

    def _deselected(self) -> Iterator[tuple[str, str]]:
        for item in self.left_out:
            for claim in claims_of(item):
                yield claim, f"{LEFT_OUT}: {item.nodeid}"

    def _unfound(self, lock: RedLock) -> Iterator[tuple[str, str]]:
        for nodeid, seen in lock.checks.items():
            if nodeid not in self.collected:
                told = f"{GONE}: {nodeid} (the kill table forgets one that is gone)"
                yield seen.sabotage.partition("/")[0], told

    def of_files(self, root: Path, known: Collection[str]) -> Iterator[SkippedFile]:
        """Yield each file that was skipped as a whole, the reason, and the claims that it names."""
        for nodeid, reason in self.skipped:
            path = root / nodeid.partition("::")[0]
            files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
            texts = (each.read_text(errors="replace") for each in files if each.is_file())
            words = {word for text in texts for word in QUOTED.findall(text)}
            yield nodeid, reason, frozenset(words & set(known))
