"""Every way in which what ships starts the agent: its tiers, its Compose files, commands of documents.

Of each what decides about files: what is mounted where, whether all else can be written, what is said to it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from boxproof.core.session import Session
from boxproof.deployment.deploy import rendered
from boxproof.kube.client import Object
from boxproof.probes.cgroup import quantity
from boxproof.subject import documented_commands, variables
from boxproof.subject.documented_commands import Run, values
from boxproof.subject.manifests import compose_file, plain_yaml, shipped
from boxproof.subject.manifests.pod_specs import agent_container, pod_spec, workload
from boxproof.subject.model import Subject

CONFIG_DIR = "CLAUDE_CONFIG_DIR"
FIXED = frozenset({"secret", "configMap", "projected", "downwardAPI", "image"})  # nobody writes there
CONTENTS = ("data", "binaryData", "stringData")
LASTING = frozenset({"claim", "persistentVolumeClaim", "volume", "bind", "hostPath"})
PLACES = ("target", "destination", "dst")
OCTAL = re.compile(r"(?:0o)?[0-7]+")
NOBODY = ("", "0")  # no user, or root


@dataclass(frozen=True)
class Mount:
    """Where something is mounted, of what kind it is, and whether it is read-only.

    ``brought`` are the files that objects of the cluster bring, by their paths below it; None is not known.
    """

    target: str
    kind: str
    read_only: bool = False
    brought: frozenset[str] | None = None

    @property
    def writable(self) -> bool:
        """Whether files can be written there."""
        return not self.read_only and self.kind not in FIXED


@dataclass(frozen=True)
class Start:
    """One way: its name, what is mounted, whether the root is read-only, its variables; is it a command."""

    name: str
    mounts: tuple[Mount, ...] = ()
    read_only: bool = False
    variables: Mapping[str, str] = field(default_factory=dict)
    by_command: bool = False

    def carrier(self, path: str) -> Mount | None:
        """Return the innermost mount that a path is in, None where that is the container's own layer."""
        every = [each for each in self.mounts if f"{path}/".startswith(f"{each.target.rstrip('/')}/")]
        return max(every, key=lambda each: len(each.target.rstrip("/")), default=None)

    def writes(self, path: str) -> bool:
        """Return whether files can be written in a directory."""
        mount = self.carrier(path)
        return not self.read_only if mount is None else mount.writable

    def config_dir(self, subject: Subject) -> str:
        """Return where the CLI looks for its configuration."""
        return (self.variables.get(CONFIG_DIR) or subject.config_dir).rstrip("/")


def every(session: Session, subject: Subject) -> list[Start]:
    """Return all of them: raises SubjectFault where the subject cannot be rendered."""
    made = [of_objects(f"tier {name}", each, subject) for name, each in tiers(session, subject)]
    made += [of_service(name, each) for name, each in services(subject)]
    return [*made, *(of_run(each) for each in commands(subject))]


def tiers(session: Session, subject: Subject) -> Iterator[tuple[str, list[Object]]]:
    """Give each tier and its objects."""
    for name, components in (subject.tiers or {"default": ()}).items():
        yield name, rendered(session, components=components)[0]


def services(subject: Subject) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Give each Compose file, and each service of the box that there is with it over the first.

    Its variables are those of the files that it names as well.
    """
    files = shipped.compose(subject)
    main = files.get(subject.compose.file, {})
    first = main.get("services") or {}
    image = (first.get(subject.compose.service) or {}).get("image")
    for name, content in files.items():
        found = first if name == subject.compose.file else compose_file.laid_over(first, content["services"])
        memory, directory = _of_memory(main) | _of_memory(content), (subject.directory / name).parent
        for service, each in found.items():
            if service == subject.compose.service or (image and (each or {}).get("image") == image):
                yield f"{name}: {service}", _told_by_files(_remembered(each or {}, memory), directory)


def _of_memory(content: Mapping[str, Any]) -> set[str]:
    """Return the volumes of a Compose file that have a name, and are memory all the same."""
    every = plain_yaml.mapping(content.get("volumes"))
    options = {name: plain_yaml.mapping(each).get("driver_opts") for name, each in every.items()}
    return {str(name) for name, each in options.items() if plain_yaml.mapping(each).get("type") == "tmpfs"}


def _remembered(service: Mapping[str, Any], memory: Collection[str]) -> Mapping[str, Any]:
    """Return a service of Compose whose volumes of memory are called so."""
    if not memory or not service.get("volumes"):
        return service

    def so(volume: Any) -> Any:
        if isinstance(volume, Mapping):
            return {**volume, "type": "tmpfs"} if volume.get("source") in memory else volume
        source, _, rest = plain(str(volume)).partition(":")
        return {"type": "tmpfs", "target": rest.partition(":")[0]} if source in memory else volume

    return {**service, "volumes": [so(each) for each in service["volumes"]]}


def _told_by_files(service: Mapping[str, Any], directory: Path) -> Mapping[str, Any]:
    """Return a service of Compose with the variables that its files of them have, its own above these."""
    said = compose_file.told_by_files(service, directory)
    return {**service, "environment": {**said, **_pairs(service.get("environment"))}} if said else service


def _pairs(said: Any) -> dict[str, str]:
    """Return the variables of a service, however they are written."""
    given = said or {}
    pairs = given.items() if isinstance(given, Mapping) else (str(each).partition("=")[::2] for each in given)
    return {str(key): str(value or "") for key, value in pairs}


def commands(subject: Subject) -> list[Run]:
    """Return the commands of the documents, and the one that subject.toml says stands there."""
    return [*documented_commands.runs(subject), Run("subject.toml", tuple(subject.commands.run[2:]))]


def of_objects(name: str, objects: Sequence[Object], subject: Subject) -> Start:
    """Return how the agent's container starts in the pod that objects make."""
    item = workload(objects, subject.workload)
    agent, pod = agent_container(objects, subject), pod_spec(item) or {}
    known: dict[str, Mapping[str, Any]] = {each["name"]: each for each in pod.get("volumes") or ()}
    for each in item["spec"].get("volumeClaimTemplates") or ():
        known[each["metadata"]["name"]] = {"claim": {}}
    mounts = tuple(
        _of_pod(each, known.get(each["name"]) or {}, objects) for each in agent.get("volumeMounts") or ()
    )
    root = (agent.get("securityContext") or {}).get("readOnlyRootFilesystem")
    given = dict(told_variables(agent, objects)) | dict(_amounts(agent, pod))
    return Start(name, mounts, bool(root), given)


def _of_pod(mount: Mapping[str, Any], volume: Mapping[str, Any], objects: Sequence[Object]) -> Mount:
    kind = next((each for each in volume if each != "name"), "emptyDir")
    read_only = bool(mount.get("readOnly") or (volume.get(kind) or {}).get("readOnly"))
    apart = mount.get("subPath") or mount.get("subPathExpr")  # one file, or a part that nothing here tells
    brought = None if apart or kind not in FIXED else frozenset(_brought(volume, objects))
    return Mount(str(mount["mountPath"]), kind, read_only, brought)


def _brought(volume: Mapping[str, Any], objects: Sequence[Object]) -> Iterator[str]:
    """Give the paths of the files that a volume has of ConfigMaps and Secrets."""
    for each in (volume, *((volume.get("projected") or {}).get("sources") or ())):
        for kind, of, called in (("configMap", "ConfigMap", "name"), ("secret", "Secret", "secretName")):
            if source := each.get(kind):
                name = source.get(called) or source.get("name")
                found = (one for one in objects if (one["kind"], one["metadata"]["name"]) == (of, name))
                keys = {key for one in found for part in CONTENTS for key in one.get(part) or ()}
                items = {one["key"]: str(one["path"]) for one in source.get("items") or ()}
                yield from items.values() or keys


def told_variables(agent: Mapping[str, Any], objects: Sequence[Object]) -> Iterator[tuple[str, str]]:
    """Give the variables of a container whose values objects say, those of ConfigMaps first."""
    every = (each for each in objects if each["kind"] == "ConfigMap")
    maps: dict[str, Object] = {each["metadata"]["name"]: each.get("data") or {} for each in every}
    for each in agent.get("envFrom") or ():
        data = maps.get(str((each.get("configMapRef") or {}).get("name")), {})
        yield from ((f"{each.get('prefix') or ''}{name}", str(value)) for name, value in data.items())
    for each in agent.get("env") or ():
        key = (each.get("valueFrom") or {}).get("configMapKeyRef") or {}
        value = each.get("value", maps.get(str(key.get("name")), {}).get(str(key.get("key"))))
        if value is not None:
            yield each["name"], str(value)


def _amounts(agent: Mapping[str, Any], pod: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Give the variables that are a request or a limit, in units of its divisor, rounded up."""
    known = {each.get("name"): each for each in pod.get("containers") or ()}
    for each in agent.get("env") or ():
        told = (each.get("valueFrom") or {}).get("resourceFieldRef") or {}
        kind, _, resource = str(told.get("resource") or "").partition(".")
        of = known.get(told.get("containerName")) or agent
        amount = ((of.get("resources") or {}).get(kind) or {}).get(resource)
        if amount is not None:
            divisor = quantity(told.get("divisor") or 1) or 1
            yield each["name"], str(math.ceil(quantity(amount) / divisor))


def of_service(name: str, service: Mapping[str, Any]) -> Start:
    """Return how a service of Compose starts."""
    told = service.get("tmpfs") or ()
    mounts = [_in_memory(str(each)) for each in ([told] if isinstance(told, str) else told)]
    mounts += [_of_service(each) for each in service.get("volumes") or ()]
    for key, kind, top in (("secrets", "secret", "/run/secrets"), ("configs", "configMap", "")):
        mounts += [Mount(_lent(each, top), kind, read_only=True) for each in service.get(key) or ()]
    return Start(name, tuple(mounts), bool(service.get("read_only")), _pairs(service.get("environment")))


def _in_memory(text: str) -> Mount:
    """Return a mount of memory that is written TARGET[:OPTIONS]."""
    target, _, rest = text.partition(":")
    options = dict(each.partition("=")[::2] for each in rest.split(","))
    return Mount(target, "tmpfs", "ro" in options or _is_roots(options.get("mode", ""), options))


def _is_roots(mode: str, options: Mapping[str, str]) -> bool:
    """Return whether root alone may write in memory of a mode; without one everybody may."""
    bits = int(mode, 8) if OCTAL.fullmatch(mode) else 0o1777
    owned = options.get("uid", "") not in NOBODY
    shared = options.get("gid", "") not in NOBODY and bits & 0o020
    return not (bits & 0o002 or owned or shared)


def _of_service(volume: Any) -> Mount:
    if isinstance(volume, Mapping):
        kind = str(volume.get("type", "volume"))
        kind = kind if kind != "volume" or volume.get("source") else "anonymous"
        mode = plain_yaml.mapping(volume.get("tmpfs")).get("mode", "")
        shut = _is_roots(f"{mode:o}" if isinstance(mode, int) else str(mode), {})
        return Mount(str(volume.get("target", "")), kind, bool(volume.get("read_only")) or shut)
    return _short(str(volume))


def _lent(told: Any, top: str) -> str:
    """Return where a secret or a setting of Compose is."""
    place = str(told.get("target") or told.get("source")) if isinstance(told, Mapping) else str(told)
    return place if place.startswith("/") else f"{top}/{place}"


def plain(text: str) -> str:
    """Return a text with its variables filled in, or without words in their braces, where a colon may be."""

    def bare(found: re.Match[str]) -> str:
        return f"${{{variables.name_of(found)}}}" if found["sign"] else found[0]

    return variables.VARIABLE.sub(bare, variables.filled(text))


def _short(text: str) -> Mount:
    """Return a mount that is written SOURCE:TARGET[:OPTIONS], or as its target alone."""
    source, colon, rest = plain(text).partition(":")
    if not colon:
        return Mount(source, "anonymous")
    target, _, options = rest.partition(":")
    kind = "bind" if source[:1] in tuple("./~$") else "volume"
    return Mount(target, kind, "ro" in options.split(","))


def of_run(run: Run) -> Start:
    """Return how a command of ``docker run`` starts a container."""
    options = run.options
    mounts = [_short(each) for each in values(options, "-v", "--volume")]
    mounts += [_in_memory(each) for each in values(options, "--tmpfs")]
    mounts += [_spelled_out(each) for each in values(options, "--mount")]
    given = dict(each.partition("=")[::2] for each in values(options, "-e", "--env"))
    name, read_only = f"{run.page}: {' '.join(options)}", "--read-only" in options
    return Start(name, tuple(mounts), read_only, given, by_command=True)


def user_of_service(service: Mapping[str, Any]) -> str:
    """Return the user that a service of Compose names, with "$" where a user fills it in; "" for none."""
    return variables.filled(str(service.get("user") or ""))


def user_of_run(run: Run) -> str:
    """Return the user that a command names, as ``user_of_service`` does."""
    return variables.filled(next(iter(values(run.options, "-u", "--user")[-1:]), ""))


def _spelled_out(text: str) -> Mount:
    told = dict(each.partition("=")[::2] for each in plain(text).split(","))
    kind = "tmpfs" if "volume-opt=type=tmpfs" in text else told.get("type", "volume")
    named = kind != "volume" or told.get("source") or told.get("src")
    read_only = any(told.get(each, "false") not in ("false", "0") for each in ("readonly", "ro"))
    target = next((told[each] for each in PLACES if each in told), "")
    shut = read_only or _is_roots(told.get("tmpfs-mode", ""), {})
    return Mount(target, kind if named else "anonymous", shut)
