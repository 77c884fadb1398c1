"""The user's kubeconfigs, which are only read: their contexts, and one of them in a file of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from boxproof.core.settings import credential_variables
from pytest_claims.faults import UsageError, nearest

Entry = dict[str, Any]
PATHS = ("certificate-authority", "client-certificate", "client-key", "tokenFile")


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
        raise UsageError(f"no context {name!r} in {shown}", hint=hint)
    told = contexts[name].get("context") or {}
    cluster, user = clusters.get(str(told.get("cluster"))), users.get(str(told.get("user")), {})
    if cluster is None:
        hint = f"kubectl config set-context {name} --cluster=…"
        raise UsageError(
            f"the context {name!r} names the cluster {told.get('cluster')!r}, which is not there", hint=hint
        )
    return Context(name, dict(cluster.get("cluster") or {}), dict(user.get("user") or {}))


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
    except (OSError, ValueError, yaml.YAMLError, AttributeError, TypeError) as error:
        why = (str(error) or type(error).__name__).splitlines()[0]
        raise UsageError(
            f"{path} is no kubeconfig: {why}", hint="name another with --kubeconfig FILE"
        ) from error
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
