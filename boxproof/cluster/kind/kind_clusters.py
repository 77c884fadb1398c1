"""KIND clusters of ours: made once per recipe, used again while they live, never the user's kubeconfig.

A cluster is made where the machine has room for it, and encrypts the Secrets it keeps.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import filelock
import yaml

from boxproof.cluster import cells, cluster_info, contexts
from boxproof.cluster.cells import DIRECTORY, Cell, check
from boxproof.cluster.cluster_info import collect_logs
from boxproof.cluster.kind import components
from boxproof.core.process import CommandFailed, CommandTimedOut, run
from boxproof.core.session import ClusterInfo, EngineInfo
from boxproof.core.settings import Settings
from boxproof.host import machine
from boxproof.host.engine.docker_cli import cgroup, clusters, docker, nodes_of
from pytest_claims import pace, progress
from pytest_claims.faults import BoxproofError, EnvironmentFault
from pytest_claims.waiting import holds, until

TOPOLOGY = DIRECTORY / "topology.yaml"
NETWORK = "kind"
CREATE_TIMEOUT = 240.0
READY_TIMEOUT = 120.0
CLEAR_TIMEOUT = 60.0
LATE = 3.0  # seconds in which a node may still come after kind was ended
WARM_TIMEOUT = 120.0  # for a cluster whose nodes were just started again
FILE = "config.yaml"
PLACE = "/boxproof/encryption"  # in the topology: the directory on this machine
KEY_BYTES = 32


@dataclass(frozen=True)
class Place:
    """Where a cluster's files lie: its kubeconfig, a kubectl of its version, the record of its recipe."""

    directory: Path

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig kind writes."""
        return self.directory / "kubeconfig"

    @property
    def record(self) -> Path:
        """What the cluster was made from."""
        return self.directory / "cluster.json"

    @property
    def kubectl(self) -> Path:
        """The kubectl taken out of a node."""
        return self.directory / "kubectl"

    @property
    def topology(self) -> Path:
        """The topology with the places of this machine filled in."""
        return self.directory / "topology.yaml"

    @property
    def encryption(self) -> Path:
        """The directory of the API server's encryption configuration."""
        return self.directory / "encryption"

    @property
    def lock(self) -> Path:
        """Held while the cluster is made or removed."""
        return self.directory.with_name(f"{self.directory.name}.making")


def place(settings: Settings, name: str) -> Place:
    """Return where the files of the cluster ``name`` lie."""
    return Place(settings.state / "clusters" / name)


def up(
    settings: Settings,
    engine: EngineInfo,
    node_image: str,
    run_dir: Path,
    *,
    remake: bool = True,
    making: Callable[[], None] = lambda: None,
) -> ClusterInfo:
    """Return the cluster at "all nodes Ready": the one that runs if its recipe is the same, else a new one.

    ``making`` is called before anything of a new one is: one that runs is nobody's to remove, whatever comes.
    When it cannot be made, node logs go to ``run_dir``/evidence/cluster and the nodes are removed.
    Raises EnvironmentFault, without ``remake`` also when there is none that can be used as it is; a
    cluster of that name that is not ours is left alone. Raises UsageError where its kubeconfig is set
    to another cluster.
    """
    where = place(settings, settings.cluster)
    where.directory.mkdir(parents=True, exist_ok=True)
    cell = check(settings)
    program = components.kind(settings, cell.kind)
    topology = topology_of(cell, cgroup(engine))
    recipe = {"image": node_image, "kind": cell.kind.version, "topology": _digest(topology)}
    with _making(where):
        _refuse_foreign(engine, settings.cluster, where)
        contexts.check(where.kubeconfig, settings.cluster)
        if not _usable(engine, settings.cluster, where, recipe):
            if not remake:
                raise EnvironmentFault(f"there is no cluster {settings.cluster} of this recipe in use")
            making()
            remove(engine, settings.cluster)
            check_room(engine, settings.cluster)
            _write_topology(where, topology)
            where.record.write_text(json.dumps(recipe, indent=2))
            _create(engine, settings.cluster, where, program, node_image, run_dir)
    return cluster_info.gather(
        engine,
        settings.cluster,
        str(where.kubeconfig),
        kind=_version(program),
        kubectl=str(where.kubectl),
    )


def down(settings: Settings, engine: EngineInfo, name: str = "") -> bool:
    """Remove a cluster of ours ("" is the configured one) and its files; return whether there was one.

    One of that name that we have no record of is somebody else's, and left alone.
    """
    name = name or settings.cluster
    where = place(settings, name)
    if not where.directory.is_dir():
        return False
    with _making(where):
        there = where.record.exists() and bool(nodes_of(engine, name))
        if there:
            with progress.step(f"removing the cluster {name}"):
                remove(engine, name)
        shutil.rmtree(where.directory, ignore_errors=True)
        _remove_network(engine)
    where.lock.unlink(missing_ok=True)
    return there


def ours(settings: Settings) -> list[str]:
    """Return the names of the clusters we have records of."""
    return sorted(path.parent.name for path in (settings.state / "clusters").glob("*/cluster.json"))


@contextmanager
def _making(where: Place) -> Iterator[None]:
    lock = filelock.FileLock(where.lock)
    try:
        lock.acquire(timeout=pace.stretched(CREATE_TIMEOUT + READY_TIMEOUT))
    except filelock.Timeout:
        hint = "wait for the other run, or choose another name with BOXPROOF_CLUSTER"
        text = f"the cluster {where.directory.name} is being made or removed by another run"
        raise EnvironmentFault(text, hint=hint) from None
    try:
        yield
    finally:
        lock.release()


def _version(program: Path) -> str:
    """Return what kind itself says its version is: "kind v0.33.0 go1.26 linux/amd64"."""
    return run([program, "version"], timeout=20).stdout.split()[1].removeprefix("v")


def topology_of(cell: Cell, cgroups: str) -> str:
    """Return kind's configuration for a cell: the topology, and what the cell adds for the kubelet."""
    text, kubelet = TOPOLOGY.read_text(), cells.kubelet(cell.combination, cgroups)
    if not kubelet:
        return text
    config = yaml.safe_load(text)
    patch = {"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration"} | kubelet
    config["kubeadmConfigPatches"].append(yaml.safe_dump(patch, sort_keys=False))
    return str(yaml.safe_dump(config, sort_keys=False))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _refuse_foreign(engine: EngineInfo, name: str, where: Place) -> None:
    if not where.record.exists() and nodes_of(engine, name):
        hint = f"choose another name with BOXPROOF_CLUSTER, or remove it: kind delete cluster --name {name}"
        raise EnvironmentFault(f"there is a cluster {name} that is not ours", hint=hint)


def _usable(engine: EngineInfo, name: str, where: Place, recipe: dict[str, str]) -> bool:
    """Return whether the cluster is there, of the same recipe, and alive; stopped nodes are started."""
    nodes = nodes_of(engine, name)
    try:
        known = json.loads(where.record.read_text())
    except (OSError, ValueError):
        return False
    if known != recipe | {"ready": True} or not nodes or not where.kubectl.is_file():
        return False
    stopped = sorted(set(nodes) - set(nodes_of(engine, name, running=True)))
    try:
        if stopped:
            with progress.step(f"starting the nodes {' '.join(stopped)}"):
                docker(engine, "start", *stopped)
        cluster_info.wait_whole(engine, name, str(where.kubeconfig), WARM_TIMEOUT)
    except BoxproofError as fault:
        progress.say(f"the cluster {name} is made anew: {fault.message.splitlines()[0]}")
        return False
    return True


def _create(
    engine: EngineInfo, name: str, where: Place, program: Path, node_image: str, run_dir: Path
) -> None:
    argv: list[str | os.PathLike[str]] = [program, "create", "cluster", "--name", name, "--retain"]
    argv += ["--image", node_image, "--config", where.topology, "--kubeconfig", where.kubeconfig]
    try:
        with progress.step(f"creating the cluster {name}") as report:
            run(argv, timeout=CREATE_TIMEOUT, env=engine.env, on_line=cluster_info.timed_steps(report))
            nodes = nodes_of(engine, name)
        with progress.step("all nodes Ready, and the cluster's own pods"), ThreadPoolExecutor(1) as pool:
            taken = pool.submit(_take_kubectl, engine, nodes[0], where)
            cluster_info.wait_whole(engine, name, str(where.kubeconfig), READY_TIMEOUT)
            taken.result()
    except BoxproofError as fault:
        saved = collect_logs(engine, name, run_dir / "evidence" / "cluster")
        _discard(engine, name, where)
        said = fault.message.splitlines()
        text = f"the cluster {name} did not come up: {_last_error(fault) or said[0]}"
        raise EnvironmentFault(text, hint=f"logs of its nodes: {saved}") from fault
    except BaseException:  # interrupted: nothing half-made stays
        _discard(engine, name, where)
        raise
    record = json.loads(where.record.read_text())
    where.record.write_text(json.dumps(record | {"ready": True}, indent=2))


def configured(settings: Settings, engine: EngineInfo) -> Path:
    """Write what kind is given for the configured cell and cluster, and return the file.

    What kind makes of it is ours from then on: ``down`` removes it. Raises EnvironmentFault where a
    cluster of that name is somebody else's.
    """
    where = place(settings, settings.cluster)
    _refuse_foreign(engine, settings.cluster, where)
    where.directory.mkdir(parents=True, exist_ok=True)
    _write_topology(where, topology_of(check(settings), cgroup(engine)))
    where.record.write_text("{}")
    return where.topology


def _write_topology(where: Place, text: str) -> None:
    """Write kind's configuration of one cluster, with an encryption key of its own."""
    directory = prepare_encryption(where.encryption)
    where.topology.write_text(text.replace(PLACE, str(directory)))


def _last_error(fault: BoxproofError) -> str:
    if isinstance(fault, CommandTimedOut):
        return f"kind create cluster took more than {CREATE_TIMEOUT:.0f} s"
    if isinstance(fault, CommandFailed):
        lines = [each for each in fault.result.stderr.splitlines() if each.startswith("ERROR")]
        return lines[-1] if lines else ""
    return ""


def _discard(engine: EngineInfo, name: str, where: Place) -> None:
    """Remove what a creation that was cut short has left; the record, by which it is ours, goes last."""
    until(lambda: _none_comes(engine, name), timeout=CLEAR_TIMEOUT, what=f"no node of {name} comes any more")
    shutil.rmtree(where.directory, ignore_errors=True)


def _none_comes(engine: EngineInfo, name: str) -> bool:
    """Remove the nodes and return whether none followed: the engine ends what a killed kind asked it for."""
    remove(engine, name)
    return holds(lambda: not nodes_of(engine, name), seconds=LATE)


def remove(engine: EngineInfo, name: str) -> None:
    """Remove node containers and their volumes: what ``kind delete cluster`` does, without a kubeconfig."""
    nodes = nodes_of(engine, name)
    if nodes:
        docker(engine, "rm", "--force", "--volumes", *nodes, timeout=120)


def _remove_network(engine: EngineInfo) -> None:
    """Remove kind's network once no container, stopped ones included, is on it."""
    if not docker(engine, "ps", "--all", "--quiet", "--filter", f"network={NETWORK}").stdout.strip():
        docker(engine, "network", "rm", NETWORK, check=False)


def _take_kubectl(engine: EngineInfo, node: str, where: Place) -> None:
    """Copy kubectl out of a node, so that it is of the cluster's version."""
    found = docker(engine, "exec", node, "sh", "-c", "readlink -f $(command -v kubectl)").stdout.strip()
    docker(engine, "cp", f"{node}:{found}", str(where.kubectl))
    where.kubectl.chmod(0o755)


def encryption_configuration() -> str:
    """Return a configuration that encrypts Secrets with a new key, and reads those in the clear too."""
    key = base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
    encrypted = {"secretbox": {"keys": [{"name": "first", "secret": key}]}}
    made = {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "EncryptionConfiguration",
        "resources": [{"resources": ["secrets"], "providers": [encrypted, {"identity": {}}]}],
    }
    return yaml.safe_dump(made, sort_keys=False)


def prepare_encryption(directory: Path) -> Path:
    """Write a new configuration into ``directory``, for its owner alone, and return the directory."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = directory / FILE
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(encryption_configuration())
    return directory


MEMORY = 2.0  # GiB; three idle nodes hold 1.1, the rest is for the box and what checks start
INSTANCES = (
    70  # inotify instances; three idle nodes hold 58 (systemd, kubelet, containerd, the control plane)
)


def check_room(engine: EngineInfo, name: str) -> None:
    """Raise EnvironmentFault if there are clusters beside ``name`` and no room for it.

    A system that does not tell is not asked: then the nodes will say.
    """
    others = [each for each in clusters(engine) if each != name]
    if not others:
        return
    total, free = machine.memory()
    if total and free < MEMORY:
        hint = f"{_remove(others)}, or end other programs"
        text = f"no memory for the cluster {name}: {free:.1f} GiB are free, it takes {MEMORY:.1f}"
        raise EnvironmentFault(text, hint=hint)
    limit, used = machine.inotify("max_user_instances"), machine.inotify_used()
    if limit and limit - used < INSTANCES:
        hint = f"sysctl fs.inotify.max_user_instances={_rounded(used + INSTANCES)}, or {_remove(others)}"
        free_of = f"{limit - used} of {limit} are free, it takes {INSTANCES}"
        raise EnvironmentFault(f"no inotify instances for the cluster {name}: {free_of}", hint=hint)


def _remove(others: list[str]) -> str:
    return f"remove another cluster ({', '.join(others)}): inv down, or kind delete cluster --name NAME"


def _rounded(number: int) -> int:
    """Return the next power of two, at least 512."""
    return max(512, 1 << number.bit_length())
