"""The embedded engine's programs: packages of the machine's own mirror in a private directory."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from boxproof.core.process import run
from boxproof.core.settings import Settings, search_path
from boxproof.host.fetch.apt import Apt, digest, publish, versions
from boxproof.host.fetch.registries import lack
from pytest_claims import progress
from pytest_claims.faults import EnvironmentFault

ENGINE = ("docker.io", "docker-cli", "docker-buildx", "docker-compose", "containerd")
ENGINE_SUITES = ("sid", "trixie")  # the newest first; bookworm's engine is 20.10, and has no buildx
RUNTIME = ("runc", "tini")
RUNTIME_SUITES = ("sid", "trixie", "bookworm")
NETWORK_SUITE = "bookworm"
UBUNTU = ("docker.io", "docker-buildx", "docker-compose-v2", "containerd")
START_TIMEOUT = 60.0
METADATA = ("docker-cli-plugin-metadata",)
ENGINE_STARTS = {  # how each program is started to see that it can be
    "dockerd": ("--version",), "docker": ("--version",), "containerd": ("--version",), "ctr": ("--version",),
    "containerd-shim-runc-v2": ("-v",), "docker-buildx": METADATA, "docker-compose": METADATA,
}  # fmt: skip
RUNTIME_STARTS = {"runc": ("--version",), "tini-static": ("--version",)}
WORKED, TREES = "worked.json", "trees.json"
KEPT = 5  # of those that worked
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


def assemble(settings: Settings, *, chains: str, apt: Apt | None = None) -> Path:
    """Return a directory whose ``bin`` has every program of the engine and ``plugins`` the client's.

    They are of the newest suite whose programs start here. ``chains`` (six characters) replaces DOCKER in
    the names of firewall chains. Raises EnvironmentFault.
    """
    apt = apt or Apt(settings.cache)
    own_tables = _own_tables(settings)
    place = _place(settings, apt, chains, own_tables)

    def fill(directory: Path) -> None:
        network = _network(apt, own_tables)
        engine = _engine(settings, apt)
        runtime = _runtime(settings, apt)
        (directory / "bin").mkdir()
        (directory / "plugins").mkdir()
        trees = [engine, runtime]
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
        (directory / TREES).write_text(json.dumps({"engine": str(engine), "runtime": str(runtime)}))

    return publish(place, fill)


def assembled(settings: Settings, *, chains: str) -> bool:
    """Return whether the cache has the programs, so that nothing is fetched."""
    return _place(settings, Apt(settings.cache), chains, _own_tables(settings)).is_dir()


def at_least(settings: Settings, apt: Apt) -> tuple[str, tuple[str, ...]]:
    """Return the suite, and its packages, without which no engine can be made: of the others any will do."""
    if apt.distribution != "debian":
        return apt.codename, (*UBUNTU, *RUNTIME)
    return NETWORK_SUITE, RUNTIME if _own_tables(settings) else (*RUNTIME, *NETWORK)


def _place(settings: Settings, apt: Apt, chains: str, own_tables: str) -> Path:
    suites = (ENGINE_SUITES, RUNTIME_SUITES, NETWORK_SUITE)
    key = digest(ENGINE, suites, RUNTIME, NETWORK, WRAPPER, chains, own_tables, apt.codename)
    return settings.cache / "engine" / key


def note_worked(settings: Settings, programs: Path) -> None:
    """Record in the state directory that the engine of ``programs`` was seen to answer."""
    now = json.loads((programs / TREES).read_text())
    now["versions"] = json.loads((programs / "versions.json").read_text())
    path = settings.state / "engine" / WORKED
    found = [now, *(each for each in worked(settings) if each != now)][:KEPT]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=2))


def worked(settings: Settings) -> list[dict[str, Any]]:
    """Return the engines that were seen to answer, the last one first: their trees and versions."""
    path = settings.state / "engine" / WORKED
    try:
        found: list[dict[str, Any]] = json.loads(path.read_text()) if path.is_file() else []
    except ValueError:  # cut short: it is written anew with the next start
        return []
    return found


def last_worked(settings: Settings) -> str:
    """Return what was last seen to work here, for people, or ""."""
    found = next(iter(worked(settings)), {}).get("versions", {})
    names = ("docker.io", "containerd", "runc")
    return ", ".join(f"{name} {found[name]}" for name in names if name in found)


def _own_tables(settings: Settings) -> str:
    """Return the path of the system's iptables, or ""; what an engine of ours put in PATH is not it."""
    ours = [settings.cache, settings.state]
    for directory in search_path():
        path = directory / "iptables"
        if path.is_file() and not any(directory.is_relative_to(each) for each in ours):
            return str(path)
    return ""


def _network(apt: Apt, own_tables: str) -> Path | None:
    """Return the packages of the firewall's programs, None where the system has its own."""
    if own_tables:
        return None
    if apt.distribution != "debian":
        raise EnvironmentFault("no iptables on this machine", hint="install the iptables package")
    return apt.unpack(NETWORK, suite=NETWORK_SUITE)


def _engine(settings: Settings, apt: Apt) -> Path:
    debian = apt.distribution == "debian"
    suites = ENGINE_SUITES if debian else (apt.codename,)
    return _starting(settings, apt, "engine", ENGINE if debian else UBUNTU, suites, ENGINE_STARTS)


def _runtime(settings: Settings, apt: Apt) -> Path:
    suites = RUNTIME_SUITES if apt.distribution == "debian" else (apt.codename,)
    return _starting(settings, apt, "runtime", RUNTIME, suites, RUNTIME_STARTS)


def _starting(
    settings: Settings,
    apt: Apt,
    what: str,
    packages: Sequence[str],
    suites: Sequence[str],
    starts: Mapping[str, Sequence[str]],
) -> Path:
    """Return the tree of the newest suite whose programs start here.

    Where the newest does not, one that worked here before and is still in the cache is preferred to an
    older suite.
    """
    tried = []
    for suite in suites:
        try:
            tree = apt.unpack(packages, suite=suite)
            why = unusable(tree, starts)
            if not why:
                return tree
            shutil.rmtree(tree)  # else the next day's would not be tried
        except EnvironmentFault as error:
            why = lack(error).why
        progress.say(f"{what} of {suite} is not used: {why}")
        tried.append(f"{suite}: {why}")
        known = _known(settings, what, starts) if suite == suites[0] else None
        if known:
            progress.say(f"{what} that worked here before is used: {_shown(known)}")
            return known
    hint = "start a Docker Engine of your own, or choose another mirror in /etc/apt"
    raise EnvironmentFault(f"no {what} starts here: {'; '.join(tried)}", hint=hint)


def _known(settings: Settings, what: str, starts: Mapping[str, Sequence[str]]) -> Path | None:
    paths = dict.fromkeys(Path(each[what]) for each in worked(settings) if what in each)
    return next((each for each in paths if each.is_dir() and not unusable(each, starts)), None)


def _shown(tree: Path) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions(tree).items())


def unusable(tree: Path, starts: Mapping[str, Sequence[str]]) -> str:
    """Return "" if every program of ``starts`` is in ``tree`` and starts with its words, else why not."""
    for name, words in starts.items():
        program = _find([tree], name)
        if program is None:
            return f"it has no {name}"
        try:
            result = run([program, *words], timeout=START_TIMEOUT, check=False)
        except EnvironmentFault as fault:
            return fault.message
        if not result.ok:
            said = (result.stderr.strip() or result.stdout.strip() or "it said nothing").splitlines()[-1]
            return f"{name} does not start here (exit code {result.code}): {shortened(said)}"
    return ""


def shortened(line: str, most: int = 200) -> str:
    """Return the end of a line, which has the reason, from the beginning of a word on."""
    return line if len(line) <= most else f"… {line[-most:].partition(' ')[2]}"


def _locate(trees: Sequence[Path], name: str) -> Path:
    found = _find(trees, name)
    if found is None:
        raise EnvironmentFault(f"the engine's packages have no {name}", hint="inv clean --cache")
    return found


def _find(trees: Sequence[Path], name: str) -> Path | None:
    paths = (tree / place / name for tree in trees for place in PLACES)
    return next((path for path in paths if path.is_file()), None)


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
