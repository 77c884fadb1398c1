"""Which cells a matrix runs: the default selection, the product, or those asked for by name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from boxproof.cluster.cells import Combination, catalogue, check
from boxproof.core.settings import Settings
from pytest_claims.faults import UsageError, nearest

AXES = ("kind", "containerd", "kubernetes")


def default() -> tuple[Combination, ...]:
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
