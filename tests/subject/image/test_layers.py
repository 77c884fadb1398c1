"""What layers hold, what they waste, and what they take compressed."""

from __future__ import annotations

import gzip
import hashlib
import io
import random
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boxproof.subject.image.layers import BLOCK, Layer, _Chunks, efficiency, measure, wasted_bytes


def layer(**files: int) -> Layer:
    return Layer("", 0, sum(files.values()), {name.replace("__", "/"): size for name, size in files.items()})


def archive(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return made.getvalue()


@pytest.mark.parametrize(
    ("later", "wasted"),
    [
        ({"other": 5}, 0),
        ({"a__file": 1}, 10),
        ({"a__.wh.file": 0}, 10),
        ({".wh.a": 0}, 30),
        ({"a__.wh..wh..opq": 0}, 30),
        ({"a__.wh.fil": 0}, 0),
        ({".wh.a": 0, "a__file": 7}, 30),
    ],
)
def test_deleted_and_overwritten_files_are_waste(later: dict[str, int], wasted: int) -> None:
    assert wasted_bytes([layer(a__file=10, a__b__file=20, b=40), layer(**later)]) == wasted


def test_waste_adds_up_over_layers() -> None:
    found = [layer(a=10), layer(a=20), layer(**{".wh.a": 0}), layer(a=30)]

    assert wasted_bytes(found) == 30
    assert efficiency(found) == 0.5
    assert efficiency([]) == 1.0


def test_a_blob_is_measured_as_it_streams() -> None:
    noise = random.Random(1).randbytes(3 * BLOCK)
    data = archive({"./etc/noise": noise, "zeros": bytes(3 * BLOCK)})

    found = measure(io.BytesIO(data))

    assert found is not None
    assert found.files == {"etc/noise": 3 * BLOCK, "zeros": 3 * BLOCK}
    assert found.unpacked_bytes == len(data)
    assert 3 * BLOCK < found.compressed_bytes < 3.1 * BLOCK


def test_a_compressed_blob_counts_what_it_holds() -> None:
    data = archive({"zeros": bytes(BLOCK)})

    found = measure(io.BytesIO(gzip.compress(data)))

    assert found is not None
    assert found.unpacked_bytes == len(data)


KEY = b"-----BEGIN PRIVATE KEY-----\n" + b"A" * 64 + b"\n-----END PRIVATE KEY-----\n"
EXAMPLE = "usr/share/doc/libnet-ssleay-perl/examples/server_key.pem"


def suspects(files: dict[str, bytes]) -> list[str]:
    found = measure(io.BytesIO(archive(files)))
    assert found is not None
    return sorted(found.suspects)


@pytest.mark.parametrize("first", [True, False])
def test_an_example_as_its_package_published_it_is_no_secret(first: bool) -> None:
    def listed(data: bytes, path: str = EXAMPLE) -> dict[str, bytes]:
        line = f"{hashlib.md5(data).hexdigest()}  {path}\n".encode()
        sums = {"var/lib/dpkg/info/libnet-ssleay-perl:amd64.md5sums": b"0" * 32 + b"  usr/bin/x\n" + line}
        return {**sums, path: KEY} if first else {path: KEY, **sums}

    assert suspects(listed(KEY)) == []
    assert suspects(listed(b"another")) == [EXAMPLE], "it was changed afterwards"
    assert suspects({EXAMPLE: KEY}) == [EXAMPLE], "no package has published it"
    own = "etc/ssl/private/server.pem"
    assert suspects(listed(KEY, own)) == [own], "what a package of one's own brings is no example"


def test_an_empty_file_is_no_secret_whatever_its_name() -> None:
    npm = "usr/local/lib/node_modules/npm/.npmrc"
    assert suspects({npm: b""}) == []
    assert suspects({npm: b"x"}) == [npm]


def test_what_is_no_layer_is_passed_over() -> None:
    assert measure(io.BytesIO(b'{"architecture": "amd64"}')) is None


@given(st.dictionaries(st.from_regex(r"[a-z]{1,3}", fullmatch=True), st.integers(0, 99), max_size=9))
def test_a_layer_on_its_own_again_wastes_all_of_the_first(files: dict[str, int]) -> None:
    once = layer(**files)

    assert wasted_bytes([once]) == 0
    assert wasted_bytes([once, once]) == sum(files.values())


def test_chunks_read_as_a_file() -> None:
    whole = io.BufferedReader(_Chunks(iter([b"ab", b"", b"cdefg"])), 4)
    assert (whole.read(3), whole.read(1), whole.read()) == (b"abc", b"d", b"efg")


def test_what_was_below_a_directory_that_became_a_file_is_wasted() -> None:
    first, second = Layer("a", 0, 9, {"d": 0, "d/x": 7, "e/y": 2}), Layer("b", 0, 1, {"d": 1})
    assert wasted_bytes([first, second]) == 7


def test_so_is_what_was_below_one_that_became_a_link_or_an_empty_file() -> None:
    first = Layer("a", 0, 9, {"d": 0, "d/x": 7, "e": 0, "e/y": 2})
    for kind in (tarfile.SYMTYPE, tarfile.REGTYPE, tarfile.DIRTYPE):
        made = io.BytesIO()
        with tarfile.open(fileobj=made, mode="w") as tar:
            for name in ("./d", "./e/.wh.gone"):
                entry = tarfile.TarInfo(name)
                entry.type, entry.linkname = kind, "elsewhere"
                tar.addfile(entry)
        second = measure(io.BytesIO(made.getvalue()))
        assert second is not None
        assert second.hollow == ([] if kind == tarfile.DIRTYPE else ["d"])
        assert wasted_bytes([first, second]) == (0 if kind == tarfile.DIRTYPE else 7)
