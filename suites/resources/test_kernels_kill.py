"""However the box is started, the kernel may end what takes too much: what hangs instead is not seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from boxproof.subject.documented_commands import values
from boxproof.subject.model import Subject
from boxproof.subject.variables import filled
from pytest_claims import claim, control, needs, observe, require, scope
from suites import agent_starts

ENDED = require("nothing keeps the kernel from ending what takes too much memory", lambda found: found == [])
NEVER = -1000  # the score with which a process is never chosen
NO = ("false", "0", "none", "")
SERVICES: Sequence[Mapping[str, Any]] = ({"oom_kill_disable": True}, {"oom_score_adj": NEVER})
COMMANDS = ("--memory", "4g", "--oom-kill-disable"), ("--oom-score-adj=-1000",)


def _kept(said: Mapping[str, Any]) -> Iterator[str]:
    """Give what keeps a container from being ended, of what Compose says or an engine's options."""
    if filled(str(said.get("oom_kill_disable"))).lower() not in NO:
        yield "no process is ended"
    score = filled(str(said.get("oom_score_adj") or 0))
    if score.lstrip("+-").isdigit() and int(score) <= NEVER:
        yield f"a score of {score}"


def _said(options: Sequence[str]) -> dict[str, Any]:
    """Return what options of ``docker run`` say, in the words of Compose."""
    parts = [each.partition("=") for each in options]
    disabled = [value or "true" for name, _, value in parts if name == "--oom-kill-disable"]
    given = {"oom_kill_disable": disabled, "oom_score_adj": values(options, "--oom-score-adj")}
    return {name: each[-1] for name, each in given.items() if each}


@claim("oom-is-visible")
@needs("compose", "command:run")
@scope("image")
def test_no_way_of_starting_it_keeps_the_kernel_from_a_kill(subject: Subject) -> None:
    """At its limit it would stand still, with nothing in its state, its count or its log."""

    def kept(asked: str, said: Mapping[str, Any]) -> list[str]:
        return observe("what keeps it", asked, list(_kept(said)))

    with control("a service, and a command, that nothing is ended of, are seen"):
        for service in SERVICES:
            ENDED.fails(kept(f"doctored {service}", service))
        for options in COMMANDS:
            ENDED.fails(kept(" ".join(options), _said(options)))
    for name, service in agent_starts.services(subject):
        ENDED(kept(name, service))
    for run in agent_starts.commands(subject):
        ENDED(kept(f"{run.page}: {' '.join(run.options)}", _said(run.options)))
