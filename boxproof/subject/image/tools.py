"""The tools a box promises (``tools.toml``), and how their programs are obtained for its build."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from boxproof.core.settings import Settings
from boxproof.host.fetch import golang, npm, pypi, release_archives
from boxproof.host.fetch.apt import EPOCH, digest, publish
from pytest_claims import progress
from pytest_claims.faults import EnvironmentFault, SubjectFault, UsageError
from pytest_claims.selection import read_toml

LISTED = "tools.json"
STRIPPED = "-s -w"


class Release(BaseModel):
    """A published archive, or program: ``{version}`` is filled in; without a checksum it is not used."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    sha256: str = Field(default="", pattern="^([0-9a-f]{64})?$")
    file: str = ""


class Wheel(BaseModel):
    """A package of the Python index that carries the publisher's own binary among its scripts.

    ``wheel`` is the sha256 of the package, ``sha256`` the one of the program in it; ``publisher`` says whose
    binary it is, and who packaged it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    package: str = Field(pattern=r"^[A-Za-z0-9._-]+==[0-9][\w.]*$")
    wheel: str = Field(pattern="^[0-9a-f]{64}$")
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    publisher: str = Field(min_length=1)


class Obtain(BaseModel):
    """Where a program comes from: a Go module of the box, an npm package, or the distribution."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    way: Literal["go", "npm", "package"]
    package: str
    module: str = ""
    ldflags: str = ""
    tags: tuple[str, ...] = ()
    experiment: str = ""
    file: str = ""
    integrity: str = ""


class Tool(BaseModel):
    """One tool: the command that shows it at work, the tier it needs, how it refuses elsewhere."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1)
    works: str = Field(min_length=1)
    version: str = ""
    capability: str = ""
    tier: str = "default"
    refusal: str = ""
    place: str = Field(default="/usr/local/bin", pattern="^/")
    release: Release | None = None
    carried: Wheel | None = None
    obtain: Obtain


def load(path: Path) -> list[Tool]:
    """Return the tools listed in ``path``; raises SubjectFault if the list is wrong or empty."""
    found: list[Tool] = []
    try:
        listed = read_toml(path, str(path)).get("tool", [])
    except UsageError as error:
        raise SubjectFault(str(error)) from error
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise SubjectFault(f"{path}: tool is no list of tables (write [[tool]])")
    for each in listed:
        try:
            found.append(Tool.model_validate(each))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise SubjectFault(f"{path}: tool {each.get('name')!r}: {where}: {first['msg']}") from error
    if not found:
        raise SubjectFault(f"{path}: it lists no tool")
    names = [each.name for each in found]
    twice = sorted({each for each in names if names.count(each) > 1})
    if twice:
        raise SubjectFault(f"{path}: listed twice: {', '.join(twice)}")
    return found


def gather(settings: Settings, tools: Sequence[Tool], modules: Path) -> Path:
    """Return a directory with the programs that no distribution packages, and the list of all tools.

    Each stands in a tree of its own, called as it, which is copied onto the root: with the directories' times
    in it a layer has the same digest whatever is below. Raises EnvironmentFault if one cannot be had.
    """
    ours = [each for each in tools if each.obtain.way != "package"]
    programs = {f"{each.name}{each.place}/{each.name}": _obtain(settings, each, modules) for each in ours}
    listing = (
        json.dumps(
            [each.model_dump(exclude={"obtain", "place", "release", "carried"}) for each in tools], indent=1
        )
        + "\n"
    )

    def fill(directory: Path) -> None:
        for name, source in programs.items():
            (directory / name).parent.mkdir(parents=True)
            _link(source, directory / name)
        (directory / LISTED).write_text(listing)
        for each in directory.rglob("*"):
            each.chmod(0o644 if each.name == LISTED else 0o755)
            os.utime(each, (int(EPOCH), int(EPOCH)))

    key = digest("trees of tools", sorted((name, str(path)) for name, path in programs.items()), listing)
    return publish(settings.cache / "tools" / key, fill)


def recipes(settings: Settings, tools: Sequence[Tool], modules: Path) -> list[golang.Build]:
    """Return how the tools are built that come as Go modules here.

    A published release is asked for first; what a package of the Python index carries comes from there.
    """
    wanted = [
        each
        for each in tools
        if each.obtain.way == "go" and each.carried is None and not _released(settings, each)
    ]
    return [recipe(each, modules) for each in wanted]


def npm_packages(settings: Settings, tools: Sequence[Tool]) -> list[tuple[str, str, str]]:
    """Return name, version and integrity of the npm packages that are needed and not in the cache."""
    wanted = [each for each in tools if each.obtain.way == "npm" and not _released(settings, each)]
    found = [(each.obtain.package, each.version, each.obtain.integrity) for each in wanted]
    return [each for each in found if not npm.held(*each, settings=settings)]


def _released(settings: Settings, tool: Tool) -> bool:
    release = tool.release
    if release is None or not release.sha256:
        return False
    url, member = (each.replace("{version}", tool.version) for each in (release.url, release.file))
    return release_archives.served(url, release.sha256, name=tool.name, member=member, settings=settings)


def recipe(tool: Tool, modules: Path) -> golang.Build:
    """Return how a tool is built that comes as a Go module."""
    how = tool.obtain
    flags = f"{STRIPPED} {how.ldflags}".strip()
    return golang.Build(
        modules / how.module, how.package, tool.name, flags, how.tags, experiment=how.experiment
    )


def _obtain(settings: Settings, tool: Tool, modules: Path) -> Path:
    how = tool.obtain
    ready = _published(settings, tool) or _carried(settings, tool)
    if ready:
        return ready
    if how.way == "go":
        return golang.made(recipe(tool, modules), settings)
    tarball = npm.fetch(how.package, tool.version, how.integrity, settings=settings)

    def fill(directory: Path) -> None:
        with tarfile.open(tarball) as archive:
            try:
                source = archive.extractfile(how.file)
            except KeyError:
                source = None
            if source is None:
                raise EnvironmentFault(f"{how.package} {tool.version} holds no {how.file}")
            with (directory / tool.name).open("wb") as target:
                shutil.copyfileobj(source, target)
        (directory / tool.name).chmod(0o755)

    return publish(settings.cache / "npm" / digest(how.integrity, how.file), fill) / tool.name


def _published(settings: Settings, tool: Tool) -> Path | None:
    release = tool.release
    if release is None or not release.sha256:
        return None
    url, member = (each.replace("{version}", tool.version) for each in (release.url, release.file))
    try:
        return release_archives.fetch(url, release.sha256, name=tool.name, member=member, settings=settings)
    except EnvironmentFault as fault:  # a wrong pin costs a warning, not the run
        progress.say(f"{fault}; taking the other way", style="yellow")
        return None


def _carried(settings: Settings, tool: Tool) -> Path | None:
    """Return the program out of the package that carries it, None where the index does not give it here."""
    if tool.carried is None:
        return None
    try:
        return pypi.fetch(
            tool.carried.package, tool.carried.wheel, tool.carried.sha256, name=tool.name, settings=settings
        )
    except EnvironmentFault as fault:
        progress.say(f"{fault}; taking the other way", style="yellow")
        return None


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)
