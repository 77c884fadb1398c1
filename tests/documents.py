"""Carries out a document's commands as they are written: ``python -m tests.documents docs/volume.md``."""

from __future__ import annotations

import argparse
import fnmatch
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from boxproof.core.settings import ROOT
from pytest_claims.faults import UsageError
from suites.ci import documented_facts

FENCE = re.compile(r"^```(?P<kind>\w*)\n(?P<text>.*?)^```", re.MULTILINE | re.DOTALL)
SHELL = ("", "sh", "bash", "console", "shell")
COMMENT = re.compile(r"\s+# .*$")


def blocks(text: str) -> Iterator[str]:
    """Yield the blocks of a page that people put into a shell."""
    yield from (each["text"] for each in FENCE.finditer(text) if each["kind"] in SHELL)


def lines(block: str) -> Iterator[str]:
    """Yield the commands of a block, each on one line and without its comment."""
    for line in block.replace("\\\n", " ").splitlines():
        bare = " ".join(COMMENT.sub("", line).removeprefix("$ ").split())
        if bare and not bare.startswith("#"):
            yield bare


def chosen(text: str, only: Sequence[str]) -> str:
    """Return what is carried out: lines that suit a glob of ``only``, or all blocks; raises UsageError."""
    if not only:
        return "".join(blocks(text))
    every = [line for block in blocks(text) for line in lines(block)]
    idle = [each for each in only if not fnmatch.filter(every, each)]
    if idle:
        raise UsageError(f"no command of the page is {idle[0]!r}", hint="--only takes globs")
    return "\n".join(line for line in every if any(fnmatch.fnmatchcase(line, each) for each in only))


def filled(command: str, names: Mapping[str, str]) -> str:
    """Return a command with what stands for the reader's own names filled in."""
    if not names:
        return command
    words = re.compile(rf"(?<![\w$])(?:{'|'.join(map(re.escape, names))})(?![\w=])")
    return words.sub(lambda found: names[found[0]], command)


def carry_out(page: Path, only: Sequence[str] = (), heading: str = "", **names: str) -> int:
    """Carry out the commands of a page or of its section, and return their exit code; raises UsageError."""
    text: str | None = page.read_text()
    if heading:
        text = documented_facts.section(text or "", heading)
    if text is None:
        raise UsageError(f"no section {heading!r} in {page.name}")
    script = filled(chosen(text, only), names)
    shell = ["bash", "-euxo", "pipefail", "-c", script]
    return subprocess.run(shell, check=False, stdin=subprocess.DEVNULL).returncode


def main(words: Sequence[str]) -> int:
    """Carry out what the command line names."""
    parser = argparse.ArgumentParser("python -m tests.documents", description=__doc__)
    parser.add_argument("page", type=Path)
    parser.add_argument("--only", action="append", default=[], help="a glob; the lines that suit it, alone")
    parser.add_argument("--section", default="", help="the heading of a section; its commands alone")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="what a word stands for"
    )
    given = parser.parse_args(words)
    names = dict(each.split("=", 1) for each in given.set)
    return carry_out(ROOT / given.page, given.only, given.section, **names)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
