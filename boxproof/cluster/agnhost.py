"""The image of cyclonus' pods: Kubernetes' agnhost, the two commands they use, built from its module."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from boxproof import log
from boxproof.cluster.docker import docker
from boxproof.cluster.nodeimage import OWN
from boxproof.cluster.parts import MODULES, STRIPPED
from boxproof.host import golang
from boxproof.session import EngineInfo
from boxproof.settings import Settings

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
        with log.step(f"importing {REFERENCE}"):
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
