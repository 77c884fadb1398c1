"""The image of the probes and the stub: a Debian root with two programs of ours, tagged by content."""

from __future__ import annotations

import hashlib
import io
import shutil
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import filelock
from docker.errors import DockerException, ImageNotFound

from boxproof.core.session import EngineInfo
from boxproof.core.settings import Settings
from boxproof.host.engine import engine_client
from boxproof.host.fetch.apt import Apt
from pytest_claims import progress
from pytest_claims.faults import EnvironmentFault

REPOSITORY = "boxproof-probe"
SUITE = "bookworm"
PUBLISHED = "debian:bookworm-slim"
PACKAGES = ("python3", "bind9-dnsutils", "iproute2", "tcpdump", "netcat-openbsd", "procps", "ca-certificates")
GIT = (
    "usr/bin/git",
    "usr/lib/git-core/git-http-backend",
)  # what serves repositories, without perl
HERE = Path(__file__).resolve().parent
LIBRARY = "usr/local/lib/boxproof"
PROGRAMS = {
    "usr/local/bin/probe": HERE / "program_files" / "start.py",
    f"{LIBRARY}/boxproof/probes/program_files/probe.py": HERE / "program_files" / "probe.py",
    f"{LIBRARY}/boxproof/probes/program_files/dns.py": HERE / "program_files" / "dns.py",
    f"{LIBRARY}/boxproof/probes/program_files/https.py": HERE / "program_files" / "https.py",
    f"{LIBRARY}/boxproof/probes/program_files/table.py": HERE / "program_files" / "table.py",
    f"{LIBRARY}/boxproof/stubs/server/stub.py": HERE.parent / "stubs" / "server" / "stub.py",
    f"{LIBRARY}/boxproof/stubs/server/shapes.py": HERE.parent / "stubs" / "server" / "shapes.py",
    f"{LIBRARY}/boxproof/stubs/server/repositories.py": HERE.parent / "stubs" / "server" / "repositories.py",
}
CHANGES = (
    'ENTRYPOINT ["/usr/local/bin/probe"]',
    'CMD ["idle"]',
    "USER 1000:1000",
    "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin PYTHONDONTWRITEBYTECODE=1",
    'LABEL boxproof.dev/role="probe"',
)


def reference() -> str:
    """Return the image's name, tagged by what it is made of."""
    key = hashlib.sha256(repr((SUITE, PACKAGES, GIT, CHANGES)).encode())
    for path, source in sorted(PROGRAMS.items()):
        key.update(path.encode() + b"\0" + source.read_bytes())
    return f"{REPOSITORY}:{key.hexdigest()[:16]}"


def ensure(settings: Settings, engine: EngineInfo) -> str:
    """Return the reference of the probe image, built if the engine lacks it; raises EnvironmentFault."""
    wanted = reference()
    client = engine_client.connect(engine.host, timeout=300, certs=engine.certs)
    try:
        settings.cache.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(settings.cache / "probe-image.lock"):
            if not _has(client, wanted):
                with progress.step("probe image"):
                    _build(client, settings, wanted)
    except DockerException as error:
        raise EnvironmentFault(f"cannot make the probe image: {error}") from error
    finally:
        client.close()
    return wanted


def newest(client: Any) -> str:
    """Return the reference of this version's probe image; raises EnvironmentFault if the engine lacks it."""
    if not _has(client, reference()):
        raise EnvironmentFault("the engine has no probe image", hint="inv build")
    return reference()


def _has(client: Any, name: str) -> bool:
    try:
        client.images.get(name)
    except ImageNotFound:
        return False
    return True


def _build(client: Any, settings: Settings, name: str) -> None:
    if shutil.which("apt-get") is None:
        _build_on_published(client, name)
        return
    apt = Apt(settings.cache)
    root = apt.rootfs(PACKAGES, suite=SUITE, name="probe")
    git = apt.unpack(("git",), suite=SUITE, only=GIT)
    programs = PROGRAMS | {each: git / each for each in GIT}
    with tempfile.TemporaryDirectory(dir=settings.cache) as below:
        whole = Path(shutil.copyfile(root, Path(below) / "image.tar"))
        with tarfile.open(whole, "a") as tar:
            for path, source in programs.items():
                data = source.read_bytes()
                entry = tarfile.TarInfo(path)
                entry.size, entry.mode = len(data), 0o755
                tar.addfile(entry, io.BytesIO(data))
        repository, tag = name.split(":")
        client.api.import_image(str(whole), repository=repository, tag=tag, changes=list(CHANGES))


def _build_on_published(client: Any, name: str) -> None:
    """Build on the published image of the same distribution, where there are no packages of it here."""
    lines = [
        f"FROM {PUBLISHED}",
        f"RUN apt-get update && apt-get install -y --no-install-recommends {' '.join([*PACKAGES, 'git'])}"
        " && rm -rf /var/lib/apt/lists/*",
        *(f"COPY --chmod=755 {source.name} /{path}" for path, source in PROGRAMS.items()),
        *CHANGES,
    ]
    with tempfile.TemporaryDirectory() as below:
        for source in PROGRAMS.values():
            shutil.copyfile(source, Path(below) / source.name)
        (Path(below) / "Dockerfile").write_text("\n".join(lines) + "\n")
        client.images.build(path=below, tag=name, rm=True, forcerm=True)
