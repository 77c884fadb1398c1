"""What the node image is made of: programs from pinned Go modules and a Debian root."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from boxproof.cluster.cells import DIRECTORY, Cell, Containerd, Kind
from boxproof.core.settings import Settings
from boxproof.host.fetch import golang, release_archives
from boxproof.host.fetch.apt import Apt
from pytest_claims import progress
from pytest_claims.faults import EnvironmentFault

MODULES = DIRECTORY / "modules"
STRIPPED = "-s -w"
RUNTIME = ("containerd", "ctr", "containerd-shim-runc-v2")
SUITE = "bookworm"  # its systemd is the last one that runs on cgroup v1
PACKAGES = (
    "ca-certificates", "conntrack", "containernetworking-plugins", "curl", "dbus", "dnsutils", "ebtables",
    "ethtool", "iproute2", "ipset", "iptables", "jq", "kmod", "mount", "nftables", "procps", "runc", "socat",
    "systemd", "systemd-sysv", "util-linux",
)  # fmt: skip


@dataclass(frozen=True)
class Program:
    """One program: ``module`` is a directory below cluster/modules."""

    name: str
    module: str
    package: str
    ldflags: str = STRIPPED
    tags: tuple[str, ...] = ()

    @property
    def recipe(self) -> golang.Build:
        """How it is built."""
        return golang.Build(MODULES / self.module, self.package, self.name, self.ldflags, self.tags)


def recipes(cell: Cell, *, node: bool, settings: Settings | None = None) -> list[golang.Build]:
    """Return how the programs of a cell are built that come as Go modules; without ``node`` kind alone.

    With ``settings`` a published kind is asked for first.
    """
    released = settings is not None and _released(settings, cell.kind)
    found = [_kind(cell.kind)] if cell.kind.module and not released else []
    if not node:
        return found
    wanted = programs(cell.on_default_runtime())
    wanted += () if cell.default_runtime or cell.containerd.package else runtime_programs(cell.containerd)
    return [*found, *(each.recipe for each in wanted)]


def _kind(version: Kind) -> golang.Build:
    return golang.Build(MODULES / version.module, "sigs.k8s.io/kind", "kind", STRIPPED)


def runtime_programs(containerd: Containerd) -> tuple[Program, ...]:
    """Return the programs of a containerd that comes as a Go module."""
    major = containerd.version.partition(".")[0]
    module = "github.com/containerd/containerd" + ("" if major == "1" else f"/v{major}")
    stamp = f"{STRIPPED} -X {module}/version.Version={containerd.version}"
    without = ("no_btrfs", "no_devmapper", "no_zfs", "no_aufs")
    return tuple(Program(name, containerd.module, f"{module}/cmd/{name}", stamp, without) for name in RUNTIME)


def programs(cell: Cell) -> tuple[Program, ...]:
    """Return the programs of a cell's node image."""
    local_path = "local-path-provisioner"
    return (
        Program("kubernetes", cell.kubernetes.module, ".", _stamped(cell.kubernetes.version)),
        *runtime_programs(cell.containerd),
        Program("etcd", "etcd", "go.etcd.io/etcd/server/v3"),
        Program("etcdctl", "etcd", "go.etcd.io/etcd/etcdctl/v3"),
        Program("coredns", "coredns", "."),
        Program("crictl", "cri-tools", "sigs.k8s.io/cri-tools/cmd/crictl"),
        Program("kube-router", "kube-router", "github.com/cloudnativelabs/kube-router/v2/cmd/kube-router"),
        Program(local_path, local_path, f"github.com/rancher/{local_path}"),
        Program("pause", "pause", "."),
    )


def _stamped(version: str) -> str:
    """Return the link flags of Kubernetes: without them kubeadm takes itself for version 0.0.0."""
    major, minor, _ = version.split(".")
    values = {"gitVersion": f"v{version}", "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    flags = [f"-X {package}.{name}={value}" for package in packages for name, value in values.items()]
    return " ".join([STRIPPED, *flags])


def build(settings: Settings, cell: Cell) -> Mapping[str, Path]:
    """Return the programs of a cell's node image by name, built where they are not cached."""
    return _built(settings, programs(cell))


def runtime(settings: Settings, containerd: Containerd) -> Mapping[str, Path]:
    """Return the programs of one containerd by name; raises EnvironmentFault when they cannot be had."""
    if not containerd.package:
        return _built(settings, runtime_programs(containerd))
    wanted = [f"usr/bin/{name}" for name in RUNTIME]
    tree = Apt(settings.cache).unpack([containerd.package], suite=containerd.suite, only=wanted)
    found = {Path(each).name: tree / each for each in wanted if (tree / each).is_file()}
    if len(found) < len(RUNTIME):
        lacking = ", ".join(sorted(set(RUNTIME) - set(found)))
        raise EnvironmentFault(f"no {lacking} in the package {containerd.package} of {containerd.suite}")
    return found


def _built(settings: Settings, wanted: Iterable[Program]) -> Mapping[str, Path]:
    return {each.name: golang.made(each.recipe, settings) for each in wanted}


def root(settings: Settings) -> Path:
    """Return the tar of the node's Debian root."""
    return Apt(settings.cache).rootfs(PACKAGES, suite=SUITE, name="node")


def kind(settings: Settings, version: Kind) -> Path:
    """Return the kind program of a version; raises EnvironmentFault when it cannot be had."""
    if version.package:
        tree = Apt(settings.cache).unpack([version.package], suite=version.suite, only=["usr/bin/*"])
        found = tree / "usr/bin/kind"
        if not found.is_file():
            raise EnvironmentFault(f"no kind in the package {version.package} of {version.suite}")
        return found
    return _published(settings, version) or golang.made(_kind(version), settings)


def _released(settings: Settings, version: Kind) -> bool:
    return bool(version.sha256) and release_archives.served(
        version.release, version.sha256, name="kind", settings=settings
    )


def _published(settings: Settings, version: Kind) -> Path | None:
    if not version.sha256:
        return None
    try:
        return release_archives.fetch(version.release, version.sha256, name="kind", settings=settings)
    except EnvironmentFault as fault:  # a wrong pin costs a warning, not the run
        progress.say(f"{fault}; taking the other way", style="yellow")
        return None
