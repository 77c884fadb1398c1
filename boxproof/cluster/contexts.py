"""The contexts of the user's kubeconfigs, which are only read, and the one a kubeconfig of ours is set to."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from boxproof.core.settings import credential_variables
from pytest_claims.faults import EnvironmentFault, UsageError, nearest
from pytest_claims.selection import is_file, short

Entry = dict[str, Any]
ADDRESS = re.compile(r"https?://(\[[^\s\]]+\]|[^\s/\[\]:]+)(:[0-9]{1,5})?(/\S*)?")
PATHS = ("certificate-authority", "client-certificate", "client-key", "tokenFile")


def of(name: str) -> str:
    """Return what kind calls the context of the cluster ``name``."""
    return f"kind-{name}"


def current(kubeconfig: str | Path) -> str:
    """Return the current context, "" where the file is missing or names none; raises EnvironmentFault."""
    path = Path(kubeconfig)
    if not path.is_file():
        return ""
    try:
        data = yaml.safe_load(path.read_text()) or {}
        return str(data.get("current-context") or "")
    except (OSError, ValueError, RecursionError, yaml.YAMLError, AttributeError) as error:
        raise EnvironmentFault(f"{path} is no kubeconfig: {_first_line(error)}") from error


def check(kubeconfig: str | Path, name: str) -> None:
    """Raise UsageError if the kubeconfig is set to another context than that of the cluster ``name``."""
    found = current(kubeconfig)
    if found and found != of(name):
        hint = f"kubectl --kubeconfig {kubeconfig} config use-context {of(name)}"
        raise UsageError(f"the kubeconfig of {name} is set to the context {found!r}", hint=hint)


def renamed(kubeconfig: str | Path, target: Path, context: str) -> Path:
    """Write a kubeconfig that reaches the same server under another context and cluster name; its path."""
    data = yaml.safe_load(Path(kubeconfig).read_text())
    one = next(each for each in data["contexts"] if each["name"] == data["current-context"])
    server = next(each for each in data["clusters"] if each["name"] == one["context"]["cluster"])
    data["clusters"] = [server | {"name": context}]
    data["contexts"] = [{"name": context, "context": one["context"] | {"cluster": context}}]
    data["current-context"] = context
    target.write_text(yaml.safe_dump(data))
    target.chmod(0o600)
    return target


@dataclass(frozen=True)
class Context:
    """A context with what it refers to; paths are absolute."""

    name: str
    cluster: Entry
    user: Entry

    @property
    def server(self) -> str:
        """The address of its API server."""
        return str(self.cluster.get("server", ""))


def chosen(files: Sequence[Path], name: str) -> Context:
    """Return the context ``name``; raises UsageError where no file has it, or one cannot be read."""
    found = [each for each in files if each.is_file()]
    shown = ", ".join(map(str, files))
    if not found:
        hint = "name one with --kubeconfig FILE, or set KUBECONFIG"
        raise UsageError(f"no kubeconfig at {shown}", hint=hint)
    contexts, clusters, users = (_named(found, each) for each in ("contexts", "clusters", "users"))
    if name not in contexts:
        hint = nearest(name, contexts) if contexts else "it has none"
        raise UsageError(f"no context {short(name)!r} in {shown}", hint=hint)
    told = contexts[name].get("context")
    told = told if isinstance(told, dict) else {}
    cluster, user = clusters.get(str(told.get("cluster"))), users.get(str(told.get("user")), {})
    if cluster is None:
        hint = f"kubectl config set-context {name} --cluster=…"
        raise UsageError(
            f"the context {name!r} names the cluster {told.get('cluster')!r}, which is not there", hint=hint
        )
    parts = {"cluster": cluster.get("cluster") or {}, "user": user.get("user") or {}}
    odd = [part for part, each in parts.items() if not isinstance(each, dict)]
    odd += [] if odd or _may_be_called(parts["user"].get("exec")) else ["credential plug-in"]
    if odd or not ADDRESS.fullmatch(str(parts["cluster"].get("server", ""))):
        told = f"its {odd[0]} is no table" if odd else "its cluster has no server, https://HOST[:PORT]"
        hint = f"kubectl config view --context {name}"
        raise UsageError(f"the context {name!r} in {shown}: {told}", hint=hint)
    return Context(name, dict(parts["cluster"]), dict(parts["user"]))


def demand_whole(context: Context) -> None:
    """Raise UsageError for a file or a program that a context refers to, and this machine has not."""
    told = ""
    for entry in (context.cluster, context.user):
        for key in PATHS:
            if entry.get(key) and not entry.get(f"{key}-data") and not is_file(Path(str(entry[key]))):
                told = told or f"{key}={short(str(entry[key]))!r} is no file"
    plugin = context.user.get("exec") or {}
    command = str(plugin.get("command", ""))
    if plugin and not told and not shutil.which(command):
        told = f"its credential plug-in {short(command)!r} is no program of this machine"
    if told:
        hint = f"kubectl config view --context {context.name}"
        raise UsageError(f"the context {context.name!r}: {told}", hint=hint)


def write(context: Context, target: Path, namespace: str) -> Path:
    """Write a kubeconfig with this context alone, for its owner's eyes; it falls back to ``namespace``.

    A credential plug-in gets the variables it would get now: our children do not inherit them.
    """
    user = dict(context.user)
    if "exec" in user:
        user["exec"] = _with_variables(user["exec"], credential_variables())
    told = {"cluster": context.name, "user": context.name, "namespace": namespace}
    data = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": context.name, "cluster": context.cluster}],
        "users": [{"name": context.name, "user": user}],
        "contexts": [{"name": context.name, "context": told}],
        "current-context": context.name,
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        os.fchmod(descriptor, 0o600)  # one that was there keeps its mode otherwise
        file.write(yaml.safe_dump(data))
    return target


def _named(files: Sequence[Path], kind: str) -> dict[str, Entry]:
    """Return the entries of a kind by name; of two of a name the first counts, as for kubectl."""
    found: dict[str, Entry] = {}
    for path in files:
        for each in _entries(path, kind):
            found.setdefault(str(each.get("name")), each)
    return found


def _entries(path: Path, kind: str) -> Iterator[Entry]:
    try:
        data = yaml.safe_load(path.read_text()) or {}
        if not isinstance(data, dict):
            raise ValueError("it is no mapping of YAML")
        entries = [dict(each) for each in data.get(kind) or []]
    except (OSError, ValueError, RecursionError, yaml.YAMLError, AttributeError, TypeError) as error:
        hint = "name another with --kubeconfig FILE"
        raise UsageError(f"{path} is no kubeconfig: {_first_line(error)}", hint=hint) from error
    for each in entries:
        for part in ("cluster", "user"):
            if isinstance(each.get(part), dict):
                each[part] = _absolute(each[part], path.resolve().parent)
        yield each


def _absolute(entry: Mapping[str, Any], directory: Path) -> Entry:
    """Return an entry whose paths hold from anywhere: they are relative to the file they stand in."""
    made = dict(entry)
    for key in PATHS:
        if made.get(key):
            made[key] = str(directory / str(made[key]))
    plugin = made.get("exec")
    if isinstance(plugin, dict) and os.sep in str(plugin.get("command", "")):
        made["exec"] = plugin | {"command": str(directory / str(plugin["command"]))}
    return made


def _with_variables(plugin: Mapping[str, Any], variables: Mapping[str, str]) -> Entry:
    given = {str(each["name"]): str(each["value"]) for each in plugin.get("env") or []}
    merged = dict(variables) | given
    return dict(plugin) | {"env": [{"name": name, "value": value} for name, value in merged.items()]}


def _may_be_called(plugin: object) -> bool:
    """Return whether a credential plug-in is none, or one with variables that have a name and a value."""
    if plugin is None:
        return True
    listed = plugin.get("env") or [] if isinstance(plugin, dict) else None
    return isinstance(listed, list) and all(
        isinstance(each, dict) and each.keys() >= {"name", "value"} for each in listed
    )


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
