"""Paths and addresses that people give in options and variables: made whole, or told with what gave them."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from pytest_claims.faults import UsageError
from pytest_claims.selection import is_directory, is_file, short, there

LABEL = "[a-z0-9]([a-z0-9-]*[a-z0-9])?"
PORT = "(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3})"
HOST = rf"{LABEL}(\.{LABEL})*(:{PORT})?"
PART = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*"  # of a repository's name
DOMAIN = r"([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*|\[[0-9a-f:]+\])"
IMAGE_NAME = rf"({DOMAIN}(:[0-9]{{1,5}})?/)?{PART}(/{PART})*"
IMAGE = rf"{IMAGE_NAME}(:[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}})?(@[a-z0-9+._-]+:[0-9a-fA-F]{{32,}})?"
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


def at_home(value: str) -> Path:
    """Return a path with the home in the place of ~; for a user who has none ~ stays: Path raises there."""
    return Path(os.path.expanduser(value))  # noqa: PTH111


def resolved(shown: str, value: str) -> Path:
    """Return an absolute path, of a loop of links too; raises UsageError for one that cannot be told."""
    home = value.partition("/")[0]
    if home.startswith("~") and str(at_home(home)) == home:
        hint = "give a whole path, or ./~… for a name that begins so"
        raise UsageError(f"{shown}={short(value)!r}: there is no home {short(home)!r}", hint=hint)
    try:
        found = os.path.realpath(at_home(value))
        found.encode()  # it stands in files that are UTF-8
    except UnicodeEncodeError as error:
        hint = "its name is not UTF-8: rename it, or give a link to it"
        raise UsageError(f"{shown}={short(value)!r}", hint=hint) from error
    except OSError as error:  # of the working directory, once that is removed
        where = error.filename or "the working directory"
        told = f"{shown}={short(value)!r}: {where}: {error.strerror}"
        raise UsageError(told, hint="give another") from error
    return Path(found)


def existing(shown: str, value: str, hint: str) -> str:
    """Return the path of a file that there is; raises UsageError with what to give."""
    path = resolved(shown, value)
    if not is_file(path):
        raise UsageError(f"{shown}={short(value)!r}", hint=hint)
    if not os.access(path, os.R_OK):
        raise UsageError(f"{shown}={short(value)!r} may not be read", hint=hint)
    return str(path)


def emptied(shown: str, value: str, kept: Path) -> Path:
    """Return a directory that is emptied on request; raises UsageError where other things are in it.

    ``kept`` is the checkout: it, the home and what they are in are nobody's cache.
    """
    path = resolved(shown, value)
    for each in (kept, at_home("~")):
        if Path(os.path.realpath(each)).is_relative_to(path):
            hint = "give a directory of its own: inv clean removes what is in it"
            raise UsageError(f"{shown}={short(value)!r}: {each} is in it", hint=hint)
    return path


def cache(shown: str, value: str, kept: Path) -> Path:
    """Return the directory of a cache as ``emptied`` does; raises UsageError for a file in its place too."""
    path = emptied(shown, value, kept)
    if (there(path) or there(at_home(value))) and not is_directory(path):
        raise UsageError(
            f"{shown}={short(value)!r} is no directory", hint="give one, or where one can be made"
        )
    return path


def directory(shown: str, value: str, mode: int, hint: str) -> Path:
    """Return a directory that allows ``mode`` (as ``os.access``), or that can be made; raises UsageError."""
    path, told = resolved(shown, value), f"{shown}={short(value)!r}"
    if is_directory(path):
        if not os.access(path, mode | os.X_OK):
            what = "written to" if mode & os.W_OK else "read"
            raise UsageError(f"{told} may not be {what}", hint=hint)
        return path
    if there(at_home(value)):
        raise UsageError(f"{told} is no directory", hint=hint)
    above = next(each for each in path.parents if there(each))
    if not is_directory(above) or not _takes_more(above):
        raise UsageError(f"{told} cannot be made in {above}", hint=hint)
    return path


def _takes_more(above: Path) -> bool:
    """Return whether a directory can be made in one: for root the permissions of /proc do not say."""
    if not os.access(above, os.W_OK | os.X_OK):
        return False
    try:
        Path(tempfile.mkdtemp(prefix=".boxproof-", dir=above)).rmdir()
    except OSError:
        return False
    return True


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


def shared_programs(shown: str, value: str) -> str:
    """Return where shared programs are, a directory by its whole path; raises UsageError for what is none."""
    address = value.removeprefix(WHEEL)
    if value.startswith(OCI):
        if not ARTIFACT.fullmatch(value):
            raise UsageError(f"{shown}={short(value)!r}", hint=f"allowed: {ARTIFACT_FORM}")
        return value
    if is_of_the_web(address):
        remote(value)
        return value
    if SCHEME.match(address) or not address.strip():
        raise UsageError(f"{shown}={short(value)!r}", hint=f"allowed: {SHARED_FORM}")
    if address == value:
        hint = f"allowed: {SHARED_FORM}"
        return str(directory(shown, value, os.R_OK, hint))
    return f"{WHEEL}{_of_wheels(shown, value, address)}"


def is_of_the_web(address: str) -> bool:
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
    path, told = resolved(shown, address), f"{shown}={short(value)!r}"
    fills = f"BOXPROOF_BINARY_CACHE= inv binaries --wheel {short(address)} fills it"
    if not is_directory(path) or not os.access(path, os.R_OK | os.X_OK):
        raise UsageError(f"{told} is no directory that can be read", hint=fills)
    if not any(each.name.endswith(".whl") for each in path.iterdir()):
        raise UsageError(f"{told} has no wheel in it", hint=fills)
    return path
