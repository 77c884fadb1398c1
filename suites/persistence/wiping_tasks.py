"""What tasks of a box delete of what has to last: the agent's claim, its volume or directory on an engine."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from boxproof.subject import documented_commands
from boxproof.subject.manifests import compose_file, plain_yaml, shipped
from boxproof.subject.model import Subject
from boxproof.subject.variables import filled
from suites import agent_starts

Acts = Callable[[str], list[str]]
KUBECTL = r"(?:\b(?:kubectl|oc|k)\b|\$?\b\w*(?:KUBECTL|Kubectl|_kubectl)\w*)"
DELETED = re.compile(rf"{KUBECTL}[^\n;&|]*?\bdelete\b(?P<rest>[^\n;&|]*)")
VALUED = re.compile(r"(?<=\s)(?:-n|--namespace|-l|--selector|--context|--timeout|--cascade)[ =]\S+")
KINDS = frozenset(  # claims go with their namespace as well
    {
        "pvc", "persistentvolumeclaim", "persistentvolumeclaims", "pv", "persistentvolume",
        "persistentvolumes", "ns", "namespace", "namespaces", "project", "projects",
    }
)  # fmt: skip
OF_FILES = re.compile(
    rf"{KUBECTL}[^\n;&|]*?\bdelete\b[^\n;&|]*?\s(?:-[fkR]+|--filename|--kustomize)[= ]*(?P<path>[^\s;&|]+)"
)
OF_RELEASES = re.compile(r"(?i:\bhelm\b|\$\w*helm\w*)[^\n;&|]*?\b(?:uninstall|delete|del|un)\b[^\n;&|]*")
GONE = frozenset({"PersistentVolumeClaim", "PersistentVolume", "Namespace"})
IN_TEMPLATE = re.compile(r"^kind:\s*[\"']?(?:PersistentVolumeClaim|Namespace)\b", re.MULTILINE)
STAYS = "helm.sh/resource-policy"
COMPOSED = re.compile(r"(?i:\w*compose)\w*(?P<options>[^\n;&|]*?)\bdown\b(?P<rest>[^\n;&|]*)")
WITH_VOLUMES = re.compile(r"(?:^|\s)(?:--volumes|-[a-z]*v[a-z]*)(?=[\s)]|$)")
FILE = re.compile(r"(?:-f|--file)[= ]*(\S+)")
APART = re.compile(r"(?:^|\s)(?:-p|--project-name)\b|COMPOSE_PROJECT_NAME=")
VOLUMES = re.compile(r"\bvolume (?:rm|remove)\b(?P<names>[^\n;&|]*)")
PRUNED = re.compile(
    r"\bvolume prune\b[^\n;&|]*\s(?:--all|-[a-z]*a[a-z]*)\b[^\n;&|]*|\bpodman volume prune\b[^\n;&|]*"
)
ALL = re.compile(r"\$\([^)]*volume ls|`[^`]*volume ls|\bvolume ls\b[^\n]*\bxargs\b[^\n]*volume rm")
REMOVED = re.compile(
    r"(?:\brm\b(?=[^\n;&|]*\s-\w*[rR])|\brmtree\(|\brmSync\(|\bfind\b(?=[^\n;&|]*\s-delete\b))(?P<places>[^\n;&|]*)"
)
WHOLE = re.compile(r"/?(?:\*|\.\*|\.\[!\.\]\*|\.)?$")
# a name that says that it takes what is kept; of a cluster also one that takes everything down
WIPES = "clean|wipe|purge|reset|destroy|nuke|delete|remove|erase|tear|uninstall|prune|forget|logout|volume"
ASKED = re.compile(rf"{WIPES}|\brm\b", re.IGNORECASE)
ASKED_IN_CLUSTERS = re.compile(rf"{WIPES}|down|undeploy|e2e|smoke|test|\bci\b", re.IGNORECASE)


def of_claims(subject: Subject) -> Acts:
    """Return what gives the commands by which a cluster loses the agent's claim."""

    def found(commands: str) -> list[str]:
        every = [each[0].strip() for each in DELETED.finditer(commands) if _kinds(each["rest"]) & KINDS]
        every += [each[0] for each in OF_FILES.finditer(commands) if _have_claims(subject, each["path"])]
        released = _chart_has_claims(subject)
        return every + [each[0].strip() for each in OF_RELEASES.finditer(commands) if released]

    return found


def _kinds(rest: str) -> set[str]:
    """Return what kinds of objects the words after "delete" name."""
    words = [each.strip("\"'") for each in VALUED.sub("", rest).split()]
    plain = [each for each in words if not each.startswith("-")]
    named = [*plain[:1], *(each for each in plain[1:] if "/" in each)]
    return {kind.partition("/")[0].lower() for each in named for kind in each.split(",")}


def _have_claims(subject: Subject, told: str) -> bool:
    """Return whether files that are deleted have a claim, or the namespace of one."""
    path = subject.directory / told.strip("\"'")
    paths = [path] if path.is_file() else list(path.rglob("*.[yj]*")) if path.is_dir() else []
    return any(each.get("kind") in GONE for one in paths for each in compose_file.documents(one))


def _chart_has_claims(subject: Subject) -> bool:
    """Return whether a chart has a claim among its objects that goes with the release."""
    for chart in shipped.files(subject, shipped.CHART):
        for path in (chart.parent / "templates").rglob("*.y*ml"):
            parts = path.read_text(errors="replace").split("\n---")
            if any(IN_TEMPLATE.search(each) and STAYS not in each for each in parts):
                return True
    return False


def of_engines(subject: Subject) -> Acts:
    """Return what gives the commands by which an engine loses the agent's volume, or its directory there."""
    files = shipped.compose(subject)
    volumes, places = _kept(subject)
    composed = {name for name, each in files.items() if _volumes_of(each, subject) & volumes}

    def found(commands: str) -> list[str]:
        every = [
            each[0].strip()
            for each in COMPOSED.finditer(commands)
            if WITH_VOLUMES.search(each["rest"]) and _is_own(each["options"], composed)
        ]
        named = VOLUMES.finditer(commands)
        every += [each[0].strip() for each in named if _is_named(each["names"], volumes)]
        if volumes:
            every += [each[0].strip() for pattern in (PRUNED, ALL) for each in pattern.finditer(commands)]
        removed = REMOVED.finditer(commands)
        return every + [
            each[0].strip() for each in removed if any(_hits(each["places"], one) for one in places)
        ]

    return found


def _kept(subject: Subject) -> tuple[set[str], set[str]]:
    """Return the volumes, and the directories of the machine, that carry what the agent keeps."""
    mounts = [each for content in shipped.compose(subject).values() for each in _mounts_of(content, subject)]
    for run in agent_starts.commands(subject):
        mounts += _carrying(documented_commands.values(run.options, "-v", "--volume"), subject)
    named = {each for each in mounts if "/" not in each and not each.startswith(("~", "$", "."))}
    return named, {each.removeprefix("./").rstrip("/") for each in mounts if each not in named} - {"", "."}


def _mounts_of(content: Mapping[str, Any], subject: Subject) -> Iterator[str]:
    for service in (content.get("services") or {}).values():
        yield from _carrying(plain_yaml.mapping(service).get("volumes") or (), subject)


def _volumes_of(content: Mapping[str, Any], subject: Subject) -> set[str]:
    return {each for each in _mounts_of(content, subject) if "/" not in each}


def _carrying(volumes: Any, subject: Subject) -> list[str]:
    """Return the sources of mounts that the agent's directory is in, or that are in it."""
    found = []
    for each in volumes:
        if isinstance(each, Mapping):
            source, target = str(each.get("source") or ""), str(each.get("target") or "")
        else:
            source, _, rest = agent_starts.plain(filled(str(each))).partition(":")
            target = rest.partition(":")[0]
        kept = PurePosixPath(subject.config_dir)
        place = PurePosixPath(target)
        if source and target and (place == kept or place in kept.parents or kept in place.parents):
            found.append(source)
    return found


def _is_own(options: str, composed: set[str]) -> bool:
    """Return whether a command of Compose is about the box's own project, with a volume of what it keeps."""
    if APART.search(options):
        return False
    named = [Path(each.strip("\"'")).as_posix().removeprefix("./") for each in FILE.findall(options)]
    return bool(composed) and (not named or any("$" in each or each in composed for each in named))


def _is_named(names: str, volumes: set[str]) -> bool:
    words = [each.strip("\"'(),") for each in names.split()]
    return any(
        re.fullmatch(rf"(?:.*[_-])?{re.escape(volume)}", word)
        for volume in volumes
        for word in words
        if not word.startswith("-")
    )


def _hits(places: str, kept: str) -> bool:
    """Return whether a directory is removed whole, by its own path, one above it, or all that is in it."""
    for word in re.split(r"[\s,()\"']+", places):
        bare = WHOLE.sub("", word.removeprefix("./"))
        if bare and not bare.startswith("-") and (bare == kept or kept.startswith(f"{bare}/")):
            return True
    return False
