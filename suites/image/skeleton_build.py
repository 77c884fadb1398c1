"""A recipe with its structure alone: built in seconds, it shows what an edit of the subject would repeat.

Every RUN keeps its place, flags and mounts, but only its words are kept of its command; every program of
the tools is a line with its version. BuildKit decides as it does for the real recipe.
"""

from __future__ import annotations

import hashlib
import re
import shlex
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from boxproof.core.session import EngineInfo
from boxproof.subject import copies as tags
from boxproof.subject.image import build_contexts, tools
from boxproof.subject.image import dockerfile as recipe
from boxproof.subject.image.dockerfile import Recipe, Stage, Step
from boxproof.subject.model import Subject
from pytest_claims.faults import SubjectFault
from suites.image import trial_build

FETCHES = (
    "apt-get",
    "apt install",
    "apk add",
    "dnf install",
    "microdnf install",
    "yum install",
    "npm",
    "pip",
    "curl",
    "wget",
    "go build",
    "go install",
)  # what makes a RUN an installation
# names that build systems and guides give what is another one with each commit, or each build
COMMIT = re.compile(
    r"(CI|GITHUB|GIT|VCS|BUILD|SOURCE|IMAGE)_(COMMIT|SHA|COMMIT_(SHA|HASH|ID)|REV|REVISION|HASH|NONCE|DATE|TIME|NUMBER|ID)"
    r"|((BUILD|IMAGE)_)?(TIMESTAMP|CREATED)|COMMIT|COMMIT_(SHA|HASH|ID)|(VCS|GITHUB)_REF|REVISION|NONCE"
)
PIN = re.compile(r"[0-9a-f]{7}|\d{4}")  # in what it is by itself: of another thing's version
OUTSIDE = "tools"  # the build context that programs come from


@dataclass(frozen=True)
class Hollow:
    """A hollow recipe of a subject that may be edited; ``base`` is the image its stages start from."""

    engine: EngineInfo
    subject: Subject
    base: str

    def build(self, told: Mapping[str, str] | None = None) -> trial_build.Built:
        """Build it as it is now, with arguments; raises SubjectFault if that fails."""
        with tempfile.TemporaryDirectory(prefix="boxproof-hollow-") as below:
            fake = Path(below)
            self._programs(fake)
            words = [f"--build-context={OUTSIDE}={fake}", "--network=host"]
            words += build_contexts.options(self.subject)
            words += [f"--build-arg={name}={value}" for name, value in (told or {}).items()]
            context = self.subject.directory / self.subject.image.context
            text = dockerfile(recipe.of(self.subject), self.base)
            ignore = trial_build.ignored(self.subject)
            return trial_build.must(trial_build.build_once(self.engine, text, context, words, ignore=ignore))

    def installed(self, told: Mapping[str, str] | None = None) -> list[str]:
        """Build it, with arguments, and return the installations that were carried out anew."""
        again = self.build(told).ran("RUN", f"--from={OUTSIDE}")
        return sorted(each for each in again if is_installation(each))

    def brought_with(self, tool: str) -> tuple[set[str], list[str]]:
        """Build it and return what is brought anew in one step with ``tool``, and the RUNs that install anew.

        Steps behind it may be carried out again: an engine without BuildKit's merges takes --link for none.
        """
        built = self.build()
        words = [set(step.split()) for step in built.ran(f"--from={OUTSIDE}")]
        together = {word for each in words if tool in each for word in each}
        return together, [each for each in built.ran("RUN") if is_installation(each)]

    def _programs(self, into: Path) -> None:
        listed = self.subject.path(self.subject.image.tools)
        found = tools.load(listed) if listed else []
        for each in found:
            if each.obtain.way != "package":
                (into / each.name).write_text(f"{each.name} {each.version}\n")
        (into / tools.LISTED).write_text("".join(f"{each.name} {each.version}\n" for each in found))


@contextmanager
def of(engine: EngineInfo, subject: Subject, base: str) -> Iterator[Hollow]:
    """Give the hollow recipe of a copy of ``subject``."""
    with tags.copied(subject) as copy:
        yield Hollow(engine, copy, base)


def of_a_commit(found: Recipe) -> list[str]:
    """Return the arguments by which a recipe is told of the commit, or the moment, that it is built of."""
    told = [each.rest.partition("=") for stage in found.stages for each in stage.steps if each.word == "ARG"]
    return sorted(
        {name.strip() for name, _, own in told if COMMIT.fullmatch(name.strip()) and not PIN.search(own)}
    )


def edit(subject: Subject, path: str, pattern: str, new: str) -> None:
    """Replace what matches first in a file of a copy; raises SubjectFault if nothing does."""
    file = subject.directory / path
    text, count = re.subn(pattern, new, file.read_text(), count=1, flags=re.MULTILINE)
    if not count:
        raise SubjectFault(f"{path}: nothing matches {pattern!r}")
    file.write_text(text)


def is_installation(step: str) -> bool:
    """Return whether a step, as BuildKit calls it, fetches packages or brings a program in."""
    if f"--from={OUTSIDE}" in step:
        return tools.LISTED not in step
    return any(each in step for each in FETCHES)


def dockerfile(found: Recipe, base: str) -> str:
    """Return the hollow Dockerfile of a recipe, its external bases replaced by ``base``."""
    lines = []
    for stage in found.stages:
        lines.append(f"FROM {base if stage.external else stage.base} AS {_named(stage)}")
        lines += [f"RUN mkdir -p {each} && : > {each}/any" for each in _taken(found, stage)]
        lines += [_hollowed(each) for each in stage.steps]
    return "\n".join(lines) + "\n"


def _named(stage: Stage) -> str:
    return f"stage-{stage.name}" if stage.name.isdigit() else stage.name


def _taken(found: Recipe, stage: Stage) -> list[str]:
    """Return the paths that other stages copy from this one; all of them may be directories."""
    copies = (step for each in found.stages for step in each.steps if step.word == "COPY")
    return [path for step in copies if step.option("from") == stage.name for path in step.rest.split()[:-1]]


def _hollowed(step: Step) -> str:
    if step.word == "USER":  # no RUN of it makes a user: the name stands for a change alone
        return f"ENV BOXPROOF_USER={shlex.quote(step.rest.strip())}"
    if step.word == "ONBUILD":  # what it does is a step of the stages that begin with this one
        return f"# {step.word}"
    if step.word in ("COPY", "ADD"):
        return f"{step.word} {re.sub(r'--ch(own|mod)=[^ ]+ +', '', step.value)}"
    if step.word != "RUN":
        return f"{step.word} {step.value}"
    kind = next((each for each in FETCHES if each in step.rest), "nothing")
    digest = hashlib.sha256(step.rest.encode()).hexdigest()
    return " ".join(["RUN", *step.flags, ":", shlex.quote(kind), digest])
