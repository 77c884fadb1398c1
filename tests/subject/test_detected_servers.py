"""What a recipe shows of the MCP servers in its image."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxproof.subject.detection import signs
from tests.subject.test_detection import write

SERVERS = '{"mcpServers": {"kubernetes": {"command": "npx", "args": ["-y", "a"]}, "files": {"command": "b"}}}'


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ("COPY --chown=1 .mcp.json /app/.mcp.json", "/app/.mcp.json"),
        ("WORKDIR /srv\nCOPY .mcp.json .", "/srv/.mcp.json"),
        ('COPY ["./.mcp.json", "/etc/agent/"]', "/etc/agent/.mcp.json"),
        ("COPY .mcp.json other.json /etc/", "/etc/.mcp.json"),
        ("COPY --from=a:1 .mcp.json /etc/", ""),
        ("COPY other.json /etc/", ""),
        ("COPY $NAME.json missing.json /etc/", ""),
    ],
)
def test_a_file_of_servers_that_is_copied_is_told_with_its_place(
    tmp_path: Path, line: str, place: str
) -> None:
    files = {
        "Dockerfile": f"FROM debian:12\n{line}\n",
        ".mcp.json": SERVERS,
        "other.json": '{"mcpServers": 1}',
    }
    found = signs.detect(write(tmp_path, **files))
    told = [each for each in found.remarks if each.startswith("mcp.config")]
    assert bool(told) is bool(place)
    assert not told or f".mcp.json is {place} in the image and lists files, kubernetes" in told[0]
    assert found.get("mcp.config") is None


def test_servers_that_a_step_adds_are_told(tmp_path: Path) -> None:
    run = "RUN claude mcp add --scope user files -- npx -y a && \\\n    claude mcp add -t http b https://b.example.org"
    found = signs.detect(write(tmp_path, Dockerfile=f"FROM debian:12\n{run}\n"))
    assert [each for each in found.remarks if "a RUN adds files to what" in each]
