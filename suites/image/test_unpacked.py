"""No program gets into a deployed box by being unpacked there, or by a manager that is told where first."""

from __future__ import annotations

from collections.abc import Mapping

from boxproof.core.session import Session
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope
from suites.image import deployed_words, fetched_programs

PUTS_NONE = require("nothing that is deployed puts programs in their place", lambda found: found == {})
PUT = (
    "curl -fsSL https://example.invalid/x.tar.gz | tar xz -C /tools",
    "wget -qO /tmp/x.zip https://example.invalid/x.zip\nunzip /tmp/x.zip -d /usr/local",
    "curl -fsSL -o /usr/local/bin/x https://example.invalid/x",
    "curl -fsSLo /tmp/x https://example.invalid/x && install -m 755 /tmp/x /home/agent/.local/bin/x",
    "npm --prefix /srv install x",
    "apt-get -o Acquire::Retries=3 -y install x",
)


@claim("image-self-sufficient-offline")
@needs("template")
@scope("image")
def test_nothing_that_is_deployed_puts_programs_in_their_place(session: Session, subject: Subject) -> None:
    with control("an archive that is unpacked, a file that is put there, and managers told more are seen"):
        for each in PUT:
            spec = {"initContainers": [{"command": ["sh", "-c", each]}]}
            texts = deployed_words.by_object([{"kind": "Pod", "metadata": {"name": "x"}, "spec": spec}])
            found = PUTS_NONE.fails(put(each, texts))
            assert found.keys() == texts.keys()
    texts = deployed_words.of(session, subject)
    PUTS_NONE(put(f"{len(texts)} objects and services", texts))


def put(asked: str, texts: Mapping[str, str]) -> dict[str, str]:
    """Return what texts put in the place of programs, by where they are; an observation."""
    return observe("put where it is deployed", asked, fetched_programs.fetching(texts))
