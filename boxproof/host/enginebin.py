"""The embedded engine's programs: packages of the machine's own mirror in a private directory."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from boxproof import log
from boxproof.errors import EnvironmentFault
from boxproof.host.apt import Apt, digest, publish, versions
from boxproof.run import run
from boxproof.settings import Settings, search_path

ENGINE = ("docker.io", "docker-cli", "docker-buildx", "docker-compose", "containerd")
ENGINE_SUITES = ("sid", "trixie")  # the first one has an engine that works without CAP_SYS_RESOURCE
RUNTIME_SUITE = "bookworm"  # later builds of runc want a later libc
RUNTIME = ("runc", "tini")
NETWORK = (
    "iptables", "ipset", "conntrack", "nftables", "libip4tc2", "libip6tc2", "libxtables12", "libmnl0",
    "libnftnl11", "libnftables1", "libnfnetlink0", "libnetfilter-conntrack3", "libipset13",
    "libjansson4", "libedit2", "libbsd0", "libmd0",
)  # fmt: skip
TABLES = ("iptables", "iptables-save", "iptables-restore", "ip6tables", "ip6tables-save", "ip6tables-restore")
PROGRAMS = ("dockerd", "docker", "docker-proxy", "containerd", "containerd-shim-runc-v2", "ctr", "runc")
PLACES = (
    "usr/bin", "usr/sbin", "usr/libexec/docker", "usr/libexec/docker/cli-plugins",
    "usr/lib/docker/cli-plugins",
)  # fmt: skip
PLUGINS = ("docker-buildx", "docker-compose")
# The engine calls the firewall's chains DOCKER…; under a name of its own it leaves another engine's be.
# DOCKER_OUTPUT and its like are inside containers and keep their names.
WRAPPER = """#!/bin/sh
for word; do
  shift
  case $word in DOCKER|DOCKER-*) word={prefix}${{word#DOCKER}} ;; esac
  set -- "$@" "$word"
done
{exports}exec {program} "$@"
"""
PLAIN = '#!/bin/sh\n{exports}exec {program} "$@"\n'


def assemble(settings: Settings, *, chains: str) -> Path:
    """Return a directory whose ``bin`` has every program of the engine and ``plugins`` the client's.

    ``chains`` (six characters) replaces DOCKER in the names of firewall chains. Raises EnvironmentFault.
    """
    apt = Apt(settings.cache)
    own_tables = _own_tables(settings)
    key = digest(ENGINE, ENGINE_SUITES, RUNTIME, NETWORK, WRAPPER, chains, own_tables, apt.codename)

    def fill(directory: Path) -> None:
        engine, network = _packages(apt, own_tables)
        (directory / "bin").mkdir()
        (directory / "plugins").mkdir()
        trees = [engine, apt.unpack(RUNTIME, suite=_runtime_suite(apt))]
        for name in PROGRAMS:
            (directory / "bin" / name).symlink_to(_locate(trees, name))
        (directory / "bin/docker-init").symlink_to(_locate(trees, "tini-static"))
        for name in PLUGINS:
            (directory / "plugins" / name).symlink_to(_locate(trees, name))
        _wrap(directory / "bin", network, own_tables, chains)
        found = {
            name: version for tree in (*trees, network) if tree for name, version in versions(tree).items()
        }
        (directory / "versions.json").write_text(json.dumps(found, indent=2, sort_keys=True))

    return publish(settings.cache / "engine" / key, fill)


def _own_tables(settings: Settings) -> str:
    """Return the path of the system's iptables, or ""; what an engine of ours put in PATH is not it."""
    ours = [settings.cache, settings.state]
    for directory in search_path():
        path = directory / "iptables"
        if path.is_file() and not any(directory.is_relative_to(each) for each in ours):
            return str(path)
    return ""


def _packages(apt: Apt, own_tables: str) -> tuple[Path, Path | None]:
    if apt.distribution != "debian":
        names = ("docker.io", "docker-buildx", "docker-compose-v2", "containerd")
        if not own_tables:
            raise EnvironmentFault("no iptables on this machine", hint="install the iptables package")
        return apt.unpack(names, suite=apt.codename), None
    network = None if own_tables else apt.unpack(NETWORK, suite=RUNTIME_SUITE)
    for suite in ENGINE_SUITES[:-1]:
        try:
            return apt.unpack(ENGINE, suite=suite), network
        except EnvironmentFault as error:
            log.say(f"engine of {suite} cannot be had: {error.message.splitlines()[-1]}")
    return apt.unpack(ENGINE, suite=ENGINE_SUITES[-1]), network


def _runtime_suite(apt: Apt) -> str:
    return RUNTIME_SUITE if apt.distribution == "debian" else apt.codename


def _locate(trees: Sequence[Path], name: str) -> Path:
    for tree in trees:
        for place in PLACES:
            if (tree / place / name).is_file():
                return tree / place / name
    raise EnvironmentFault(f"the engine's packages have no {name}", hint="remove the engine cache")


def _wrap(into: Path, network: Path | None, own_tables: str, chains: str) -> None:
    exports, below = "", Path(own_tables).parent
    if network:
        libraries = next(network.glob("usr/lib/*-linux-*"))
        exports = f"export LD_LIBRARY_PATH={libraries} XTABLES_LIBDIR={libraries}/xtables\n"
        below = network / "usr/sbin"
    for name in TABLES:
        program = below / (name.replace("tables", "tables-nft", 1) if network else name)
        _script(into / name, WRAPPER.format(prefix=chains, exports=exports, program=program))
    if not network:
        return
    for name in ("ipset", "conntrack", "nft"):
        _script(into / name, PLAIN.format(exports=exports, program=below / name))
    if not run([into / "iptables", "-t", "nat", "-S"], timeout=20, check=False).ok:
        for name in TABLES:  # a kernel without nftables
            program = below / name.replace("tables", "tables-legacy", 1)
            _script(into / name, WRAPPER.format(prefix=chains, exports=exports, program=program))


def _script(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)
