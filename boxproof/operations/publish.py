"""Brings a release to a registry: the image, the chart and the report, as OCI artifacts."""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

from boxproof.core.process import run
from boxproof.core.session import EngineInfo, ImageInfo
from boxproof.core.settings import Settings
from boxproof.host.fetch import registries
from boxproof.subject.model import Subject
from boxproof.subject.supply_chain import scan
from pytest_claims.faults import EnvironmentFault
from pytest_claims.reports.schema import Part

TIMEOUT = 1800.0
OCI_MANIFEST, OCI_INDEX = (f"application/vnd.oci.image.{each}.v1+json" for each in ("manifest", "index"))
REPORT_TYPE = "application/vnd.boxproof.report.v1"
LOOPBACK = ("localhost", "127.0.0.1")


class Published(Part):
    """One thing in the registry, by the digest of its manifest there."""

    what: str
    reference: str
    digest: str


def answers(registry: str) -> None:
    """Raise EnvironmentFault unless something answers as a registry there."""
    host = registry.partition("/")[0]
    scheme = "http" if plain(registry) else "https"
    why = registries.answers(f"{scheme}://{host}/v2/", method="GET", fine=(401,))
    if why:
        raise EnvironmentFault(f"no registry at {host}: {why}", hint="nothing was built or published")


def plain(registry: str) -> bool:
    """Return whether a registry is asked without TLS: on this machine alone, as engines do."""
    return registry.partition("/")[0].partition(":")[0] in LOOPBACK


def everything(
    settings: Settings,
    engine: EngineInfo,
    subject: Subject,
    image: ImageInfo,
    reports: Sequence[Path],
    suffix: str = "",
) -> Iterator[Published]:
    """Push image, chart (where the subject has one) and report in this order, yielding each when it is there.

    Their tag is the image's with ``suffix``. All is packed before the first is pushed.
    Raises EnvironmentFault.
    """
    tools = scan.programs(settings, subject, "crane", "helm")
    tag = image.reference.rpartition(":")[2] + suffix
    home = f"{settings.publish}/{subject.image.name}"
    with tempfile.TemporaryDirectory(prefix="boxproof-publish-") as below:
        chart = packed_chart(tools["helm"], subject, home, tag, Path(below))
        report = packed_reports(reports, Path(below))
        made = pushed_image(engine, tools["crane"], image, f"{home}:{tag}")
        yield made
        if chart:
            yield pushed_chart(tools["helm"], chart, settings.publish)
        yield pushed_report(tools["crane"], report, made, Path(below))


def pushed_image(engine: EngineInfo, crane: Path, image: ImageInfo, reference: str) -> Published:
    """Push the very image, by its id, and see that the registry has it."""
    for words in (["tag", image.config_digest, reference], ["push", "--quiet", reference]):
        run([engine.client, *words], env=engine.env, timeout=TIMEOUT)
    run([engine.client, "image", "rm", reference], env=engine.env, timeout=60, check=False)
    manifest = run([crane, "manifest", reference], timeout=60).stdout
    there = digest(crane, reference)
    if image.config_digest not in (there, json.loads(manifest).get("config", {}).get("digest")):
        raise EnvironmentFault(f"{reference} is not the image that was tested: {image.config_digest}")
    return Published(what="image", reference=reference, digest=there)


def pushed_chart(helm: Path, chart: Path, registry: str) -> Published:
    """Push a packed chart below ``charts``."""
    options = ["--plain-http"] if plain(registry) else []
    done = run([helm, "push", chart, f"oci://{registry}/charts", *options], timeout=TIMEOUT)
    lines = (done.stdout + done.stderr).splitlines()
    told = {key.strip(): value.strip() for key, _, value in (each.partition(":") for each in lines)}
    if not told.get("Digest"):
        raise EnvironmentFault(f"helm does not say what it pushed: {' '.join(lines)}")
    return Published(what="chart", reference=told["Pushed"], digest=told["Digest"])


def pushed_report(crane: Path, report: Path, image: Published, below: Path) -> Published:
    """Push the packed report as a referrer of the image: the image's digest leads to it, and a tag."""
    about = run([crane, "manifest", image.reference], timeout=60).stdout
    if f"sha256:{hashlib.sha256(about.encode()).hexdigest()}" != image.digest:
        raise EnvironmentFault(f"{image.reference} is no more the image that was pushed: {image.digest}")
    layout = referrer(report, about, below / "layout")
    home, _, tag = image.reference.rpartition(":")
    reference = f"{home}:{tag}-report"
    run([crane, "push", layout, reference], timeout=TIMEOUT)
    return Published(what="report", reference=reference, digest=digest(crane, reference))


def referrer(report: Path, image: str, layout: Path) -> Path:
    """Write an OCI layout of one artifact, the report, whose subject is the image of that manifest."""
    kind = json.loads(image).get("mediaType", OCI_MANIFEST)
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": REPORT_TYPE,
        "config": _blob(layout, b"{}", "application/vnd.oci.empty.v1+json"),
        "layers": [_blob(layout, report.read_bytes(), "application/vnd.oci.image.layer.v1.tar+gzip")],
        "subject": _described(image.encode(), kind),
    }
    entry = _blob(layout, json.dumps(manifest).encode(), OCI_MANIFEST)
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry]}
    (layout / "index.json").write_text(json.dumps(index))
    (layout / "oci-layout").write_text(json.dumps({"imageLayoutVersion": "1.0.0"}))
    return layout


def _blob(layout: Path, content: bytes, kind: str) -> dict[str, object]:
    made = _described(content, kind)
    path = layout / "blobs" / str(made["digest"]).replace(":", "/")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return made


def _described(content: bytes, kind: str) -> dict[str, object]:
    return {
        "mediaType": kind,
        "digest": f"sha256:{hashlib.sha256(content).hexdigest()}",
        "size": len(content),
    }


def packed_chart(helm: Path, subject: Subject, home: str, tag: str, into: Path) -> Path | None:
    """Pack the subject's chart for the image ``home:tag``, which its version names; None without one."""
    chart = subject.path(subject.chart.directory)
    if chart is None:
        return None
    copy = Path(shutil.copytree(chart, into / "chart"))
    values = copy / "values.yaml"
    name = f"repository: {subject.image.name}\n"
    values.write_text(values.read_text().replace(name, f"repository: {home}\n"))
    version = yaml.safe_load((copy / "Chart.yaml").read_text())["version"]
    options = ["--app-version", tag, "--version", f"{version}+{tag}", "--destination", str(into)]
    run([helm, "package", copy, *options], timeout=TIMEOUT)
    return next(into.glob("*.tgz"))


def packed_reports(directories: Sequence[Path], into: Path) -> Path:
    """Pack the files of a run and of its release."""
    packed = into / "report.tar.gz"
    with tarfile.open(packed, "w:gz") as made:
        for each in directories:
            made.add(each, f"report/{each.name}")
    return packed


def digest(crane: Path, reference: str) -> str:
    """Return the digest of what a registry has under ``reference``."""
    return run([crane, "digest", reference], timeout=60).stdout.strip()
