"""A package archive of the test's own, which apt asks over loopback, in any state."""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from boxproof.core.process import run
from boxproof.host.fetch import apt_sources
from boxproof.subject.image import base_image
from boxproof.subject.supply_chain import stand_in_debs

DATE = "Wed, 01 Jan 2025 00:00:00 UTC"
NAME = "debian"  # what the path of its address ends in


class Archive:
    """An archive below ``root``: ``answer`` is the status it gives to all, or "silence"."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.answer: int | str = 200
        self.over = threading.Event()
        _, codename = apt_sources.distribution()
        self.codename = codename
        self.suite = base_image.SUITE if apt_sources.distribution()[0] == "debian" else codename
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """Where it is served, below which each directory is an archive."""
        return f"http://127.0.0.1:{self.server.server_port}"

    def handler(self) -> type[SimpleHTTPRequestHandler]:
        """Return what answers as the archive is to answer now."""
        archive = self

        class Handler(SimpleHTTPRequestHandler):
            def __init__(self, *words: Any) -> None:
                super().__init__(*words, directory=str(archive.root))

            def do_GET(self) -> None:
                del self.headers["If-Modified-Since"]  # in seconds: a test is faster
                if archive.answer == "silence":
                    archive.over.wait()
                elif isinstance(archive.answer, int) and archive.answer != 200:
                    self.send_error(archive.answer)
                else:
                    super().do_GET()

            def log_message(self, *_: object) -> None:
                return

        return Handler

    def has(
        self,
        versions: Mapping[str, Sequence[str]],
        *,
        below: str = NAME,
        fields: Mapping[str, Sequence[str]] | None = None,
        release: str = "",
    ) -> None:
        """Have these packages alone from now on, with more ``fields`` by name, and in its Release."""
        shutil.rmtree(self.root / below, ignore_errors=True)
        pool = self.root / below / stand_in_debs.POOL
        architecture = run(["dpkg", "--print-architecture"], timeout=20).stdout.strip()
        index = self.root / below / f"dists/{self.suite}/main/binary-{architecture}/Packages"
        pool.mkdir(parents=True)
        index.parent.mkdir(parents=True)
        stanzas = []
        for name, each in ((key, each) for key in versions for each in versions[key]):
            content = stand_in_debs.package(name, each)
            file = pool / f"{name}_{each.replace(':', '%3a')}_all.deb"
            file.write_bytes(content)
            own = [f"Filename: {stand_in_debs.POOL}/{file.name}", f"Size: {len(content)}"]
            own += [f"SHA256: {hashlib.sha256(content).hexdigest()}", *(fields or {}).get(name, ())]
            stanzas.append(stand_in_debs.stanza(name, each, *own))
        text = "\n".join(stanzas)
        index.write_text(text)
        digest = hashlib.sha256(text.encode()).hexdigest()
        path = index.relative_to(self.root / below / f"dists/{self.suite}")
        told = f"Suite: {self.suite}\nCodename: {self.suite}\nDate: {DATE}\n{release}"
        told += f"Architectures: {architecture} all\nComponents: main\n"
        (index.parents[2] / "Release").write_text(f"{told}SHA256:\n {digest} {len(text.encode())} {path}\n")

    def sources(self, etc: Path) -> None:
        """Have the machine's apt sources name it."""
        etc.mkdir(exist_ok=True)
        line = f"deb [trusted=yes] {self.url}/{NAME} {self.codename} main\n"
        (etc / "sources.list").write_text(line)


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Archive]:
    """An archive of the test's own that stands for the machine's mirror; skipped without apt."""
    if not shutil.which("apt-get") or not shutil.which("dpkg"):
        pytest.skip("no apt on this machine")
    made = Archive(tmp_path / "archives")
    made.sources(tmp_path / "etc")
    monkeypatch.setattr(base_image, "ETC_APT", tmp_path / "etc")
    yield made
    made.over.set()
    made.server.shutdown()
    made.server.server_close()
