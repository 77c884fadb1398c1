"""Directories of a stage's machine that are nobody's home: empty ones for a stage alone, and marked ones."""

from __future__ import annotations

import sys
from pathlib import Path

from suites.sandbox.stage import Stage

TEMPORARY = ("/tmp", "/var/tmp", "/dev/shm")  # where programs put what they need for a while
# where people and programs of a machine keep what is theirs, for good and for a while; of /etc what no
# program inside needs
SHARED = (
    "/home", "/data", "/export",
    "/srv", "/mnt", "/media", "/opt", "/boot", "/var/backups", "/var/lib", "/var/log", "/var/mail",
    "/var/spool", "/var/www", "/etc/apt", "/etc/cron.d", "/etc/default", "/etc/network", "/etc/ssh",
    "/etc/systemd", "/etc/wireguard", "/dev/shm", "/run/dbus", "/run/lock", "/var/cache", "/var/tmp",
)  # fmt: skip
ALONE = """set -e
mount --rbind /tmp /mnt
for each in /tmp /var/tmp /dev/shm; do
  [ ! -d "$each" ] || mount -t tmpfs -o mode=1777 none "$each"
done
for each; do
  mkdir -p "$each"
  mount --rbind "/mnt/${each#/tmp/}" "$each"
done
umount -l /mnt
"""
MARKED = 'for each; do mount -t tmpfs none "$each" && echo "$0" >"$each/$0" || exit 1; done'


def alone(stage: Stage, *kept: Path) -> None:
    """Have a stage's temporary directories to itself, empty but for the stage and what is ``kept``."""
    needed = {each.resolve() for each in (stage.directory, *kept)}
    below = sorted(str(each) for each in needed if each.is_relative_to("/tmp"))
    stage.in_world(["sh", "-c", ALONE, "alone", *below])


def temporary_files(stage: Stage) -> set[str]:
    """Return all that is in the temporary directories of a machine, but for what ``alone`` has kept."""
    there = [each for each in TEMPORARY if Path(each).is_dir()]
    return set(stage.on_host(["find", *there, "-xdev", "-mindepth", "1"]).stdout.splitlines())


def marked(stage: Stage, name: str, *kept: Path) -> list[str]:
    """Put a file ``name``, which says so, into each shared directory that is there, and return their paths.

    On the stage each is a directory of its own; one that has something of the stage, or what is ``kept``, is
    left as it is. The temporary directory in which the stage lies has such a file too.
    """
    used = (stage.directory, stage.tools, *stage.tools.iterdir(), Path(sys.executable), *kept)
    needed = [each.resolve() for each in used]
    free = [
        each
        for each in SHARED
        if Path(each).is_dir() and not any(one.is_relative_to(Path(each).resolve()) for one in needed)
    ]
    stage.in_world(["sh", "-c", MARKED, name, *free])
    beside = stage.directory / name
    beside.write_text(f"{name}\n")
    return [f"{each}/{name}" for each in free] + [str(beside)]
