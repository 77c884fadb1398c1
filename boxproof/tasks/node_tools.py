"""The subject's scripts for a node, by hand: in its debug pod, on the node of the agent, for one command."""

from __future__ import annotations

import secrets
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import yaml

from boxproof.core import foreign_subject
from boxproof.core.settings import Settings, whole_number
from boxproof.kube import owed, pod_status
from boxproof.kube.client import Kube
from boxproof.runs import manual
from boxproof.subject import model
from boxproof.subject.model import Subject
from boxproof.tasks import runbooks
from pytest_claims.faults import EnvironmentFault, UsageError
from pytest_claims.selection import short

NAMESPACE = "kube-system"  # it takes privileged pods
START = 90.0


def run(script: str, *words: str, terminal: bool = False, suffix: str = "") -> int:
    """Run a script with the agent's pod and ``words`` on its node; returns the script's exit code.

    Raises UsageError if the subject has no such script, EnvironmentFault without a cluster or an agent.
    """
    settings = Settings.load()
    subject = model.load(foreign_subject.trusted(settings))
    path = subject.path(f"{subject.manifests.node_scripts}/{script}")
    if path is None:
        raise UsageError(f"the subject has no {script}", hint="subject.toml: manifests.node_scripts")
    namespace = runbooks.namespace_of(subject, suffix)
    with debug_pod(settings, subject, namespace) as pod:
        flags = ["-it"] if terminal and sys.stdin.isatty() else ["-i"]
        agent = f"{namespace}/{subject.workload}-0"
        command = ["sh", "-c", path.read_text(), script, agent, *words]
        return runbooks.kubectl("exec", *flags, "-n", NAMESPACE, pod, "--", *command)


@contextmanager
def debug_pod(settings: Settings, subject: Subject, namespace: str) -> Iterator[str]:
    """Give the name of the subject's debug pod on the node of the agent, with the agent's image."""
    manifest = subject.path(subject.manifests.node_tools)
    if manifest is None:
        raise UsageError("the subject has no pod for a node", hint="subject.toml: manifests.node_tools")
    kube = Kube(str(manual.existing(settings).kubeconfig))
    agent = kube.find("Pod", f"{subject.workload}-0", namespace)
    if agent is None or not agent["spec"].get("nodeName"):
        raise EnvironmentFault(f"no agent runs in {namespace}", hint="inv deploy")
    pod = yaml.safe_load(manifest.read_text())
    pod["metadata"] |= {"name": f"node-tools-{secrets.token_hex(3)}", "namespace": NAMESPACE}
    pod["spec"]["nodeName"] = agent["spec"]["nodeName"]
    pod["spec"]["containers"][0]["image"] = agent["spec"]["containers"][0]["image"]
    path = kube.path("Pod", pod["metadata"]["name"], NAMESPACE)
    debt = owed.Debt(what=f"the pod {pod['metadata']['name']}", cluster=settings.cluster, path=path)
    with owed.noted(debt, settings.state):
        try:
            kube.create(pod)
            pod_status.ready(kube, NAMESPACE, pod["metadata"]["name"], START)
            yield pod["metadata"]["name"]
        finally:
            kube.delete([pod], grace=0)
            kube.close()


def container(name: str) -> str:
    """Return the container's name, the agent's for ""; raises UsageError for what can be none."""
    return runbooks.container_of(model.load(Settings.load().subject), name)


def seconds(text: str) -> str:
    """Return seconds from 1 to an hour as a script takes them; raises UsageError."""
    return str(whole_number("--seconds", text, 3600))


def split(command: str) -> list[str]:
    """Return the words of a command as a shell takes them; raises UsageError where a quote is open."""
    try:
        return shlex.split(command)
    except ValueError as error:
        raise UsageError(f"--command={short(command)!r}: {error}", hint="close the quote") from error
