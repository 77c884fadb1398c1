"""What an engine changes of the machine is as before once it has ended."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxproof.host import process_table
from boxproof.host.engine import bridge

IPTABLES = """#!/bin/sh
# the table FORWARD of a machine, in a file beside it
cd "$(dirname "$0")"
case $1 in
-S) echo "-P FORWARD $(cat policy)" ;;
-P) echo "$3" >policy ;;
esac
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with a forwarding of its own, and no other engine."""
    (tmp_path / "net/ipv4").mkdir(parents=True)
    (tmp_path / "net/ipv4/ip_forward").write_text("0\n")
    (tmp_path / "policy").write_text("ACCEPT")
    (tmp_path / "iptables").write_text(IPTABLES)
    (tmp_path / "iptables").chmod(0o755)
    monkeypatch.setattr(process_table, "mentioning", lambda _: {})
    return tmp_path


def changed_by_an_engine(machine: Path) -> Path:
    note = machine / "note"
    bridge.note(note, machine / "iptables", proc=machine)
    (machine / "net/ipv4/ip_forward").write_text("1\n")
    (machine / "policy").write_text("DROP")
    return note


def test_all_is_as_before(machine: Path) -> None:
    note = changed_by_an_engine(machine)
    bridge.note(note, machine / "iptables", proc=machine)  # one that was killed is started again

    assert bridge.restore(note, proc=machine) == ["net/ipv4/ip_forward 0", "FORWARD ACCEPT"]
    assert (machine / "net/ipv4/ip_forward").read_text() == "0"
    assert (machine / "policy").read_text().strip() == "ACCEPT"
    assert bridge.restore(note, proc=machine) == []


def test_what_another_engine_needs_stays(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    note = changed_by_an_engine(machine)
    monkeypatch.setattr(process_table, "mentioning", lambda _: {7: ["/usr/bin/dockerd"]})

    assert bridge.restore(note, proc=machine) == []
    assert (machine / "net/ipv4/ip_forward").read_text() == "1\n"
