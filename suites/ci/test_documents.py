"""The documents state what users have to know, and the commands in them run."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxproof.cluster import command_tools
from boxproof.core.process import run
from boxproof.core.session import ImageInfo, Session
from boxproof.deployment.box import Box
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe
from suites.ci import documented_facts
from suites.ci.documented_facts import Fact

REQUIRED = {
    "capabilities", "token-lifetime", "kind-and-docker-versions", "socket-permissions", "volume-life",
    "worktrees", "cost-of-tracing",
}  # fmt: skip
DOCTORED = {
    "gone": "# Other\n",
    "vague": "# Facts\nIt depends.\n```sh\ntrue\n```\n",
    "silent": "# Facts\nNET_RAW\n```\ntrue\n```\n",
    "broken": "# Facts\nNET_RAW\n```sh\nfalse\ntrue\n```\n",
}


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
        with box.entered():  # kubectl runs commands there
            done = run(["bash", "-euo", "pipefail", "-c", text], env=env, timeout=300, check=False)
        return "" if done.ok else done.describe()

    with control("a missing section, missing words, no command and one that fails are seen"):
        for name, text in DOCTORED.items():
            (tmp_path / f"{name}.md").write_text(text)
            fact = Fact(id=name, says=name, document=f"{name}.md", section="Facts", words=("NET_RAW",))
            assert observe("lacking", name, bool(documented_facts.lacking(tmp_path, fact, carry_out)))
    listed = documented_facts.load(path)
    assert {each.id for each in listed} >= REQUIRED
    for each in listed:
        why = documented_facts.lacking(subject.directory, each, carry_out)
        assert not observe("lacking", each.id, bool(why)), f"{each.says}: {why}"
