"""What the checks of debugging share: the subject's scripts, run on the node of the box."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

import pytest

from boxproof.agent.agent_tools import Exec
from boxproof.core.process import Result
from boxproof.subject.model import Subject
from pytest_claims.faults import SubjectFault

Script = Callable[..., Result]


@pytest.fixture
def node(on_node: Callable[[], Exec]) -> Callable[[], Exec]:
    """``node()``: the subject's debug pod on the node of the box, started once; a command has 2 minutes."""
    return cache(lambda: partial(on_node(), timeout=120))


@pytest.fixture
def script(subject: Subject, node: Callable[[], Exec]) -> Script:
    """``script("enter.sh", *words)``: one of the subject's scripts in that pod."""

    def run(name: str, *words: str, timeout: float = 120) -> Result:
        if not subject.manifests.node_scripts:
            pytest.skip("subject.toml names no scripts for a node: manifests.node_scripts")
        path = subject.path(f"{subject.manifests.node_scripts}/{name}")
        if path is None:
            raise SubjectFault(f"no {name} in {subject.manifests.node_scripts}")
        return node()(["sh", "-c", path.read_text(), name, *words], timeout=timeout)

    return run
