"""Addresses that people give: of a registry, of an artifact in one, and of the programs machines share."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import urlsplit

from boxproof.core import typed_paths
from pytest_claims.faults import UsageError
from pytest_claims.selection import is_directory, short

LABEL = "[a-z0-9]([a-z0-9-]*[a-z0-9])?"
PORT = "(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3})"
HOST = rf"{LABEL}(\.{LABEL})*(:{PORT})?"
PART = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*"  # of a repository's name
REGISTRY = re.compile(f"{HOST}(/{PART})*")
REGISTRY_FORM = "HOST[:PORT][/PATH], in lower case, without https://"
ARTIFACT = re.compile(
    rf"oci://(?P<host>{HOST})/(?P<name>{PART}(/{PART})*)"
    r"(:(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,127}))?(@(?P<digest>sha256:[0-9a-f]{64}))?"
)
ARTIFACT_FORM = "oci://HOST[:PORT]/NAME[:TAG][@sha256:…], in lower case"
OCI, WHEEL = "oci://", "wheel:"
LOOPBACK = ("127.0.0.1", "::1", "localhost")
SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
SHARED_FORM = "a directory, https://…, oci://HOST/NAME[:TAG], or wheel: before a directory or https://…"


def remote(value: str) -> bool:
    """Return whether shared programs are elsewhere; raises UsageError where anybody could put some in.

    The checksums come from the same place, so they tell damage, not fraud.
    """
    address = value.removeprefix(WHEEL)
    if not address.startswith("http://"):
        return address.startswith("https://")
    if (urlsplit(address).hostname or "") not in LOOPBACK:
        told = f"BOXPROOF_BINARY_CACHE={value} is plain HTTP, and what comes from it is run"
        raise UsageError(told, hint="serve it over https, or name a directory")
    return True


def shared(shown: str, value: str) -> str:
    """Return where shared programs are, a directory by its whole path; raises UsageError for what is none."""
    address = value.removeprefix(WHEEL)
    if value.startswith(OCI):
        if not ARTIFACT.fullmatch(value):
            raise UsageError(f"{shown}={short(value)!r}", hint=f"allowed: {ARTIFACT_FORM}")
        return value
    if _is_of_the_web(address):
        remote(value)
        return value
    if SCHEME.match(address) or not address.strip():
        raise UsageError(f"{shown}={short(value)!r}", hint=f"allowed: {SHARED_FORM}")
    if address == value:
        hint = f"allowed: {SHARED_FORM}"
        return str(typed_paths.directory(shown, value, os.R_OK, hint))
    return f"{WHEEL}{_of_wheels(shown, value, address)}"


def _is_of_the_web(address: str) -> bool:
    """Return whether it is an address of the web, whole and with a host."""
    if not address.startswith(("https://", "http://")) or not address.isprintable() or " " in address:
        return False
    try:
        parts = urlsplit(address)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _of_wheels(shown: str, value: str, address: str) -> Path:
    """Return a directory with wheels in it; raises UsageError: nothing that runs puts one there."""
    path, told = typed_paths.resolved(shown, address), f"{shown}={short(value)!r}"
    fills = f"BOXPROOF_BINARY_CACHE= inv binaries --wheel {short(address)} fills it"
    if not is_directory(path) or not os.access(path, os.R_OK | os.X_OK):
        raise UsageError(f"{told} is no directory that can be read", hint=fills)
    if not any(each.name.endswith(".whl") for each in path.iterdir()):
        raise UsageError(f"{told} has no wheel in it", hint=fills)
    return path
