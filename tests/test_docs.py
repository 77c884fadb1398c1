"""The documents: every page is reached, every link leads somewhere, and somebody runs every command."""

from __future__ import annotations

import fnmatch
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from boxproof.tasks import reference_pages

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
    assert "## inv deploy" in made["tasks"] and "`--suffix`" in made["tasks"]
    assert "`service_account`" in made["subject-toml"] and "## [image]" in made["subject-toml"]
    assert "**rbac-no-secrets**" in made["claims"]
