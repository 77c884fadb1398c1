"""The size of the image, from its layers themselves."""

from __future__ import annotations

import random
from typing import Any

import pytest

from boxproof.core.session import ImageInfo, Session
from boxproof.subject.image.bad_images import layered
from boxproof.subject.image.layers import Layer, efficiency, layers, wasted_bytes
from pytest_claims import claim, control, observe, require, scope

COMPRESSED = 2_000_000_000  # bytes, the claim's
LARGEST = 500_000_000  # bytes of one layer, unpacked
WASTED = 20_000_000  # bytes deleted or overwritten by later layers
EFFICIENCY = 0.98
GROWTH = 100_000_000  # bytes, compressed, that no change may add unnoticed
MIB = 1 << 20

UNDER = require("compressed it takes less than {:,} bytes", lambda taken, budget: 0 < taken < budget)
NO_LARGER = require(
    "there are layers, and none is over {:,} bytes",
    lambda found, bound: found and max(found.values()) <= bound,
)
FEW = require(
    "no more than {:,} bytes are deleted or overwritten later", lambda wasted, bound: wasted <= bound
)
EFFICIENT = require(f"at least {EFFICIENCY:.0%} of the layers' bytes stay", lambda share: share >= EFFICIENCY)
NEAR = require(  # so no two that pass differ by GROWTH
    f"it is within {GROWTH // 2:,} bytes of {{:,}}, which is recorded",
    lambda taken, recorded: abs(taken - recorded) <= GROWTH // 2,
)

pytestmark = scope("image")


def compressed(found: list[Layer]) -> int:
    """Return the compressed bytes of all layers."""
    return sum(each.compressed_bytes for each in found)


def unpacked(found: list[Layer]) -> dict[str, int]:
    """Return the unpacked bytes of each layer, by its digest."""
    return {each.digest: each.unpacked_bytes for each in found}


@claim("image-under-2gb-compressed")
def test_the_image_is_under_its_compressed_budget(
    session: Session, subject: Any, docker: Any, image: ImageInfo, image_layers: list[Layer]
) -> None:
    with (
        control("16 MiB of noise count in full, as many zeros for next to nothing"),
        layered(
            docker, [{"noise": random.randbytes(16 * MIB)}, {"zeros": 16 * MIB}], run=session.run
        ) as made,
    ):
        noise, zeros = layers(session.engine, made)
        assert noise.compressed_bytes > 16 * MIB > 100 * zeros.compressed_bytes
        UNDER.fails(observe("compressed bytes", made, compressed([noise, zeros])), 16 * MIB)
    budget = min(COMPRESSED, subject.budgets.compressed_bytes)
    UNDER(observe("compressed bytes", image.reference, compressed(image_layers)), budget)


@claim("no-layer-over-500mb")
def test_no_single_layer_is_over_500_mb(
    session: Session, subject: Any, docker: Any, image: ImageInfo, image_layers: list[Layer]
) -> None:
    bound = min(LARGEST, subject.budgets.layer_bytes)
    with (
        control("a layer over the limit is seen, however well it compresses"),
        layered(docker, [{"fat": LARGEST + MIB}], run=session.run) as fat,
    ):
        NO_LARGER.fails(observe("unpacked layers", fat, unpacked(layers(session.engine, fat))), bound)
    NO_LARGER(observe("unpacked layers", image.reference, unpacked(image_layers)), bound)


@claim("no-wasted-layer-bytes")
def test_no_bytes_are_deleted_or_overwritten_by_later_layers(
    session: Session, subject: Any, docker: Any, image: ImageInfo, image_layers: list[Layer]
) -> None:
    bound = min(WASTED, subject.budgets.wasted_bytes)
    pile = {"deleted": 15 * MIB, "overwritten": 15 * MIB, "directory/within": 15 * MIB}
    later = {".wh.deleted": b"", "overwritten": b"now small", "directory": b"now a file"}
    with (
        control("bytes below a whiteout, in the place of others, and below what was a directory are counted"),
        layered(docker, [pile, later], run=session.run) as made,
    ):
        assert (
            FEW.fails(observe("wasted bytes", made, wasted_bytes(layers(session.engine, made))), bound)
            >= 45 * MIB
        )
        EFFICIENT.fails(observe("efficiency", made, efficiency(layers(session.engine, made))))
    FEW(observe("wasted bytes", image.reference, wasted_bytes(image_layers)), bound)
    EFFICIENT(observe("efficiency", image.reference, efficiency(image_layers)))


@claim("size-regression-under-100mb")
def test_growth_since_the_recorded_build_is_noticed(
    session: Session, subject: Any, docker: Any, image: ImageInfo, image_layers: list[Layer]
) -> None:
    recorded = subject.budgets.recorded_bytes
    if not recorded:
        pytest.skip("subject.toml records no size: budgets.recorded_bytes")
    tool = random.randbytes(MIB) * 115  # longer than what gzip looks back on: it does not compress
    with (
        control("120 MB more than the recorded size are too far from it"),
        layered(docker, [{"tool": tool}], run=session.run) as made,
    ):
        more = compressed(layers(session.engine, made))
        assert more > 120_000_000
        NEAR.fails(observe("compressed bytes", f"{more} bytes more than recorded", recorded + more), recorded)
    now = compressed(image_layers)
    NEAR(observe("compressed bytes", f"now; if it is meant: budgets.recorded_bytes = {now}", now), recorded)
