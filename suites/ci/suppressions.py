"""Everything in a subject that hides a finding from a scanner, and what each such entry lacks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import yaml

from boxproof.subject.supply_chain import scan
from pytest_claims.faults import UsageError

REASON = re.compile(r"#\s*(?P<reason>\S.{9,}?)\s+until\s+(?P<until>\d{4}-\d{2}-\d{2})\s*$")
IGNORE_FILES = (".trivyignore", ".snyk", ".kicsignore", ".nancy-ignore")
CONFIGURATIONS = (
    ".grype.yaml", ".grype/config.yaml", ".trivyignore.yaml", "trivy.yaml", "grype.yaml", ".hadolint.yaml",
    ".checkov.yaml", ".checkov.yml", ".kube-linter.yaml",
)  # fmt: skip
LISTS = (
    "ignore", "ignored", "vulnerabilities", "ignore-policy", "ignorefile", "skip-check", "misconfigurations",
    "secrets", "licenses", "exclude", "match-upstream-kernel-headers",
)  # fmt: skip
INLINE = re.compile(
    r"(trivy:ignore|tfsec:ignore|checkov:skip|hadolint ignore=|kics-scan ignore|nosemgrep|snyk:ignore"
    r"|ignore-check\.kube-linter\.io/|kubescape:ignore)\S*"
)
# findings that an option of a scanner leaves out all at once, in its configuration, a pipeline or a script
WHOLESALE = re.compile(
    r"(?:^|[\s{,-])(ignore-unfixed|only-fixed|only-notfixed|ignore-status(?:es)?|ignore-states|skip-dirs|skip-files)\b"
    r"(?!\s*[:=]\s*(?:[\"']?false|\[\]|\"\"|''))"
)
RUN_BY = (".github/**/*.y*ml", ".ci/*", ".gitlab-ci.yml", "*.sh", "Makefile", "makefile", "justfile")
READ = ("*.yaml", "*.yml", "Dockerfile*", "*.Dockerfile", "*.tf", "*.toml")
LEFT_OUT = frozenset({"node_modules", "reports", "tests", "suites", "sabotage", "__pycache__"})


def unjustified(directory: Path, today: date | None = None) -> list[str]:
    """Return "FILE: entry" for each suppression in a directory, and below it, without reason and end."""
    now = today or datetime.now(UTC).date()
    below = [
        each for each in _walk(directory) if each.name in (*IGNORE_FILES, *CONFIGURATIONS, scan.SUPPRESSIONS)
    ]
    places = {directory, *(each.parent for each in below)}
    found = {entry for place in places for entry in _in(place, now)}
    for path in _walk(directory):
        if any(path.match(each) for each in READ):
            found.update(f"{path.name}: {each}" for each in _inline(path, now))
    told = [each for pattern in RUN_BY for each in directory.glob(pattern) if each.is_file()]
    told += [each for each in below if each.name in CONFIGURATIONS]
    found.update(f"{path.name}: {each}" for path in told for each in _wholesale(path, now))
    return sorted(found)


def _walk(directory: Path) -> Iterator[Path]:
    """Yield the files below a directory, but for those of tests and of tools."""
    for path in sorted(directory.rglob("*")):
        parts = path.relative_to(directory).parts
        hidden = any(each.startswith(".") for each in parts[:-1])
        if not hidden and not LEFT_OUT & set(parts) and path.is_file():
            yield path


def _inline(path: Path, now: date) -> Iterator[str]:
    """Yield the remarks that hide a finding of a scanner and do not say why and until when beside them."""
    above = ""
    for line in path.read_text(errors="replace").splitlines():
        told = REASON.search(line) or REASON.search(above)
        found = INLINE.search(line)
        if found and (not told or date.fromisoformat(told["until"]) < now):
            yield found[0]
        above = line


def _wholesale(path: Path, now: date) -> Iterator[str]:
    """Yield the options that leave findings out and do not say why and until when beside them."""
    above = ""
    for line in path.read_text(errors="replace").splitlines():
        covered = REASON.search(line) or REASON.search(above)
        found = WHOLESALE.search(line.partition(" #")[0]) if not line.lstrip().startswith("#") else None
        if found and (not covered or date.fromisoformat(covered["until"]) < now):
            yield found[1]
        above = line


def _in(place: Path, now: date) -> Iterator[str]:
    try:
        scan.suppressions(place / scan.SUPPRESSIONS, now)
    except UsageError as error:
        yield f"{scan.SUPPRESSIONS}: {error.message.splitlines()[0]}"
    for name in IGNORE_FILES:
        if (place / name).is_file():
            yield from (f"{name}: {each}" for each in _bare(place / name, now))
    for name in CONFIGURATIONS:  # their entries have no room for a reason that a scanner heeds
        if (place / name).is_file():
            found: dict[str, Any] = yaml.safe_load((place / name).read_text()) or {}
            yield from (f"{name}: {each}: {found[each]}" for each in LISTS if found.get(each))


def _bare(path: Path, now: date) -> Iterator[str]:
    """Yield the entries that no comment "reason until YYYY-MM-DD" right above covers today."""
    above = ""
    for line in path.read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            told = REASON.match(above)
            if not told or date.fromisoformat(told["until"]) < now:
                yield line.strip()
        above = line
