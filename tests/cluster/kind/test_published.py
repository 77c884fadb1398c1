"""Published node images: one that a registry does not give is no verdict, and is said in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxproof.cluster.kind import node_image
from boxproof.core.session import EngineInfo
from boxproof.core.settings import Settings
from pytest_claims.faults import EnvironmentFault, ExitCode

CLIENT = """#!/bin/sh
case "$1" in
buildx) echo "ERROR: {said}" >&2; exit 1 ;;
*) exit 1 ;;
esac
"""


def engine(tmp_path: Path, said: str) -> EngineInfo:
    """Return an engine that has no image, and whose registry answers with an error."""
    client = tmp_path / "docker"
    client.write_text(CLIENT.format(said=said))
    client.chmod(0o755)
    return EngineInfo(way="user", host="unix:///none", version="1", client=str(client))


@pytest.mark.parametrize("said", ["not found", "unexpected status 503", "i/o timeout"])
@pytest.mark.parametrize("registry", ["", "r.example"])
def test_a_node_image_that_cannot_be_had_blocks_in_one_line(tmp_path: Path, said: str, registry: str) -> None:
    settings = Settings(kubernetes="1.34.0", kind="0.30.0", registry=registry, cache=tmp_path)
    with pytest.raises(EnvironmentFault) as raised:
        node_image.ensure(settings, engine(tmp_path, said))
    assert raised.value.exit_code is ExitCode.BLOCKED
    assert "\n" not in str(raised.value)
    assert "BOXPROOF_REGISTRY" in raised.value.hint
