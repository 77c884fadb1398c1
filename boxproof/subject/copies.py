"""Copies of the subject, its documented commands carried out as written, and the smallest subjects there are.

The tag of a build is seen to follow the content; small subjects with defects try a pipeline in seconds.
"""

from __future__ import annotations

import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from boxproof.core.process import Result, run
from boxproof.core.session import LockInfo
from boxproof.host.fetch.registries import SAID
from boxproof.subject import model
from boxproof.subject.image import build_contexts, image_build
from boxproof.subject.model import Subject
from pytest_claims.faults import EnvironmentFault, ExitCode, SubjectFault
from pytest_claims.recording import observations

LEFT_OUT = (".git", ".venv", ".nox", "__pycache__", ".*_cache", "*.egg-info")
EDITS = ("mode", "new file", "new link", "link elsewhere", "renamed", "removed")
REPORTS = "reports"  # at the top alone: below it may be a package of that name
PACKAGE = "needle"  # what our own vulnerability databases know something against
BAD, GOOD = "1.0", "2.0"
SKIPPED = "tool-bump-rebuilds-one-layer"  # its check is skipped, as one tool alone is listed
PROVABLE = "image-user-nonroot"
SUBJECT = """name = "miniature"
[image]
name = "{name}"
tools = "image/tools.toml"
"""
TOOLS = """[[tool]]
name = "needle"
obtain = {{ way = "package", package = "{name}" }}
works = "true"
"""
DOCKERFILE = """FROM scratch
COPY root/ /
{more}USER {user}
"""
OS = 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="none of it"\n'
METADATA = "Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"


def left_out(root: Path) -> Callable[[str, list[str]], set[str]]:
    """Return what copies of the subject in ``root`` leave out, as ``shutil.copytree`` asks for it."""
    everywhere = shutil.ignore_patterns(*LEFT_OUT)

    def ignore(directory: str, names: list[str]) -> set[str]:
        top = {REPORTS} if Path(directory) == root else set()
        return set(everywhere(directory, names)) | top & set(names)

    return ignore


@contextmanager
def copied(subject: Subject) -> Iterator[Subject]:
    """Give a copy of ``subject``, edits and all, that may be changed."""
    with tempfile.TemporaryDirectory(prefix="boxproof-subject-") as below:
        target = Path(below) / "subject"
        shutil.copytree(subject.directory, target, symlinks=True, ignore=left_out(subject.directory))
        yield model.load(target)


def tag_of(subject: Subject, base: str = "", lock: LockInfo | None = None) -> str:
    """Return the tag a build of ``subject`` would give its image; raises SubjectFault if it cannot tell.

    ``base`` is the digest of the image it stands on, ``lock`` its package lock as it is in force.
    """
    if not subject.commands.tag:
        return image_build.tag(subject, base, lock)
    result = run(subject.commands.tag, cwd=subject.directory, timeout=60, check=False)
    if not result.ok or not result.stdout.strip():
        raise SubjectFault(f"commands.tag prints no tag: {result.describe()}")
    return result.stdout.split()[0]


def inputs(subject: Subject) -> list[str]:
    """Return every file that an image is made of: the contexts, the recipe and the list of tools."""
    top = subject.directory.resolve()
    named = [place for _, place in build_contexts.directories(subject) if top in place.resolve().parents]
    found: set[Path] = set()
    for context in (subject.directory / subject.image.context, *named):
        every = (each for each in context.rglob("*") if each.is_file() and not each.is_symlink())
        found |= {each for each in every if not set(LEFT_OUT) & set(each.relative_to(context).parts)}
    found |= {subject.directory / each for each in (subject.image.dockerfile, subject.image.tools) if each}
    return sorted(str(each.relative_to(subject.directory)) for each in found if each.is_file())


def followed(subject: Subject, edit: str) -> dict[str, bool]:
    """Return whether the tag changes with one edit, which no commit knows of; an observation.

    ``edit`` is one of EDITS, "none", or the path of a file that gets one more line.
    """
    with copied(subject) as copy:
        before = tag_of(copy)
        _edit(copy, edit)
        changed = {"changed": tag_of(copy) != before}
    observations.record("tag after an edit", edit, changed)
    return changed


def unfollowed(subject: Subject, edits: Sequence[str]) -> list[str]:
    """Return the edits, each on its own, after which the tag stays; an observation.

    An edit is "none" or the path of a file that gets one more line, which is undone in the same copy.
    """
    left = []
    with copied(subject) as copy:
        before = tag_of(copy)
        for edit in edits:
            path = copy.directory / edit
            content = path.read_bytes() if edit != "none" else b""
            _edit(copy, edit)
            if tag_of(copy) == before:
                left.append(edit)
            if edit != "none":
                path.write_bytes(content)
    observations.record("edits that leave the tag", f"{len(edits)} edits", left)
    return left


def _edit(copy: Subject, edit: str) -> None:
    context = copy.directory / copy.image.context
    victim = _own_file(copy)
    if edit == "mode":
        victim.chmod(victim.stat().st_mode ^ stat.S_IXUSR)
    elif edit == "new file":
        (context / "one-more").write_text("more\n")
    elif edit == "new link":
        (context / "one-more").symlink_to("anything")
    elif edit == "link elsewhere":
        content = victim.read_bytes()
        victim.unlink()
        victim.with_name("aside").write_bytes(content)
        victim.symlink_to("aside")
    elif edit == "renamed":
        victim.rename(victim.with_name(f"{victim.name}-renamed"))
    elif edit == "removed":
        victim.unlink()
    elif edit != "none":
        with (copy.directory / edit).open("ab") as file:
            file.write(b"# one more line\n")


def _own_file(copy: Subject) -> Path:
    """Return a file of the context that is not the recipe: an entrypoint, else the first."""
    named = [copy.directory / each for each in copy.image.entrypoints]
    context = copy.directory / copy.image.context
    every = [*named, *sorted(each for each in context.rglob("*") if each.is_file())]
    recipe = copy.directory / copy.image.dockerfile
    found = next((each for each in every if each != recipe and each.is_file()), None)
    if found is None:
        raise SubjectFault(f"{copy.image.context} holds nothing but the recipe")
    return found


@dataclass(frozen=True)
class Miniature:
    """A subject of one package and no program; the defaults have no defect."""

    name: str
    user: str = "1000:1000"
    version: str = GOOD
    builds: bool = True
    waivers: str = ""
    suppressions: str = ""

    def write(self, directory: Path) -> Path:
        """Write it below ``directory``, in place of what was there; returns the subject's directory."""
        subject = directory / "miniature"
        shutil.rmtree(subject, ignore_errors=True)
        root = subject / "image" / "root"
        found = root / f"usr/lib/python3/dist-packages/{PACKAGE}-{self.version}.dist-info"
        files = {
            subject / "subject.toml": SUBJECT.format(name=self.name),
            subject / "image/Dockerfile": DOCKERFILE.format(
                user=self.user, more="" if self.builds else "COPY what-is-not-there /\n"
            ),
            subject / "image/tools.toml": TOOLS.format(name=PACKAGE),
            subject / "waivers.toml": self.waivers,
            subject / "suppressions.toml": self.suppressions,
            root / "etc/passwd": "claude:x:1000:1000::/:/none\n",
            root / "etc/os-release": OS,
            root / "etc/name": f"{self.name}\n",
            found / "METADATA": METADATA.format(name=PACKAGE, version=self.version),
            found / "RECORD": "",
        }
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return subject


def fill(words: Sequence[str], values: Mapping[str, str]) -> list[str]:
    """Return ``words`` with ``{name}`` replaced; raises SubjectFault for a name that has no value."""
    try:
        return [each.format_map(values) for each in words]
    except KeyError as missing:
        known = ", ".join(sorted(values))
        raise SubjectFault(
            f"subject.toml: {' '.join(words)}: unknown {missing}", hint=f"allowed: {known}"
        ) from None


def carry_out(
    words: Sequence[str],
    values: Mapping[str, str],
    env: Mapping[str, str],
    *,
    timeout: float = 120,
    cwd: Path | None = None,
) -> Result:
    """Run one documented command with ``values`` filled in, in ``cwd``; its exit code is an observation.

    Raises EnvironmentFault if it cannot be started or does not end within ``timeout`` seconds, and for one of
    ours that lacked an input from outside: that is no answer.
    """
    argv = fill(words, values)
    argv[0] = shutil.which(argv[0], path=env["PATH"]) or argv[0]
    result = run(argv, env=env, timeout=timeout, check=False, cwd=cwd)
    lacked = SAID.search(result.stderr) if result.code == ExitCode.BLOCKED else None
    if lacked:
        raise EnvironmentFault(f"{Path(argv[0]).name}: {lacked[0]}")
    told = {"code": result.code}
    said = {} if result.ok else {"said": (result.stderr.strip().splitlines() or [""])[-1]}
    observations.record("command", " ".join([Path(argv[0]).name, *argv[1:]]), told | said, decides=told)
    return result
