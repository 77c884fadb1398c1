"""BuildKit's record of a build."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from boxproof.core.session import ImageInfo
from boxproof.subject.supply_chain import provenance
from pytest_claims.faults import EnvironmentFault

IMAGE = ImageInfo(reference="box:1", config_digest="sha256:" + "a" * 64, nonce="n")
PREDICATE = {
    "materials": [
        {"uri": "pkg:docker/host%3A5000/ubuntu@24.04?platform=linux%2Famd64", "digest": {"sha256": "b" * 64}},
        {"uri": "https://example.invalid/x.tar", "digest": {"sha256": "c" * 64}},
    ],
    "invocation": {"parameters": {"args": {"build-arg:A": "1", "label:b": "2"}}},
}


def test_what_was_recorded_at_the_build_is_found_by_the_image(tmp_path: Path) -> None:
    assert not provenance.kept(tmp_path, IMAGE.config_digest, IMAGE.reference)
    assert not provenance.kept(tmp_path, "", IMAGE.reference)
    with pytest.raises(EnvironmentFault, match="no provenance"):
        provenance.of(tmp_path, IMAGE)
    provenance.keep(tmp_path, IMAGE.config_digest, {}, IMAGE.reference)
    with pytest.raises(EnvironmentFault, match="no provenance"):
        provenance.of(tmp_path, IMAGE)
    provenance.keep(tmp_path, IMAGE.config_digest, {provenance.KEY: PREDICATE}, IMAGE.reference)
    assert provenance.kept(tmp_path, IMAGE.config_digest, IMAGE.reference)
    assert not provenance.kept(tmp_path, IMAGE.config_digest, "box:tagged-by-somebody")
    assert provenance.of(tmp_path, IMAGE) == PREDICATE


def test_an_image_with_a_layer_of_ours_on_top_has_the_record_of_the_one_below(tmp_path: Path) -> None:
    above = ImageInfo(reference="box:1-sabotaged", config_digest="sha256:" + "d" * 64, nonce="m")
    provenance.pass_on(tmp_path, IMAGE, above)
    with pytest.raises(EnvironmentFault, match="no provenance"):
        provenance.of(tmp_path, above)
    provenance.keep(tmp_path, IMAGE.config_digest, {provenance.KEY: PREDICATE}, IMAGE.reference)
    provenance.pass_on(tmp_path, IMAGE, above)
    assert provenance.of(tmp_path, above) == PREDICATE


def test_the_images_a_build_took_are_its_materials() -> None:
    assert provenance.materials(PREDICATE) == {"host:5000/ubuntu:24.04": "sha256:" + "b" * 64}
    assert provenance.arguments(PREDICATE) == {"build-arg:A": "1", "label:b": "2"}


def test_a_statement_names_the_image_by_its_content() -> None:
    made = provenance.statement(IMAGE, PREDICATE)
    assert made["subject"] == [{"name": "box:1", "digest": {"sha256": "a" * 64}}]
    assert made["predicateType"].startswith("https://slsa.dev/provenance/")


def test_it_is_written_beside_a_report_where_something_was_recorded(tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert provenance.write(tmp_path, None, run) is None
    assert provenance.write(tmp_path, IMAGE, run) is None
    provenance.keep(tmp_path, IMAGE.config_digest, {provenance.KEY: PREDICATE}, IMAGE.reference)
    path = provenance.write(tmp_path, IMAGE, run)
    assert path == run / provenance.FILE
    assert json.loads(path.read_text()) == provenance.statement(IMAGE, PREDICATE)
