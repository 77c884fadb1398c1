"""Sabotages of a box that is not the harness's own: what it does not have cannot be spoilt."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxproof.core.session import Session
from boxproof.deployment.sabotage_ways import ImageSabotage, ManifestSabotage
from boxproof.deployment.sabotaged_box import inapplicable
from pytest_claims.sabotages import Sabotage, SubjectSabotage, replace_in


def edit(directory: Path) -> None:
    replace_in(directory / "compose.yaml", "image: box", "image: other")


SABOTAGE = SubjectSabotage(id="a/b", claim="a", sentence="another image", scope="image", subject=edit)


@pytest.mark.parametrize(
    ("text", "says"), [(None, "there is no compose.yaml"), ("image: thing", "image: box"), ("image: box", "")]
)
def test_what_a_box_does_not_have_cannot_be_spoilt(tmp_path: Path, text: str | None, says: str) -> None:
    if text is not None:
        (tmp_path / "compose.yaml").write_text(text)
    here = str(tmp_path)
    session = Session(run="r", directory=here, subject=here, cache=here, state=here)
    found = inapplicable(session, SABOTAGE)
    assert says in found and bool(found) == bool(says)
    assert [each.name for each in tmp_path.iterdir()] == ([] if text is None else ["compose.yaml"])


OF_A_POD = ManifestSabotage(
    id="a/c", claim="a", sentence="another pod", scope="instance", manifest=lambda _: None
)
STALE = ImageSabotage(
    id="a/d", claim="a", sentence="an old image", scope="image", dockerfile="USER root", load="stale"
)
LAYER = ImageSabotage(id="a/e", claim="a", sentence="root", scope="image", dockerfile="USER root")


@pytest.mark.parametrize(("sabotage", "possible"), [(OF_A_POD, False), (STALE, False), (LAYER, True)])
def test_without_a_cluster_an_image_alone_can_be_spoilt(
    tmp_path: Path, sabotage: Sabotage, possible: bool
) -> None:
    here = str(tmp_path)
    session = Session(run="r", directory=here, subject=here, cache=here, state=here, stage="image")
    assert (inapplicable(session, sabotage) == "") is possible
