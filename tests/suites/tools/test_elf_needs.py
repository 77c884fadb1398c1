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
