"""The context a kubeconfig is set to: whether a command would reach the cluster it was told."""

from __future__ import annotations

from pathlib import Path

import yaml

from pytest_claims.faults import EnvironmentFault, UsageError


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
    except (OSError, yaml.YAMLError, AttributeError) as error:
        raise EnvironmentFault(f"{path} is no kubeconfig: {str(error).splitlines()[0]}") from error


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
