"""The cells: which versions of KIND, containerd and Kubernetes can be asked for (cluster/cells.toml).

Only pairs of KIND and containerd that were shown to load new content are let through; a matrix runs the
default selection, the product, or those asked for by name.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from packaging.specifiers import SpecifierSet
from packaging.version import Version
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from boxproof.core.process import run
from boxproof.core.settings import ROOT, Settings
from pytest_claims.faults import EnvironmentFault, UsageError, nearest
from pytest_claims.selection import read_toml

DIRECTORY = ROOT / "cluster"
AXES = ("kind", "containerd", "kubernetes")


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Kind(_Data):
    """A version of kind: a Go module below cluster/modules, or a Debian package of a suite.

    ``release`` is where the published program is, ``sha256`` what it has to be: it is taken where it can be
    downloaded.
    """

    version: str
    module: str = ""
    package: str = ""
    suite: str = ""
    release: str = ""
    sha256: str = ""


class Containerd(_Data):
    """A version of containerd: a Go module below cluster/modules, or a Debian package of a suite."""

    version: str
    module: str = ""
    package: str = ""
    suite: str = ""


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
    """Three versions that run together."""

    kind: str
    containerd: str
    kubernetes: str

    @property
    def id(self) -> str:
        """A name for files and lists."""
        return f"kind-{self.kind}-containerd-{self.containerd}-kubernetes-{self.kubernetes}"


class Pair(_Data):
    """A KIND that was shown to load an image no node has ever seen into a containerd."""

    kind: str
    containerd: str


Specifiers = Annotated[str, AfterValidator(lambda text: str(SpecifierSet(text)))]


class Where(_Data):
    """Which combinations something is about; an empty specifier is about every version."""

    kind: Specifiers = ""
    containerd: Specifiers = ""
    kubernetes: Specifiers = ""

    def holds(self, versions: Combination) -> bool:
        """Return whether it is about these versions."""
        return all(
            SpecifierSet(getattr(self, name)).contains(getattr(versions, name), prereleases=True)
            for name in ("kind", "containerd", "kubernetes")
        )


class Impossible(Where):
    """What cannot work by upstream's own word, and the ``symptom`` that ``probe`` ends with there."""

    reason: str
    probe: str
    symptom: str


class Difference(Where):
    """What is known to differ in some cells; ``kubelet`` is added to the kubelet's configuration there."""

    says: str
    cgroup: str = ""  # "v1" or "v2": only there
    kubelet: dict[str, Any] = {}


class Catalogue(_Data):
    """Everything cells.toml offers; ``claims`` are ids and globs of what a matrix proves by default."""

    claims: tuple[str, ...] = ()
    kind: tuple[Kind, ...]
    containerd: tuple[Containerd, ...]
    kubernetes: tuple[Kubernetes, ...]
    published: tuple[Published, ...] = ()
    cell: tuple[Combination, ...] = ()
    shown: tuple[Pair, ...] = ()
    impossible: tuple[Impossible, ...] = ()
    difference: tuple[Difference, ...] = ()


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

    @property
    def default_runtime(self) -> bool:
        """Whether its containerd is the one node images are built with."""
        return self.containerd == catalogue().containerd[0]

    def on_default_runtime(self) -> Cell:
        """Return the same cell with the containerd that node images are built with."""
        return self.model_copy(update={"containerd": catalogue().containerd[0]})


@cache
def catalogue(path: Path = DIRECTORY / "cells.toml") -> Catalogue:
    """Return what ``path`` offers; raises UsageError when it is not as it must be."""
    try:
        return Catalogue.model_validate(read_toml(path))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UsageError(f"{path.name}: {where}: {first['msg']}") from error


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


def impossible(versions: Combination) -> Impossible | None:
    """Return why a combination cannot work, None if it must."""
    return next((each for each in catalogue().impossible if each.holds(versions)), None)


def differences(versions: Combination, cgroup: str) -> tuple[Difference, ...]:
    """Return what is known to differ in a cell on a machine with cgroups "v1" or "v2"."""
    found = (each for each in catalogue().difference if each.holds(versions))
    return tuple(each for each in found if each.cgroup in ("", cgroup))


def kubelet(versions: Combination, cgroup: str) -> dict[str, Any]:
    """Return what a cell adds to the kubelet's configuration."""
    return {key: value for each in differences(versions, cgroup) for key, value in each.kubelet.items()}


def _pick(what: str, asked: str, versions: Iterable[str]) -> str:
    wanted = asked.removeprefix("v")
    known = sorted(versions, key=Version, reverse=True)
    for each in known:
        if each == wanted or each.startswith(f"{wanted}."):
            return each
    raise UsageError(f"no {what} {asked}", hint=nearest(wanted, known))


def check_shown(settings: Settings) -> Cell:
    """Return the cell that was asked for; raises UsageError where its KIND was not shown to load into it.

    Raises UsageError for a cluster that exists too: it is no cell.
    """
    settings.own_cluster()
    cell = check(settings)
    demand_shown(cell.combination)
    return cell


def demand_shown(asked: Combination) -> None:
    """Raise UsageError, with the pairs that are let through, for any other."""
    pairs = catalogue().shown
    if any((each.kind, each.containerd) == (asked.kind, asked.containerd) for each in pairs):
        return
    known = impossible(asked)
    why = f": {known.symptom}" if known else ""
    text = f"kind {asked.kind} was not shown to load new content into containerd {asked.containerd}{why}"
    raise UsageError(
        text, hint=f"shown: {'; '.join(shown_pairs())}; to try others: nox -s matrix -- --cell …"
    )


def shown_pairs() -> list[str]:
    """Return the pairs that are let through, a line for each KIND, the newest first."""
    found: dict[str, list[str]] = {}
    for each in catalogue().shown:
        found.setdefault(each.kind, []).append(each.containerd)
    return [f"kind {kind} with containerd {', '.join(versions)}" for kind, versions in found.items()]


def installed_kind(settings: Settings) -> str:
    """Return the version of the kind that a documented command would call: that in PATH, else the cell's.

    Nothing is built for it. Raises EnvironmentFault if the program in PATH does not say.
    """
    program = shutil.which("kind")
    if program is None:
        return check(settings).kind.version
    words = run([program, "version"], timeout=20).stdout.split()
    version = next((each.removeprefix("v") for each in words if each.startswith("v")), "")
    if not version:
        raise EnvironmentFault(f"{program} version does not say which it is: {' '.join(words)}")
    return version


def default_cells() -> tuple[Combination, ...]:
    """Return the cells of cells.toml: every version is in one of them."""
    return catalogue().cell


def product() -> tuple[Combination, ...]:
    """Return every kind with every containerd, and the default cells with another Kubernetes."""
    known = catalogue()
    kubernetes = known.cell[0].kubernetes
    pairs = (
        Combination(kind=kind.version, containerd=containerd.version, kubernetes=kubernetes)
        for kind in known.kind
        for containerd in known.containerd
    )
    return _once([*pairs, *known.cell])


def named(texts: Iterable[str], settings: Settings) -> tuple[Combination, ...]:
    """Return the cells of texts such as "kind=0.27.0,containerd=1.7"; what is not said is the default.

    Raises UsageError with the nearest axis or version that exists.
    """
    return _once(_named(each, settings) for each in texts)


def _named(text: str, settings: Settings) -> Combination:
    wanted: dict[str, str] = {}
    for part in text.split(","):
        axis, equals, version = (each.strip() for each in part.partition("="))
        if not equals or not version:
            raise UsageError(f"--cell {text!r}", hint="for example --cell kind=0.27.0,containerd=1.7")
        if axis not in AXES:
            raise UsageError(f"--cell {text!r}: unknown axis {axis!r}", hint=nearest(axis, AXES))
        if axis in wanted:
            raise UsageError(f"--cell {text!r} names {axis} twice", hint="give --cell once for each cell")
        wanted[axis] = version
    return check(replace(settings, **wanted)).combination  # type: ignore[arg-type]


def _once(cells: Iterable[Combination]) -> tuple[Combination, ...]:
    return tuple(dict.fromkeys(cells))
