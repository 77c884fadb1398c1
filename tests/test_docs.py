"""The documents: every page is reached, every link leads somewhere, and somebody runs every command."""

from __future__ import annotations

import fnmatch
import os
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from invoke.collection import Collection

import tasks
from boxproof import nox_words
from boxproof.cli.main import SHOWN
from boxproof.cli.options import COMMANDS, demand_heard, parser
from boxproof.core.own_project import OURS
from boxproof.core.process import run
from boxproof.tasks import reference_pages
from pytest_claims.faults import UsageError
from suites.ci import documented_facts
from tests import documents

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(
    [*DOCS.glob("*.md"), *(ROOT / f"{each}.md" for each in ("README", "CONTRIBUTING", "SECURITY"))]
)
LINK = re.compile(r"!?\[[^]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```(?P<kind>\w*)\n(?P<text>.*?)^```", re.MULTILINE | re.DOTALL)
PROGRAMS = (
    "./nox", "nox", "inv", "boxproof", "pytest", "claudebox", "kubectl", "docker", "helm", "kind", "git",
    "crictl", "claude", "curl", "uv", "pip", "eval", "source", "sudo", "npx", "openssl",
)  # fmt: skip
RUN_BY = tomllib.loads((DOCS / "commands.toml").read_text())["command"]


def links(page: Path) -> Iterator[str]:
    """Yield the links of a page that stay in the repository."""
    yield from (each for each in LINK.findall(page.read_text()) if not re.match(r"\w+:", each))


def anchors(page: Path) -> set[str]:
    """Return the anchors of the headings of a page."""
    found = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\s-]", "", each.lower()).strip().replace(" ", "-") for each in found}


def test_every_link_leads_somewhere() -> None:
    made = {f"reference/{name}.md" for name in reference_pages.pages()}
    wrong = []
    for page in PAGES:
        for link in links(page):
            path, _, anchor = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            if path not in made and not target.exists():
                wrong.append(f"{page.name}: {link}")
            elif anchor and target.suffix == ".md" and anchor not in anchors(target):
                wrong.append(f"{page.name}: {link}: no such heading")
    assert wrong == []


def test_the_page_of_machines_names_tests_there_are() -> None:
    named = set(re.findall(r"`(test_\w+)`", (DOCS / "machines.md").read_text()))
    written = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    assert named
    assert [each for each in sorted(named) if f"def {each}(" not in written] == []


def test_every_page_is_reached_from_the_index() -> None:
    listed = {each.partition("#")[0] for each in links(DOCS / "index.md")}
    pages = {each.name for each in DOCS.glob("*.md")} - {"index.md"}
    assert pages - listed == set()
    assert {f"reference/{name}.md" for name in reference_pages.pages()} <= listed
    assert "docs/index.md" in set(links(ROOT / "README.md"))
    nav = (ROOT / "mkdocs.yml").read_text()
    assert [each for each in pages if f"- {each}\n" not in nav] == []


def commands(page: Path) -> Iterator[str]:
    """Yield the commands in the code blocks of a page, without their comments."""
    for block in FENCE.finditer(page.read_text()):
        if block["kind"] not in ("", "sh", "bash", "console", "shell"):
            continue
        text = block["text"].replace("\\\n", " ")
        for line in text.splitlines():
            bare = re.sub(r"\s+# .*$", "", line).strip().removeprefix("$ ")
            bare = re.sub(r"^[A-Z_]+=\S+ ", "", bare)
            if bare.split(" ")[0] in PROGRAMS:
                yield " ".join(bare.split())


def test_somebody_runs_every_command() -> None:
    told = [(page.relative_to(ROOT), each) for page in PAGES for each in commands(page)]
    assert len(told) > 100
    alone = [f"{page}: {each}" for page, each in told if not any(suits(row, page, each) for row in RUN_BY)]
    assert alone == [], "add who runs it to docs/commands.toml"
    idle = [row for row in RUN_BY if not any(suits(row, page, each) for page, each in told)]
    assert idle == [], "nothing in the documents is meant by these"


def test_what_is_carried_out_as_written_is_carried_out() -> None:
    for page in PAGES:
        for each in commands(page):
            runner = next(row.get("run_by") for row in RUN_BY if suits(row, page.relative_to(ROOT), each))
            if runner == ".ci/documents":
                assert by_script(page, each), f"{page.name}: {each}"
            if runner == "suites/ci/test_documents.py":
                assert each in by_facts(page), f"{page.name}: {each}"


def by_script(page: Path, command: str) -> bool:
    """Return whether .ci/documents names a command of a page, alone or with its section."""
    script = (ROOT / ".ci/documents").read_text().replace("\\\n", " ")
    own = [line for line in script.splitlines() if f"run {page.relative_to(ROOT)} " in line]
    globs = [one for line in own for one in re.findall(r"--only '([^']+)'", line)]
    parts = [one for line in own for one in re.findall(r"--section '([^']+)'", line)]
    text = "".join(documented_facts.section(page.read_text(), one) or "" for one in parts)
    return any(fnmatch.fnmatchcase(command, one) for one in globs) or command in lines_of(text)


def by_facts(page: Path) -> list[str]:
    """Return the commands of a page that the check of the documented facts carries out."""
    facts = [one for one in documented_facts.load(DOCS / "facts.toml") if one.document == f"docs/{page.name}"]
    parts = [documented_facts.section(page.read_text(), one.section) or "" for one in facts]
    return [
        line for part in parts for block in documented_facts.RUN.findall(part) for line in lines_of(block)
    ]


def lines_of(block: str) -> list[str]:
    """Return the lines of a block as `commands` has them."""
    return [
        " ".join(re.sub(r"\s+# .*$", "", each).split()) for each in block.replace("\\\n", " ").splitlines()
    ]


def test_the_commands_of_a_page_run_as_written(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        '# A\n```\nsays=FILE\necho \\\n    "$says"   # what it says\nfalse\n```\n# B\n```toml\nx\n```\n'
    )
    assert documents.carry_out(page, ["says=*", "echo*"], FILE="it") == 0
    assert capfd.readouterr().out == "it\n"
    assert documents.carry_out(page) == 1
    assert documents.carry_out(page, heading="B") == 0
    with pytest.raises(UsageError, match="no command of the page is 'true'"):
        documents.carry_out(page, ["true"])
    with pytest.raises(UsageError, match="no section 'C'"):
        documents.carry_out(page, heading="C")


def test_a_shell_completes_by_what_completion_md_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert documents.carry_out(DOCS / "completion.md") == 0


def test_the_lock_is_committed_as_packages_lock_md_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in {"GIT_EDITOR": "echo renewed >", "GIT_CONFIG_GLOBAL": os.devnull}.items():
        monkeypatch.setenv(name, value)
    lock = tmp_path / "image/packages.lock"
    lock.parent.mkdir()
    for words in (
        ["init", "-q"],
        ["config", "user.name", "a"],
        ["config", "user.email", "a@example.invalid"],
    ):
        run(["git", *words], timeout=60)
    lock.write_text("one\n")
    run(["git", "add", "."], timeout=60)
    run(["git", "commit", "-qm", "first"], timeout=60)
    lock.write_text("two\n")
    assert documents.carry_out(DOCS / "packages-lock.md", ["git commit image/packages.lock"]) == 0
    assert run(["git", "log", "-1", "--format=%s"], timeout=60).stdout == "renewed\n"


def suits(row: dict[str, str], page: Path, command: str) -> bool:
    """Return whether an entry is about a command of a page."""
    return fnmatch.fnmatch(page.name, row["page"]) and fnmatch.fnmatchcase(command, row["is"])


def test_who_runs_a_command_is_there() -> None:
    for row in RUN_BY:
        assert set(row) in ({"page", "is", "run_by"}, {"page", "is", "by_hand"}), row
        if "run_by" in row:
            path, _, what = row["run_by"].partition("::")
            text = (ROOT / path).read_text()
            assert not what or f"def {what}(" in text or what in text, row


def test_the_reference_names_every_setting_and_claim() -> None:
    made = reference_pages.pages()
    assert "`BOXPROOF_REPORTS_DAYS` |" in made["settings"] and "--kubernetes" in made["options"]
    assert "|  |" not in made["settings"].replace("` |  |", "")  # each says what it is for
    assert "| `files` | list of text | none |" in made["subject-toml"]
    assert "tuple[" not in made["subject-toml"] and "dict[" not in made["subject-toml"]
    assert "## inv deploy" in made["tasks"] and "`--suffix`" in made["tasks"]
    assert "`service_account`" in made["subject-toml"] and "## [image]" in made["subject-toml"]
    assert "**rbac-no-secrets**" in made["claims"]
    assert all(f"- **{each.title}**: {each.about}\n" in made["claims"] for each in OURS.sources.values())


def test_every_document_a_claim_cites_is_named() -> None:
    cited = {
        found[1]
        for claim in OURS.claims().values()
        for each in claim.source.split("; ")
        if (found := re.match(r"([A-Z]): ", each))
    }
    assert cited == set(OURS.sources)
    listed = re.findall(
        r"^\| ([A-Z]) \| (.+) \| (.+) \|$", (ROOT / "claims/README.md").read_text(), re.MULTILINE
    )
    assert listed == [(letter, each.title, each.about) for letter, each in OURS.sources.items()]


INLINE = re.compile(r"`((?:\./)?(?:nox|inv|boxproof) [^`\n]+)`")


def test_every_command_is_one_that_is_taken() -> None:
    told = [
        (page.name, each) for page in PAGES for each in [*commands(page), *INLINE.findall(page.read_text())]
    ]
    assert len(told) > 200
    assert [f"{page}: {each}: {why}" for page, each in told if (why := refused(each))] == []


def test_a_command_that_is_not_taken_is_seen() -> None:
    assert "did you mean 'e2e'" in refused("nox -s e2")
    assert "a session's own come after --" in refused("./nox -s e2e --claims x")
    assert "unknown argument '--cliams'" in refused("nox -s e2e -- --cliams x")
    assert "exclude each other" in refused("nox -s e2e -- --stage static --keep")
    assert "no command of boxproof" in refused("boxproof dcotor")
    assert "no task of inv" in refused("inv dploy")
    assert "--sufix is none of inv deploy" in refused("inv deploy --sufix=a")


def refused(command: str) -> str:
    """Return why a documented command would be refused, "" if it would not; values may be placeholders."""
    bare = re.split(r" [|>;&]| \$\(", command)[0]
    words = shlex.split(bare) if bare.count("'") % 2 == 0 and bare.count('"') % 2 == 0 else bare.split()
    program, own = Path(words[0]).name, words[words.index("--") + 1 :] if "--" in words else []
    try:
        if program == "nox":
            nox_words.check_words(words[1:])
            sessions = [each for each in words[: len(words) - len(own)] if each in COMMANDS]
            return next(filter(None, (_taken_by(each, own) for each in sessions)), "")
        if program == "boxproof":
            name = words[1]
            known = name in COMMANDS or name in SHOWN or name.isupper()
            return _taken_by(name, words[2:]) if known else f"{name} is no command of boxproof"
    except UsageError as error:
        return str(error)
    return _taken_by_inv(words[1 : words.index("--") if "--" in words else None]) if program == "inv" else ""


def _taken_by(command: str, words: list[str]) -> str:
    if command not in COMMANDS or not words:  # a session that is named has yet to be given what it needs
        return ""
    made = parser(command, "")
    try:
        demand_heard(command, made, vars(made.parse_args(words)))
    except UsageError as error:
        return str(error)
    except SystemExit:  # of --help
        return ""
    return ""


def _taken_by_inv(words: list[str]) -> str:
    known = {str(each.name): each for each in Collection.from_module(tasks).to_contexts()}
    name, *given = words
    if name.startswith("-"):
        return ""
    if name not in known:
        return f"{name} is no task of inv"
    flags = [each.partition("=")[0] for each in given if each.startswith("-")]
    return next((f"{each} is none of inv {name}" for each in flags if each not in known[name].flags), "")
