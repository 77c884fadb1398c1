"""All settings: options, then ``BOXPROOF_*`` variables, then defaults; the one reader of the environment."""

from __future__ import annotations

import json
import os
import re
import sysconfig
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import partial
from pathlib import Path

import platformdirs

from boxproof.core import typed_values
from boxproof.core.parents import PARENT
from pytest_claims import pace
from pytest_claims.faults import UsageError, nearest
from pytest_claims.selection import is_directory, is_file, short

CHECKOUT = Path(__file__).resolve().parents[2]
PLACE = "share/boxproof"  # of the files beside the packages, below a prefix (setup.py)
OWNER = "subject.toml"  # what only a checkout has, or the installed copy of its files
PREFIX = "BOXPROOF_"
SNAPSHOT = re.compile(
    r"([0-9]{4}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]Z"
    r"|https?://(\[[0-9a-fA-F:.]+\](:[0-9]{1,5})?|[^\s/\[\]]+)(/\S*)?|file://\S+)"
)
CLUSTER = re.compile(r"[a-z0-9]([a-z0-9.-]{0,38}[a-z0-9])?")  # what kind takes
VERSION = re.compile(r"v?[0-9]{1,6}(\.[0-9]{1,6}){0,3}([-+.][0-9A-Za-z.-]{1,40})?")
ENGINE = re.compile(r"auto|user|embedded")
LINE = re.compile(r"[^\x00-\x1f]+")
# as a variable, "" is not to have it: a job of CI sets it whether or not it was given something
UNSET = frozenset(
    {"registry", "publish", "context", "snapshot", "kubeconfig", "claims", "binary_cache", "vulnerability_db"}
)
FORMS = {
    "stage": (re.compile("static|image|cluster"), "static, image, cluster"),
    "publish": (typed_values.REGISTRY, typed_values.REGISTRY_FORM),
    "cluster": (CLUSTER, "at most 40 lower-case letters, digits, dots, dashes"),
    "registry": (typed_values.REGISTRY, typed_values.REGISTRY_FORM),
    "kind": (VERSION, "a version, for example 0.33.0"),
    "containerd": (VERSION, "a version, for example 2.1"),
    "kubernetes": (VERSION, "a version, for example 1.34.2"),
    "engine": (ENGINE, "auto, user, embedded"),
    "context": (LINE, "the name of a context"),
    "snapshot": (
        SNAPSHOT,
        "a moment, 20260131T120000Z, or a dated archive's URL, http://, https:// or file://",
    ),
}
STAGES = ("static", "image", "cluster")  # each goes further than the one before
NUMBERS = {"workers": 64, "reports_kept": 100_000, "reports_days": 36_500}  # and the highest allowed
OF_OURS = ("kind", "containerd", "kubernetes", "cluster")  # about clusters that are made for a run
CREDENTIALS = ("AWS_", "AZURE_", "CLOUDSDK_", "GOOGLE_")  # what the usual credential plug-ins read


def _root() -> Path:
    """Return where claims, suites and the box are: the checkout, or what a wheel has installed of it."""
    prefixes = (sysconfig.get_path("data"), sysconfig.get_path("data", f"{os.name}_user"))
    installed = [Path(prefix) / PLACE for prefix in prefixes]
    return next((each for each in (CHECKOUT, *installed) if (each / OWNER).is_file()), CHECKOUT)


ROOT = _root()


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a run was asked for; versions are without a leading ``v``."""

    subject: Path = ROOT
    claims: tuple[str, ...] = ()
    kind: str = "0.33.0"
    containerd: str = "2.1"
    kubernetes: str = "1.34.2"
    cluster: str = "boxproof"
    stage: str = "cluster"
    keep: bool = False
    trust_subject: bool = False
    workers: int = field(default_factory=pace.workers)
    registry: str = ""
    publish: str = ""
    context: str = ""
    kubeconfig: str = ""
    vulnerability_db: str = ""
    engine: str = "auto"
    binary_cache: str = ""
    snapshot: str = ""
    reports: Path = field(default_factory=lambda: (ROOT if ROOT == CHECKOUT else Path.cwd()) / "reports")
    reports_kept: int = 50
    reports_days: int = 90
    cache: Path = field(default_factory=lambda: platformdirs.user_cache_path("boxproof"))
    state: Path = field(default_factory=lambda: platformdirs.user_state_path("boxproof"))

    @classmethod
    def load(cls, options: Mapping[str, object] | None = None) -> Settings:
        """Return the settings; raises UsageError for an unknown name or an unusable value.

        With a ``context`` the registry is where images are pushed to: ``publish``, not ``registry``.
        """
        known = {each.name: each for each in fields(cls)}
        chosen: dict[str, object] = {}
        shown: dict[str, str] = {}
        for name, value in os.environ.items():
            if not name.startswith(PREFIX) or name in INTERNAL:
                continue
            key = name.removeprefix(PREFIX).lower()
            if key not in known or name != PREFIX + key.upper():
                hint = nearest(key, [each.upper() for each in known], PREFIX)
                raise UsageError(f"unknown setting {short(name)}", hint=hint)
            if not value and key in UNSET:
                continue
            chosen[key], shown[key] = _convert(name, key, value), name
        for key, option in (options or {}).items():
            if option is None:
                continue
            if key not in known:
                raise UsageError(f"unknown option --{key}", hint=nearest(key, known))
            shown[key] = f"--{key.replace('_', '-')}"
            chosen[key] = _convert(shown[key], key, option)
        _demand_defaults(chosen)
        _demand_session()
        return cls(**_existing_cluster(chosen, shown))  # type: ignore[arg-type]

    def own_cluster(self) -> None:
        """Raise UsageError where a context is named: what follows makes a cluster of its own."""
        if self.context:
            hint = "unset BOXPROOF_CONTEXT; `nox -s e2e -- --context` proves in a cluster that exists"
            raise UsageError(f"this makes a cluster, and is not for the context {self.context!r}", hint=hint)


ADMITTED = "BOXPROOF_ADMITTED"  # in the environment of what a check starts
SESSION = "BOXPROOF_SESSION"
# what a run tells those that it starts, whom they are to end with among it
INTERNAL = frozenset({SESSION, "BOXPROOF_RUN", ADMITTED, PARENT})


def variable(option: str) -> str:
    """Return the variable that sets what an option does, "" where there is none."""
    name = option.replace("-", "_")
    return PREFIX + name.upper() if name in {each.name for each in fields(Settings)} else ""


def session_file() -> str:
    """Return the path of the session file a run hands to its workers, or ""."""
    return os.environ.get(SESSION, "")


def no_session(why: str = "") -> UsageError:
    """Return the error for a session file that is none."""
    told = f"{SESSION}={short(session_file())!r} is no session of a run{why and f': {why}'}"
    return UsageError(told, hint="a run sets it for what its checks start: unset it")


def within_a_check() -> bool:
    """Return whether a check of another run started us."""
    return bool(os.environ.get(ADMITTED))


def starter() -> str:
    """Return the process that this one is to end with (``parents.mark``), or ""."""
    return os.environ.get(PARENT, "")


def kubeconfig_files(given: str = "") -> list[Path]:
    """Return the kubeconfigs in force: the ``given`` one, else KUBECONFIG's, else that of the home."""
    paths = [given] if given else os.environ.get("KUBECONFIG", "").split(os.pathsep)
    return [typed_values.at_home(each) for each in paths if each] or [typed_values.at_home("~/.kube/config")]


def credential_variables() -> dict[str, str]:
    """Return the variables that the credential plug-ins of a kubeconfig may need."""
    return {name: value for name, value in os.environ.items() if name.startswith(CREDENTIALS)}


def every_variable() -> dict[str, str]:
    """Return the whole environment: what in it is a secret is to be known before anything is written."""
    return dict(os.environ)


def docker_config() -> Path:
    """Return the file in which the user's docker client keeps its logins."""
    return typed_values.at_home(os.environ.get("DOCKER_CONFIG") or "~/.docker") / "config.json"


def docker_host() -> str:
    """Return the user's DOCKER_HOST, or ""."""
    return os.environ.get("DOCKER_HOST", "")


def docker_context() -> str:
    """Return the user's DOCKER_CONTEXT, or ""."""
    return os.environ.get("DOCKER_CONTEXT", "")


def docker_certificates() -> tuple[bool, str]:
    """Return whether DOCKER_TLS_VERIFY asks for TLS, and DOCKER_CERT_PATH."""
    return bool(os.environ.get("DOCKER_TLS_VERIFY")), os.environ.get("DOCKER_CERT_PATH", "")


def search_path() -> list[Path]:
    """Return the directories of PATH."""
    return [Path(each) for each in os.environ.get("PATH", "").split(os.pathsep) if each]


def path_after(first: Path) -> str:
    """Return a PATH with ``first`` leading, and the directories of system programs at its end."""
    return os.pathsep.join([str(first), *map(str, search_path()), "/usr/sbin", "/sbin"])


def users_own() -> frozenset[int]:
    """Return the users whose files are ours: this process's, and the one who called sudo."""
    caller = os.environ.get("SUDO_UID", "")
    known = caller.isascii() and caller.isdecimal() and len(caller) < 12
    return frozenset({os.geteuid(), *([int(caller)] if known else [])})


def step_summary() -> Path | None:
    """Return the file that a step on GitHub adds its summary to, None elsewhere."""
    path = os.environ.get("GITHUB_STEP_SUMMARY", "")
    return Path(path) if path else None


def _existing_cluster(chosen: dict[str, object], shown: Mapping[str, str]) -> dict[str, object]:
    """Return what was chosen with the registry where a context wants it; raises UsageError."""
    if session_file():  # the cluster is the session's
        return {key: value for key, value in chosen.items() if key not in ("context", "kubeconfig")}
    if not chosen.get("context"):
        if chosen.get("kubeconfig"):
            hint = "name one of its contexts too, with --context NAME"
            raise UsageError(f"{shown['kubeconfig']}={chosen['kubeconfig']} without a context", hint=hint)
        return chosen
    context = f"{shown['context']}={chosen['context']}"
    for key in OF_OURS:
        if chosen.get(key):
            hint = "a cluster that exists has its own versions and name: leave it out"
            raise UsageError(f"{shown[key]}={chosen[key]} does not go with {context}", hint=hint)
    registry = chosen.pop("registry", "")
    if not registry:
        hint = "its nodes are not loaded: name a registry this machine pushes to and they pull from"
        raise UsageError(f"{context} needs --registry HOST[:PORT][/PATH]", hint=hint)
    return chosen | {"publish": _convert(shown["registry"], "publish", registry)}


def whole_number(shown: str, text: str, most: int) -> int:
    """Return a whole number from 1 to ``most``; raises UsageError that begins with ``shown``."""
    digits = text.isascii() and text.isdecimal() and len(text) < 12
    if not digits or not 1 <= int(text) <= most:
        raise UsageError(f"{shown}={short(text)!r}", hint=f"allowed: a whole number from 1 to {most}")
    return int(text)


def _demand_defaults(chosen: Mapping[str, object]) -> None:
    """Raise UsageError where a directory that no setting names would have a name that is not UTF-8."""
    for key, known in (("cache", platformdirs.user_cache_path), ("state", platformdirs.user_state_path)):
        variable = f"XDG_{key.upper()}_HOME"
        try:
            _ = key in chosen or str(known("boxproof")).encode()
        except UnicodeEncodeError as error:
            name = variable if os.environ.get(variable) else "HOME"
            hint = f"its name is not UTF-8: set {PREFIX}{key.upper()}"
            raise UsageError(f"{name}={short(os.environ.get(name, ''))!r}", hint=hint) from error


def _demand_session() -> None:
    """Raise UsageError where the session that a run is said to be in is none."""
    path = session_file()
    try:
        told = json.loads(Path(path).read_text()) if is_file(Path(path)) else None
    except (OSError, ValueError, RecursionError):
        told = None
    if path and not (isinstance(told, dict) and told.keys() >= {"run", "directory", "subject"}):
        raise no_session()


def _convert(shown: str, key: str, value: object) -> object:
    if not isinstance(value, str):
        return value
    if "\0" in value or not value.strip():
        raise UsageError(f"{shown}={short(value)!r}", hint="give a value, or leave the option out")
    if key in PATHS:
        return PATHS[key](shown, value)
    _demand_utf8(shown, value)
    if key in FORMS:
        form, allowed = FORMS[key]
        if not form.fullmatch(value) or (key == "snapshot" and not _may_be(value)):
            told = "--registry" if shown == "--publish" else shown
            raise UsageError(f"{told}={short(value)!r}", hint=f"allowed: {allowed}")
    if key == "claims":
        words = tuple(each.strip() for each in value.split(",") if each.strip())
        if not words:
            told = f"{shown}={short(value)!r} selects nothing"
            raise UsageError(told, hint="give ids or globs, for example 'netpol-*'")
        return words
    if key in {"keep", "trust_subject"}:
        if value.lower() not in {"1", "0", "true", "false", "yes", "no"}:
            raise UsageError(f"{shown}={short(value)!r}", hint="allowed: 1, 0, true, false, yes, no")
        return value.lower() in {"1", "true", "yes"}
    if key in NUMBERS:
        return whole_number(shown, value, NUMBERS[key])
    return value


def _demand_utf8(shown: str, value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"{shown}={short(value)!r} is not UTF-8", hint="give it in UTF-8") from error


def _may_be(snapshot: str) -> bool:
    """Return whether there can be such a snapshot: a day of the calendar, a directory that is there."""
    if snapshot.startswith("file://"):
        return is_directory(Path(snapshot.removeprefix("file://")))
    try:
        if "://" in snapshot:
            return typed_values.is_of_the_web(snapshot)
        return bool(datetime.strptime(snapshot, "%Y%m%dT%H%M%SZ"))
    except ValueError:
        return False


PATHS: Mapping[str, Callable[[str, str], object]] = {
    "subject": typed_values.resolved,
    "reports": typed_values.resolved,
    "cache": partial(typed_values.cache, kept=ROOT),
    "state": partial(typed_values.emptied, kept=ROOT),
    "vulnerability_db": partial(typed_values.existing, hint="give the archive that `grype db import` takes"),
    "kubeconfig": partial(typed_values.existing, hint="give a kubeconfig, a file as kubectl takes it"),
    "binary_cache": typed_values.shared_programs,
}
