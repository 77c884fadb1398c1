"""Hellos that are made for a proxy show what they are said to show, to the box's own reader."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest

from boxproof.core.settings import ROOT
from suites.netpol.tls_hellos import hello, no_hello, with_names

NAME, OTHER = "api.example.org", "exfil.example"


@pytest.fixture(scope="module")
def reader() -> Any:
    """The program's module."""
    path = ROOT / "image/rootfs/usr/local/lib/box/client_hello.py"
    spec = importlib.util.spec_from_file_location("box_client_hello", path)
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def shown(reader: Any, said: bytes) -> str:
    found = reader.message(said)
    assert found is not None, "the message is not whole"
    return str(reader.name(found))


def test_a_hello_shows_its_name(reader: Any) -> None:
    assert shown(reader, hello(NAME)) == NAME
    assert shown(reader, with_names(NAME)) == NAME
    assert reader.message(hello(NAME)[:60]) is None


@pytest.mark.parametrize("names", [(NAME, OTHER), (OTHER, NAME)])
def test_a_hello_shows_several(reader: Any, names: tuple[str, str]) -> None:
    with pytest.raises(reader.NoHello, match="it names 2 hosts"):
        shown(reader, with_names(*names))


def test_what_is_no_hello_is_none(reader: Any) -> None:
    with pytest.raises(reader.NoHello, match="no ClientHello"):
        shown(reader, no_hello(NAME))
