"""The documents state what users have to know, and the commands in them run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from boxproof.cluster import command_tools
from boxproof.core.process import CommandTimedOut, run
from boxproof.core.session import ImageInfo, Session
from boxproof.deployment.box import Box
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope
from pytest_claims.faults import SubjectFault
from pytest_claims.pace import stretched
from suites.ci import documented_facts, told_tools
from suites.ci.documented_facts import Fact
from suites.kind import markdown_tables

# What a fact has to say, and what its commands have to show, whatever the subject's own list asks for: words
# of the text, all of which must be there, and a word of a command that is carried out.
TOOLS = (r"NET_RAW", r"tcpdump|nmap|mtr", r"NET_ADMIN", r"iptables|\bip\b", r"SYS_PTRACE", r"strace|gdb")
TOKENS = (  # how long the one and the other last, as their issuer says
    r"\b(?:one|a|1)[ -]year|\b(?:12|twelve) months|\b36[56] days",
    r"\b(?:8|eight|a few|few|several|some)[ -]hours?\b|\bwithin hours\b",
    r"setup-token|/login|log in",
    r"restart|rotat",
)
VERSIONS = (r"KIND v?0\.\d+", r"Docker( Engine)? v?\d+", r"containerd v?\d")
REQUIRED: dict[str, tuple[tuple[str, ...], str]] = {
    "capabilities": (TOOLS, r"kubectl|tcpdump"),
    "token-lifetime": (TOKENS, r"kubectl|claude|inv"),
    "kind-and-docker-versions": (VERSIONS, r"kind|docker"),
    "socket-permissions": ((r"\bgroup\b", r"\broot\b", r"permission denied"), r"docker|stat|ls|id"),
    "volume-life": ((r"StatefulSet", r"namespace", r"pod", r"reclaim"), r"kubectl"),
    "worktrees": ((r"worktree", r"share|same", r"projects?/|session|history"), r"git|kubectl"),
    "cost-of-tracing": ((r"strace|perf|bpftrace", r"slow|times|twice|cost"), r"strace|perf|kubectl|inv"),
}
ENDS_WITHIN = 300  # seconds for a block of commands, more on a slow machine
STATED = require("the fact is stated, and its commands run", lambda why: why == "")
COMPLETE = require("the list has every fact that users need", lambda missing: missing == [])
SAYS = require("the section says what the fact is about, and shows it", lambda unsaid: unsaid == [])
DOCTORED = {
    "gone": "# Other\n",
    "vague": "# Facts\nIt depends.\n```sh\ntrue\n```\n",
    "silent": "# Facts\nNET_RAW\n```\ntrue\n```\n",
    "broken": "# Facts\nNET_RAW\n```sh\nfalse\ntrue\n```\n",
}
SWAPPED = (
    "# Facts\nNET_ADMIN is for tcpdump, NET_RAW for iptables, SYS_PTRACE for strace.\n"
    "```sh\nkubectl get pods\n```\n"
)
CAPABILITIES, VERSIONS_FACT = "capabilities", "kind-and-docker-versions"
KIND_NAMED = re.compile(r"(?<![\d.])v?(0\.\d{2,})\b")  # in a line about KIND
AS_TABLED = require(
    "the kinds it names are in the table of what loads into what, the oldest and the newest of it among them",
    lambda kinds: kinds["named"] and set(kinds["ends"]) <= set(kinds["named"]) <= set(kinds["listed"]),
)


@claim("docs-state-required-facts")
def test_each_fact_is_stated_and_its_commands_run(
    box: Box, subject: Subject, session: Session, image: ImageInfo, tmp_path: Path
) -> None:
    path = subject.path(subject.facts)
    if path is None:
        pytest.skip("subject.toml names no list of facts")
    tools = tmp_path / "bin"
    tools.mkdir()
    env = command_tools.variables(session, tools)

    def carry_out(block: str) -> str:
        text = block.replace(f"-n {subject.namespace} ", f"-n {box.namespace} ")
        text = text.replace(f"{subject.image.name}:TAG", image.reference)
        limit = stretched(ENDS_WITHIN)
        try:
            with box.entered():  # kubectl runs commands there
                done = run(["bash", "-euo", "pipefail", "-c", text], env=env, timeout=limit, check=False)
        except CommandTimedOut:
            return f"it does not end within {limit:.0f} s"
        return "" if done.ok else done.describe()

    with control("a missing section, missing words, no command and one that fails are seen"):
        for name, text in DOCTORED.items():
            (tmp_path / f"{name}.md").write_text(text)
            fact = Fact(id=name, says=name, document=f"{name}.md", section="Facts", words=("NET_RAW",))
            STATED.fails(observe("lacking", name, documented_facts.lacking(tmp_path, fact, carry_out)))
        COMPLETE.fails(
            observe("facts that are missing", "a list of one", sorted({*REQUIRED} - {"worktrees"}))
        )
        empty = Fact(id="worktrees", says="x", document="silent.md", section="Facts", words=("NET_RAW",))
        SAYS.fails(observe("unsaid", "a section about something else", unsaid(tmp_path, empty)))
        (tmp_path / "swapped.md").write_text(SWAPPED)
        fact = Fact(id=CAPABILITIES, says="x", document="swapped.md", section="Facts", words=("NET_RAW",))
        said = SAYS.fails(observe("unsaid", "capabilities of each other's tools", unsaid(tmp_path, fact)))
        assert said == ["tcpdump: NET_RAW", "iptables: NET_ADMIN"]
    listed = documented_facts.load(path)
    COMPLETE(observe("facts that are missing", subject.facts, missing([each.id for each in listed])))
    for each in listed:
        STATED(observe("lacking", each.id, documented_facts.lacking(subject.directory, each, carry_out)))
        SAYS(observe("unsaid", each.id, unsaid(subject.directory, each)))


def missing(ids: Sequence[str]) -> list[str]:
    """Return the facts that a list has to have and has not."""
    return sorted(set(REQUIRED) - set(ids))


def unsaid(directory: Path, fact: Fact) -> list[str]:
    """Return what a fact's section says nothing of, and its commands do not show."""
    words, shown = REQUIRED.get(fact.id, ((), ""))
    path = directory / fact.document
    text = documented_facts.section(path.read_text(), fact.section) if path.is_file() else None
    flat = " ".join((text or "").split())
    found = [each for each in words if not re.search(each, flat, re.IGNORECASE)]
    found += told_tools.untold(text or "") if fact.id == CAPABILITIES else []
    commands = "\n".join(documented_facts.RUN.findall(text or ""))
    return found if re.search(shown, commands) else [*found, f"a command with {shown}"]


@claim("docs-state-required-facts")
@needs("box")
@scope("image")
def test_the_required_kinds_are_those_that_are_listed(subject: Subject, tmp_path: Path) -> None:
    path = subject.path(subject.facts)
    if path is None:
        pytest.skip("subject.toml names no list of facts")
    facts = {each.id: each for each in documented_facts.load(path)}
    if VERSIONS_FACT not in facts:
        raise SubjectFault(f"{subject.facts} has no fact {VERSIONS_FACT!r}")
    fact = facts[VERSIONS_FACT]

    def kinds(asked: str, directory: Path) -> dict[str, list[str]]:
        page = directory / fact.document
        text = documented_facts.section(page.read_text(), fact.section) if page.is_file() else None
        listed = sorted(
            {kind.rpartition(".")[0] for kind, _ in markdown_tables.pairs(subject.directory)}, key=minor
        )
        about = "\n".join(each for each in (text or "").splitlines() if "KIND" in each)
        named = sorted(set(KIND_NAMED.findall(about)), key=minor)
        return observe(
            "kinds", asked, {"named": named, "listed": listed, "ends": [*listed[:1], *listed[-1:]]}
        )

    page = tmp_path / fact.document
    page.parent.mkdir(parents=True, exist_ok=True)
    with control("a page that asks for a kind that was never shown, and one that names none, are seen"):
        for text in ("KIND 0.20 or later", "any KIND"):
            page.write_text(f"# {fact.section}\n{text}\n")
            AS_TABLED.fails(kinds(text, tmp_path))
    AS_TABLED(kinds(fact.document, subject.directory))


def minor(version: str) -> tuple[int, ...]:
    """Return a version as numbers."""
    return tuple(map(int, version.split(".")))
