"""The configuration of MCP servers in the image itself, in force wherever nothing is mounted over it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from boxproof.agent import mcp
from boxproof.core.session import ImageInfo, Session
from boxproof.deployment.box import Box
from boxproof.subject.image.image_files import reader
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, require

ABSENT = "no-such-pod"
READS_ALONE = require(
    "it offers tools, and neither offers nor knows one that changes something",
    lambda found: found.offered > 0 and found.changing == () and found.known == (),
)


@dataclass(frozen=True)
class Powers:
    """How many tools a server offers, which of them change something, and which it knows unasked."""

    offered: int
    changing: tuple[str, ...]
    known: tuple[str, ...]


def powers(box: Box, asked: str, argv: list[str], tried: tuple[str, ...]) -> Powers:
    """Return what a server can do, of tools ``tried`` too that it need not offer; an observation."""
    target = {"namespace": box.namespace, "name": ABSENT}
    with mcp.server(box, argv) as server:
        tools = server.tools()
        known = tuple(each for each in tried if server.call(each, **target).outcome != "unknown")
    changing = tuple(sorted(each.name for each in tools if each.changes))
    return observe("powers of the MCP server", asked, Powers(len(tools), changing, known))


@claim("mcp-read-only-enforced")
def test_so_it_is_as_the_image_alone_has_it(
    box: Box, argv: list[str], docker: Any, session: Session, image: ImageInfo, subject: Subject
) -> None:
    """In the pod, whose ConfigMap lies over it: there the server has a cluster to ask for its tools."""
    with reader(docker, image.reference, run=session.run) as read:
        text = read(subject.mcp.config)
    # without a file of the image's there is a server only where the pod brings one
    shipped = argv if text is None else mcp.argv_of(text, subject.mcp.config, subject.mcp.server)
    with control("the same server without any flag offers tools that change things, and knows them"):
        free = READS_ALONE.fails(powers(box, "free", shipped[:1], ("pods_delete",)))
        assert free.changing and free.known, "a server without flags has no tool that changes anything"
    READS_ALONE(powers(box, "as the image has it", shipped, free.changing))
