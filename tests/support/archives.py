"""An archive of packages in a directory, with suites, as apt reads it: their programs start or do not."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from boxproof.core.process import run

STARTS = "#!/bin/sh\necho {name} {version}\n"
NEWER_ABI = (
    "#!/bin/sh\necho \"{name}: libc.so.6: version 'GLIBC_2.99' not found (required by {name})\" >&2\nexit 1\n"
)
NO_LOADER = "#!/lib/ld-of-another-day.so.9\n"
HANGS = "#!/bin/sh\nexec sleep 600\n"
ENGINE = {
    "docker.io": ("usr/sbin/dockerd", "usr/bin/docker-proxy"),
    "docker-cli": ("usr/bin/docker",),
    "docker-buildx": ("usr/libexec/docker/cli-plugins/docker-buildx",),
    "docker-compose": ("usr/libexec/docker/cli-plugins/docker-compose",),
    "containerd": ("usr/bin/containerd", "usr/bin/ctr", "usr/bin/containerd-shim-runc-v2"),
}
RUNTIME = {"runc": ("usr/sbin/runc",), "tini": ("usr/bin/tini-static",)}


def write(
    archive: Path, suite: str, version: str, programs: Mapping[str, tuple[str, ...]], script: str = STARTS
) -> None:
    """Add packages of one version to a suite; what it had of the same names is gone."""
    index = archive / "dists" / suite / "main" / f"binary-{_architecture()}"
    index.mkdir(parents=True, exist_ok=True)
    pool = archive / "pool" / suite
    pool.mkdir(parents=True, exist_ok=True)
    for name, paths in programs.items():
        for old in pool.glob(f"{name}_*"):
            old.unlink()
        (pool / f"{name}_{version}_all.deb").write_bytes(_package(name, version, paths, script))
    (index / "Packages").write_text("\n\n".join(_stanzas(archive, suite)) + "\n")
    data = (index / "Packages").read_bytes()
    place = index.relative_to(archive / "dists" / suite)
    lines = ["Date: Wed, 01 Jan 2025 00:00:00 UTC", f"Suite: {suite}", f"Codename: {suite}", "SHA256:"]
    lines += [f" {hashlib.sha256(data).hexdigest()} {len(data)} {place}/Packages"]
    (archive / "dists" / suite / "Release").write_text("\n".join(lines) + "\n")


@cache
def _package(name: str, version: str, paths: tuple[str, ...], script: str) -> bytes:
    """Return a package; one of each kind is built in a process."""
    with tempfile.TemporaryDirectory() as below:
        tree, made = Path(below, "tree"), Path(below, "made.deb")
        (tree / "DEBIAN").mkdir(parents=True)
        (tree / "DEBIAN/control").write_text(_control(name, version) + "\n")
        for path in paths:
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_text(script.format(name=Path(path).name, version=version))
            (tree / path).chmod(0o755)
        tree.chmod(0o755)
        run(["dpkg-deb", "--root-owner-group", "-Zgzip", "--build", tree, made], timeout=60)
        return made.read_bytes()


def _control(name: str, version: str) -> str:
    fields = [f"Package: {name}", f"Version: {version}", "Architecture: all"]
    return "\n".join([*fields, "Maintainer: nobody <nobody@example.invalid>", "Description: a stand-in"])


def _stanzas(archive: Path, suite: str) -> list[str]:
    found = []
    for path in sorted((archive / "pool" / suite).glob("*.deb")):
        data = path.read_bytes()
        name, version, _ = path.name.split("_")
        more = [f"Filename: {path.relative_to(archive)}", f"Size: {len(data)}"]
        found.append(
            "\n".join([_control(name, version), *more, f"SHA256: {hashlib.sha256(data).hexdigest()}"])
        )
    return found


@cache
def _architecture() -> str:
    return run(["dpkg", "--print-architecture"], timeout=20).stdout.strip()


def sources(etc: Path, address: str) -> Path:
    """Write the sources of a machine whose mirror is at ``address``, and return its /etc/apt."""
    etc.mkdir(parents=True)
    (etc / "sources.list").write_text(f"deb [trusted=yes] {address} bookworm main\n")
    return etc
