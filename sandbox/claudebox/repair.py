"""After a crash: what the CLI can no longer read is put aside; login, settings and the rest stay."""

from __future__ import annotations

import json
import os
import time

from claudebox import instances, safely
from claudebox.errors import plain
from claudebox.instances import Instance


def repair(instance: Instance) -> str:
    """Put broken histories and a broken .claude.json of one project aside; return what was done.

    Raises Problem while a session runs.
    """
    try:
        config = safely.directory(instance.config, private=True)
    except FileNotFoundError:
        return "nothing to repair: this project has no instance yet\n"
    held = instances.lock(instance, force=False)
    aside = f"{instance.path}/corrupt-{time.strftime('%Y%m%dT%H%M%S')}"
    moved = [
        *_from(config, ".", aside, lambda name: name == ".claude.json", whole=True),
        *_histories(config, aside),
    ]
    os.close(config)
    os.close(held)
    if not moved:
        return "nothing to repair: all histories can be read\n"
    return "".join(f"put aside: {plain(each)}\n" for each in moved) + f"they are in {plain(aside)}\n"


def _histories(config: int, aside: str) -> list[str]:
    found: list[str] = []
    for directory, _, _, at in os.fwalk("projects", dir_fd=config, follow_symlinks=False):
        found += _from(at, directory, aside, lambda name: name.endswith(".jsonl"), whole=False)
    return found


def _from(at: int, shown: str, aside: str, wanted: object, *, whole: bool) -> list[str]:
    found: list[str] = []
    for entry in os.scandir(at):
        if callable(wanted) and wanted(entry.name) and entry.is_file(follow_symlinks=False):
            fd = os.open(entry.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
            with open(fd, "rb") as file:
                data = file.read()
            if _broken(data, whole=whole):
                into = safely.directory(aside, make=True, private=True)
                os.rename(entry.name, f"{len(os.listdir(into))}-{entry.name}", src_dir_fd=at, dst_dir_fd=into)
                os.close(into)
                found.append(os.path.normpath(f"{shown}/{entry.name}"))
    return found


def _broken(data: bytes, *, whole: bool) -> bool:
    try:
        for each in [data] if whole else data.splitlines():
            if each.strip() or whole:
                json.loads(each)
    except ValueError:
        return True
    return False
