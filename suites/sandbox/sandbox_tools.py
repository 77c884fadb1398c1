"""The programs a sandbox and its stage need: this machine's own, else unpacked from Debian packages."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from boxproof.core.settings import Settings, path_after
from boxproof.host.fetch.apt import Apt, digest, publish
from pytest_claims.faults import EnvironmentFault

# program -> where it is in its package, the package, and the libraries that a small system lacks
PROGRAMS: dict[str, tuple[str, tuple[str, ...]]] = {
    "bwrap": ("usr/bin/bwrap", ("bubblewrap",)),
    "slirp4netns": ("usr/bin/slirp4netns", ("slirp4netns", "libslirp0", "libglib2.0-0", "libseccomp2")),
    "nft": (
        "usr/sbin/nft",
        (
            "nftables",
            "libnftables1",
            "libnftnl11",
            "libmnl0",
            "libxtables12",
            "libjansson4",
            "libedit2",
            "libbsd0",
        ),
    ),
    "ip": ("bin/ip", ("iproute2", "libbpf1", "libelf1", "libmnl0", "libcap2", "libxtables12")),
}
WRAPPER = '#!/bin/sh\nLD_LIBRARY_PATH={libraries} exec {program} "$@"\n'
WRAPPED = re.compile(r"#!/bin/sh\nLD_LIBRARY_PATH=\S* exec (?P<program>\S+) ")
TUN = Path("/dev/net/tun")
NEEDED = {
    "/proc/sys/user/max_user_namespaces": "raise the sysctl user.max_user_namespaces",
    "/proc/sys/kernel/unprivileged_userns_clone": "set the sysctl kernel.unprivileged_userns_clone=1",
}


def ensure(settings: Settings) -> Path:
    """Return a directory with the programs; raises EnvironmentFault where one cannot be had."""
    path = path_after(Path("/usr/local/bin"))
    own = {name: shutil.which(name, path=path) for name in PROGRAMS}
    missing = sorted(name for name, found in own.items() if found is None)

    def fill(directory: Path) -> None:
        for name, found in own.items():
            if found is not None:
                (directory / name).symlink_to(found)
        for name in missing:
            _unpacked(settings, name, directory / name)

    key = digest("sandbox tools", sorted((name, str(found)) for name, found in own.items()), WRAPPER)
    return publish(settings.cache / "sandbox" / key, fill)


def _unpacked(settings: Settings, name: str, target: Path) -> None:
    inside, packages = PROGRAMS[name]
    apt = Apt(settings.cache)
    try:
        tree = apt.unpack(packages, suite=apt.codename)
    except EnvironmentFault as fault:
        hint = f"install the package {packages[0]}"
        raise EnvironmentFault(f"{name} is not on this machine: {fault.message}", hint=hint) from fault
    program = tree / inside
    if len(packages) == 1:  # its libraries are everywhere, and what it starts must not see where others are
        target.symlink_to(program)
        return
    libraries = sorted({str(each.parent) for each in tree.rglob("*.so.*")})
    target.write_text(WRAPPER.format(libraries=":".join(libraries), program=program))
    target.chmod(0o755)


def behind(program: str) -> str:
    """Return the path of what a wrapper of ours starts, or that of ``program`` itself if it is none."""
    with Path(program).open("rb") as file:
        start = file.read(4096).decode(errors="replace")
    found = WRAPPED.match(start)
    return found["program"] if found else program


def demand() -> None:
    """Raise EnvironmentFault where this kernel gives no user namespaces or no tun device, with the remedy."""
    for path, remedy in NEEDED.items():
        file = Path(path)
        if file.is_file() and file.read_text().strip() == "0":
            raise EnvironmentFault("no user namespaces on this machine", hint=remedy)
    if not TUN.exists():
        raise EnvironmentFault(f"{TUN} is missing", hint="load the kernel module tun")
