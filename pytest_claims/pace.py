"""How many times slower this machine is than an idle one of usual speed: deadlines are stretched by that."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_claims.own_process import PROCESS
from pytest_claims.recording import writing

MOST = 12.0  # no deadline is stretched further: what is dead is to be noticed, too
FRESH = 1.0  # seconds a measurement is good for
LASTING = 30.0  # seconds that what seldom changes is good for: who works for us, the machine's own speed
SAMPLE = 5.0  # seconds between two looks of a watch
SLICE = 5.0  # seconds after which a wait looks at the machine again
UNIT = 100_000  # numbers that are added up to see how quick a processor is
UNIT_SECONDS = 0.0025  # what that takes on a usual one
WORKING_FOR_US = frozenset({"dockerd", "containerd", "kubelet"})  # what slows these slows us
FILE = "pace.json"


@dataclass(frozen=True)
class Pace:
    """One measurement.

    ``crowded`` is how many times slower work gets on because of other work, a quota or want of memory;
    ``slow`` how many times slower the processors themselves are, a virtual machine's stolen time included;
    ``load`` the load average of the last minute.
    """

    crowded: float = 1.0
    slow: float = 1.0
    load: float = 0.0

    @property
    def factor(self) -> float:
        """How many times longer everything may take, from 1 to ``MOST``."""
        return min(MOST, max(1.0, self.crowded * self.slow))


@dataclass
class Machine:
    """What the kernel says of the machine; the directories are those of another one in tests."""

    proc: Path = Path("/proc")
    cgroups: Path = Path("/sys/fs/cgroup")
    unit: Callable[[], float] | None = None  # returns seconds; None adds up numbers
    _throttled: dict[Path, tuple[float, float, float]] = field(default_factory=dict)
    _chains: tuple[float, frozenset[Path]] = (float("-inf"), frozenset())
    _slow: tuple[float, float] = (float("-inf"), 1.0)

    def cores(self) -> float:
        """Return how many processors we have: those we may run on, or the part of them a quota leaves."""
        count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        quotas = (_quota(each) for each in self._chain("self"))
        return min([float(count), *(each for each in quotas if each)])

    def measure(self) -> Pace:
        """Measure anew; what the kernel does not say is left out."""
        load, running = self._load()
        demand = max(load, running - 1) / self.cores()  # one of those that run is us
        waiting = self._pressure("cpu", "some", 1.0 if demand > 1 else 0.0)
        lost = max(self._pressure("memory", "some"), self._pressure("io", "full"))
        crowded = max(1 + waiting * max(1.0, demand - 1), 1 / (1 - min(lost, 0.99)), self._held_back())
        return Pace(round(crowded, 2), round(self._own_speed(), 2), load)

    def _load(self) -> tuple[float, int]:
        """Return the load average of a minute, and how many processes run or want to."""
        words = _text(self.proc / "loadavg").split()
        return (float(words[0]), int(words[3].partition("/")[0])) if len(words) > 3 else (0.0, 1)

    def _pressure(self, what: str, whose: str, unknown: float = 0.0) -> float:
        """Return the share of the last 10 s in which some, or all, work waited: the system's, or ours."""
        own = self.cgroups / _unified(_text(self.proc / "self/cgroup")).lstrip("/")
        paths = (self.proc / "pressure" / what, own / f"{what}.pressure")
        found = [share for path in paths if (share := _share(_text(path), whose)) is not None]
        return max(found, default=unknown)

    def _held_back(self) -> float:
        """Return how many times slower quotas have made us, or who works for us, since the last look."""
        ratio = 1.0
        for each in self._limited():
            looked, (used, throttled) = time.monotonic(), _used(each)
            before = self._throttled.get(each)
            self._throttled[each] = (looked, used, throttled)
            if before and throttled > before[2]:
                got = (used - before[1]) or _quota(each) * (looked - before[0])
                ratio = max(ratio, (got + throttled - before[2]) / max(got, 1e-3))
        return ratio

    def _limited(self) -> frozenset[Path]:
        """Return the cgroups with a quota that we, or who works for us, are in."""
        looked, found = self._chains
        if time.monotonic() - looked > LASTING:
            chains = {each for pid in ("self", *self._helpers()) for each in self._chain(pid)}
            found = frozenset(each for each in chains if _quota(each))
            self._chains = time.monotonic(), found
        return found

    def _helpers(self) -> list[str]:
        pids = (path.name for path in self.proc.glob("[0-9]*"))
        return [pid for pid in pids if _text(self.proc / pid / "comm").strip() in WORKING_FOR_US]

    def _chain(self, pid: str) -> list[Path]:
        """Return the directories of a process's cgroup and those around it, as far as we see them."""
        text = _text(self.proc / pid / "cgroup")
        own = next((path for names, path in _hierarchies(text) if "cpu" in names), None)
        version1 = self.cgroups / "cpu"
        base = version1 if own is not None and version1.is_dir() else self.cgroups
        own = own if own is not None and base == version1 else _unified(text)
        inner = base / own.lstrip("/")
        around = [each for each in (inner, *inner.parents) if each == base or base in each.parents]
        return [each for each in around if each.is_dir()]

    def _own_speed(self) -> float:
        """Return how many times slower than a usual processor ours are, at the best of three tries."""
        looked, found = self._slow
        if time.monotonic() - looked > LASTING:
            seconds = min((self.unit or _unit)() for _ in range(3))
            found = max(1.0, seconds / UNIT_SECONDS)
            self._slow = time.monotonic(), found
        return found


def _unit() -> float:
    started = time.perf_counter()
    sum(range(UNIT))
    return time.perf_counter() - started


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # another kernel, or the process has ended
        return ""


def _hierarchies(text: str) -> list[tuple[list[str], str]]:
    """Return the controllers and the path of each line of /proc/PID/cgroup."""
    lines = (line.split(":", 2) for line in text.splitlines())
    return [(words[1].split(","), words[2]) for words in lines if len(words) > 2]


def _unified(text: str) -> str:
    return next((path for names, path in _hierarchies(text) if names == [""]), "/")


def _share(text: str, whose: str) -> float | None:
    """Return avg10 of a pressure file, from 0 to 1; None if it does not say."""
    for line in text.splitlines():
        words = line.split()
        if words[:1] == [whose] and len(words) > 1:
            return float(words[1].partition("=")[2]) / 100
    return None


def _quota(group: Path) -> float:
    """Return the processors a cgroup may use, 0 if it has no quota of its own."""
    words = _text(group / "cpu.max").split()
    if not words:
        words = [_text(group / f"cpu.cfs_{each}_us").strip() for each in ("quota", "period")]
    if len(words) != 2 or not all(each.isdigit() and int(each) for each in words):
        return 0.0
    return int(words[0]) / int(words[1])


def _used(group: Path) -> tuple[float, float]:
    """Return the seconds that the processes of a cgroup ran, and those they were held back by its quota.

    The former is 0 where version 1 counts it in a hierarchy of its own.
    """
    said = dict(line.split(maxsplit=1) for line in _text(group / "cpu.stat").splitlines() if " " in line)
    if "usage_usec" in said:
        return int(said["usage_usec"]) / 1e6, int(said.get("throttled_usec", 0)) / 1e6
    used = _text(group / "cpuacct.usage").strip()
    return int(used or 0) / 1e9, int(said.get("throttled_time", 0)) / 1e9


class Meter:
    """The last measurement of this process, and the slowest one since a mark."""

    def __init__(self, machine: Machine | None = None) -> None:
        self.machine = machine or Machine()
        self.lock = threading.Lock()
        self.measured = float("-inf")
        self.last = Pace()
        self.slowest = 1.0

    def now(self) -> Pace:
        """Return the latest measurement, at most a second old."""
        with self.lock:
            if time.monotonic() - self.measured > FRESH:
                self.last = self.machine.measure()
                self.measured = time.monotonic()
                self.slowest = max(self.slowest, self.last.factor)
            return self.last


def now() -> Pace:
    """Return the latest measurement, at most a second old."""
    return PROCESS.get(Meter).now()


def factor() -> float:
    """Return how many times slower the machine is just now, from 1 to ``MOST``."""
    return now().factor


def stretched(seconds: float) -> float:
    """Return what ``seconds`` are worth just now, for deadlines that other programs keep: sockets, curl."""
    return round(seconds * factor(), 1)


def cores() -> float:
    """Return how many processors we may use; a quota makes them fewer."""
    return PROCESS.get(Meter).machine.cores()


def workers() -> int:
    """Return how many checks to run side by side: two more than cores, as checks wait for much else.

    How busy the machine is does not count: a check starts when there is room.
    """
    return max(2, min(8, int(cores()) + 2))


def mark() -> None:
    """Begin anew to remember the slowest moment."""
    meter = PROCESS.get(Meter)
    meter.slowest = meter.now().factor


def slowest() -> float:
    """Return the greatest factor that was measured since the last ``mark``."""
    meter = PROCESS.get(Meter)
    meter.now()
    return meter.slowest


class Deadline:
    """Some seconds to wait; on a machine that is N times slower only each Nth second that passes counts.

    It is never shorter than its seconds. An ``exact`` one is not stretched.
    """

    def __init__(self, seconds: float, *, exact: bool = False) -> None:
        self.seconds = seconds
        self.exact = exact
        self._used = 0.0
        self._began = self._last = time.monotonic()
        self._factor = 1.0 if exact else factor()

    def _charge(self) -> None:
        current = 1.0 if self.exact else factor()
        moment = time.monotonic()
        self._used += (moment - self._last) / max(self._factor, current)
        self._last, self._factor = moment, current

    @property
    def left(self) -> float:
        """The seconds left if the machine stays as slow as it is; 0 when it has passed."""
        self._charge()
        return max(0.0, self.seconds - self._used) * self._factor

    @property
    def rest(self) -> float:
        """The seconds left before any stretching, at least 1: for another wait that takes over."""
        self._charge()
        return max(1.0, self.seconds - self._used)

    @property
    def slice(self) -> float:
        """The seconds to wait until it is asked again, at most ``SLICE``."""
        return min(SLICE, self.left)

    @property
    def passed(self) -> bool:
        """Whether it has passed."""
        return self.left <= 0

    def __str__(self) -> str:
        lasted = self._last - self._began
        if self.exact or self.seconds <= 0 or lasted < 1.2 * self.seconds:
            return f"{self.seconds:.0f} s"
        times = lasted / self.seconds
        shown = f"{times:.0f}" if times >= 3 else f"{times:.1f}"
        return f"{self.seconds:.0f} s (stretched to {lasted:.0f} s: the machine is {shown} times slower)"


class Watch:
    """Looks at the machine every few seconds, in a thread, and remembers what it saw."""

    def __init__(self) -> None:
        self.seen: list[Pace] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def _look(self) -> None:
        self.seen.append(now())
        while not self._over.wait(SAMPLE):
            self.seen.append(now())

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look a last time."""
        self._over.set()
        self._thread.join()
        self.seen.append(now())

    def summary(self) -> dict[str, float]:
        """Return cores, the greatest and the mean factor, the greatest and the mean load average."""
        factors, loads = [each.factor for each in self.seen], [each.load for each in self.seen]
        return {
            "cores": cores(),
            "slowest": round(max(factors), 1),
            "mean": round(sum(factors) / len(factors), 1),
            "load_highest": round(max(loads), 1),
            "load_mean": round(sum(loads) / len(loads), 1),
        }


@contextmanager
def watched(directory: Path) -> Iterator[None]:
    """Watch the machine during the block, and write what was seen into ``directory``."""
    watch = Watch()
    watch.start()
    try:
        yield
    finally:
        watch.stop()
        writing.write_json(directory / FILE, watch.summary())


def read(directory: Path) -> Mapping[str, Any]:
    """Return what ``watched`` wrote into ``directory``, {} if it did not."""
    text = _text(directory / FILE)
    found: dict[str, Any] = json.loads(text) if text else {}
    return found
