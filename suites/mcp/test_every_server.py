"""Every MCP server that is configured, and not only the one that subject.toml names."""

from __future__ import annotations

import json
from typing import Any

import pytest

from boxproof.agent import mcp
from boxproof.core.session import ImageInfo, Session
from boxproof.deployment.box import Box
from boxproof.subject.image.image_files import reader
from boxproof.subject.image.layers import Layer
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, require, scope
from pytest_claims.faults import SubjectFault
from suites.mcp import shipped_servers
from suites.mcp.test_shipped import READS_ALONE, powers

STDIO = require(
    "none of them listens: each is its CLI's child, and spoken to by its standard input",
    lambda found: found == {},
)


def configured(where: str, text: str, config: str) -> dict[tuple[str, ...], str]:
    """Return the servers of a configuration by how they are started, each with where that stands."""
    try:
        names = sorted(json.loads(text)["mcpServers"])
    except (ValueError, KeyError, TypeError) as error:
        raise SubjectFault(f"{config} of {where} lists no servers: {error!r}") from error
    return {tuple(mcp.argv_of(text, config, each)): f"{each}, {where}" for each in names}


@claim("mcp-server-starts-in-cluster")
@scope("image")
def test_no_server_that_is_shipped_is_told_to_listen(session: Session, subject: Subject) -> None:
    """In a tier, a file or a chart's values beside the pod whose server is looked at."""
    if not subject.mcp.config:
        pytest.skip("the subject names no configuration of MCP servers")
    own = subject.mcp.server

    def heard(asked: str, found: dict[str, str]) -> dict[str, str]:
        return observe("servers that listen", asked, found)

    with control("one with a port, and one at an address, are seen"):
        for each in ({"command": "a", "args": ["--read-only", "--port=8081"]}, {"url": "http://mcp:8081"}):
            text = json.dumps({"mcpServers": {own: each}})
            STDIO.fails(heard(text, dict(shipped_servers.reached(text, own))))
    STDIO(heard("all that is shipped", shipped_servers.heard(session, subject)))


@claim("mcp-read-only-enforced")
def test_so_is_every_server_that_is_configured(
    box: Box, argv: list[str], docker: Any, session: Session, image: ImageInfo, subject: Subject,
    image_layers: list[Layer],
) -> None:  # fmt: skip
    """Also one beside it, which the CLI starts as well, and what another tier or a chart's values bring."""
    config = subject.mcp.config
    with reader(docker, image.reference, run=session.run) as read:
        own = read(config)
        names = (name for layer in image_layers for name, size in layer.files.items() if size)
        others = shipped_servers.of_image(names, read, argv[0])
    found = configured("the pod", box.exec(["cat", config]).stdout, config)
    if own is not None:
        found = configured("the image", own, config) | found
    found = others | shipped_servers.of(session, subject, argv[0]) | found
    with control("the server without any flag offers tools that change things, and knows them"):
        free = READS_ALONE.fails(powers(box, "free", argv[:1], ("pods_delete",)))
        assert free.changing and free.known, "a server without flags has no tool that changes anything"
    require.expected(READS_ALONE)
    for words, where in found.items():
        READS_ALONE(powers(box, where, list(words), free.changing))
