"""Which cells a matrix runs, and how they are asked for."""

from __future__ import annotations

import pytest

from boxproof.cli import matrix
from boxproof.cluster import cells
from boxproof.core.settings import Settings
from pytest_claims.faults import UsageError


def test_every_version_is_in_a_default_cell() -> None:
    known, chosen = cells.catalogue(), cells.default_cells()
    assert len(chosen) >= 8
    assert {each.kind for each in chosen} == {each.version for each in known.kind}
    assert {each.containerd for each in chosen} == {each.version for each in known.containerd}
    buildable = {each.version for each in known.kubernetes if each.module}
    assert {each.kubernetes for each in chosen} == buildable


def test_the_default_cells_show_what_cannot_work() -> None:
    shown = {cells.impossible(each) for each in cells.default_cells()} - {None}
    assert shown == set(cells.catalogue().impossible)
    assert {each.probe for each in cells.catalogue().impossible} <= set(matrix.PROBES)


def test_the_product_has_every_pair_and_each_cell_once() -> None:
    known, chosen = cells.catalogue(), cells.product()
    pairs = {(each.kind, each.containerd) for each in chosen}
    assert len(pairs) == len(known.kind) * len(known.containerd)
    assert set(cells.default_cells()) <= set(chosen)
    assert len({each.id for each in chosen}) == len(chosen)


def test_a_cell_is_named_by_what_differs_from_the_default() -> None:
    asked = ("kind=0.27.0,containerd=1.7", "containerd=1.7.35, kind=v0.27.0", "kubernetes=1.36.3")
    first, second = cells.named(asked, Settings())
    assert first.id == "kind-0.27.0-containerd-1.7.35-kubernetes-1.34.2"
    assert (second.kind, second.kubernetes) == ("0.33.0", "1.36.3")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind", "--cell kind=0.27.0"),
        ("kind=", "--cell kind=0.27.0"),
        ("containrd=1.7", "did you mean 'containerd'"),
        ("kind=0.27.0,kind=0.30.0", "names kind twice"),
        ("kind=0.27.1", "no kind 0.27.1.*0.27.0"),
    ],
)
def test_a_cell_that_cannot_be_meant_is_wrong_usage(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        cells.named([text], Settings())
