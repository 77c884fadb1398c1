"""A release: its order, what each step's end makes of the later ones, and what it leaves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from boxproof.cli import e2e, main, release, sabotage
from boxproof.core.session import EngineInfo, ImageInfo
from boxproof.core.settings import Settings
from boxproof.host.engine import engine_choice
from boxproof.operations import publish
from boxproof.operations.publish import Published
from boxproof.subject.image import image_build
from boxproof.subject.supply_chain import scan
from boxproof.subject.supply_chain.scan import Scan
from pytest_claims.faults import EnvironmentFault, SubjectFault, UsageError

IMAGE = ImageInfo(reference="box:1", config_digest="sha256:1", nonce="n")
ENGINE = EngineInfo(way="user", host="unix:///nowhere", version="1", client="docker")


class Proven:
    """Results of a run, as far as a release reads them."""

    run = "r"

    def __init__(self, code: int, digest: str = IMAGE.config_digest) -> None:
        self.exit_code = code
        self.subject = type("Subject", (), {"image": type("Image", (), {"config_digest": digest})})

    def summary(self) -> str:
        """Return some words."""
        return "words"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a release of a subject that waives nothing."""
    subject = tmp_path / "subject"
    subject.mkdir()
    (subject / "subject.toml").write_text('name = "box"\n')
    return Settings(subject=subject, reports=tmp_path / "reports", publish="127.0.0.1:5000")


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Have every step succeed, and return the list of what was done."""
    order: list[str] = []

    def note(name: str, answer: Any) -> Any:
        def work(*_: object, **__: object) -> Any:
            order.append(name)
            if isinstance(answer, BaseException):
                raise answer
            return answer

        return work

    def pushed(*_: object) -> Iterator[Published]:
        order.append("publish")
        yield Published(what="image", reference="r", digest="sha256:2")

    monkeypatch.setattr(publish, "answers", lambda _: None)
    monkeypatch.setattr(engine_choice, "ensure", lambda _: ENGINE)
    monkeypatch.setattr(image_build, "build", note("build", IMAGE))
    monkeypatch.setattr(scan, "examine", note("scan", Scan("proven", "")))
    monkeypatch.setattr(e2e, "prove", note("test", Proven(0)))
    monkeypatch.setattr(sabotage, "main", note("sabotage", 0))
    monkeypatch.setattr(publish, "everything", pushed)
    return order


def outcome(settings: Settings) -> dict[str, Any]:
    """Return what release.json says."""
    (path,) = (settings.reports / "releases").glob("*/release.json")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_the_steps_come_in_order_and_all_is_published_at_the_end(settings: Settings, done: list[str]) -> None:
    assert release.main(settings) == 0
    assert done == ["build", "scan", "test", "sabotage", "publish"]
    found = outcome(settings)
    assert (found["verdict"], len(found["published"])) == ("accepted", 1)
    assert [each["verdict"] for each in found["steps"]] == ["accepted"] * 5


def test_a_release_about_some_claims_says_so_in_its_tag_or_is_refused(
    settings: Settings, done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    suffixes = []

    def pushed(*words: object) -> Iterator[Published]:
        suffixes.append(words[-1])
        yield Published(what="image", reference="r", digest="sha256:2")

    monkeypatch.setattr(publish, "everything", pushed)
    some = replace(settings, claims=("pvc-*", "image-user-nonroot"))
    with pytest.raises(UsageError, match="narrows the release to") as refused:
        release.main(some)
    assert (done, "--narrowed" in refused.value.hint) == ([], True)
    assert not (settings.reports / "releases").exists()
    assert release.main(some, narrowed=True) == 0
    assert (suffixes, outcome(settings)["narrowed"]) == (["-narrowed"], True)
    suffixes.clear()
    whole = replace(settings, claims=("*",), reports=settings.reports / "whole")
    assert release.main(whole, narrowed=True) == 0
    assert suffixes == [""]


@pytest.mark.parametrize(
    ("where", "name", "answer", "code"),
    [
        (image_build, "build", SubjectFault("it does not build"), 1),
        (image_build, "build", EnvironmentFault("the disk is full"), 3),
        (image_build, "build", KeyboardInterrupt(), 130),
        (scan, "examine", Scan("refuted", "1 critical"), 1),
        (scan, "examine", Scan("unproven", "no database"), 4),
        (scan, "examine", UsageError("a suppression without a reason"), 2),
        (scan, "examine", ValueError("a defect of ours"), 3),
        (e2e, "prove", Proven(1), 1),
        (e2e, "prove", Proven(3), 3),
        (e2e, "prove", Proven(4), 4),
        (e2e, "prove", Proven(130), 130),
        (e2e, "prove", Proven(0, "sha256:another"), 3),
        (sabotage, "main", 1, 1),
        (sabotage, "main", 4, 4),
    ],
)
def test_a_step_that_fails_blocks_the_later_ones(
    settings: Settings,
    done: list[str],
    monkeypatch: pytest.MonkeyPatch,
    where: object,
    name: str,
    answer: Any,
    code: int,
) -> None:
    def fail(*_: object, **__: object) -> Any:
        if isinstance(answer, BaseException):
            raise answer
        return answer

    monkeypatch.setattr(where, name, fail)
    assert release.main(settings) == code
    assert "publish" not in done
    found = outcome(settings)
    assert found["published"] == []
    ended = [each["verdict"] for each in found["steps"]]
    failed = ended.index(found["verdict"])
    assert set(ended[:failed]) <= {"accepted"}
    assert set(ended[failed + 1 :]) <= {"not run"}


def test_an_unproven_scan_passes_by_its_waiver_alone_and_says_so(
    settings: Settings, done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    until = date.today() + timedelta(days=30)
    waiver = f'claim = "ci-critical-cve-gate"\nreason = "no database"\nowner = "us"\nexpires = {until}\n'
    (settings.subject / "waivers.toml").write_text(f"[[waiver]]\n{waiver}")
    monkeypatch.setattr(scan, "examine", lambda *_: Scan("unproven", "no database"))
    assert release.main(settings) == 0
    step = outcome(settings)["steps"][1]
    assert step["verdict"] == "waived"
    assert f"until {until}" in step["reason"]

    monkeypatch.setattr(scan, "examine", lambda *_: Scan("refuted", "1 critical"))
    assert release.attempt(release.scanned, work(settings)) == ("refuted", "1 critical")


def test_a_scan_that_is_unproven_for_another_reason_is_not_waived(
    settings: Settings, done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    until = date.today() + timedelta(days=30)
    waiver = f'claim = "ci-critical-cve-gate"\nreason = "no database"\nowner = "us"\nexpires = {until}\n'
    expects = 'expects = "no vulnerability database"\n'
    (settings.subject / "waivers.toml").write_text(f"[[waiver]]\n{waiver}{expects}")
    monkeypatch.setattr(scan, "examine", lambda *_: Scan("unproven", "no vulnerability database: silent"))
    assert release.attempt(release.scanned, work(settings))[0] == "waived"
    monkeypatch.setattr(scan, "examine", lambda *_: Scan("unproven", "the scan failed: it crashed"))
    verdict, reason = release.attempt(release.scanned, work(settings))
    assert (verdict, "its waiver expects another reason" in reason) == ("unproven", True)


def test_an_image_that_no_claim_was_about_is_not_published(
    settings: Settings, done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(e2e, "prove", lambda *_: Proven(0, ""))
    assert release.main(settings) == 3
    assert "publish" not in done
    assert "not tested" in outcome(settings)["steps"][2]["reason"]


@pytest.mark.parametrize("narrowed", [False, True])
def test_another_base_is_released_by_no_release_or_stands_in_the_tag_of_a_narrowed_one(
    settings: Settings, done: list[str], monkeypatch: pytest.MonkeyPatch, narrowed: bool
) -> None:
    suffixes = []

    def pushed(*words: object) -> Iterator[Published]:
        suffixes.append(words[-1])
        yield Published(what="image", reference="r", digest="sha256:2")

    monkeypatch.setattr(publish, "everything", pushed)
    other = replace(IMAGE, substituted="debian:12")
    monkeypatch.setattr(image_build, "build", lambda *_, **__: other)
    some = replace(settings, claims=("pvc-*", "image-user-nonroot")) if narrowed else settings
    assert release.main(some, narrowed=narrowed) == (0 if narrowed else 3)
    assert suffixes == (["-narrowed-other-base"] if narrowed else [])


def work(settings: Settings) -> release.Work:
    """Return the work of a release whose image is built."""
    return release.Work(settings, e2e.checked(settings), settings.reports, ENGINE, IMAGE)


def test_what_was_pushed_before_a_push_failed_is_told(
    settings: Settings, done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def pushed(*_: object) -> Iterator[Published]:
        yield Published(what="image", reference="r", digest="sha256:2")
        raise EnvironmentFault("the registry is full")

    monkeypatch.setattr(publish, "everything", pushed)
    assert release.main(settings) == 3
    assert [each["what"] for each in outcome(settings)["published"]] == ["image"]


def test_a_registry_that_does_not_answer_costs_nothing(settings: Settings) -> None:
    with pytest.raises(EnvironmentFault, match="no registry at"):
        publish.answers("127.0.0.1:9")


@pytest.mark.parametrize(
    "words", [[], ["--registry", "Not A Host"], ["--registry", "h", "--vulnerability-db", "/no/such"]]
)
def test_wrong_usage_is_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["release", *words]) == 2
    assert "boxproof: " in capsys.readouterr().err
