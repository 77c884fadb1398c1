"""The steps of a copy: an image under another name, and nothing of the run's own in a cluster apart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from boxproof.cluster import toolbox
from boxproof.errors import EnvironmentFault
from boxproof.proof.steps import Steps
from boxproof.session import ClusterInfo, Session
from boxproof.subject import model

TOML = 'name = "box"\n\n[image]\nname = "box"\n'
CLUSTER = ClusterInfo(name="mine", kubeconfig="/mine/kubeconfig", nodes=(), kind="0.33.0")


@pytest.fixture
def steps(session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Steps:
    monkeypatch.setattr(toolbox, "variables", lambda *_: {"PATH": "/usr/bin"})
    (Path(session.subject) / model.FILE).write_text(TOML)
    place = tmp_path / "place"
    place.mkdir()
    subject = model.load(Path(session.subject))
    return Steps(session=replace(session, cluster=CLUSTER), subject=subject, place=place, apart="beside")


def test_the_image_gets_another_name_and_the_box_keeps_its_own(steps: Steps) -> None:
    steps.rename_image("other")
    assert (steps.subject.name, steps.subject.image.name) == ("box", "other")
    assert model.load(steps.subject.directory).image.name == "other"


def test_an_image_that_keeps_its_name_is_said(steps: Steps) -> None:
    file = steps.subject.directory / model.FILE
    file.write_text(TOML.replace("[image]", "[ image ]"))
    with pytest.raises(EnvironmentFault, match="does not say"):
        steps.rename_image("other")


def test_apart_nothing_is_the_runs_but_its_engine(steps: Steps) -> None:
    given = steps.variables()
    assert given["BOXPROOF_CLUSTER"] == steps.values["cluster"] == "beside"
    assert given["BOXPROOF_SESSION"] == ""
    assert Path(given["BOXPROOF_STATE"]).is_relative_to(steps.place)
    assert Path(given["KUBECONFIG"]).is_relative_to(steps.place)
