"""The programs of the box that no distribution packages, and the list of its tools: a build context."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from boxproof.errors import EnvironmentFault, UsageError
from boxproof.host import golang, npm
from boxproof.host.apt import digest, publish
from boxproof.settings import Settings

STRIPPED = "-s -w"


class Part(BaseModel):
    """Base of all parts: a name the schema does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class GoModule(Part):
    """A program built from a module below the image's ``modules``."""

    way: Literal["go"]
    module: str
    package: str
    ldflags: str = ""


class NpmPackage(Part):
    """One file of an npm package, held to its integrity."""

    way: Literal["npm"]
    package: str
    file: str
    integrity: str


class Package(Part):
    """A package of the base's distribution; the Dockerfile installs it."""

    way: Literal["package"]
    package: str


class Recipe(Part):
    """One entry of tools.toml, whole."""

    name: str
    version: str = ""
    obtain: Annotated[GoModule | NpmPackage | Package, Field(discriminator="way")]
    works: str
    tier: str = "default"
    capability: str = ""
    refusal: str = ""


def load(path: Path) -> tuple[Recipe, ...]:
    """Read a tools.toml; raises UsageError that names the file and the first mistake."""
    try:
        found = tuple(Recipe.model_validate(each) for each in tomllib.loads(path.read_text())["tool"])
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(each) for each in first["loc"])
        raise UsageError(f"{path}: {where}: {first['msg']}") from error
    except (tomllib.TOMLDecodeError, KeyError) as error:
        raise UsageError(f"{path}: {error}") from error
    names = [each.name for each in found]
    twice = sorted({each for each in names if names.count(each) > 1})
    if twice:
        raise UsageError(f"{path}: listed twice: {', '.join(twice)}")
    return found


def gather(settings: Settings, recipes: tuple[Recipe, ...], modules: Path) -> Path:
    """Return a directory with each program that is no distribution's package, and ``tools.json``.

    ``modules`` holds the Go modules. Raises EnvironmentFault for a program that cannot be had.
    """
    made = {each.name: _obtain(settings, each, modules) for each in recipes}
    found = {name: path for name, path in made.items() if path is not None}
    listed: list[dict[str, Any]] = [each.model_dump(exclude={"obtain"}) for each in recipes]
    key = digest("tools", listed, [(name, str(path)) for name, path in found.items()])

    def fill(directory: Path) -> None:
        for name, path in found.items():
            _link(path, directory / name)
        (directory / "tools.json").write_text(json.dumps(listed, indent=1) + "\n")

    return publish(settings.cache / "box" / "tools" / key, fill)


def _obtain(settings: Settings, recipe: Recipe, modules: Path) -> Path | None:
    how = recipe.obtain
    if isinstance(how, GoModule):
        flags = f"{STRIPPED} {how.ldflags}".strip()
        module = modules / how.module
        return golang.build(module, how.package, name=recipe.name, settings=settings, ldflags=flags)
    return _unpacked(settings, recipe, how) if isinstance(how, NpmPackage) else None


def _unpacked(settings: Settings, recipe: Recipe, how: NpmPackage) -> Path:
    key = digest("npm file", how.package, recipe.version, how.integrity, how.file)

    def fill(directory: Path) -> None:
        archive = npm.fetch(how.package, recipe.version, how.integrity, settings=settings)
        with tarfile.open(archive) as tar:
            names = tar.getnames()
            source = tar.extractfile(how.file) if how.file in names else None
            if source is None:
                raise EnvironmentFault(f"{how.package} {recipe.version} has no file {how.file}")
            with (directory / recipe.name).open("wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
        (directory / recipe.name).chmod(0o755)

    return publish(settings.cache / "box" / "programs" / f"{recipe.name}-{key}", fill) / recipe.name


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)
