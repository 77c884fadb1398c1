"""The size of the image, from its layers themselves."""

from __future__ import annotations

import random
from typing import Any

import pytest

from boxproof.core.session import ImageInfo, Session
from boxproof.subject.image.bad_images import layered
from boxproof.subject.image.layers import Layer, efficiency, layers, wasted_bytes
from pytest_claims import claim, control, observe, scope

COMPRESSED = 2_000_000_000  # bytes, the claim's
LARGEST = 500_000_000  # bytes of one layer, unpacked
WASTED = 20_000_000  # bytes deleted or overwritten by later layers
EFFICIENCY = 0.98
GROWTH = 100_000_000  # bytes, compressed, that no change may add unnoticed
MIB = 1 << 20

pytestmark = scope("image")


def compressed(found: list[Layer]) -> int:
    """Return the compressed bytes of all layers."""
    return sum(each.compressed_bytes for each in found)


def is_noticed(recorded: int, now: int) -> bool:
    """Return whether a size is too far from the recorded one; so no two that pass differ by ``GROWTH``."""
    return abs(now - recorded) > GROWTH // 2


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
        observe("compressed bytes", made, compressed([noise, zeros]))
    budget = min(COMPRESSED, subject.budgets.compressed_bytes)
    assert 0 < observe("compressed bytes", image.reference, compressed(image_layers)) < budget


@claim("no-layer-over-500mb")
def test_no_single_layer_is_over_500_mb(
    session: Session, docker: Any, image: ImageInfo, image_layers: list[Layer]
) -> None:
    with (
        control("a layer over the limit is seen, however well it compresses"),
        layered(docker, [{"fat": LARGEST + MIB}], run=session.run) as fat,
    ):
        largest = max(each.unpacked_bytes for each in layers(session.engine, fat))
        assert observe("largest layer", fat, largest) > LARGEST
    largest = max(each.unpacked_bytes for each in image_layers)
    assert observe("largest layer", image.reference, largest) <= LARGEST


@claim("no-wasted-layer-bytes")
def test_no_bytes_are_deleted_or_overwritten_by_later_layers(
    session: Session, docker: Any, image: ImageInfo, image_layers: list[Layer]
) -> None:
    pile = {"deleted": 15 * MIB, "overwritten": 15 * MIB}
    with (
        control("bytes deleted by a whiteout and bytes overwritten are both counted"),
        layered(docker, [pile, {".wh.deleted": b"", "overwritten": b"now small"}], run=session.run) as made,
    ):
        assert observe("wasted bytes", made, wasted_bytes(layers(session.engine, made))) >= 30 * MIB
    assert observe("wasted bytes", image.reference, wasted_bytes(image_layers)) <= WASTED
    assert efficiency(image_layers) >= EFFICIENCY


@claim("size-regression-under-100mb")
def test_growth_since_the_recorded_build_is_noticed(
    session: Session, subject: Any, docker: Any, image: ImageInfo, image_layers: list[Layer]
) -> None:
    recorded = subject.budgets.recorded_bytes
    if not recorded:
        pytest.skip("subject.toml records no size: budgets.recorded_bytes")
    tool = random.randbytes(MIB) * 115  # longer than what gzip looks back on: it does not compress
    with (
        control("120 MB more than the recorded size are noticed, no change is not"),
        layered(docker, [{"tool": tool}], run=session.run) as made,
    ):
        more = compressed(layers(session.engine, made))
        assert more > 120_000_000
        assert not is_noticed(recorded, recorded)
        assert observe("growth noticed", f"{more} bytes more", is_noticed(recorded, recorded + more))
    now = compressed(image_layers)
    noticed = observe("growth noticed", f"{recorded} recorded, {now} now", is_noticed(recorded, now))
    assert not noticed, f"{now - recorded:+,} bytes; if that is meant: budgets.recorded_bytes = {now}"
