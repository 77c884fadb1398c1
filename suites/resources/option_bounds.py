"""What bounds logs and /tmp, by the options of a container that an engine runs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from boxproof.subject.documented_commands import values

SIZES = {"k": 10**3, "m": 10**6, "g": 10**9}
MOST_LOGS = SIZES["g"]  # bytes of one container that still fill no disk
MOST_TMP = 16 << 30  # bytes of memory for /tmp; more than an agent has bounds nothing
HALF = 50  # of a hundred: what a tmpfs without a size may take of a machine's memory
TMPFS = re.compile(r"size=([1-9]\d*)([kmgtpe%]?)(?:i?b)?", re.IGNORECASE)
UNITS = " kmgtpe"
KEPT = {"json-file": (0, 1), "local": (20 * SIZES["m"], 5)}  # size (0: any) and files where nothing is said


def compose_bound(logging: Mapping[str, Any]) -> bool:
    """Return whether a service names a driver whose logs have an upper size that fills no disk."""
    driver = str(logging.get("driver"))
    words = [f"--log-opt={name}={value}" for name, value in (logging.get("options") or {}).items()]
    return driver in KEPT and 0 < log_bound((f"--log-driver={driver}", *words)) <= MOST_LOGS


def log_bound(words: Sequence[str]) -> int:
    """Return the most bytes that the options of ``docker run`` let logs take, 0 for no bound."""
    driver = (values(words, "--log-driver") or ["json-file"])[-1]
    given = dict(each.partition("=")[::2] for each in values(words, "--log-opt"))
    least, files = KEPT.get(driver, (0, 0))
    size = re.fullmatch(r"(\d+)([kmg]?)b?", given.get("max-size", str(least)).lower())
    count = re.fullmatch(r"\d+", given.get("max-file", str(files)))
    return int(size[1]) * SIZES.get(size[2], 1) * int(count[0]) if size and count and least | files else 0


def tmp_is_tight(options: Sequence[str]) -> bool:
    """Return whether options mount a tmpfs of a size at /tmp, and nothing else that is written below it.

    What says neither exec nor suid has noexec and nosuid: that is the engine's default.
    """
    mounts = [each.partition(":")[::2] for each in values(options, "--tmpfs")]
    others = [_place(each) for each in values(options, "-v", "--volume") if not _is_shut(each)]
    for each in values(options, "--mount"):
        field = dict(one.partition("=")[::2] for one in each.split(","))
        place = next((field[name] for name in ("destination", "dst", "target") if name in field), "")
        if field.get("type") == "tmpfs":
            mounts.append((place, f"size={field.get('tmpfs-size', '')}"))
        elif not {"readonly", "ro"} & set(field):
            others.append(place.rstrip("/"))
    said = {place.rstrip("/"): words for place, words in mounts}
    below = [words for place, words in said.items() if place.startswith("/tmp/")]
    written = any(f"{each}/".startswith("/tmp/") for each in others)
    return not written and all(_has_a_size(each) for each in (said.get("/tmp", ""), *below))


def _has_a_size(words: str) -> bool:
    """Return whether options of a tmpfs give it a size that is a bound, and let nothing there be run."""
    said = words.split(",")
    found = next((size for each in reversed(said) if (size := TMPFS.fullmatch(each))), None)
    if found is None or {"exec", "suid"} & set(said):
        return False
    number, unit = int(found[1]), found[2].lower()
    return number < HALF if unit == "%" else number << 10 * UNITS.index(unit or " ") <= MOST_TMP


def loose_tmp(service: Mapping[str, Any]) -> list[str]:
    """Return why a service of Compose may fill a disk by way of /tmp, or run programs there."""
    said = service.get("tmpfs") or ()
    every = [said] if isinstance(said, str) else [str(each) for each in said]
    volumes = service.get("volumes") or ()
    every += [_tmpfs(each) for each in volumes if _is_tmpfs(each)]
    mine = [each for each in every if each.partition(":")[0].rstrip("/") == "/tmp"]
    places = [_place(each) for each in volumes if not _is_tmpfs(each) and not _is_shut(each)]
    found = [f"a volume at {each}" for each in places if f"{each}/".startswith("/tmp/")]
    within = [each for each in every if f"{each.partition(':')[0].rstrip('/')}/".startswith("/tmp/")]
    found += [each for each in within if not _has_a_size(each.partition(":")[2])]
    if mine or service.get("read_only") is True:  # where nothing is mounted, nothing is written
        return found
    return [*found, "no tmpfs"]


def _is_tmpfs(volume: Any) -> bool:
    return isinstance(volume, Mapping) and volume.get("type") == "tmpfs"


def _tmpfs(volume: Mapping[str, Any]) -> str:
    """Return a volume that is a tmpfs as ``tmpfs`` of a service says it."""
    return f"{_place(volume)}:size={(volume.get('tmpfs') or {}).get('size', '')}"


def _is_shut(volume: Any) -> bool:
    """Return whether a volume of Compose, or of an engine's option, is read-only."""
    if isinstance(volume, Mapping):
        return volume.get("read_only") is True
    return "ro" in str(volume).split(":")[-1].split(",")


def _place(volume: Any) -> str:
    """Return where a volume of Compose is mounted."""
    if isinstance(volume, Mapping):
        return str(volume.get("target", "")).rstrip("/")
    parts = str(volume).split(":")
    return parts[1 if len(parts) > 1 else 0].rstrip("/")
