"""The cells: which versions of KIND, containerd and Kubernetes can be asked for (cluster/cells.toml)."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from packaging.version import Version
from pydantic import BaseModel, ConfigDict

from boxproof.errors import UsageError
from boxproof.settings import ROOT, Settings, nearest

DIRECTORY = ROOT / "cluster"


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Kind(_Data):
    """A version of kind: a Go module below cluster/modules, or a Debian package of a suite."""

    version: str
    module: str = ""
    package: str = ""
    suite: str = ""


class Containerd(_Data):
    """A version of containerd, from a Go module below cluster/modules."""

    version: str
    module: str


class Kubernetes(_Data):
    """A version of Kubernetes, and the versions of the images its kubeadm asks for.

    Without a module there is only the published node image.
    """

    version: str
    module: str = ""
    coredns: str = ""
    etcd: str = ""
    pause: str = ""


class Published(_Data):
    """A published node image, pinned by digest."""

    kubernetes: str
    kind: str
    image: str
    digest: str


class Combination(_Data):
    """One line of the matrix; ``expect`` is the symptom it is known for, "" if it must be accepted."""

    kind: str
    containerd: str
    kubernetes: str
    expect: str = ""

    @property
    def id(self) -> str:
        """A name for files and lists."""
        return f"kind-{self.kind}-containerd-{self.containerd}-kubernetes-{self.kubernetes}"


class Catalogue(_Data):
    """Everything cells.toml offers."""

    kind: tuple[Kind, ...]
    containerd: tuple[Containerd, ...]
    kubernetes: tuple[Kubernetes, ...]
    published: tuple[Published, ...] = ()
    cell: tuple[Combination, ...] = ()


class Cell(_Data):
    """What a run asked for, resolved to whole versions."""

    kind: Kind
    containerd: Containerd
    kubernetes: Kubernetes
    published: Published | None = None

    @property
    def combination(self) -> Combination:
        """The versions alone."""
        return Combination(
            kind=self.kind.version, containerd=self.containerd.version, kubernetes=self.kubernetes.version
        )


@cache
def catalogue(path: Path = DIRECTORY / "cells.toml") -> Catalogue:
    """Return what ``path`` offers; raises UsageError when it is not as it must be."""
    try:
        return Catalogue.model_validate(tomllib.loads(path.read_text()))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path.name}: {error}") from error


def check(settings: Settings) -> Cell:
    """Return the cell that was asked for; raises UsageError with the nearest version that exists.

    A version may be cut short ("2.1"): the newest that begins so is taken.
    """
    known = catalogue()
    kinds = {each.version: each for each in known.kind}
    containerds = {each.version: each for each in known.containerd}
    all_kubernetes = {each.version: each for each in known.kubernetes}
    kubernetes = all_kubernetes[_pick("kubernetes", settings.kubernetes, all_kubernetes)]
    return Cell(
        kind=kinds[_pick("kind", settings.kind, kinds)],
        containerd=containerds[_pick("containerd", settings.containerd, containerds)],
        kubernetes=kubernetes,
        published=next((each for each in known.published if each.kubernetes == kubernetes.version), None),
    )


def _pick(what: str, asked: str, versions: Iterable[str]) -> str:
    wanted = asked.removeprefix("v")
    known = sorted(versions, key=Version, reverse=True)
    for each in known:
        if each == wanted or each.startswith(f"{wanted}."):
            return each
    raise UsageError(f"no {what} {asked}", hint=nearest(wanted, known))
