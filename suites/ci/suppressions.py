"""Everything in a subject that hides a finding from a scanner, and what each such entry lacks."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from boxproof.subject.supply_chain import scan
from pytest_claims.faults import UsageError

DAY = re.compile(
    r"(?:\b(?:until|expires?(?: on)?|exp|valid to|review(?:ed)? by)\b\s*:?\s*)?(?P<day>\d{4}-\d{2}-\d{2})"
)
LEAST = 10  # characters of a reason
FURTHEST = timedelta(days=730)  # ahead of a day that anybody will look at it again
# what stands where a reason is to be written
PLACEHOLDER = re.compile(
    r"\b(?:TODO|TBD|FIXME|XXX+|lorem ipsum|to be (?:done|determined|defined|filled in)"
    r"|(?:add|write|say|fill in) (?:a |the )?(?:reason|justification|why))\b",
    re.IGNORECASE,
)
WHY = ("statement", "reason", "comment", "justification")  # where an entry of a list says so itself
UNTIL = ("expired_at", "expires", "expiry", "until")
IGNORE_FILES = (
    ".trivyignore", ".snyk", ".kicsignore", ".nancy-ignore", ".dockleignore", ".gitleaksignore",
)  # fmt: skip
CONFIGURATIONS = (
    ".grype.yaml", ".grype/config.yaml", ".trivyignore.yaml", "trivy.yaml", "grype.yaml", ".hadolint.yaml",
    ".checkov.yaml", ".checkov.yml", ".kube-linter.yaml", ".hadolint.yml", ".kube-linter.yml",
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
# the same by a variable of the scanner's
BY_VARIABLE = re.compile(
    r"\b((?:TRIVY|GRYPE)_(?:IGNORE_UNFIXED|IGNORE_STATUS|IGNORE_STATES|ONLY_FIXED|ONLY_NOTFIXED|SKIP_DIRS|SKIP_FILES"
    r"|IGNORE_POLICY|EXCLUDE))[\"']?\s*[:=](?!\s*(?:[\"']?(?:false|0)\b|[\"']{2}|$))"
)
RUN_BY = (
    ".github/**/*.y*ml", ".forgejo/**/*.y*ml", ".gitea/**/*.y*ml", ".circleci/*.y*ml",
    ".ci/*", ".gitlab-ci.yml",
    "*.sh", "Makefile", "makefile", "justfile",
)  # fmt: skip
# directories that are read in spite of the point
SEEN = frozenset({".github", ".gitlab", ".circleci", ".ci", ".vex", ".trivy", ".grype"})
# by which a scanner is told of a file of its own, of any name
NAMED_LIST = re.compile(
    r"(?:--ignore-?file|ignorefile\s*:|trivyignores\s*:|TRIVY_IGNOREFILE\s*[:=])[= ]*[\"']?([\w./,-]+)"
)
NAMED_CONFIGURATION = re.compile(
    r"(?:\b(?:grype|trivy)\b[^\n;&|]*\s(?:-c|--config)|(?:GRYPE|TRIVY)_CONFIG\s*[:=]|trivy-config\s*:)"
    r"[= ]*[\"']?([\w./-]+)"
)
# of a scan's findings those of the system's packages alone, or not the critical ones
PARTS = re.compile(
    r"(?:^|[\s{,-]|\bTRIVY_)(?P<option>vuln-type|(?:pkg-)?types|VULN_TYPE|PKG_TYPES|severity|SEVERITY)[\"']?(?:\s*[:=]\s*|\s+)"
    r"(?P<value>\[[^\]\n]*\]|[\"']?[\w-]+(?:,\s?[\w-]+)*)"
)
WHOLE: Mapping[str, frozenset[str]] = {
    "vuln-type": frozenset({"os", "library"}), "pkg-types": frozenset({"os", "library"}),
    "types": frozenset({"os", "library"}), "severity": frozenset({"critical"}),
}  # fmt: skip
KINDS = frozenset({"os", "library"})
SEVERITIES = frozenset({"unknown", "low", "medium", "high", "critical"})
SCANS = re.compile(r"\b(?:trivy|TRIVY_\w+)\b")
# one finding, or those of the base, left out where a scanner is run
LEAVES_OUT = re.compile(
    r"(?:--|\b)(ignore-vulns?|exclude-base-image-vulns|ignore-base|ignore-suppressed|vulnerability-ids-to-ignore)\b"
    r"|\bcargo audit\b[^\n;&|]*--(ignore)\b|\b(?:hadolint|dockle)\b[^\n;&|]*\s--?(i(?:gnore)?)[= ]"
    r"|\bcheckov\b[^\n;&|]*\s--(skip-check)\b|\bkube-linter\b[^\n;&|]*\s--(exclude)\b"
)
OSV = "osv-scanner.toml"
VEX = re.compile(r"(?:.*[._-])?(?:open)?vex(?:[._-].*)?\.json$", re.IGNORECASE)
HARMLESS = frozenset({"not_affected", "fixed", "false_positive", "resolved", "resolved_with_pedigree"})
ENDS = re.compile(r"\buntil\s+(\d{4}-\d{2}-\d{2})")
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
    for path in told:
        found.update(_of_other_names(directory, path, now))
    told += [each for each in below if each.name in CONFIGURATIONS]
    found.update(f"{path.name}: {each}" for path in told for each in _wholesale(path, now))
    for path in _walk(directory):
        every = _osv(path, now) if path.name == OSV else _vex(path, now) if VEX.match(path.name) else ()
        found.update(f"{path.name}: {each}" for each in every)
    return sorted(found)


def _of_other_names(directory: Path, path: Path, now: date) -> Iterator[str]:
    """Yield the entries of the files that a scanner is told to read where it is run."""
    text = path.read_text(errors="replace")
    for each in (one for found in NAMED_LIST.findall(text) for one in found.split(",")):
        own = directory / each
        if own.is_file() and own.name not in IGNORE_FILES:
            of_yaml = own.suffix in (".yaml", ".yml")
            entries = _configured(own, now) if of_yaml else _bare(own, now)
            yield from (f"{own.name}: {entry}" for entry in entries)
    for each in NAMED_CONFIGURATION.findall(text):
        if (directory / each).is_file() and Path(each).name not in CONFIGURATIONS:
            yield from (f"{Path(each).name}: {entry}" for entry in _configured(directory / each, now))


def _configured(path: Path, now: date) -> Iterator[str]:
    """Yield the lists of a configuration that leave findings out, with what has no reason and end."""
    found = _read(path)
    for key in LISTS:
        left = [each for each in _listed(found.get(key)) if not _says(each, now)]
        if left:
            yield f"{key}: {left}"


def _osv(path: Path, now: date) -> Iterator[str]:
    """Yield what OSV-Scanner is told to ignore without a reason, or without a day that is ahead."""
    try:
        held = tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError:
        return  # which that scanner refuses
    for key in ("IgnoredVulns", "PackageOverrides"):
        for each in held.get(key) or ():
            until = each.get("ignoreUntil") or each.get("effectiveUntil")
            day = until.date() if isinstance(until, datetime) else until
            if not each.get("reason") or not isinstance(day, date) or not _is_ahead(str(day), now):
                yield str(each.get("id") or each.get("name"))


def _vex(path: Path, now: date) -> Iterator[str]:
    """Yield what a VEX document takes for harmless and does not say why and until when."""
    try:
        made = json.loads(path.read_text())
    except ValueError:
        return
    every = made.get("statements") or made.get("vulnerabilities") if isinstance(made, dict) else ()
    for each in (one for one in every or () if isinstance(one, dict)):
        text = json.dumps(each)
        state = str(each.get("status") or (each.get("analysis") or {}).get("state") or "")
        covered = any(_is_ahead(one, now) for one in ENDS.findall(text))
        if state in HARMLESS and not covered:
            named = each.get("vulnerability") or each.get("id")
            yield str(named.get("name") or named.get("@id") if isinstance(named, dict) else named)


def _walk(directory: Path) -> Iterator[Path]:
    """Yield the files below a directory, but for those of tests and of tools."""
    for path in sorted(directory.rglob("*")):
        parts = path.relative_to(directory).parts
        hidden = any(each.startswith(".") and each not in SEEN for each in parts[:-1])
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
    above, text = "", path.read_text(errors="replace")
    seen: dict[str, set[str]] = {}
    scans = SCANS.search(f"{path.name}\n{text}") is not None
    for option, told, _ in _kinds(text) if scans else ():
        seen[option] = seen.get(option, set()) | told
    for line in text.splitlines():
        bare = line.partition(" #")[0] if not line.lstrip().startswith("#") else ""
        found = WHOLESALE.search(bare) or LEAVES_OUT.search(bare) or BY_VARIABLE.search(bare)
        named = next(filter(None, found.groups())) if found else _part(bare, seen)
        if named and not (_covers(line, now) or _covers(above, now)):
            yield named
        above = line


def _part(line: str, seen: Mapping[str, set[str]]) -> str:
    """Return the option by which a line has a scan look for some kinds alone, "" for none.

    Another scan of the same file may look for the others: ``seen`` has what all of them do.
    """
    for option, told, named in _kinds(line):
        if told and option in seen and not seen[option] >= WHOLE[option]:
            return named
    return ""


def _kinds(text: str) -> Iterator[tuple[str, set[str], str]]:
    """Give the options that say what a scan looks for, each with the kinds and as it is written."""
    for found in PARTS.finditer(text):
        told = {each.lower() for each in re.findall(r"\w+", found["value"])}
        yield found["option"].lower().replace("_", "-"), told & (KINDS | SEVERITIES), found["option"]


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
            yield from (f"{name}: {each}" for each in _configured(place / name, now))


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
    why = " ".join(DAY.sub("", remark).split()).strip(" :;,.()-")
    if not days or len(why) < LEAST or PLACEHOLDER.search(why):
        return False
    return _is_ahead(days[-1]["day"], now)


def _is_ahead(day: str, now: date) -> bool:
    """Return whether a day is not past, and no end that nobody lives to see; what is no day is none."""
    try:
        return now <= date.fromisoformat(day) <= now + FURTHEST
    except ValueError:
        return False
