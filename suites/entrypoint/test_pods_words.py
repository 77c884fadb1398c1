"""What starts the box in a pod or a service, where another command than the image's own is given it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from boxproof.core.session import Session
from boxproof.subject.image.entrypoint import leaves_shell
from boxproof.subject.manifests.pod_specs import agent_container
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope
from suites.agent_starts import services, tiers

NO_SHELL = require("no shell stays above what a pod or a service starts", lambda found: found == [])
START = "/usr/local/bin/entrypoint"
STAYS = (
    ["sh", "-c", f"{START} $*; sleep 5"],
    ["tini", "--", "bash", "-lc", f"{START} >log"],
    f"sh -c '{START} | tee log'",
)


@claim("no-shell-wrapper-inside-exec-form")
@needs("default-tier")
@scope("image")
def test_no_tier_and_no_compose_file_puts_a_shell_above_it(session: Session, subject: Subject) -> None:
    """Their command replaces the image's; a shell that becomes the program is none that stays."""

    def shells(asked: str, given: Mapping[str, Any]) -> list[str]:
        found = [f"{where}: {words}" for where, words in given.items() if leaves_shell(words)]
        return observe("shells that stay", asked, found)

    with control("a shell before it, behind an init too, as a list and as a line, is seen"):
        for each in STAYS:
            NO_SHELL.fails(shells(str(each), {"doctored": each}))
    for name, objects in tiers(session, subject):
        agent = agent_container(objects, subject)
        words: Sequence[str] = [*(agent.get("command") or ()), *(agent.get("args") or ())]
        NO_SHELL(shells(f"tier {name}", {"command": words if agent.get("command") else ()}))
    composed = {name: each.get("entrypoint") for name, each in services(subject)}
    NO_SHELL(shells("Compose files", composed))
