"""Nix on a stage: a daemon with a store of its own, and a flake of two small packages."""

from __future__ import annotations

import os
from pathlib import Path

from boxproof.core.process import Started
from boxproof.core.settings import Settings
from boxproof.host.fetch.apt import Apt
from pytest_claims.faults import EnvironmentFault
from suites.sandbox.stage import Stage

NIX_PACKAGES = ("nix-bin", "libboost-context1.74.0", "libcpuid16", "libgc1", "libsodium23")
NIX_CONF = """sandbox = false
build-users-group =
substituters =
flake-registry =
experimental-features = nix-command flakes
"""
FLAKE = """{
  outputs = { self }: let
    made = name: derivation {
      inherit name; system = "@system@"; builder = "/bin/sh";
      args = [ "-c" "/bin/mkdir -p $out/bin; printf '#!/bin/sh\\\\necho said by ${name}\\\\n' >$out/bin/${name}; /bin/chmod 755 $out/bin/${name}" ];
    };
  in { packages.@system@ = { hello = made "hello"; other = made "other"; }; };
}
"""  # noqa: E501 (one line of Nix)
WRAPPER = '#!/bin/sh\nLD_LIBRARY_PATH={libraries} exec {program} "$@"\n'


class Nix:
    """The daemon, its store and the flake; ``env`` are Nix's own variables, for the launcher."""

    def __init__(self, stage: Stage, settings: Settings) -> None:
        apt = Apt(settings.cache)
        try:
            self.tree = apt.unpack(NIX_PACKAGES, suite=apt.codename)
        except EnvironmentFault as fault:
            raise EnvironmentFault(f"no Nix: {fault.message}", hint="install the package nix-bin") from fault
        home = stage.directory / "nix"
        self.flake, self.store = home / "flake", home / "store"
        for each in ("store", "var", "log", "etc", "flake"):
            (home / each).mkdir(parents=True)
        (home / "etc/nix.conf").write_text(NIX_CONF)
        system = f"{os.uname().machine}-linux"
        (self.flake / "flake.nix").write_text(FLAKE.replace("@system@", system))
        self.env = {
            "NIX_STORE_DIR": str(self.store), "NIX_STATE_DIR": str(home / "var"),
            "NIX_LOG_DIR": str(home / "log"), "NIX_CONF_DIR": str(home / "etc"),
            "NIX_LIBEXEC_DIR": str(self.tree / "usr/libexec"),
        }  # fmt: skip
        self.socket = home / "var/daemon-socket/socket"
        self.program = self._program(stage, "nix")
        self._daemon = self._program(stage, "nix-daemon")

    def _program(self, stage: Stage, name: str) -> Path:
        """Return a program that finds its libraries, in a directory that sessions can be given."""
        directory = stage.directory / "nixbin"
        directory.mkdir(exist_ok=True)
        libraries = {str(each.parent) for each in self.tree.rglob("*.so*")}
        path = directory / name
        program = self.tree / "usr/bin" / name
        path.write_text(WRAPPER.format(libraries=":".join(sorted(libraries)), program=program))
        path.chmod(0o755)
        return path

    def start(self, stage: Stage) -> Started:
        """Start the daemon as the ordinary user and wait for its socket; it ends with the stage."""
        return stage.daemon([str(self._daemon)], self.socket, env=self.env)

    def profile(self, *names: str, more: str = "") -> str:
        """Return a profile with packages of the flake and the nix program itself."""
        mounts = "".join(f'[[mounts]]\nsource = "{each}"\n' for each in (self.tree, self.program.parent))
        listed = ", ".join(f'"{each}"' for each in names)
        packages = f'[packages]\nfrom = "nix"\nwhere = "path:{self.flake}"\nnames = [{listed}]\n'
        return more + mounts + packages
