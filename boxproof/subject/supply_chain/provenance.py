"""How an image came to be, as BuildKit recorded it: kept at the build, by the image's config digest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from boxproof.core.session import ImageInfo
from pytest_claims.faults import EnvironmentFault
from pytest_claims.recording import writing

METADATA_ENV = {"BUILDX_METADATA_PROVENANCE": "max"}  # steps, arguments and sources, not only the base
BUILT_AS = ".reference"
INSTEAD_OF = ".instead-of"
FILE = "image-provenance.intoto.json"
KEY = "buildx.build.provenance"
STATEMENT = "https://in-toto.io/Statement/v0.1"
PREDICATE = "https://slsa.dev/provenance/v0.2"


def keep(
    cache: Path, config_digest: str, metadata: Mapping[str, Any], reference: str, instead_of: str = ""
) -> None:
    """Write down what buildx's metadata file says of an image, be it nothing, and what it was built as.

    The tag of ``reference`` is made of the inputs: by it an image is told from another of the same name.
    ``instead_of`` are the bases of its recipe that another took the place of, which the tag does not tell.
    """
    path = _path(cache, config_digest)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(BUILT_AS).write_text(f"{reference}\n")
    path.with_suffix(INSTEAD_OF).write_text(f"{instead_of}\n")
    path.write_text(json.dumps(metadata.get(KEY) or {}, indent=1))


def replaced(cache: Path, config_digest: str) -> str | None:
    """Return the bases that another took the place of when an image was built here; None if not noted."""
    path = _path(cache, config_digest).with_suffix(INSTEAD_OF)
    return path.read_text().strip() if path.is_file() else None


def kept(cache: Path, config_digest: str, reference: str) -> bool:
    """Return whether an image was built here, from the inputs that ``reference`` is named by.

    Whatever else carries that name in the engine was tagged by somebody.
    """
    path = _path(cache, config_digest)
    mark = path.with_suffix(BUILT_AS)
    return bool(config_digest) and path.is_file() and mark.is_file() and mark.read_text().strip() == reference


def pass_on(cache: Path, image: ImageInfo, made: ImageInfo) -> None:
    """Give ``made``, a layer of the harness on top of ``image``, what was recorded of that."""
    path = _path(cache, image.config_digest)
    if path.is_file():
        told = {KEY: json.loads(path.read_text())}
        keep(cache, made.config_digest, told, made.reference, replaced(cache, image.config_digest) or "")


def of(cache: Path, image: ImageInfo) -> dict[str, Any]:
    """Return BuildKit's SLSA provenance of an image; raises EnvironmentFault if none was recorded."""
    path = _path(cache, image.config_digest)
    found: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    if not found:
        hint = "its builder keeps no history: Docker 23 and buildx 0.13 are the first that do"
        raise EnvironmentFault(f"no provenance was recorded for {image.reference}", hint=hint)
    return found


def statement(image: ImageInfo, predicate: Mapping[str, Any]) -> dict[str, Any]:
    """Return the in-toto statement that ties a provenance to an image."""
    name, _, digest = image.config_digest.partition(":")
    subject = {"name": image.reference, "digest": {name: digest}}
    return {"_type": STATEMENT, "predicateType": PREDICATE, "subject": [subject], "predicate": predicate}


def write(cache: Path, image: ImageInfo | None, run: Path) -> Path | None:
    """Write that statement beside a run's report and return its path; None where nothing was recorded."""
    path = _path(cache, image.config_digest) if image else None
    found: dict[str, Any] = json.loads(path.read_text()) if path and path.is_file() else {}
    if image is None or not found:
        return None
    return writing.write_json(run / FILE, statement(image, found))


def materials(predicate: Mapping[str, Any]) -> dict[str, str]:
    """Return the digest of each image a build took, by its reference."""
    found = {}
    for each in predicate.get("materials") or ():
        uri = unquote(each["uri"]).partition("?")[0]
        if uri.startswith("pkg:docker/"):
            name, _, tag = uri.removeprefix("pkg:docker/").partition("@")
            found[f"{name}:{tag}" if tag else name] = f"sha256:{each['digest']['sha256']}"
    return found


def arguments(predicate: Mapping[str, Any]) -> dict[str, str]:
    """Return the build arguments and labels the builder was told."""
    parameters = predicate.get("invocation", {}).get("parameters", {})
    return {str(key): str(value) for key, value in (parameters.get("args") or {}).items()}


def _path(cache: Path, config_digest: str) -> Path:
    return cache / "provenance" / f"{config_digest.replace(':', '-')}.json"
