"""The program of the probes: the image it is in, tagged by content, and how it is asked wherever it runs."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
import tempfile
from pathlib import Path
from typing import Any, Protocol

import filelock
from docker.errors import DockerException, ImageNotFound

from boxproof.core.process import Result
from boxproof.core.session import EngineInfo
from boxproof.core.settings import Settings
from boxproof.host.engine import engine_client
from boxproof.host.fetch.apt import Apt
from boxproof.kube.exec import Unanswered
from pytest_claims import progress
from pytest_claims.faults import EnvironmentFault
from pytest_claims.waiting import until

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
READINGS = frozenset({"connect", "resolve", "https", "processes", "capabilities"})
ANSWERS = 30.0  # seconds until a late answer is given up on
ANSWER = 60.0  # seconds for the probe program to start and to answer, beside what it is told to wait


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


class Taken(EnvironmentFault):
    """The probe was killed with the processes it looked at: their first one had ended."""


class Prober(Protocol):
    """Where the probe program can be run: a twin, the box's own namespaces, a container outside."""

    @property
    def label(self) -> str:
        """How it is called in observations."""
        ...

    @property
    def address(self) -> str:
        """The address others reach it at."""
        ...

    def probe(self, *words: str, timeout: float = 30) -> Result:
        """Run the probe program with ``words``; raises EnvironmentFault if it cannot be run."""
        ...


def ask(source: Prober, *words: str, timeout: float = ANSWER) -> dict[str, Any]:
    """Return the probe program's answer; raises EnvironmentFault if it gave none.

    A question that changes nothing is asked again where API server or kubelet were late.
    """

    def once() -> Result:
        return source.probe(*words, timeout=timeout)

    what = f"the answer of the probe in {source.label} to {words[0]}"
    asked_again = words[0] in READINGS
    result = until(once, timeout=ANSWERS, what=what, transient=(Unanswered,)) if asked_again else once()
    try:
        answer = json.loads(result.stdout)
    except ValueError as error:
        said = (result.stderr or result.stdout).strip()[-300:]
        raise EnvironmentFault(f"the probe in {source.label} broke: {' '.join(words)}: {said}") from error
    if result.code or not isinstance(answer, dict) or "fault" in answer:
        raise EnvironmentFault(f"the probe in {source.label} broke: {' '.join(words)}: {answer}")
    return answer
