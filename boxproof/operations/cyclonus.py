"""cyclonus, which makes NetworkPolicies and tries each in a cluster: how it is called, what it answers."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from boxproof.core.settings import ROOT, Settings
from boxproof.host.fetch import golang
from boxproof.operations import cyclonus_output
from pytest_claims.faults import EnvironmentFault, UsageError, nearest

MODULE = ROOT / "cluster/modules/cyclonus"
PACKAGE = "github.com/mattfenwick/cyclonus/cmd/cyclonus"
NAMESPACES = ("x", "y", "z")
PODS = ("a", "b", "c")  # in each namespace
PORT, CONTAINER = 80, "cont-80-tcp"
FURTHER = ("y-2",)  # a namespace that one of the cases makes
LEFT_OUT = ("multi-peer", "upstream-e2e", "example")  # as it does by itself: pairs of peers are 90 cases more
TRIES = 3  # seconds for one connection
POD_START = 120  # seconds for its pods
CASE = re.compile(r"^test #(\d+): (.*)\n - tags: (.*)$", re.MULTILINE)
COUNT = re.compile(r"^testing (\d+) cases$", re.MULTILINE)


class Case(BaseModel):
    """One case: what cyclonus says it is about, and whether packets did what its policies allow."""

    model_config = ConfigDict(frozen=True)

    description: str
    tags: tuple[str, ...]
    passed: bool | None = None  # not tried yet
    wrong: tuple[str, ...] = ()  # connections, as discrepancies.wrong says them
    known: str = ""  # why just these go wrong under this engine


def program(settings: Settings) -> Path:
    """Return cyclonus; raises EnvironmentFault if it cannot be had."""
    return golang.build(MODULE, PACKAGE, name="cyclonus", settings=settings, ldflags="-s -w")


def version() -> str:
    """Return the version that is pinned."""
    match = re.search(r"cyclonus v(\S+)", (MODULE / "go.mod").read_text())
    assert match is not None
    return match[1]


def words(registry: str, tags: Sequence[str], wait: int) -> list[str]:
    """Return the words of a run that tries each connection once, ``wait`` seconds after each change.

    A pod's connection to itself does not count: by the API no policy can deny it. SCTP needs a module of the
    kernel, so nothing listens over it.
    """
    return [
        "generate", f"--image-registry={registry}", "--server-protocol=TCP,UDP", "--ignore-loopback=true",
        "--retries=0", f"--perturbation-wait-seconds={wait}", f"--job-timeout-seconds={TRIES}",
        f"--pod-creation-timeout-seconds={POD_START}", f"--exclude={','.join(LEFT_OUT)}",
        *([f"--include={','.join(tags)}"] if tags else []),
    ]  # fmt: skip


def announced(output: str) -> list[Case]:
    """Return the cases of a dry run; raises EnvironmentFault if they are none, or others than it counts."""
    count = COUNT.search(output)
    found = [
        Case(description=text.strip(), tags=tuple(tags.split(", "))) for _, text, tags in CASE.findall(output)
    ]
    if count is None or int(count[1]) != len(found):
        said = count[0] if count else "nothing"
        raise EnvironmentFault(f"cyclonus names {len(found)} cases and says: {said}")
    return found


def chosen(cases: Sequence[Case], tags: Sequence[str]) -> list[Case]:
    """Return the cases with one of the tags, all without any; raises UsageError for a tag without cases."""
    known = {tag for each in cases for tag in each.tags}
    for tag in tags:
        if tag not in known:
            raise UsageError(f"no case has the tag {tag!r}", hint=nearest(tag, known))
    return [each for each in cases if not tags or set(tags) & set(each.tags)]


def judged(report: Path, output: str, cases: Sequence[Case]) -> list[Case]:
    """Return the cases with what a run's JUnit file says of them, and the wrong connections its output has.

    Raises EnvironmentFault if there is no file, it is not about each of the cases, or the two differ:
    cyclonus itself ends well whether cases fail or not.
    """
    try:
        found = list(ET.parse(report).getroot().iter("testcase"))
    except (OSError, ET.ParseError) as error:
        raise EnvironmentFault(f"cyclonus left no result: {error}") from error
    names = [str(each.get("name")).strip() for each in found]
    if names != [each.description for each in cases]:
        raise EnvironmentFault(f"cyclonus judged {len(names)} cases, not the {len(cases)} it announced")
    wrong = cyclonus_output.wrong(output)
    failed = {number for number, each in enumerate(found, 1) if each.find("failure") is not None}
    if failed != set(wrong):
        raise EnvironmentFault(
            f"cyclonus: cases {sorted(failed)} failed, {sorted(wrong)} have wrong connections"
        )
    return [
        case.model_copy(update={"passed": number not in failed, "wrong": wrong.get(number, ())})
        for number, case in enumerate(cases, 1)
    ]
