"""The credentials however the agent is started: no file that is mounted alone, and nothing read-only."""

from __future__ import annotations

from collections.abc import Sequence

from boxproof.agent.login import FILE
from boxproof.core.session import Session
from boxproof.subject.documented_commands import Run
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require
from suites import agent_starts
from suites.agent_starts import Mount, Start

IN_ITS_DIRECTORY = require(
    "the credentials are no mount of their own and in none that is read-only, however it is started",
    lambda found: found == [],
)


@claim("credentials-dir-writable")
@needs("box")
def test_the_credentials_can_be_replaced_however_it_is_started(session: Session, subject: Subject) -> None:
    """By the objects of every tier, by Compose files, by commands of the documents."""

    def hindered(asked: str, starts: Sequence[Start]) -> list[str]:
        found = []
        for each in starts:
            file = f"{each.config_dir(subject)}/{FILE}"
            mount = each.carrier(file)
            alone = mount is not None and mount.target == file
            found += [f"{each.name}: {file}"] if alone or not each.writes(file) else []
        return observe("credentials that cannot be replaced", asked, found)

    file = f"{subject.config_dir}/{FILE}"
    with control("a file of a Secret, one of the host's, and a directory that is read-only, are seen"):
        secret = {"secrets": [{"source": "login", "target": file}]}
        for each in (
            Start("a Secret", (Mount(subject.config_dir, "claim"), Mount(file, "secret"))),
            Start("a directory", (Mount(subject.config_dir, "secret"),)),
            agent_starts.of_service("a service", secret),
            agent_starts.of_service("a file", {"volumes": [f"./login.json:{file}"]}),
            agent_starts.of_run(Run("doctored.md", ("-v", f"claude:{subject.config_dir}:ro"))),
        ):
            IN_ITS_DIRECTORY.fails(hindered(each.name, [each]))
    IN_ITS_DIRECTORY(hindered("what ships", agent_starts.every(session, subject)))
