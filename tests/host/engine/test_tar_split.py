"""A tar comes back byte for byte from its record and the files of its layer."""

from __future__ import annotations

import base64
import gzip
import io
import json
from collections.abc import Mapping
from functools import partial

import pytest

from boxproof.host.engine import data_files
from pytest_claims.faults import EnvironmentFault
from tests.support.layers import FILES, record_of, tar_of

RAW = b"caf\xe9"


def opened(name: str, files: Mapping[str, bytes] = FILES) -> io.RawIOBase:
    return io.BytesIO(files[name])  # type: ignore[return-value]


def test_the_tar_is_the_same_byte_for_byte() -> None:
    tar = tar_of(FILES)
    record = record_of(tar)
    assert b"".join(data_files.rebuilt(io.BytesIO(record), opened)) == tar
    assert data_files.length(io.BytesIO(record)) == len(tar)


def test_names_stay_below_the_layer_and_may_be_of_any_bytes() -> None:
    entries = [
        {"type": 1, "name": "../../etc/passwd", "size": 1},
        {"type": 1, "name": "./a//b", "size": 1},
        {"type": 1, "name_raw": base64.b64encode(RAW).decode(), "size": 1},
        {"type": 2, "payload": None},
    ]
    record = gzip.compress("".join(json.dumps(each) + "\n" for each in entries).encode())
    names = [each.name for each in data_files.pieces(io.BytesIO(record))]
    assert names == ["etc/passwd", "a/b", RAW.decode(errors="surrogateescape"), ""]


def test_a_file_that_is_gone_or_short_is_a_fault() -> None:
    record = record_of(tar_of(FILES))
    with pytest.raises(EnvironmentFault, match="ends 1 bytes early: etc/long"):
        shorter = FILES | {"etc/long": FILES["etc/long"][:-1]}
        list(data_files.rebuilt(io.BytesIO(record), partial(opened, files=shorter)))
    with pytest.raises(EnvironmentFault, match="cannot be read"):
        list(data_files.rebuilt(io.BytesIO(record), lambda name: io.FileIO(f"/nowhere/{name}")))


@pytest.mark.parametrize(
    "record",
    [b"no gzip", gzip.compress(b"no json"), gzip.compress(b"{}")[:-4]],
    ids=["no gzip", "no json", "cut"],
)
def test_a_broken_record_is_a_fault(record: bytes) -> None:
    with pytest.raises(EnvironmentFault, match="record of a layer"):
        list(data_files.pieces(io.BytesIO(record)))
