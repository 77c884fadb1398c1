"""What the checks of the sandbox share: a stage for each, and the subject's launcher on it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from boxproof.core.settings import Settings
from boxproof.probes.reach import standing
from boxproof.subject.image import tools as programs
from boxproof.subject.model import Subject
from pytest_claims.faults import SubjectFault
from suites.sandbox import sandboxed
from suites.sandbox.sandboxed import Api, Sandbox
from suites.sandbox.stage import Stage


@pytest.fixture(scope="session")
def tools() -> Path:
    """A directory with bwrap, slirp4netns, nft and ip."""
    return sandboxed.programs(Settings.load())


@pytest.fixture
def stage(tools: Path) -> Iterator[Stage]:
    """A host with a LAN and an internet of its own."""
    directory = Path(tempfile.mkdtemp(prefix="bx"))  # short: sockets lie in it
    try:
        with Stage(directory, tools) as made:
            yield made
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def sandbox(subject: Subject, stage: Stage) -> Sandbox:
    """The subject's launcher on the stage; without one the checks are skipped."""
    if not subject.sandbox.command:
        pytest.skip("subject.toml names no sandbox: sandbox.command")
    return Sandbox(subject, stage)


@pytest.fixture
def profile(sandbox: Sandbox) -> Callable[[str, str], Path]:
    """``profile(name, text)`` writes a profile and returns its path."""

    def write(name: str, text: str) -> Path:
        directory = sandbox.state / "profiles"
        for each in (sandbox.state, directory):
            each.mkdir(mode=0o700, exist_ok=True)
        path = directory / f"{name}.toml"
        path.write_text(text)
        path.chmod(0o600)
        return path

    return write


@pytest.fixture
def faked(stage: Stage) -> Callable[[str, str], None]:
    """``faked(name, script)``: put a script before a program of the stage, which it finds as $REAL."""

    def put(name: str, script: str) -> None:
        own = stage.directory / "tools"
        if stage.tools != own:
            shutil.copytree(stage.tools, own, symlinks=True)
            stage.tools = own
        real = shutil.which(name, path=stage.path)
        assert real is not None
        moved = own / f"{name}.real"
        if (own / name).is_symlink() or (own / name).exists():
            (own / name).rename(moved)
        else:
            moved.symlink_to(real)
        (own / name).write_text(f"#!/bin/sh\nREAL={moved}\n{script}\n")
        (own / name).chmod(0o755)

    return put


@pytest.fixture
def api(stage: Stage) -> Iterator[Api]:
    """The stub API in the stage's world."""
    made = Api(stage)
    with standing() as ours:
        ours.append(made)
        yield made
    made.stub.close()


@pytest.fixture
def cli(subject: Subject, stage: Stage) -> Path:
    """The real CLI, as the subject pins it, where a user of the stage would have it."""
    listed = subject.path(subject.image.tools)
    pinned = [each for each in programs.load(listed) if each.name == "claude"] if listed else []
    if not pinned:
        raise SubjectFault("the subject pins no claude: image.tools")
    tree = programs.gather(Settings.load(), pinned, subject.directory)
    program = stage.home / ".local/bin/claude"
    program.parent.mkdir(parents=True)
    program.symlink_to(f"{tree}/claude{pinned[0].place}/claude")
    return program
