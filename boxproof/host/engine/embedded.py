"""The embedded engine's life: started in a session of its own, found again, cleaned up after a crash."""

from __future__ import annotations

import ipaddress
import json
import os
import shutil
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import filelock
from docker.errors import DockerException

from boxproof.core.process import daemon, run
from boxproof.core.session import EngineInfo
from boxproof.core.settings import Settings, path_after
from boxproof.host import process_table
from boxproof.host.engine import bridge, engine_client, engine_programs, processor_share
from boxproof.host.engine.engine_client import server_version
from boxproof.host.fetch.apt import digest
from pytest_claims import progress as log
from pytest_claims.faults import DeadlineExceeded, EnvironmentFault
from pytest_claims.waiting import until

READY_TIMEOUT = 120.0  # after a crash the old containers are stopped first, ten seconds and more
STOP_TIMEOUT = 40.0  # containers get ten seconds each, side by side
LEAST_FREE = 2 << 30  # bytes on the disk of the engine's data
SHIM = "containerd-shim-runc-v2"
DAEMONS = frozenset({"dockerd", "containerd", "docker-proxy"})
SOCKET_GROUP = 2375  # not root's: containers often run in that group, and the socket makes its holder root
TRACES = "machine-before.json"
SOCKET_LIMIT = 100  # bytes; the kernel allows 107, containerd adds to the path


@dataclass(frozen=True)
class Layout:
    """Where the engine of one state directory keeps its things."""

    state: Path

    @property
    def root(self) -> Path:
        """The directory that holds all of it."""
        return self.state / "engine"

    @property
    def exec(self) -> Path:
        """What lives as long as the daemon: sockets, pid files, runtime state."""
        return self.root / "exec"

    @property
    def socket(self) -> Path:
        """The API's Unix socket."""
        return self.root / "docker.sock"

    @property
    def pid_file(self) -> Path:
        """The daemon's pid file."""
        return self.root / "docker.pid"

    @property
    def log(self) -> Path:
        """The log of dockerd and its containerd."""
        return self.root / "log"

    @property
    def config(self) -> Path:
        """DOCKER_CONFIG with the client's plug-ins."""
        return self.root / "config"

    @property
    def host(self) -> str:
        """The DOCKER_HOST address."""
        return f"unix://{self.socket}"

    def pid(self) -> int:
        """Return the pid of the live dockerd of this layout, or 0; a zombie or a stranger does not count."""
        pid = process_table.from_file(self.pid_file)
        words = process_table.command(pid) if pid else []
        ours = any(str(self.root) in word for word in words)
        return pid if ours and process_table.start_time(pid) else 0


def possible() -> str:
    """Return "" when an engine can be started here, else what is missing."""
    if os.geteuid() != 0:
        return "not root"
    if not shutil.which("apt-get") or not shutil.which("dpkg"):
        return "no apt-get and dpkg"
    return ""


def ensure(settings: Settings) -> EngineInfo:
    """Return the running embedded engine, started first if need be.

    Raises EnvironmentFault with the last lines of the log when it does not come up.
    """
    layout = Layout(settings.state)
    layout.root.mkdir(parents=True, exist_ok=True)
    layout.root.chmod(0o700)  # who reaches the socket is root
    with filelock.FileLock(layout.root / "lock"):
        version = server_version(layout.host)
        if not version and layout.pid():
            version = _wait_for(layout, lambda: False)
        programs = engine_programs.assemble(settings, chains=chains(settings))
        if not version:
            with log.step("embedded engine"):
                version = _start(settings, layout, programs)
            engine_programs.note_worked(settings, programs)
        plug_in(layout.config, programs)
        processor_share.widen()
        with suppress(PermissionError):  # a user namespace may not have that group
            os.chown(layout.socket, -1, SOCKET_GROUP)
    client = programs / "bin" / "docker"
    return EngineInfo(
        way="embedded", host=layout.host, version=version, client=str(client), config=str(layout.config)
    )


def chains(settings: Settings) -> str:
    """Return what the names of this engine's firewall chains begin with."""
    return f"BP{digest(str(settings.state))[:4].upper()}"


def stop(settings: Settings) -> bool:
    """Stop the embedded engine and return whether one was running; its data stay."""
    layout = Layout(settings.state)
    if not layout.root.is_dir():
        return False
    with filelock.FileLock(layout.root / "lock"):
        pid = layout.pid()
        bridges = _bridges(layout) if pid else []
        if pid:
            with log.step("stopping the embedded engine"):
                os.kill(pid, signal.SIGTERM)
                with suppress(DeadlineExceeded):  # it is killed below
                    until(lambda: not layout.pid(), timeout=STOP_TIMEOUT, what="end of the engine")
        _end_leftovers(layout, DAEMONS | {SHIM})
        for point in process_table.mounts_below(layout.root):
            run(["umount", "-l", point], timeout=20, check=False)
        for each in (*bridges, bridge.bridge_name(settings.state)):
            bridge.remove_bridge(each)
        processor_share.narrow()
        if changed := bridge.restore(layout.root / TRACES):
            log.say(f"the machine's network is as before: {', '.join(changed)}")
    return bool(pid)


def _bridges(layout: Layout) -> list[str]:
    """Return the bridges of the engine's networks, which it leaves when it ends and makes when it starts."""
    try:
        client = engine_client.connect(layout.host, timeout=60)
        try:
            networks = client.networks.list(filters={"driver": "bridge"})
        finally:
            client.close()
    except DockerException as error:
        log.say(f"the engine does not name its bridges, and they stay: {error}", style="red")
        return []
    return [f"br-{each.id[:12]}" for each in networks]


def _start(settings: Settings, layout: Layout, programs: Path) -> str:
    _check_room(layout)
    _clear_stale(layout)
    config = layout.root / "daemon.json"
    config.write_text(json.dumps(_network(settings, layout), indent=2))
    argv = [programs / "bin/dockerd", "--config-file", config, "--data-root", layout.root / "data"]
    argv += ["--exec-root", layout.exec, "-H", layout.host, "-p", layout.pid_file]
    environment = {"PATH": path_after(programs / "bin")}
    bridge.note(layout.root / TRACES, programs / "bin/iptables")
    process = daemon([str(word) for word in argv], log=layout.log, env=environment)
    return _wait_for(layout, lambda: process.poll() is not None)


def _network(settings: Settings, layout: Layout) -> dict[str, object]:
    """Set up the bridge and return daemon.json; addresses chosen at the first start are kept."""
    name = bridge.bridge_name(settings.state)
    chosen = layout.root / "network"
    if not chosen.exists():
        chosen.write_text(str(bridge.pool(settings.state, bridge.routes())))
    network = ipaddress.IPv4Network(chosen.read_text().strip())
    bridge.add_bridge(name, ipaddress.IPv4Interface(f"{network[1]}/24"))
    return {
        "bridge": name,
        "default-address-pools": [{"base": str(network), "size": 24}],
        "features": {"containerd-snapshotter": False},  # an image's id is its config digest
    }


def _wait_for(layout: Layout, ended: Callable[[], bool]) -> str:
    def ready() -> str:
        version = server_version(layout.host)
        if not version and ended():
            raise EnvironmentFault(_why(layout), hint=f"log: {layout.log}")
        return version

    hint = f"the log is: {layout.log}"
    return until(ready, timeout=READY_TIMEOUT, what="answer of the embedded engine", hint=hint)


def _why(layout: Layout) -> str:
    """Return one line on why the daemon ended, and the last lines of its log."""
    lines = layout.log.read_text(errors="replace").splitlines()[-10:] if layout.log.exists() else []
    text = "\n".join(lines)
    known = {
        "no space left on device": f"the disk of {layout.root} is full",
        "address already in use": "the engine's socket or an address of it is in use",
        "is still running": "another engine uses the same state directory",
        "cgroups: cgroup mountpoint does not exist": "no cgroups are mounted on this machine",
        "Permission denied (you must be root)": "CAP_NET_ADMIN is missing",
    }
    reason = next((said for sign, said in known.items() if sign in text), "the embedded engine ended at once")
    return f"{reason}; it said:\n" + "\n".join(lines[-5:])


def _check_room(layout: Layout) -> None:
    if len(str(layout.socket)) > SOCKET_LIMIT:
        hint = "set BOXPROOF_STATE to a shorter path"
        raise EnvironmentFault(f"{layout.socket} is too long for a socket", hint=hint)
    free = shutil.disk_usage(layout.root).free
    if free < LEAST_FREE:
        hint = "make room, or set BOXPROOF_STATE to another disk"
        raise EnvironmentFault(
            f"only {free / (1 << 30):.1f} GiB free for the engine in {layout.root}", hint=hint
        )


def _clear_stale(layout: Layout) -> None:
    """Remove what a killed daemon, or a past boot, left: it would keep the next one from starting."""
    layout.pid_file.unlink(missing_ok=True)
    _end_leftovers(layout)
    boot = layout.root / "boot"
    if not boot.exists() or boot.read_text() != process_table.boot_id():
        for point in process_table.mounts_below(layout.exec):
            run(["umount", "-l", point], timeout=20, check=False)
        shutil.rmtree(layout.exec, ignore_errors=True)
        boot.write_text(process_table.boot_id())
    for name in (
        "containerd/containerd.pid",
        "containerd/containerd.sock",
        "containerd/containerd.sock.ttrpc",
    ):
        (layout.exec / name).unlink(missing_ok=True)
    layout.socket.unlink(missing_ok=True)


def _end_leftovers(layout: Layout, names: frozenset[str] = DAEMONS) -> None:
    """End what outlived its daemon; by default not the shims, which a new daemon takes over."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        found = process_table.mentioning(str(layout.exec))
        left = [pid for pid, words in found.items() if Path(words[0]).name in names]
        left += [child for pid in left for child in process_table.children(pid)] if SHIM in names else []
        for pid in left:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue
        if left:
            _wait_gone(left)


def _wait_gone(pids: list[int]) -> None:
    try:
        until(lambda: not any(map(process_table.start_time, pids)), timeout=5, what="end of the old engine")
    except EnvironmentFault:  # the stronger signal is next
        return


def plug_in(config: Path, programs: Path) -> None:
    """Link the client's plug-ins of ``programs`` into the DOCKER_CONFIG directory ``config``."""
    plugins = config / "cli-plugins"
    plugins.mkdir(parents=True, exist_ok=True)
    for source in (programs / "plugins").iterdir():
        target = plugins / source.name
        if not target.is_symlink() or target.readlink() != source:
            target.unlink(missing_ok=True)
            target.symlink_to(source)
