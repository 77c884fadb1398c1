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

DAY = re.compile(
    r"(?:\b(?:until|expires?(?: on)?|exp|valid to|review(?:ed)? by)\b\s*:?\s*)?(?P<day>\d{4}-\d{2}-\d{2})"
)
LEAST = 10  # characters of a reason
WHY = ("statement", "reason", "comment", "justification")  # where an entry of a list says so itself
UNTIL = ("expired_at", "expires", "expiry", "until")
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
        found = INLINE.search(line)
        if found and not (_covers(line, now) or _covers(above, now)):
            yield found[0]
        above = line


def _wholesale(path: Path, now: date) -> Iterator[str]:
    """Yield the options that leave findings out and do not say why and until when beside them."""
    above = ""
    for line in path.read_text(errors="replace").splitlines():
        found = WHOLESALE.search(line.partition(" #")[0]) if not line.lstrip().startswith("#") else None
        if found and not (_covers(line, now) or _covers(above, now)):
            yield found[1]
        above = line


def _in(place: Path, now: date) -> Iterator[str]:
    try:
        scan.suppressions(place / scan.SUPPRESSIONS, now)
    except UsageError as error:
        yield f"{scan.SUPPRESSIONS}: {error.message.splitlines()[0]}"
    for name in IGNORE_FILES:
        if (place / name).is_file():
            bare = _of_snyk if name == ".snyk" else _bare
            yield from (f"{name}: {each}" for each in bare(place / name, now))
    for name in CONFIGURATIONS:
        if (place / name).is_file():
            found = _read(place / name)
            for key in LISTS:
                left = [each for each in _listed(found.get(key)) if not _says(each, now)]
                yield from [f"{name}: {key}: {left}"] if left else []


def _read(path: Path) -> dict[str, Any]:
    """Return the settings of a file, {} for what is no mapping."""
    try:
        found = yaml.safe_load(path.read_bytes())
    except yaml.YAMLError:
        return {}
    return found if isinstance(found, dict) else {}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value] if value else []


def _of_snyk(path: Path, now: date) -> Iterator[str]:
    """Yield what a policy of Snyk ignores without a reason and an end, which it has places for."""
    ignored = _read(path).get("ignore")
    for name, entries in ignored.items() if isinstance(ignored, dict) else ():
        told = [one for each in _listed(entries) if isinstance(each, dict) for one in each.values()]
        if not told or not all(_says(each, now) for each in told):
            yield str(name)


def _says(entry: Any, now: date) -> bool:
    """Return whether an entry of a list says itself why it is there and until when, a day ahead."""
    if not isinstance(entry, dict):
        return False
    reason = next((str(entry[key]) for key in WHY if entry.get(key)), "")
    until = next((str(entry[key]) for key in UNTIL if entry.get(key)), "")
    return len(reason.strip()) >= LEAST and _covers(f"# {reason} until {until[:10]}", now)


def _bare(path: Path, now: date) -> Iterator[str]:
    """Yield the entries without a reason in the remark right above, and a day ahead there or beside them."""
    above = ""
    for line in path.read_text(errors="replace").splitlines():
        if line.strip() and not line.startswith("#"):
            entry, _, end = line.strip().partition(" exp:")
            if not _covers(f"{above} until {end}" if end else above, now):
                yield entry
        is_more = line.startswith("#") and above.startswith("#")
        above = f"{above} {line.lstrip('#')}" if is_more else line


def _covers(text: str, now: date) -> bool:
    """Return whether a remark in a line has a reason and a day that is not past."""
    remark = text.partition("#")[2]
    days = list(DAY.finditer(remark))
    if not days or len(" ".join(DAY.sub("", remark).split()).strip(" :;,.()-")) < LEAST:
        return False
    try:
        return all(date.fromisoformat(each["day"]) >= now for each in days[-1:])
    except ValueError:  # no day of any calendar
        return False
