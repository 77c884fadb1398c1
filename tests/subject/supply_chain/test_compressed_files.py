"""What compressed files hold, whole or damaged."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import subprocess
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from boxproof.subject.supply_chain import compressed_files, secret_scan

TOKEN = b"login sk-ant-" + b"oat01-" + b"a1B2" * 20 + b"\n"
FOUND = ["Anthropic token in a compressed file"]
LOOSE = "opt/x/.git/objects/ab/" + "0" * 38


def _zip() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("in/notes", TOKEN)
    return made.getvalue()


def _tar(mode: str) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode) as archive:  # type: ignore[call-overload]
        entry = tarfile.TarInfo("in/notes")
        entry.size = len(TOKEN)
        archive.addfile(entry, io.BytesIO(TOKEN))
    return made.getvalue()


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (gzip.compress(TOKEN), "opt/log.gz"),
        (gzip.compress(TOKEN), "opt/without-a-suffix"),
        (bz2.compress(TOKEN), "opt/log.bz2"),
        (lzma.compress(TOKEN), "opt/log.xz"),
        (zlib.compress(b"blob 99\0" + TOKEN), LOOSE),
        (_zip(), "opt/all.zip"),
        (_tar("w:gz"), "opt/all.tgz"),
        (_tar("w:xz"), "opt/all.tar.xz"),
    ],
    ids=["gzip", "gzip without a suffix", "bzip2", "xz", "zlib of git", "zip", "tar in gzip", "tar in xz"],
)
def test_a_token_is_found_in_what_is_compressed(data: bytes, name: str) -> None:
    assert TOKEN.strip() not in data
    assert secret_scan.in_file(io.BytesIO(data), name) == FOUND


@pytest.mark.parametrize(
    "pack", [gzip.compress, bz2.compress, lzma.compress, lambda _: _zip()], ids=["gzip", "bzip2", "xz", "zip"]
)
def test_what_is_damaged_is_no_error_and_no_secret(pack: Callable[[bytes], bytes]) -> None:
    whole = pack(b"nothing here")
    damaged = whole[: len(whole) // 2]
    assert compressed_files.is_compressed(damaged)
    assert not any(b"nothing here" in held for _, held in compressed_files.unpacked(damaged))


@pytest.mark.parametrize(
    ("begins", "name"), [(b"PACKAGES=all\n", "opt/a"), (b"BZh\n", "opt/a"), (b"", LOOSE)]
)
def test_what_only_looks_compressed_is_read_as_it_is(begins: bytes, name: str) -> None:
    assert secret_scan.in_file(io.BytesIO(begins + TOKEN), name) == ["Anthropic token"]


def test_no_file_becomes_larger_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compressed_files, "MOST", 1000)
    held = [each for _, each in compressed_files.unpacked(gzip.compress(bytes(100_000)))]
    assert [len(each) for each in held] == [1000]


def _git(directory: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "gc.auto=0"]
    subprocess.run(["git", "-C", str(directory), *identity, *arguments], check=True, capture_output=True)


def test_a_token_is_found_in_the_history_of_a_repository_loose_or_packed(tmp_path: Path) -> None:
    _git(tmp_path, "init", "-q")
    notes = tmp_path / "notes"
    for text in (b"first\n" * 400, b"first\n" * 400 + TOKEN, b"first\n" * 400 + b"last\n"):
        notes.write_bytes(text)
        _git(tmp_path, "add", "notes")
        _git(tmp_path, "commit", "-q", "-m", "a change")

    assert FOUND in _of_all(tmp_path)
    _git(tmp_path, "gc", "-q", "--aggressive", "--prune=now")
    assert len(list(tmp_path.rglob("*.pack"))) == 1
    assert not list(tmp_path.rglob("objects/??/*"))
    assert FOUND in _of_all(tmp_path)


def _of_all(directory: Path) -> list[list[str]]:
    files = (each for each in directory.rglob("*") if each.is_file())
    return [secret_scan.in_file(io.BytesIO(each.read_bytes()), str(each)) for each in files]


def test_a_text_of_two_bytes_a_letter_is_read() -> None:
    data = ("\ufeff" + TOKEN.decode()).encode("utf-16-le")
    assert secret_scan.in_file(io.BytesIO(data), "opt/settings.txt") == ["Anthropic token"]


def test_a_token_in_hexadecimal_is_found() -> None:
    assert secret_scan.in_file(io.BytesIO(TOKEN.hex().encode()), "opt/any") == ["token in hexadecimal"]
