"""The vulnerability gate: what it turns away, what it keeps track of, and when it knows nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from boxproof.core.session import EngineInfo, ImageInfo
from boxproof.core.settings import Settings
from boxproof.fixtures.subject_steps import Ended, Nested
from boxproof.subject.copies import BAD, GOOD, PACKAGE, Miniature
from boxproof.subject.model import Subject
from boxproof.subject.supply_chain import scan as supply
from boxproof.subject.supply_chain import vulnerability_db
from pytest_claims import claim, control, observe, require, scope
from suites.ci import suppressions

REFUSED, UNPROVEN = 1, 4
ENDS = require("the gate ends with {}", lambda code, wanted: code == wanted)
TRACKED = require(
    "what can be mended is told with its package and the version that does",
    lambda told: told == [(RECORD, PACKAGE, GOOD)],
)
NONE_CRITICAL = require("nothing critical is known against it", lambda found: found == [])
JUSTIFIED = require("every suppression says why and until when", lambda found: found == [])
RECORD = "BOX-2026-1"
Gate = Callable[[str, Miniature, Path], Ended]


@pytest.fixture
def gate(nested: Nested, command: Callable[[str], Sequence[str]], tmp_path: Path) -> Gate:
    """``gate(label, subject, database)``: the subject's own scan, of another subject's image."""

    def scan(label: str, subject: Miniature, database: Path) -> Ended:
        about = subject.write(tmp_path)
        settings = {"BOXPROOF_VULNERABILITY_DB": str(database)}
        return nested(command("scan"), label=label, about=about, settings=settings)

    return scan


def justified(expires: date) -> str:
    """Return a suppression of our record with a reason, an owner and an end."""
    return (
        f'[[suppression]]\nvulnerability = "{RECORD}"\npackage = "{PACKAGE}"\nexpires = {expires}\n'
        'reason = "nothing in the image imports it"\nowner = "the maintainers"\n'
    )


@claim("ci-critical-cve-gate")
@scope("host")
def test_an_image_with_a_critical_vulnerability_is_turned_away(
    gate: Gate, mini: Callable[..., Miniature], database: Path, grype: Path, tmp_path: Path
) -> None:
    with control("the image with the fixed version passes the same gate"):
        ended = gate(f"{PACKAGE} {GOOD}", mini(version=GOOD), database)
        assert ended.code == 0, ended.said[-800:]
        ENDS.fails(code_of(f"{PACKAGE} {GOOD}", ended), REFUSED)
        TRACKED.fails(tracked(f"{PACKAGE} {GOOD}", ended))
    ended = gate(f"{PACKAGE} {BAD}", mini(version=BAD), database)
    ENDS(code_of(f"{PACKAGE} {BAD}", ended), REFUSED)
    TRACKED(tracked(f"{PACKAGE} {BAD}", ended))
    empty = vulnerability_db.archive(grype, tmp_path / "empty", [])
    ENDS(code_of("an empty database", gate("an empty database", mini(version=BAD), empty)), UNPROVEN)
    week_ago = datetime.now(UTC) - timedelta(days=7)
    old = vulnerability_db.archive(grype, tmp_path / "old", [vulnerability_db.KNOWN_BAD], built=week_ago)
    ENDS(code_of("a database of last week", gate("last week's", mini(version=BAD), old)), UNPROVEN)


def code_of(asked: str, ended: Ended) -> int:
    """Return how a gate ended; an observation."""
    return observe("exit code of the gate", asked, ended.code)


def tracked(asked: str, ended: Ended) -> list[tuple[str, str, str]]:
    """Return what a gate tells of findings that can be mended; an observation."""
    told = (ended.written("supply-chain/*/scan.json") or {}).get("fixable", [])
    found = [(each["vulnerability"], each["package"], each["fixed"]) for each in told]
    return observe("fixable findings", asked, found)


@claim("ci-critical-cve-gate")
@scope("image")
def test_nothing_critical_is_known_against_the_box(
    engine: EngineInfo, subject: Subject, image: ImageInfo, grype: Path, database: Path, tmp_path: Path
) -> None:
    (tmp_path / "home").mkdir()
    why = supply.ignorance(grype, tmp_path / "home")
    if why:
        pytest.skip(why)
    with control("the scanner finds what is known against log4j-core 2.14.1"):
        known = supply.known_bad(grype, tmp_path / "home")
        NONE_CRITICAL.fails(
            observe("critical", "log4j-core 2.14.1", sorted({each.vulnerability for each in known}))
        )
    found = supply.examine(Settings.load(), engine, subject, image, tmp_path / "out")
    NONE_CRITICAL(
        observe("critical", image.reference, sorted({each.vulnerability for each in found.critical}))
    )


@claim("ci-suppressions-justified")
@scope("host")
def test_a_suppression_counts_with_a_reason_and_until_its_day_alone(
    gate: Gate, mini: Callable[..., Miniature], database: Path
) -> None:
    today = datetime.now(UTC).date()
    with control("a justified one lets the finding pass"):
        one = justified(today + timedelta(days=30))
        ended = gate("justified", mini(version=BAD, suppressions=one), database)
        assert ended.code == 0, ended.said[-800:]
        ENDS.fails(code_of("justified", ended), REFUSED)
    past = justified(today - timedelta(days=1))
    ENDS(code_of("expired", gate("expired", mini(version=BAD, suppressions=past), database)), REFUSED)
    bare = f'[[suppression]]\nvulnerability = "{RECORD}"\n'
    ENDS(code_of("without a reason", gate("bare", mini(version=BAD, suppressions=bare), database)), 2)
    other = mini(version=BAD, suppressions=one.replace(PACKAGE, "another"))
    ENDS(code_of("of another package", gate("of another package", other, database)), REFUSED)


@pytest.fixture
def doctored(subject: Subject, tmp_path: Path) -> Iterator[Path]:
    """A directory with suppressions of each kind, none of them justified."""
    made = tmp_path / "doctored"
    made.mkdir()
    (made / "suppressions.toml").write_text('[[suppression]]\nvulnerability = "CVE-2024-9999"\n')
    (made / ".trivyignore").write_text("# known\nCVE-2024-9998\n")
    (made / ".grype.yaml").write_text("ignore:\n  - vulnerability: CVE-2024-9997\n")
    (made / "deep").mkdir()
    (made / "deep" / ".trivyignore").write_text("CVE-2024-9996\n")
    (made / "deep" / "pod.yaml").write_text("kind: Pod # checkov:skip=CKV_K8S_14\n")
    (made / "deep" / "Dockerfile").write_text("# hadolint ignore=DL3008\nFROM scratch\n")
    (made / ".dockleignore").write_text("# nobody can mend it, until 2199-12-31\nCIS-DI-0006\n")
    day = datetime.now(UTC).date() + timedelta(days=30)
    (made / ".kicsignore").write_text(f"# TODO: add a reason, until {day}\nany\n")
    (made / "scan.sh").write_text("trivy image --pkg-types os box\n")
    yield made
    shutil.rmtree(made)


@claim("ci-suppressions-justified")
@scope("image")
def test_every_suppression_of_the_subject_is_justified(subject: Subject, doctored: Path) -> None:
    with control("one without a reason is seen in each file that scanners read"):
        found = JUSTIFIED.fails(observe("unjustified", "doctored files", suppressions.unjustified(doctored)))
        assert len(found) == 9, found
    JUSTIFIED(observe("unjustified", "the subject", suppressions.unjustified(subject.directory)))
