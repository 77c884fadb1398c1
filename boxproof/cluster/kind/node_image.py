"""The node image of a cell: published and pinned by digest, or built from Go modules and a Debian root.

Another containerd than the default one is a layer on top of either.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import filelock

from boxproof.cluster.cells import DIRECTORY, Cell, check
from boxproof.cluster.kind import components
from boxproof.core.session import EngineInfo
from boxproof.core.settings import Settings
from boxproof.host.engine.docker_cli import docker, image_id
from boxproof.host.fetch.apt import digest
from pytest_claims import progress
from pytest_claims.faults import EnvironmentFault, UsageError

RECIPE = DIRECTORY / "node"
LAYER = DIRECTORY / "runtime"
REPOSITORY = "boxproof-node"
BUILD_TIMEOUT = 900.0
OWN = "registry.boxproof.invalid"  # of images that exist nowhere but in our nodes


def ensure(settings: Settings, engine: EngineInfo) -> str:
    """Return the reference of the node image, made if need be; its tag or digest names its content.

    A published image is taken where a registry has it, else one is built. Raises EnvironmentFault.
    """
    cell = check(settings)
    found = find(settings, engine, cell)
    if not found and not cell.kubernetes.module:
        hint = "name a registry that has it with BOXPROOF_REGISTRY, or ask for another version"
        raise EnvironmentFault(f"no published node image of Kubernetes {cell.kubernetes.version}", hint=hint)
    base = found or build(settings, engine, cell.on_default_runtime())
    return base if cell.default_runtime else with_runtime(settings, engine, cell, base)


def with_runtime(settings: Settings, engine: EngineInfo, cell: Cell, base: str) -> str:
    """Return the node image ``base`` with the cell's containerd as one more layer."""
    programs = components.runtime(settings, cell.containerd)
    reference = f"{REPOSITORY}:{layer_key(base, programs)}"
    locks = settings.cache / "node"
    locks.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(locks / "lock"):
        if not image_id(engine, reference):
            with (
                progress.step(f"containerd {cell.containerd.version} on the node image") as report,
                _context(locks, LAYER, programs) as context,
            ):
                _buildx(engine, context, reference, report, [f"--build-arg=NODE={base}"])
    return reference


def layer_key(base: str, programs: Mapping[str, Path]) -> str:
    """Return the key of a node image with another containerd."""
    return digest("runtime", base, _files(LAYER), _content(programs))


def build(settings: Settings, engine: EngineInfo, cell: Cell) -> str:
    """Return the node image built from the recipe in cluster/node; nothing is built a second time."""
    root = components.root(settings)
    programs = components.build(settings, cell)
    reference = f"{REPOSITORY}:{recipe_key(cell, root, programs)}"
    locks = settings.cache / "node"
    locks.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(locks / "lock"):
        if not image_id(engine, reference):
            with _context(locks, RECIPE, programs) as context:
                _link(root, context / "root.tar")
                _build(engine, cell, reference, context)
    return reference


def recipe_key(cell: Cell, root: Path, programs: Mapping[str, Path]) -> str:
    """Return the key of everything the node image is made of."""
    made = [(name, path.parent.name) for name, path in programs.items()]  # directories are named by recipe
    return digest("node", _files(RECIPE), root.parent.name, made, names(cell))


def _files(directory: Path) -> list[tuple[str, bool, str]]:
    """Return every file of a recipe with its mode and its digest."""
    paths = sorted(path for path in directory.rglob("*") if path.is_file())
    return [
        (
            str(path.relative_to(directory)),
            os.access(path, os.X_OK),
            hashlib.sha256(path.read_bytes()).hexdigest(),
        )
        for path in paths
    ]


def _content(programs: Mapping[str, Path]) -> list[tuple[str, str]]:
    """Return each program with its digest: a package's directory does not tell which version is in it."""
    return [(name, hashlib.sha256(path.read_bytes()).hexdigest()) for name, path in programs.items()]


def names(cell: Cell) -> list[tuple[str, str]]:
    """Return the images a node is born with: (stage of the Dockerfile, name in the node)."""
    version = f"v{cell.kubernetes.version}"
    control = [
        f"registry.k8s.io/{each}:{version}"
        for each in ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy")
    ]
    system = [
        *control,
        f"registry.k8s.io/etcd:{cell.kubernetes.etcd}",
        f"{OWN}/kube-router:preloaded",
        f"{OWN}/local-path-provisioner:preloaded",
    ]
    return [
        *(("system", each) for each in system),
        ("coredns", f"registry.k8s.io/coredns/coredns:v{cell.kubernetes.coredns}"),
        ("pause", f"registry.k8s.io/pause:{cell.kubernetes.pause}"),
    ]


@contextmanager
def _context(parent: Path, recipe: Path, programs: Mapping[str, Path]) -> Iterator[Path]:
    """Give a build context: a recipe's files and, below bin, the programs as links."""
    directory = Path(tempfile.mkdtemp(prefix="context.", dir=parent))
    try:
        shutil.copytree(recipe, directory, dirs_exist_ok=True)
        (directory / "bin").mkdir()
        for name, path in programs.items():
            _link(path, directory / "bin" / name)
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)


def _build(engine: EngineInfo, cell: Cell, reference: str, context: Path) -> None:
    """Build the images that run in the node, then the node around them."""
    key = reference.rpartition(":")[2]
    stages = {each: f"boxproof-node-{each}:{key}" for each, _ in names(cell)}
    lines = [f"docker.io/library/{stages[stage]} {name}" for stage, name in names(cell)]
    (context / "names").write_text("\n".join(lines) + "\n")
    with progress.step("building the node image") as report:
        try:
            for stage, tag in stages.items():
                _stage(engine, context, stage, tag, report)
            docker(engine, "save", "--output", str(context / "images.tar"), *stages.values(), timeout=300)
            arguments = {"KUBERNETES_VERSION": cell.kubernetes.version}
            arguments["PAUSE_VERSION"] = cell.kubernetes.pause
            _stage(engine, context, "node", reference, report, arguments)
        finally:
            docker(engine, "image", "rm", *stages.values(), check=False)
    if not image_id(engine, reference):
        raise EnvironmentFault(f"the engine has no {reference} after building it")


def _stage(
    engine: EngineInfo,
    context: Path,
    stage: str,
    tag: str,
    report: Callable[[str], None],
    arguments: Mapping[str, str] | None = None,
) -> None:
    words = [f"--build-arg={name}={value}" for name, value in (arguments or {}).items()]
    _buildx(engine, context, tag, report, [f"--target={stage}", *words])


def _buildx(
    engine: EngineInfo, context: Path, tag: str, report: Callable[[str], None], words: Sequence[str]
) -> None:
    fixed = ["buildx", "build", "--load", "--progress=plain", f"--tag={tag}"]
    docker(engine, *fixed, *words, str(context), timeout=BUILD_TIMEOUT, on_line=report)


ASK_TIMEOUT = 15.0
PULL_TIMEOUT = 900.0
PREFIX = re.compile(r"[A-Za-z0-9.-]+(:\d{1,5})?(/[a-z0-9._/-]+)?")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def find(settings: Settings, engine: EngineInfo, cell: Cell) -> str:
    """Return a pulled node image "NAME:TAG@sha256:…", or "" where none can be had.

    With ``settings.registry`` (HOST[:PORT]) that registry must have it, else EnvironmentFault; without,
    the public one is asked if cells.toml pins an image. Raises UsageError for an unusable registry.
    """
    name = _name(settings.registry, cell)
    if not name:
        return ""
    pinned = cell.published.digest if cell.published else ""
    found = pinned if pinned and _has(engine, f"{name}@{pinned}") else ""
    if not found and settings.registry:
        found = _asked(engine, name)
    if not found:
        return ""
    reference = f"{name}@{found}"
    if not _local(engine, reference):
        with progress.step(f"pulling {name}") as report:
            docker(engine, "pull", reference, timeout=PULL_TIMEOUT, on_line=report)
    return reference


def _name(registry: str, cell: Cell) -> str:
    image = cell.published.image if cell.published else f"kindest/node:v{cell.kubernetes.version}"
    if not registry:
        return image if cell.published else ""
    if not PREFIX.fullmatch(registry):
        raise UsageError(f"registry {registry!r}", hint="give HOST, HOST:PORT or HOST:PORT/PATH")
    return f"{registry}/{image}"


def _local(engine: EngineInfo, reference: str) -> bool:
    return docker(engine, "image", "inspect", "--format", "ok", reference, check=False).ok


def _has(engine: EngineInfo, reference: str) -> bool:
    words = ["buildx", "imagetools", "inspect", reference]
    return _local(engine, reference) or docker(engine, *words, timeout=ASK_TIMEOUT, check=False).ok


def _asked(engine: EngineInfo, name: str) -> str:
    """Return the digest a registry has under a tag: what is used from then on."""
    words = ["buildx", "imagetools", "inspect", "--format", "{{.Manifest.Digest}}", name]
    answer = docker(engine, *words, timeout=ASK_TIMEOUT, check=False)
    found = DIGEST.search(answer.stdout)
    if not answer.ok or not found:
        hint = "push a node image there, or leave BOXPROOF_REGISTRY empty to build one"
        last = (answer.stderr.strip().splitlines() or ["no digest"])[-1]
        raise EnvironmentFault(f"no {name}: {last}", hint=hint)
    return found[0]
