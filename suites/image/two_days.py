"""A recipe's installations on two days: on the second the archive has moved on, and so has the base's tag.

What is installed are stand-ins of the same names, in the recipe's own words: it is seen which versions
come, in seconds, and no mirror is asked.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from boxproof.core.session import EngineInfo
from boxproof.core.session import run_labels as labels
from boxproof.probes.local_registry import Registry
from boxproof.probes.pods import helper_pods
from boxproof.subject.image import build_contexts, secret_build
from boxproof.subject.image import dockerfile as recipe
from boxproof.subject.image.dockerfile import Recipe, Stage, Step
from boxproof.subject.model import Subject
from boxproof.subject.supply_chain import packages, stand_in_debs
from suites.image import trial_build

ARCHIVE, PLACE = "boxproof-archive", "/boxproof-archive"  # the build context, and where a RUN has it
STATUS = "/var/lib/dpkg/status"
NAME, TAG = "base", "1"
DAY = "boxproof-day"  # a package of the base that says of which day it is
LATER = "+later1"  # what the newer version of a package has at its end
UNLOCKED = "1"  # the version of what is in no lock
NEXT = "9"  # the version of that package which the later archive has: who upgrades the base gets it
UPGRADE = re.compile(r"\b(?:apt-get|apt|aptitude)\b[^;&|]*\b(?:dist-|full-|safe-)?upgrade\b[^;&|]*")
BASE = f"""FROM {{base}}
RUN --network=none --mount=type=bind,target=/context \\
    rm -rf /etc/apt/sources.list.d/* && echo '{stand_in_debs.source(PLACE)}' > /etc/apt/sources.list \\
    && echo 'APT::Sandbox::User "root";' > /etc/apt/apt.conf.d/99boxproof \\
    && dpkg -i /context/day.deb
"""


@dataclass(frozen=True)
class Day:
    """One day: what the tag of the base names, and what the archive has."""

    engine: EngineInfo
    served: Registry
    base: str  # an image of the engine
    archive: Path

    def dawn(self) -> str:
        """Have the tag name this day's base, and return that one's digest."""
        return self.served.push(self.base, NAME, TAG)

    def installed(self, subject: Subject, digest: str) -> dict[str, str]:
        """Return the packages, with their versions, that the base and the installations bring on this day.

        A base that the recipe names by a digest is the one of ``digest``, any other is what the tag names.
        Raises SubjectFault if it does not build.
        """
        self.dawn()
        line = recipe.of(subject).line
        tagged = f"{self.served.address}/{NAME}:{TAG}"
        base = f"{tagged}@{digest}" if digest and recipe.DIGEST.search(line[0].base) else tagged
        options = ["--pull", f"--build-context={ARCHIVE}={self.archive}"]
        options += [f"--build-arg={name}={value}" for name, value in subject.image.args.items()]
        options += build_contexts.options(subject)
        context = subject.directory / subject.image.context
        return versions(trial_build.content(self.engine, dockerfile(line, base), context, "status", options))


@contextmanager
def two(
    served: Registry, engine: EngineInfo, base: str, stock: Mapping[str, str], *, run: str
) -> Iterator[tuple[Day, Day]]:
    """Give two days that begin with the image ``base``: the archive has ``stock``, then newer ones beside it.

    Raises SubjectFault if ``base`` is none to install packages on.
    """
    with ExitStack() as made:
        below = Path(made.enter_context(tempfile.TemporaryDirectory(prefix="boxproof-days-")))
        days = []
        for number, more in enumerate(([], [LATER]), 1):
            image = made.enter_context(
                secret_build.temporary(served.docker, f"{helper_pods.unique(DAY)}:{number}")
            )
            _based(engine, base, image, below / f"base-{number}", run)
            have = {name: [first, *(first + each for each in more)] for name, first in stock.items()}
            have |= {DAY: [NEXT]} if more else {}
            days.append(Day(engine, served, image, stand_in_debs.write(below / f"archive-{number}", have)))
        yield days[0], days[1]


def _based(engine: EngineInfo, base: str, image: str, context: Path, run: str) -> None:
    """Make the base of one day: its sources name the archive alone."""
    context.mkdir()
    (context / "day.deb").write_bytes(stand_in_debs.package(DAY, image.rpartition(":")[2]))
    options = [f"--tag={image}", *(f"--label={key}={value}" for key, value in labels(run).items())]
    trial_build.must(
        trial_build.build_once(engine, BASE.format(base=base), context, options, output="type=docker")
    )


def asked(written: Recipe) -> set[str]:
    """Return the name of every package that the installations of the image may ask for."""
    steps = (step for stage in written.line for step in stage.steps)
    return packages.named(word for step in steps for each in step.installs for word in each.packages)


def dockerfile(stages: Sequence[Stage], base: str) -> str:
    """Return a Dockerfile of what installs and upgrades alone, with the archive's place, on ``base``."""
    lines = [f"FROM {base} AS day"]
    for step in (step for stage in stages for step in stage.steps):
        if step.word in ("ARG", "ENV") or (step.word == "COPY" and not step.option("from")):
            lines.append(f"{step.word} {step.value}")
        elif step.installs or (step.word == "RUN" and UPGRADE.search(step.rest)):
            lines.append(_install(step))
    # what follows the last installation is not needed
    last = max(at for at, each in enumerate(lines) if at == 0 or each.startswith("RUN "))
    return "\n".join([*lines[: last + 1], "FROM scratch", f"COPY --from=day {STATUS} /status"]) + "\n"


def _install(step: Step) -> str:
    # of the caches' lists and archives real builds go on living
    kept = [each for each in step.flags if "type=cache" not in each and not each.startswith("--network")]
    flags = ["--network=none", f"--mount=type=bind,from={ARCHIVE},target={PLACE}", *kept]
    upgrades = list(UPGRADE.finditer(step.rest))
    upgraded = step.rest[: upgrades[-1].end()].rstrip() if upgrades else ""
    installed = step.installation if step.installs else ""
    return " ".join(["RUN", *flags, max(installed, upgraded, key=len)])  # to the later end


def versions(status: str) -> dict[str, str]:
    """Return name and version of what is installed by the text of dpkg's status file."""
    return {name: each.version for name, each in packages.installed(status).items()}


def changed(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, str]:
    """Return what differs, as "old -> new" by name; "none" stands for what one of the two lacks."""
    names = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
    return {each: f"{before.get(each, 'none')} -> {after.get(each, 'none')}" for each in names}
