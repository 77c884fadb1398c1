"""Small builds that show how a recipe behaves: what is copied, what the cache gives, what comes out."""

from __future__ import annotations

import base64
import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boxproof.core.process import run
from boxproof.core.session import EngineInfo
from boxproof.core.settings import Settings
from boxproof.subject.image import build_faults, frontends
from boxproof.subject.model import Subject
from pytest_claims.faults import SubjectFault

TIMEOUT = 600.0
EVERYTHING = "FROM scratch\nCOPY . /\n"
IGNORE = ".dockerignore"
ALL = "!**\n"  # an ignore file that leaves nothing out
STATED = re.compile(r"^(ID|Description):\s+(.*?)\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Built:
    """How a build went: its steps and whether the cache gave them, and what it said."""

    ok: bool
    steps: dict[str, bool]
    said: str

    @property
    def frontend(self) -> bool:
        """Whether it was BuildKit that read the Dockerfile."""
        return any(each.startswith("[internal] load build definition") for each in self.steps)

    def ran(self, *words: str) -> list[str]:
        """Return the steps that hold one of ``words`` and were carried out anew."""
        return [
            name for name, cached in self.steps.items() if not cached and any(word in name for word in words)
        ]


def build_once(
    engine: EngineInfo,
    dockerfile: str,
    context: Path,
    options: Sequence[str] = (),
    *,
    output: str = "",
    ignore: str = "",
) -> Built:
    """Build a Dockerfile's text; ``output`` is buildx's ("" keeps nothing but the cache).

    ``ignore`` is the text of an ignore file that counts instead of the context's own. A build that
    fails is an answer; raises SubjectFault or EnvironmentFault only if there was none.
    """
    with tempfile.TemporaryDirectory(prefix="boxproof-trial-") as below:
        file = Path(below) / "Dockerfile"
        file.write_text(frontends.readable(Settings.load(), engine, dockerfile))
        if ignore:
            file.with_name("Dockerfile.dockerignore").write_text(ignore)
        words = [engine.client, "buildx", "build", "--builder=default", "--progress=rawjson"]
        words += ["--provenance=false", f"--file={file}", *options]
        words += [f"--output={output or 'type=cacheonly'}", str(context)]
        result = run(words, env=engine.env, timeout=TIMEOUT, check=False)
    built = read(result.ok, result.stderr)
    if not built.ok and build_faults.is_ours(built.said) and "--network=none" not in dockerfile:
        raise build_faults.blamed(engine, built.said)
    return built


def must(built: Built) -> Built:
    """Return a build that succeeded; raises SubjectFault, with its last words."""
    if not built.ok:
        raise SubjectFault(f"the recipe does not build: {built.said[-1500:]}")
    return built


def read(ok: bool, progress: str) -> Built:
    """Return what the lines of ``--progress=rawjson`` tell."""
    steps: dict[str, tuple[str, bool]] = {}
    said: list[str] = []
    for line in progress.splitlines():
        status = _status(line)
        if status is None:
            said.append(line)
            continue
        for each in status.get("vertexes") or ():
            steps[each["digest"]] = (each["name"], bool(each.get("cached")))
            said += [each["error"]] if each.get("error") else []
        for each in status.get("logs") or ():
            said.append(base64.b64decode(each["data"]).decode(errors="replace"))
    return Built(ok, dict(steps.values()), "\n".join(said))


def _status(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


@contextmanager
def planted(subject: Subject, files: Mapping[str, bytes | int]) -> Iterator[tuple[Path, str]]:
    """Give a copy of the subject's context with ``files`` in it, and the text of its ignore file.

    A file is its content, or that many bytes. Raises SubjectFault if there is no context.
    """
    context = subject.path(subject.image.context)
    if context is None:
        raise SubjectFault(f"no build context at {subject.image.context}")
    with tempfile.TemporaryDirectory(prefix="boxproof-context-") as below:
        copy = Path(below) / "context"
        shutil.copytree(context, copy, symlinks=True)
        for name, content in files.items():
            path = _free(copy, name)
            if isinstance(content, bytes):
                path.write_bytes(content)
            else:
                with path.open("wb") as file:
                    file.truncate(content)
        yield copy, ignored(subject)


def _free(copy: Path, name: str) -> Path:
    """Return where a file can be written by a name; what stands in its way in the copy is taken out of it."""
    path = copy / name
    for each in (*reversed(path.relative_to(copy).parents[:-1]), Path(name)):
        place = copy / each
        if place.is_symlink() or (place.is_file() and place != path):
            place.unlink()
        elif place.is_dir() and place == path:
            shutil.rmtree(place)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def ignored(subject: Subject) -> str:
    """Return the text of the ignore file that counts for the subject's Dockerfile, "" if it has none."""
    own = subject.path(f"{subject.image.dockerfile}{IGNORE}")
    general = subject.path(f"{subject.image.context}/{IGNORE}")
    found = own or general
    return found.read_text() if found else ""


def arrived(engine: EngineInfo, context: Path, ignore: str) -> dict[str, int]:
    """Return the files that ``COPY . /`` brings into an image, with their bytes; raises SubjectFault."""
    with tempfile.TemporaryDirectory(prefix="boxproof-copied-") as below:
        output = f"type=local,dest={below}"
        must(build_once(engine, EVERYTHING, context, output=output, ignore=ignore or ALL))
        root = Path(below)
        found = (path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
        return {str(path.relative_to(root)): path.stat().st_size for path in found}


def content(
    engine: EngineInfo, dockerfile: str, context: Path, path: str, options: Sequence[str] = ()
) -> str:
    """Return the text of a file of the image that a Dockerfile makes; raises SubjectFault."""
    with tempfile.TemporaryDirectory(prefix="boxproof-content-") as below:
        must(build_once(engine, dockerfile, context, options, output=f"type=local,dest={below}"))
        return (Path(below) / path).read_text()


def asked(
    engine: EngineInfo,
    source: str,
    question: str,
    context: Path,
    *,
    before: str = "",
    options: Sequence[str] = (),
) -> list[str]:
    """Return what a shell command prints in ``source``, an image or a stage of the Dockerfile ``before``.

    Nothing of it is loaded into the engine. Raises SubjectFault if it cannot be asked.
    """
    told = "/tmp/boxproof-told"
    lines = [
        before, f"FROM {source} AS boxproof-asked", f"RUN --network=none ( {question} ) > {told}",
        "FROM scratch", f"COPY --from=boxproof-asked {told} /told",
    ]  # fmt: skip
    return content(engine, "\n".join(lines) + "\n", context, "told", options).splitlines()


def cache_used(engine: EngineInfo) -> int:
    """Return the bytes the engine's build cache holds."""
    words = [engine.client, "buildx", "du", "--builder=default"]
    found = re.search(r"^Total:\s+(\S+)", run(words, env=engine.env, timeout=120).stdout, re.MULTILINE)
    return in_bytes(found[1]) if found else 0


def cache_ids(engine: EngineInfo, word: str) -> list[str]:
    """Return what names the steps with ``word`` in them that the engine's build cache holds."""
    words = [engine.client, "buildx", "du", "--builder=default", "--verbose"]
    return named(run(words, env=engine.env, timeout=120).stdout, word)


def named(records: str, word: str) -> list[str]:
    """Return the ids of those records of ``buildx du --verbose`` whose description has ``word`` in it."""
    told = [dict(STATED.findall(each)) for each in re.split(r"\n\s*\n", records)]
    return sorted(each["ID"] for each in told if "ID" in each and word in each.get("Description", ""))


def in_bytes(text: str) -> int:
    """Return the bytes of "4.2GB" or "3GiB"; raises ValueError."""
    number, unit = re.fullmatch(r"([\d.]+)\s*([kKMGT]?i?)B", text).groups()  # type: ignore[union-attr]
    step = 1024 if unit.endswith("i") else 1000
    return int(float(number) * step ** " KMGT".index(unit[:1].upper() or " "))
