"""What commands find around them: a built environment, whose they are, where temporary files go."""

from __future__ import annotations

import locale
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from boxproof.core import parents
from pytest_claims.own_process import PROCESS

PASSED_ON = (  # host facts a child may need; everything else stays out
    "PATH", "HOME", "USER", "LANG", "LC_ALL", "TERM", "TMPDIR", "PYTHONUTF8", "XDG_CACHE_HOME",
    "XDG_STATE_HOME",
    "XDG_CONFIG_HOME", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy",
    "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS", "GOPROXY", "GOSUMDB", "GONOSUMDB", "GOPRIVATE", "GOFLAGS",
    "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH",
)  # fmt: skip
PASSED_ON_PREFIXES = ("PIP_", "UV_", "npm_config_", "NPM_CONFIG_", "BOXPROOF_")
OWNER = "BOXPROOF_RUN"  # in the environment of all that a run starts, so that the next one can end it
TEMPORARY = "TMPDIR"
OWN_TEMPORARY = "boxproof-run-"  # how a run's own directory for temporary files begins


class Passed(dict[str, str]):
    """What is passed on to every command of this process from now on."""


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment children get: a short list from ours, then ``extra``."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if (name in PASSED_ON or name.startswith(PASSED_ON_PREFIXES)) and name != parents.PARENT
    }
    return kept | PROCESS.get(Passed) | dict(extra or {})


def in_utf8() -> None:
    """Begin this very command anew in Python's UTF-8 mode where the locale has another encoding.

    Files are UTF-8 on any machine, and what is printed has more than ASCII. What it starts has the mode too.
    """
    begun = os.environ.get("PYTHONUTF8") == "1"  # already: -X utf8=0 says no to it
    if begun or sys.flags.utf8_mode or locale.getencoding().lower().replace("-", "") == "utf8":
        return
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], os.environ | {"PYTHONUTF8": "1"})


def given(name: str) -> str:
    """Return a variable of another program, for who comes before settings can be read; "" without it."""
    return os.environ.get(name, "")


def owned_by(name: str) -> None:
    """Mark every command from now on, daemons apart, as started by the run ``name``."""
    PROCESS.get(Passed)[OWNER] = name


def owner() -> str:
    """Return the run that commands are started by: what ``owned_by`` was told here or in our parent."""
    return PROCESS.get(Passed).get(OWNER, os.environ.get(OWNER, ""))


@contextmanager
def passing_on(name: str, value: str) -> Iterator[None]:
    """Have every command that is started inside the block, daemons included, find ``name`` set."""
    passed = PROCESS.get(Passed)
    passed[name] = value
    try:
        yield
    finally:
        passed.pop(name, None)


def temporary_root() -> Path:
    """Return the system's directory for temporary files, also where a run has one of its own in it."""
    place = Path(tempfile.gettempdir())
    return place.parent if place.name.startswith(OWN_TEMPORARY) else place


@contextmanager
def temporary(directory: Path) -> Iterator[None]:
    """Have all temporary files of the block, and of the commands in it, below a new ``directory``."""
    directory.mkdir(mode=0o700)
    passed = PROCESS.get(Passed)
    before, inherited = tempfile.tempdir, passed.pop(TEMPORARY, "")
    tempfile.tempdir = passed[TEMPORARY] = str(directory)
    try:
        yield
    finally:
        tempfile.tempdir = before
        del passed[TEMPORARY]
        if inherited:
            passed[TEMPORARY] = inherited
        shutil.rmtree(directory, ignore_errors=True)
