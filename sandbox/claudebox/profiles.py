"""Profiles: declarations in TOML, read from a file that only its owner can have written."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from claudebox import safely
from claudebox.errors import Problem, plain, usage
from claudebox.network import TIERS

KEYS = ("network", "variables", "mounts", "packages", "nix_daemon", "user_namespaces")
MOUNT_KEYS = ("source", "target", "write")
PACKAGE_KEYS = ("from", "where", "names")
PROVIDERS = ("nix", "dir")
OURS = ("HOME", "PATH", "CLAUDE_CONFIG_DIR", "CLAUDE_SECURESTORAGE_CONFIG_DIR", "CLAUDEBOX")
# What is written out where a name belongs: the forms of well-known tokens, and a value with a telling name.
SECRETS = (
    r"sk-(ant-|proj-|svcacct-)?[A-Za-z0-9_-]{16,}", r"gh[pousr]_[A-Za-z0-9]{20,}", r"github_pat_\w{20,}",
    r"\bgl(pat|dt|rt|rtr|cbt|ptt|ft|imt|agent|oas|soat|ffct)-[\w.-]{16,}", r"GR1348941[\w-]{16,}",
    r"(AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}", r"xox[abceoprs](\.xox[abp])?-[\w-]{10,}", r"\bxapp-[\w-]{10,}",
    r"AIza[\w-]{30,}", r"\bya29\.[\w-]{10,}", r"\bGOCSPX-[\w-]{10,}", r"eyJ[\w-]{10,}\.eyJ[\w-]{10,}",
    r"-----BEGIN [A-Z ]*PRIVATE KEY", r"AGE-SECRET-KEY-1\w{20,}", r"hf_[A-Za-z0-9]{20,}",
    r"npm_[A-Za-z0-9]{20,}",
    r"\bpypi-[\w-]{16,}", r"\brubygems_[0-9a-f]{16,}", r"\bdckr_(pat|oat)_[\w-]{16,}",
    r"\bhv[sbr]\.[\w-]{16,}", r"\w{8,}\.atlasv1\.[\w-]{16,}", r"\bdo[opr]_v1_[0-9a-f]{16,}",
    r"\bglsa_\w{16,}",
    r"\bglc_[\w=]{16,}", r"\bshp(at|ca|pa|ss)_[0-9a-fA-F]{16,}", r"\b[sr]k_(live|test)_[A-Za-z0-9]{10,}",
    r"\bwhsec_[\w+/=]{16,}", r"\bSG\.[\w-]{10,}\.[\w-]{10,}", r"\b\d{8,10}:AA[\w-]{30,}",
    r"\blin_api_\w{16,}",
    r"\bntn_\w{16,}", r"\btskey-[a-z]+-[\w-]{10,}", r"\bsntry[su]_[\w=+/-]{16,}", r"\bATATT3[\w=-]{16,}",
    r"\bpul-[0-9a-f]{32,}", r"\bdapi[0-9a-f]{32}",
    r"\b\w*(SECRET|TOKEN|PASSWORD|PASSWD|API_?KEY|CREDENTIAL)\w*\s*[=:]\s*[\"']?[^\s\"'\]]{6,}",
    r"://[^/\s:@]+:[^/\s:@]+@",
)  # fmt: skip


class Mount(NamedTuple):
    """One directory or file of the host; ``given`` is the source as the profile writes it."""

    given: str
    source: str
    target: str
    write: bool


class Wanted(NamedTuple):
    """The packages asked for; ``where`` is a flake or a directory of tools."""

    provider: str
    where: str
    names: tuple[str, ...]


class Profile(NamedTuple):
    """What a profile declares."""

    name: str = ""
    path: str = ""
    network: str = ""
    variables: tuple[str, ...] = ()
    mounts: tuple[Mount, ...] = ()
    packages: Wanted | None = None
    nix_daemon: bool = True
    user_namespaces: bool = False


def load(name: str) -> Profile:
    """Return the profile ``name``; raises Problem for a file that is not safe, or not understood."""
    import tomllib

    if not name.replace("-", "").replace("_", "").replace(".", "").isalnum() or name.startswith("."):
        raise usage(f"--profile {name!r} is no name", "allowed: letters, digits, dots, dashes, underscores")
    path = f"{safely.top()}/profiles/{name}.toml"
    try:
        text = safely.read(path).decode()
    except FileNotFoundError:
        raise usage(f"no profile {name!r}", f"there are: {_known()}; a profile is {plain(path)}") from None
    except UnicodeDecodeError:
        raise Problem(f"{plain(path)} is not text") from None
    _no_secrets(path, text)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Problem(
            f"{plain(path)} is no TOML: {error}", "a profile holds declarations and no code"
        ) from None
    return _Reader(path).profile(name, data)


def _known() -> str:
    try:
        names = os.listdir(f"{safely.top()}/profiles")
    except OSError:
        names = []
    return ", ".join(sorted(each.removesuffix(".toml") for each in names if each.endswith(".toml"))) or "none"


def _no_secrets(path: str, text: str) -> None:
    import re

    for number, line in enumerate(text.splitlines(), 1):
        if any(re.search(each, line, re.IGNORECASE if "SECRET|" in each else 0) for each in SECRETS):
            hint = 'name the variable, as in variables = ["NAME"], and set it in your shell or secret store'
            raise Problem(f"{plain(path)} line {number} has a secret written out: refused", hint)


class _Reader:
    """Takes the tables apart; every mistake names the file, the key and what is allowed."""

    def __init__(self, path: str) -> None:
        self.path = path

    def wrong(self, what: str, hint: str = "") -> Problem:
        return Problem(f"{plain(self.path)}: {what}", hint)

    def profile(self, name: str, data: dict[str, Any]) -> Profile:
        self.only(data, KEYS, "")
        tier = self.text(data, "network", "")
        if tier and tier not in TIERS:
            raise self.wrong(f"network = {tier!r}", f"allowed: {', '.join(TIERS)}")
        mounts = data.get("mounts", [])
        if not isinstance(mounts, list) or not all(isinstance(each, dict) for each in mounts):
            raise self.wrong("mounts is no list of tables", "write [[mounts]]")
        return Profile(
            name,
            self.path,
            tier,
            tuple(self.variable(each) for each in self.texts(data, "variables")),
            tuple(self.mount(each) for each in mounts),
            self.wanted(data["packages"]) if "packages" in data else None,
            self.flag(data, "nix_daemon", True),
            self.flag(data, "user_namespaces", False),
        )

    def only(self, data: dict[str, Any], allowed: tuple[str, ...], where: str) -> None:
        for key in data:
            if key not in allowed:
                raise self.wrong(f"unknown key {where}{plain(key)}", f"allowed: {', '.join(allowed)}")

    def text(self, data: dict[str, Any], key: str, default: str | None = None) -> str:
        value = data.get(key, default)
        if not isinstance(value, str) or "\0" in value:
            raise self.wrong(f"{key} is no text" if key in data else f"{key} is missing")
        return value

    def texts(self, data: dict[str, Any], key: str) -> list[str]:
        value = data.get(key, [])
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise self.wrong(f"{key} is no list of texts")
        return list(value)

    def flag(self, data: dict[str, Any], key: str, default: bool) -> bool:
        value = data.get(key, default)
        if not isinstance(value, bool):
            raise self.wrong(f"{key} is neither true nor false")
        return value

    def variable(self, name: str) -> str:
        if not name.isascii() or not name.replace("_", "a").isalnum() or name[0].isdigit():
            shown = name.partition("=")[0]
            raise self.wrong(f"variables has {plain(shown)!r}, which is no name", "names only, never values")
        if name in OURS:
            raise self.wrong(f"variable {name} is claudebox's own")
        return name

    def mount(self, data: dict[str, Any]) -> Mount:
        self.only(data, MOUNT_KEYS, "mounts.")
        given = self.text(data, "source")
        source = self.absolute(given, "source")
        target = os.path.normpath(self.absolute(self.text(data, "target", given), "target"))
        if not os.path.exists(source):
            raise self.wrong(f"the mount source {plain(source)} does not exist")
        return Mount(given, os.path.realpath(source), target, self.flag(data, "write", False))

    def absolute(self, path: str, key: str) -> str:
        if path == "~" or path.startswith("~/"):
            path = safely.home() + path[1:]
        if not path.startswith("/"):
            raise self.wrong(f"the mount {key} {plain(path)} is relative", "start it with / or ~/")
        return path

    def wanted(self, data: object) -> Wanted:
        if not isinstance(data, dict):
            raise self.wrong("packages is no table", "write [packages]")
        self.only(data, PACKAGE_KEYS, "packages.")
        provider = self.text(data, "from")
        if provider not in PROVIDERS:
            raise self.wrong(f"packages.from = {provider!r}", f"allowed: {', '.join(PROVIDERS)}")
        where = self.text(data, "where", "nixpkgs" if provider == "nix" else None)
        if provider == "dir":
            where = self.absolute(where, "where")
        names = tuple(self.texts(data, "names"))
        for each in names:
            if not each or each.startswith("-") or not each.isprintable() or ".." in each.split("/"):
                raise self.wrong(f"packages.names has {each!r}")
        return Wanted(provider, where, names)
