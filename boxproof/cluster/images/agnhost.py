"""The image of cyclonus' pods: Kubernetes' agnhost, the two commands they use, built from its module."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from boxproof.cluster.node_image.components import MODULES, STRIPPED
from boxproof.cluster.node_image.node_image import OWN
from boxproof.core.session import EngineInfo
from boxproof.core.settings import Settings
from boxproof.host.engine.docker_cli import docker
from boxproof.host.fetch import golang
from pytest_claims import progress

REGISTRY = OWN
REFERENCE = f"{REGISTRY}/e2e-test-images/agnhost:2.43"  # how cyclonus 0.5.6 calls it below its registry
LABEL = "boxproof.dev/recipe"


def ensure(settings: Settings, engine: EngineInfo) -> str:
    """Return the image's reference, made if the engine lacks it; raises EnvironmentFault."""
    program = golang.build(MODULES / "agnhost", ".", name="agnhost", settings=settings, ldflags=STRIPPED)
    recipe = program.parent.name
    template = f'{{{{index .Config.Labels "{LABEL}"}}}}'
    found = docker(engine, "image", "inspect", "--format", template, REFERENCE, check=False)
    if found.stdout.strip() != recipe:
        with progress.step(f"importing {REFERENCE}"):
            words = ["import", f"--change=LABEL {LABEL}={recipe}", "-", REFERENCE]
            docker(engine, *words, stdin=archive(program), timeout=120)
    return REFERENCE


def archive(program: Path) -> bytes:
    """Return the root of the image: the program, and nothing else."""
    data, whole = program.read_bytes(), io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as tar:
        entry = tarfile.TarInfo("agnhost")
        entry.size, entry.mode = len(data), 0o755
        tar.addfile(entry, io.BytesIO(data))
    return whole.getvalue()
