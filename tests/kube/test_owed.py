"""What cannot carry a label is noted before it is changed, and put back by whoever is left."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from boxproof.core.process import owned_by
from boxproof.core.session import EngineInfo
from boxproof.core.settings import ROOT
from boxproof.kube import owed
from boxproof.kube.client import ApiError, NotFound
from boxproof.kube.owed import Debt, noted, pay
from pytest_claims.faults import EnvironmentFault

DEBT = Debt(what="the template", cluster="c", path="/apis/x", body={"spec": {"template": 1}})
POD = Debt(what="the pod", cluster="c", path="/api/v1/pod")
KILLED = """
import os, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from boxproof.kube.owed import Debt, noted
with noted(Debt(what="of a killed run", cluster="c", path="/api/v1/pod"), Path({state!r})):
    os.kill(os.getpid(), 9)
"""


class Api:
    """Remembers what it was asked, and refuses as told."""

    def __init__(self, refusal: EnvironmentFault | None = None) -> None:
        self.refusal = refusal
        self.asked: list[tuple[str, str, Any]] = []

    def request(self, method: str, path: str, *, query: Any) -> None:
        """Answer a deletion."""
        self.answer(method, path, query)

    def patch(self, path: str, body: Any, form: str) -> None:
        """Answer a patch."""
        assert form == "strategic-merge-patch+json"
        self.answer("PATCH", path, body)

    def answer(self, method: str, path: str, body: Any) -> None:
        """Remember, and refuse."""
        self.asked.append((method, path, body))
        if self.refusal:
            raise self.refusal


def debts(state: Path) -> list[Path]:
    """Return what is noted."""
    return list((state / owed.DIRECTORY).glob("*.json"))


def test_it_is_noted_for_the_length_of_the_block(tmp_path: Path) -> None:
    with noted(DEBT, tmp_path):
        assert len(debts(tmp_path)) == 1
        api = Api()
        assert pay(tmp_path, "c", api, None) == []  # type: ignore[arg-type]
        assert api.asked == [], "its process lives, and sees to it"
    assert debts(tmp_path) == []


def test_what_a_block_that_failed_may_not_have_put_back_is_paid_by_its_run(tmp_path: Path) -> None:
    owned_by(str(tmp_path / "runs" / "mine.json"))
    try:
        with pytest.raises(ValueError, match="in the midst"), noted(DEBT, tmp_path):
            raise ValueError("in the midst")
        api = Api()
        assert pay(tmp_path, "other", api, None) == []  # type: ignore[arg-type]
        assert api.asked == []
        assert pay(tmp_path, "c", api, None) == []  # type: ignore[arg-type]
    finally:
        owned_by("")
    assert api.asked == [("PATCH", "/apis/x", {"spec": {"template": 1}})]
    assert debts(tmp_path) == []


@pytest.mark.parametrize("refusal", [None, NotFound(404, "gone"), ApiError(409, "another of that name")])
def test_what_a_killed_run_owes_the_next_one_pays(tmp_path: Path, refusal: EnvironmentFault | None) -> None:
    program = KILLED.format(root=str(ROOT), state=str(tmp_path))
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -9
    api = Api(refusal)
    assert pay(tmp_path, "c", api, None) == []  # type: ignore[arg-type]
    assert [each[:2] for each in api.asked] == [("DELETE", "/api/v1/pod")]
    assert debts(tmp_path) == []


def test_what_cannot_be_put_back_stays_noted_and_is_told(tmp_path: Path) -> None:
    program = KILLED.format(root=str(ROOT), state=str(tmp_path))
    subprocess.run([sys.executable, "-c", program], check=False)
    broken = Api(ApiError(500, "no leader"))
    assert pay(tmp_path, "c", broken, None) == ["of a killed run: no leader"]  # type: ignore[arg-type]
    assert len(debts(tmp_path)) == 1


def test_in_a_node_it_is_changed_and_put_back_by_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOXPROOF_STATE", str(tmp_path / "state"))
    client = tmp_path / "docker"
    client.write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/asked\n')
    client.chmod(0o755)
    engine = EngineInfo(way="user", host="unix:///nowhere", version="", client=str(client))
    with owed.in_node(engine, "c", "node", "an address", ["add"], ["delete"]):
        [path] = debts(tmp_path / "state")
        assert Debt.model_validate_json(path.read_text()).argv == ("delete",)
        assert (tmp_path / "asked").read_text() == "exec node add\n"
    assert (tmp_path / "asked").read_text() == "exec node add\nexec node delete\n"
    assert debts(tmp_path / "state") == []
