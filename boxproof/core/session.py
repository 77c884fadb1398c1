"""What a run knows about itself, read by its workers; the labels of what it makes, which a sweep finds."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from boxproof.core.process import owner
from boxproof.core.settings import no_session, search_path, session_file
from pytest_claims.faults import one_line
from pytest_claims.recording import writing

SHOWN = 3  # packages that moved are named in a line, so many
RUN_LABEL = "boxproof.dev/run"
KEPT_LABEL = "boxproof.dev/kept"
ROLE_LABEL = "boxproof.dev/role"
KIND_CLUSTER_LABEL = "io.x-k8s.kind.cluster"
KIND_ROLE_LABEL = "io.x-k8s.kind.role"


@dataclass(frozen=True, kw_only=True)
class EngineInfo:
    """The engine in use: ``way`` is "user" or "embedded"; ``host`` a DOCKER_HOST address.

    ``closed`` are nodes of a cluster that is not ours: nobody enters them, be they containers of this engine.
    """

    way: str
    host: str
    version: str
    client: str  # path of the docker client
    config: str = ""  # DOCKER_CONFIG directory with the plug-ins, or ""
    closed: tuple[str, ...] = ()
    certs: str = ""  # directory of ca.pem, cert.pem and key.pem, for TLS

    @property
    def env(self) -> dict[str, str]:
        """The variables that point a docker client, or kind, at this engine."""
        extra = {"DOCKER_CONFIG": self.config} if self.config else {}
        extra |= {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": self.certs} if self.certs else {}
        path = [str(Path(self.client).parent), *map(str, search_path())]
        return {"DOCKER_HOST": self.host, "PATH": os.pathsep.join(path)} | extra


@dataclass(frozen=True, kw_only=True)
class ClusterInfo:
    """A KIND cluster of ours, or with a ``context`` one that exists; versions are what it says itself."""

    name: str
    kubeconfig: str
    nodes: tuple[str, ...]
    kind: str
    kubernetes: str = ""
    containerd: str = ""
    runc: str = ""
    kernel: str = ""
    cni: str = ""
    cgroup: str = ""
    apiserver: str = ""  # address pods reach, "IP:PORT"
    kubectl: str = ""  # path of a kubectl for the host
    context: str = ""  # its name in the user's kubeconfig
    service: str = ""  # address of the Service "kubernetes", "IP:PORT", where it may be any
    endpoints: tuple[str, ...] = ()  # addresses of further API servers
    places: tuple[str, ...] = ()  # the addresses of its nodes, as blocks of one each


@dataclass(frozen=True, kw_only=True)
class ImageInfo:
    """An image by content: ``config_digest`` is "sha256:…"; ``nonce`` was baked in at build time."""

    reference: str
    config_digest: str
    nonce: str
    base: str = ""
    substituted: str = ""  # the pinned base that another took the place of
    compressed_bytes: int = 0
    unpacked_bytes: int = 0


@dataclass(frozen=True, kw_only=True)
class Move:
    """A package that is not what packages.lock says: ``locked`` is "" for one that only now is needed."""

    name: str
    locked: str
    served: str

    def __str__(self) -> str:
        return (
            f"{self.name} {self.locked} → {self.served}"
            if self.locked
            else f"{self.name} {self.served} is new"
        )


@dataclass(frozen=True, kw_only=True)
class LockInfo:
    """The package lock in force: what the subject's says of ``system``, and where it had to be followed.

    ``total`` is how many packages it names, ``source`` where they come from; ``kept`` is the directory of an
    archive that has them all.
    """

    system: str
    total: int
    source: str
    moved: tuple[Move, ...] = ()
    kept: str = ""

    def followed(self, locked: Mapping[str, str]) -> dict[str, str]:
        """Return the versions in force, of those a lock says: only what it says as ours does is followed."""
        return dict(locked) | {
            each.name: each.served for each in self.moved if locked.get(each.name, "") == each.locked
        }

    @property
    def difference(self) -> str:
        """What moved since the lock was written, as in "1 of 212 packages moved: a 1 → 2"; "" if nothing."""
        if not self.moved:
            return ""
        shown = ", ".join(map(str, self.moved[:SHOWN]))
        more = f" and {len(self.moved) - SHOWN} more" if len(self.moved) > SHOWN else ""
        return f"{len(self.moved)} of {self.total} packages moved: {shown}{more}"


@dataclass(frozen=True, kw_only=True)
class StubInfo:
    """The stub Anthropic API: its address on the engine's network, its CA and its control URL.

    For a cluster that exists there is a second one in it, a Service of its own, with the same certificate.
    """

    address: str
    ca: str  # PEM text
    control: str  # http://IP:PORT of the control side, reachable from this machine
    names: tuple[str, ...] = ()
    service: str = ""  # "NAMESPACE/NAME" of the one in the cluster
    inside: str = ""  # its address there
    kubeconfig: str = ""  # by which its control side is asked


@dataclass(frozen=True, kw_only=True)
class Session:
    """One run; ``sabotage`` names the sabotage in force, "" for the untouched subject."""

    run: str
    directory: str
    subject: str
    cache: str
    state: str
    engine: EngineInfo | None = None
    cluster: ClusterInfo | None = None
    image: ImageInfo | None = None
    lock: LockInfo | None = None
    probe_image: str = ""
    stub: StubInfo | None = None
    suffix: str = ""  # of the instance under test; "" for the first
    network: str = "kind"  # of the engine: where the stub's container is, and where others are to be
    sabotage: str = ""
    stage: str = "cluster"  # how far the run goes: "static" has no engine, "image" no cluster
    absent: dict[str, str] = field(default_factory=dict)  # parts the subject does not have, and why
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def locks(self) -> Path:
        """Where the locks of its cluster lie: the same for all runs that share it."""
        if self.cluster is None:
            return Path(self.directory) / "locks"
        return Path(self.state) / "locks" / self.cluster.name

    def save(self, path: Path) -> Path:
        """Write the session as JSON and return ``path``."""
        return writing.write_json(path, asdict(self))

    @classmethod
    def read(cls, path: Path) -> Session:
        """Read a session written by ``save``; raises OSError or ValueError."""
        data: dict[str, Any] = json.loads(path.read_text())
        parts = {"engine": EngineInfo, "cluster": ClusterInfo, "image": ImageInfo, "stub": StubInfo}
        parts |= {"lock": LockInfo}
        if data.get("lock"):
            data["lock"]["moved"] = [Move(**each) for each in data["lock"]["moved"]]
        for name, kind in parts.items():
            if data.get(name):
                values = {
                    key: tuple(value) if isinstance(value, list) else value
                    for key, value in data[name].items()
                }
                data[name] = kind(**values)
        return cls(**data)

    @classmethod
    def outer(cls) -> Session | None:
        """Return the session that this process is at work in, None outside of any; raises UsageError."""
        path = session_file()
        try:
            return cls.read(Path(path)) if path else None
        except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
            raise no_session(one_line(error)) from error


def run_labels(run: str) -> dict[str, str]:
    """Return the labels of everything that ``run`` creates in the engine."""
    return {RUN_LABEL: run}


def labels_here() -> dict[str, str]:
    """Return the labels for what is made in the engine by the run that this process belongs to, if any."""
    return run_labels(Path(owner()).stem) if owner() else {}
