"""What the checks of the MCP server share."""

from __future__ import annotations

import pytest

from boxproof.agent import mcp
from boxproof.deployment.box import Box
from boxproof.subject.model import Subject


@pytest.fixture
def argv(box: Box, subject: Subject) -> list[str]:
    """The command of the box's MCP server, as the running box has it configured."""
    if not subject.mcp.config:
        pytest.skip("the subject names no configuration of MCP servers")
    return mcp.command(box, subject.mcp.config, subject.mcp.server)
