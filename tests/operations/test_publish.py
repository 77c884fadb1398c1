"""A report goes to the registry as a referrer of the image it is about."""

from __future__ import annotations

import hashlib
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from boxproof.operations import publish
from boxproof.operations.publish import Published
from pytest_claims.faults import EnvironmentFault

IMAGE = '{"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json"}'
DIGEST = f"sha256:{hashlib.sha256(IMAGE.encode()).hexdigest()}"


@pytest.fixture
def report(tmp_path: Path) -> Path:
    """A packed report of one file."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run/results.json").write_text("{}")
    return publish.packed_reports([tmp_path / "run"], tmp_path)


def content(layout: Path, descriptor: dict[str, Any]) -> bytes:
    """Return what a descriptor leads to, which must be what it says."""
    data: bytes = (layout / "blobs" / descriptor["digest"].replace(":", "/")).read_bytes()
    assert (len(data), f"sha256:{hashlib.sha256(data).hexdigest()}") == (
        descriptor["size"],
        descriptor["digest"],
    )
    return data


def test_the_report_is_an_artifact_whose_subject_is_the_image(report: Path, tmp_path: Path) -> None:
    layout = publish.referrer(report, IMAGE, tmp_path / "layout")
    (entry,) = json.loads((layout / "index.json").read_text())["manifests"]
    manifest = json.loads(content(layout, entry))
    assert manifest["subject"] == {
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "digest": DIGEST,
        "size": len(IMAGE),
    }
    assert manifest["artifactType"] == publish.REPORT_TYPE
    assert content(layout, manifest["config"]) == b"{}"
    (layer,) = manifest["layers"]
    assert content(layout, layer) == report.read_bytes()
    with tarfile.open(report) as packed:
        assert "report/run/results.json" in packed.getnames()


def test_an_image_that_was_replaced_meanwhile_gets_no_report(report: Path, tmp_path: Path) -> None:
    crane = tmp_path / "crane"
    crane.write_text("#!/bin/sh\necho '{}'\n")
    crane.chmod(0o755)
    image = Published(what="image", reference="localhost:5000/box:tag", digest=DIGEST)
    with pytest.raises(EnvironmentFault, match="no more the image that was pushed"):
        publish.pushed_report(crane, report, image, tmp_path)
    assert not (tmp_path / "layout").exists()
