"""An archive of stand-ins: what an index says of each package is what lies there."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

from boxproof.subject.supply_chain import packages, stand_in_debs


def members(package: bytes) -> dict[str, bytes]:
    """Return the members of an ar archive."""
    assert package.startswith(b"!<arch>\n")
    found, at = {}, 8
    while at < len(package):
        header = package[at : at + 60].decode()
        assert header.endswith("`\n")
        size = int(header[48:58])
        found[header[:16].strip()] = package[at + 60 : at + 60 + size]
        at += 60 + size + size % 2
    return found


def test_a_package_says_what_it_is_and_has_no_content() -> None:
    found = members(stand_in_debs.package("jq", "1:1.6-2.1"))
    assert list(found) == ["debian-binary", "control.tar.gz", "data.tar.gz"]
    assert found["debian-binary"] == b"2.0\n"
    with tarfile.open(fileobj=io.BytesIO(found["control.tar.gz"])) as control:
        text = control.extractfile("./control").read().decode()  # type: ignore[union-attr]
    fields = dict(line.split(": ", 1) for line in text.splitlines())
    assert (fields["Package"], fields["Version"], fields["Architecture"]) == ("jq", "1:1.6-2.1", "all")
    with tarfile.open(fileobj=io.BytesIO(found["data.tar.gz"])) as data:
        assert data.getnames() == []


def test_the_index_names_every_version_and_its_file(tmp_path: Path) -> None:
    made = stand_in_debs.write(tmp_path / "archive", {"jq": ["1.6", "1:1.7"], "git": ["2"]})
    index = (made / "Packages").read_text()
    blocks = [dict(line.split(": ", 1) for line in each.splitlines()) for each in index.strip().split("\n\n")]
    assert [(each["Package"], each["Version"]) for each in blocks] == [
        ("jq", "1.6"),
        ("jq", "1:1.7"),
        ("git", "2"),
    ]
    for each in blocks:
        content = (made / each["Filename"]).read_bytes()
        assert (int(each["Size"]), each["SHA256"]) == (len(content), hashlib.sha256(content).hexdigest())
    assert hashlib.sha256(index.encode()).hexdigest() in (made / "Release").read_text()


def test_a_stanza_is_what_dpkg_keeps_of_a_package() -> None:
    text = stand_in_debs.stanza("jq", "1.6", "Status: install ok installed")
    assert packages.installed(text)["jq"].version == "1.6"
