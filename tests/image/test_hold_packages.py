"""What holds apt to the lock in the image's build, run here with stand-ins for apt and dpkg."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxproof.core.process import Result, run
from boxproof.core.settings import ROOT, path_after

HOLD = ROOT / "image/src/hold-packages"
LOCK = "# words\ndebian-12 jq 1.6-2.1\ndebian-12 libc6 2.36\ndebian-12 gone 1:2\nubuntu-24.04 jq 1.7\n"
POLICY = """jq:
  Installed: (none)
  Candidate: 1.6-2.1
  Version table:
     1.7 500
libc6:
  Installed: 2.36
  Candidate: 2.36
"""
PROGRAMS = {
    "apt-cache": 'cat "$HOLD_HOME/policy"',
    "apt-get": 'echo "$@" >> "$HOLD_HOME/log"; cat "$HOLD_HOME/refusal" >&2; [ ! -s "$HOLD_HOME/refusal" ]',
    "dpkg-query": 'cat "$HOLD_HOME/installed"',
}


class Machine:
    """A system with an archive, of which the stand-ins tell what its files say."""

    def __init__(self, home: Path) -> None:
        self.home = home
        (home / "etc/apt/preferences.d").mkdir(parents=True)
        (home / "bin").mkdir()
        self.write("etc/os-release", 'ID=debian\nVERSION_ID="12"\n')
        for name, text in {
            "lock": LOCK,
            "policy": POLICY,
            "installed": "libc6 2.36\n",
            "refusal": "",
        }.items():
            self.write(name, text)
        for name, body in PROGRAMS.items():
            self.write(f"bin/{name}", f"#!/bin/sh\n{body}\n")
            (home / "bin" / name).chmod(0o755)

    def write(self, name: str, text: str) -> None:
        (self.home / name).write_text(text)

    def hold(self) -> Result:
        """Run the script; it never ends the build."""
        env = {"PATH": path_after(self.home / "bin"), "HOLD_HOME": str(self.home)}
        found = run(["sh", HOLD, self.home / "lock", self.home / "etc"], timeout=20, env=env, check=False)
        assert found.code == 0, found.describe()
        return found

    @property
    def preferences(self) -> list[str]:
        """The versions apt is held to."""
        path = self.home / "etc/apt/preferences.d/packages-lock"
        blocks = path.read_text().split("\n\n") if path.is_file() else []
        return [each.replace("\n", " ").strip() for each in blocks if each.strip()]

    @property
    def asked(self) -> list[str]:
        """What apt-get was asked to do."""
        path = self.home / "log"
        return path.read_text().splitlines() if path.is_file() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_each_version_of_this_system_is_pinned_above_all_others(machine: Machine) -> None:
    assert machine.hold().stderr == ""
    assert machine.preferences == [
        "Package: jq Pin: version 1.6-2.1 Pin-Priority: 1001",
        "Package: libc6 Pin: version 2.36 Pin-Priority: 1001",
        "Package: gone Pin: version 1:2 Pin-Priority: 1001",
    ]
    assert len(machine.asked) == 1  # the trial


def test_what_the_archive_has_no_more_is_said_and_the_rest_held(machine: Machine) -> None:
    machine.write("policy", POLICY + "gone:\n  Installed: (none)\n  Candidate: 1:3\n")
    assert machine.hold().stderr == (
        "packages.lock: not there as locked: gone 1:3: inv lock writes what there is\n"
    )
    assert len(machine.preferences) == 3


def test_a_base_of_another_day_is_brought_to_the_lock(machine: Machine) -> None:
    machine.write("installed", "libc6 2.35\nbash 5\n")
    machine.hold()
    (last,) = machine.asked[1:]
    assert last.split()[0] == "install"
    assert "--allow-downgrades" in last
    assert last.split()[-1] == "libc6"


def test_a_base_is_not_brought_to_what_is_not_in_the_lock(machine: Machine) -> None:
    machine.write("installed", "libc6 2.35\n")
    machine.write("policy", "libc6:\n  Installed: 2.35\n  Candidate: 2.37\n")
    machine.hold()
    assert len(machine.asked) == 1


def test_versions_that_exclude_one_another_hold_nothing(machine: Machine) -> None:
    machine.write("refusal", "E: Unable to correct problems\n")
    machine.write("installed", "libc6 2.35\n")
    assert "nothing is held, for Unable to correct problems: inv lock" in machine.hold().stderr
    assert machine.preferences == []
    assert len(machine.asked) == 1


def test_a_system_without_a_lock_is_said(machine: Machine) -> None:
    machine.write("etc/os-release", "ID=debian\nVERSION_ID=13\n")
    assert "nothing is held on debian-13: inv lock" in machine.hold().stderr
    assert (machine.preferences, machine.asked) == ([], [])
