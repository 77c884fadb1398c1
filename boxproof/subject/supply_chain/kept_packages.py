"""Packages kept in the binary cache by their content, and the archive that apt reads them from."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from boxproof.core.settings import Settings
from boxproof.host.fetch import binary_cache
from boxproof.host.fetch.apt import digest, publish
from boxproof.subject.supply_chain import stand_in_debs
from pytest_claims import progress
from pytest_claims.faults import EnvironmentFault, UsageError

FILE = re.compile(rf"^Filename: {stand_in_debs.POOL}/([0-9a-f]{{64}})/(\S+)$", re.MULTILINE)
OF_THE_FILE = re.compile(r"^(?:Filename|Size|MD5sum|SHA\d+): .*\n", re.MULTILINE)
EPOCH = re.compile(r"_\d+%3a")  # in names of downloaded files, not of those in an archive


def name(system: str, locked: Mapping[str, str]) -> str:
    """Return what the index of a lock's packages is called in the cache."""
    return f"packages-{digest(system, sorted(locked.items()), os.uname().machine)}"


def writable(settings: Settings) -> Path:
    """Return the directory of BOXPROOF_BINARY_CACHE; raises UsageError if nothing can be kept there."""
    shown = f"BOXPROOF_BINARY_CACHE={settings.binary_cache}"
    directory = Path(settings.binary_cache)
    if (
        not settings.binary_cache
        or settings.binary_cache.startswith("wheel:")
        or "://" in settings.binary_cache
    ):
        raise UsageError(f"no packages can be kept in {shown}", hint="set it to a directory of your own")
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{shown}: {error.strerror}", hint="set it to a directory of your own") from error
    if not os.access(directory, os.W_OK):
        raise UsageError(f"{shown} may not be written to", hint="set it to a directory of your own")
    return directory


def keep(
    settings: Settings,
    system: str,
    locked: Mapping[str, str],
    archives: Sequence[Path],
    said: Mapping[str, str],
) -> int:
    """Store the files of packages under their sha256, and the index of this lock; returns how many bytes.

    ``said`` is what their archive says of each by its name: a file does not know its priority there.
    Raises UsageError where nothing can be kept.
    """
    cache = str(writable(settings))
    stanzas, total = [], 0
    for each in archives:
        content = each.read_bytes()
        sha256 = hashlib.sha256(content).hexdigest()
        binary_cache.store(cache, f"deb-{sha256}", each)
        control = OF_THE_FILE.sub("", said[each.name.partition("_")[0]] + "\n").strip()
        file = f"{sha256}/{EPOCH.sub('_', each.name)}"
        fields = [f"Filename: {stand_in_debs.POOL}/{file}", f"Size: {len(content)}", f"SHA256: {sha256}"]
        stanzas.append("\n".join([control, *fields]) + "\n")
        total += len(content)
    with tempfile.TemporaryDirectory(prefix="boxproof-kept-") as below:
        index = Path(below) / "index"
        index.write_text("\n".join(stanzas))
        binary_cache.store(cache, name(system, locked), index)
    return total


def archive(settings: Settings, system: str, suite: str, locked: Mapping[str, str]) -> Path | None:
    """Return the directory of an archive with a lock's packages, None unless all of them were kept.

    Raises EnvironmentFault if what was kept is not what its digest says.
    """
    if not settings.binary_cache:
        return None
    known = name(system, locked)

    def fill(directory: Path) -> None:
        index = directory / "index"
        if not binary_cache.fetch(settings.binary_cache, known, index, quiet=True):
            raise _NotKept
        text = index.read_text()
        for sha256, file in FILE.findall(text):
            target = directory / stand_in_debs.POOL / sha256 / file
            target.parent.mkdir(parents=True)
            if not binary_cache.fetch(settings.binary_cache, f"deb-{sha256}", target, quiet=True):
                raise _NotKept
            if hashlib.sha256(target.read_bytes()).hexdigest() != sha256:
                hint = "remove it from the cache, and keep the packages again: inv lock --keep"
                raise EnvironmentFault(f"deb-{sha256} in the binary cache is another file", hint=hint)
        index.unlink()
        stand_in_debs.indexed(directory, text, suite)
        progress.say(f"{len(FILE.findall(text))} packages from the binary cache")

    try:
        return publish(settings.cache / "kept" / known, fill)
    except _NotKept:
        return None


class _NotKept(Exception):
    """The cache does not have all of a lock's packages."""


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing: a build reports what it fetches."""


@contextmanager
def served(directory: str) -> Iterator[str]:
    """Give the line of apt's sources for an archive in ``directory``, read over this machine's loopback."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=directory)) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"deb [trusted=yes] http://127.0.0.1:{server.server_port} ./\n"
        finally:
            server.shutdown()
