"""One archive to several readers, each without what it has."""

from __future__ import annotations

import io
import json
import tarfile
from concurrent.futures import ThreadPoolExecutor
from typing import IO

import pytest

from boxproof.cluster.images.image_archive import BLOB, Sink, config_digest, distribute
from pytest_claims.faults import EnvironmentFault

OLD, NEW, CONFIG = "a" * 64, "b" * 64, "c" * 64
MEMBERS = {
    f"{BLOB}{OLD}": b"old" * 300_000,
    f"{BLOB}{NEW}": b"new",
    f"{BLOB}{CONFIG}": b"{}",
    "index.json": b"{}",
    "manifest.json": json.dumps([{"Config": f"{BLOB}{CONFIG}"}]).encode(),
}


def made() -> io.BytesIO:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as archive:
        for name, data in MEMBERS.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    sink.seek(0)
    return sink


def contents(stream: IO[bytes]) -> dict[str, bytes]:
    found = {}
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            data = archive.extractfile(member)
            assert data
            found[member.name] = data.read()
    while stream.read(4096):
        pass
    return found


def test_each_reader_gets_what_it_lacks() -> None:
    sinks = [Sink(frozenset()), Sink(frozenset({f"sha256:{OLD}"}))]
    with ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(sink.feed, contents) for sink in sinks]
        distribute(made(), sinks)
        everything, rest = (each.result() for each in readers)
    assert everything == MEMBERS
    assert rest == {name: data for name, data in MEMBERS.items() if OLD not in name}


def test_a_reader_that_ends_early_does_not_hold_up_the_others() -> None:
    sinks = [Sink(frozenset()), Sink(frozenset())]
    with ThreadPoolExecutor(2) as pool:
        early = pool.submit(sinks[0].feed, lambda stream: stream.read(10))
        other = pool.submit(sinks[1].feed, contents)
        distribute(made(), sinks)
        assert len(early.result()) == 10
        assert other.result() == MEMBERS


def test_a_broken_archive_is_a_fault_and_ends_the_readers() -> None:
    sink = Sink(frozenset())
    with ThreadPoolExecutor(1) as pool:
        reader = pool.submit(sink.feed, lambda stream: stream.read())
        with pytest.raises(EnvironmentFault, match="cannot be read"):
            distribute(io.BytesIO(b"no archive" * 1000), [sink])
        assert reader.result() == b""


def test_the_config_digest_is_read_from_the_archive() -> None:
    assert config_digest(made()) == f"sha256:{CONFIG}"
