"""The subject's documented build with a secret: how it goes, and where the secret could have stayed."""

from __future__ import annotations

import json
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from boxproof.core.process import piped, run
from boxproof.core.session import EngineInfo
from boxproof.subject.supply_chain import provenance
from pytest_claims.faults import EnvironmentFault

TIMEOUT = 300.0
BLOCK = 1 << 20
# the engine's own builder, all it tells of the build, and the cache it would hand on
FIXED = (
    "--builder=default",
    "--load",
    "--progress=plain",
    "--provenance=false",
    "--network=host",
    "--no-cache",
)
CACHE = "--cache-to=type=inline"
SECRET = "--secret"


@dataclass(frozen=True)
class Built:
    """How a build went: what it said, and the builder's record of it."""

    ok: bool
    said: str
    record: str


def fill(command: Sequence[str], values: Mapping[str, str]) -> list[str]:
    """Return a documented command with its ``{places}`` filled in."""
    return [each.format_map(dict(values)) for each in command]


def without_secret(command: Sequence[str]) -> list[str]:
    """Return a command without the words that lend it a secret."""
    lent = {at for at, word in enumerate(command) if word == SECRET}
    return [
        word
        for at, word in enumerate(command)
        if at not in lent and at - 1 not in lent and not word.startswith(f"{SECRET}=")
    ]


def build(engine: EngineInfo, command: Sequence[str], tag: str, *, cwd: Path) -> Built:
    """Run a documented ``docker buildx build`` and have its image under ``tag``; a failure is an answer."""
    at = command.index("build") + 1
    with tempfile.TemporaryDirectory(prefix="boxproof-private-") as below:
        told = Path(below) / "metadata.json"
        own = [*FIXED, CACHE, f"--tag={tag}", f"--metadata-file={told}"]
        argv = [engine.client, *command[1:at], *own, *command[at:]]
        done = run(argv, env=engine.env | provenance.METADATA_ENV, timeout=TIMEOUT, check=False, cwd=cwd)
        record = told.read_text() if told.is_file() else ""
    if done.ok and not json.loads(record or "{}").get(provenance.KEY):
        raise EnvironmentFault(
            "the builder told nothing of the build", hint="buildx 0.13 is the first that does"
        )
    return Built(done.ok, done.stdout + done.stderr, record)


@contextmanager
def temporary(docker: Any, tag: str) -> Iterator[str]:
    """Remove the image ``tag`` at the end, if there is one; ``docker`` is a docker client."""
    try:
        yield tag
    finally:
        if docker.images.list(name=tag):
            docker.images.remove(tag, force=True)


def told(docker: Any, reference: str, built: Built) -> dict[str, str]:
    """Return what the engine and the builder tell of an image, by where it stands."""
    return {
        "settings": json.dumps(docker.api.inspect_image(reference)),
        "history": json.dumps(docker.api.history(reference)),
        "the builder's record": built.record,
        "the builder's output": built.said,
    }


def holding(texts: Mapping[str, str], wanted: str) -> list[str]:
    """Return the names of the texts that hold ``wanted``."""
    return [name for name, text in texts.items() if wanted in text]


def in_layers(engine: EngineInfo, reference: str, *wanted: bytes) -> list[str]:
    """Return the parts of a saved image that hold one of ``wanted``: layers, deleted files too, settings."""
    found = []
    with (
        piped([engine.client, "save", reference], env=engine.env) as stream,
        tarfile.open(fileobj=stream, mode="r|", bufsize=BLOCK) as saved,
    ):
        for member in saved:
            content = saved.extractfile(member) if member.isfile() else None
            if content is not None and _holds(content, wanted):
                found.append(member.name)
        while stream.read(BLOCK):  # the padding: else docker sees a closed pipe
            pass
    return found


def _holds(content: IO[bytes], wanted: Sequence[bytes]) -> bool:
    before, longest = b"", max(map(len, wanted))
    while data := content.read(BLOCK):
        whole = before + data
        if any(each in whole for each in wanted):
            return True
        before = data[-longest:]
    return False
