"""What is read from ELF files: those of this machine, and small ones."""

from __future__ import annotations

from pathlib import Path

from suites.tools import elf_needs


def test_a_program_of_this_machine_names_its_libraries() -> None:
    found = elf_needs.of_file(Path("/bin/ls").resolve().read_bytes())
    assert found is not None
    assert any(each.startswith("libc.") for each in found[1])


def test_a_small_file_names_the_one_it_was_made_for() -> None:
    found = elf_needs.of_file(elf_needs.file_that_needs("libq.so.6"))
    assert found is not None
    assert found[1] == ("libq.so.6",)


def test_what_is_no_whole_elf_file_needs_nothing() -> None:
    whole = elf_needs.file_that_needs("libq.so.6")
    assert elf_needs.of_file(b"#!/bin/sh\n") is None
    assert elf_needs.of_file(whole[:70]) is None


def test_a_library_is_missing_where_no_file_is_called_so_and_for_the_common_machine_alone() -> None:
    needs: elf_needs.Needs = {
        "/a": (62, ("libq.so",)),
        "/b": (62, ("libc.so",)),
        "/arm": (183, ("libarm.so",)),
    }
    assert elf_needs.missing(needs, frozenset({"libc.so"})) == {"/a": ["libq.so"]}
    assert elf_needs.missing(needs, frozenset({"libc.so", "libq.so"})) == {}


def test_a_program_names_what_it_is_started_by_in_its_beginning() -> None:
    data = Path("/bin/ls").resolve().read_bytes()
    found, whole = elf_needs.interpreter(data[: elf_needs.BEGINNING]), elf_needs.of_file(data)
    assert found is not None and whole is not None
    assert found[0] == whole[0]
    assert found[1].startswith("/lib")
    made = elf_needs.program_of("/lib/ld.so")
    assert elf_needs.interpreter(made) == (62, "/lib/ld.so")
    assert elf_needs.interpreter(elf_needs.file_that_needs("libq.so.6")) is None
    assert elf_needs.interpreter(made[:70]) is None


def test_a_file_of_symbols_names_none() -> None:
    assert (
        elf_needs.interpreter(elf_needs.program_of("/lib/ld.so").replace(b"/lib/ld.so", b"\0\1\2lib/ld.s"))
        is None
    )
