"""What this machine is: processors, memory, disk, limits, cgroups, kernel features; only reads."""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

GIB = 1 << 30
PROC = Path("/proc")
CGROUPS = Path("/sys/fs/cgroup")
INOTIFY = Path("/proc/sys/fs/inotify")


def cpus() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def load() -> float:
    """Return how many processes each processor had to run or wait for, on average over five minutes."""
    return os.getloadavg()[1] / cpus()


def memory() -> tuple[float, float]:
    """Return the total and the available memory in GiB; zeros where the system does not say."""
    path = PROC / "meminfo"
    if not path.exists():
        return 0.0, 0.0
    lines = (line.split() for line in path.read_text().splitlines())
    values = {words[0].rstrip(":"): int(words[1]) * 1024 / GIB for words in lines if len(words) > 1}
    return values.get("MemTotal", 0.0), values.get("MemAvailable", 0.0)


def free_disk(path: Path) -> float:
    """Return the free GiB on the disk ``path`` is, or would be, on."""
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free / GIB


def inotify(name: str) -> int:
    """Return an inotify limit, such as "max_user_instances"; 0 where the system has none."""
    path = INOTIFY / name
    return int(path.read_text()) if path.exists() else 0


def inotify_used() -> int:
    """Return how many inotify instances root's processes hold, as far as we may look."""
    count = 0
    for process in PROC.glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or is not ours to look at
            if process.stat().st_uid == 0:
                files = (each.readlink() for each in (process / "fd").iterdir())
                count += sum(str(each) == "anon_inode:inotify" for each in files)
    return count


def cgroup() -> str:
    """Return "v2", "v1", or "" when no cgroups are mounted."""
    if (CGROUPS / "cgroup.controllers").exists():
        return "v2"
    return "v1" if (CGROUPS / "memory").is_dir() or (CGROUPS / "cpu").is_dir() else ""


def container_seconds(ids: Iterable[str], groups: Path = CGROUPS) -> float | None:
    """Return the seconds of processors that containers have used, None where that cannot be seen here."""
    found = [_used(each, groups) for each in ids]
    known = [each for each in found if each is not None]
    return sum(known) if known and len(known) == len(found) else None


def _used(identity: str, groups: Path) -> float | None:
    for place in (f"docker/{identity}", f"system.slice/docker-{identity}.scope"):
        with suppress(OSError, ValueError):  # of another version, or not there
            return int((groups / "cpuacct" / place / "cpuacct.usage").read_text()) / 1e9
        with suppress(OSError, ValueError):
            words = (groups / place / "cpu.stat").read_text().split()
            return int(words[words.index("usage_usec") + 1]) / 1e6
    return None


def kernel() -> str:
    """Return the kernel's release."""
    return os.uname().release


def kernel_features(*names: str) -> dict[str, str]:
    """Return "y", "m" (a module) or "n" for each CONFIG_ name, or "?" where the kernel does not say."""
    text = _kernel_config()
    if not text:
        return dict.fromkeys(names, "?")
    lines = dict(line.split("=", 1) for line in text.splitlines() if line.startswith("CONFIG_"))
    return {name: lines.get(f"CONFIG_{name}", "n") for name in names}


def _kernel_config() -> str:
    packed, plain = PROC / "config.gz", Path("/boot") / f"config-{kernel()}"
    try:
        if packed.exists():
            return gzip.decompress(packed.read_bytes()).decode()
        return plain.read_text() if plain.exists() else ""
    except OSError:
        return ""
