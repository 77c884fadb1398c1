"""The box with its own CLI at work on what never ends: alive until something is done to it."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from boxproof.errors import EnvironmentFault
from boxproof.host.execs import said
from boxproof.kube.client import NotFound
from boxproof.kube.exec import ExecResult
from boxproof.probes import ledger
from boxproof.probes.inside import Inside
from boxproof.probes.local import LocalContainer
from boxproof.probes.processes import Process, processes
from boxproof.probes.program import Prober
from boxproof.proof.factories import Containers
from boxproof.proof.instance import Box
from boxproof.proof.sabotages import Objects, find
from boxproof.stubs.anthropic import Stub
from boxproof.subject.model import Subject
from boxproof.wait import NotYet, until

LIVE, READY = (["/usr/local/bin/healthcheck", each] for each in ("live", "ready"))
SEND = """ns=$(readlink /proc/$1/ns/pid)
for each in /proc/[0-9]*; do
    [ "$(readlink $each/ns/pid)" = "$ns" ] || continue
    called=$(tr '\\0' '\\n' 2>/dev/null <$each/cmdline | head -n 1)
    [ "${called##*/}" = "$2" ] || continue
    kill -s "$3" ${each#/proc/} && echo ${each#/proc/}
done
exit 0"""  # the pids it was sent to
ENDLESS = 3600.0  # seconds the stub takes to answer
ANSWERS = 60  # seconds a probe gets: it tells a stopped program by its state, not by its silence


@dataclass(frozen=True)
class Probed:
    """What a probe of the box answered."""

    code: int
    said: str = ""

    @property
    def ok(self) -> bool:
        """Whether it was satisfied."""
        return self.code == 0


def probed(asked: str, ended: ExecResult) -> Probed:
    """Return what a run of a probe answered; an observation, decided by its success."""
    found = Probed(ended.code, (ended.stdout + ended.stderr).strip()[-300:])
    ledger.record("probe", asked, found, decides=found.ok)
    return found


class Hanging:
    """Starts the box on the engine in a mode; in mode headless the stub does not answer ``token``."""

    def __init__(self, subject: Subject, container: Containers, token: str) -> None:
        self.subject = subject
        self.container = container
        self.token = token

    def __call__(self, mode: str, **options: Any) -> LocalContainer:
        """Return a container whose program runs; ``options`` are the docker SDK's."""
        given = {"CLAUDE_MODE": mode, "CLAUDE_PROMPT": "Wait."}
        made = self.container(stub=self.token, environment=given, tty=mode == "interactive", **options)
        if mode != "api":
            until(lambda: clis(self.subject, made), timeout=60, every=0.5, what="the CLI runs")
        else:
            until(lambda: made.exec(LIVE).ok, timeout=60, every=0.5, what="the service runs")
        return made


def clis(subject: Subject, source: Prober) -> list[Process]:
    """Return the processes of the CLI that ``source`` sees, by how they were called."""
    program = subject.image.cli.rpartition("/")[2]
    found = [each for each in processes(source) if each.cmdline[:1] and not each.zombie]
    return [each for each in found if each.cmdline[0].rpartition("/")[2] == program]


def to_clis(subject: Subject, box: LocalContainer, signal: str) -> int:
    """Send a signal to the processes of the CLI in a container and return how many they were."""
    pids = [str(each.pid) for each in clis(subject, box)]
    if pids:
        box.exec(["sh", "-c", 'kill -s "$0" "$@"', signal, *pids])
    return len(pids)


def to_clis_of_pod(subject: Subject, docker: Any, box: Box, signal: str) -> int:
    """Send a signal, from the node, to the processes of the CLI of a pod; return how many they were."""
    inside = Inside(docker, box.pod_object(), box.container)
    argv = ["sh", "-c", SEND, "send", str(inside.pid), subject.image.cli.rpartition("/")[2], signal]
    code, output = said(inside.node, argv)
    if code:
        raise EnvironmentFault(f"no {signal} on {inside.node.name}: {output.decode(errors='replace')[-200:]}")
    return len(output.split())


def endless(stub: Stub) -> Callable[[Objects], None]:
    """Return an edit: mode headless, on a prompt the stub does not answer, probed every second."""

    def edit(objects: Objects) -> None:
        token = base64.b64decode(find(objects, "Secret")["data"]["token"]).decode()
        stub.of(token).behave("slow", seconds=ENDLESS)
        find(objects, "ConfigMap", "claude-config")["data"] |= {
            "CLAUDE_MODE": "headless",
            "CLAUDE_PROMPT": "Wait.",
        }
        probe_often(objects)

    return edit


def probe_often(objects: Objects) -> None:
    """Have the pod probed every second, and let two failures in a row count."""
    container = find(objects, "StatefulSet")["spec"]["template"]["spec"]["containers"][0]
    for each in ("livenessProbe", "readinessProbe"):
        container.get(each, {}).update({"periodSeconds": 1, "failureThreshold": 2, "timeoutSeconds": ANSWERS})


def container_runs(status: Callable[[], dict[str, Any]], *, timeout: float = 90) -> None:
    """Wait until a container runs and has passed its startup probe; ``status`` returns its live status."""

    def look() -> bool:
        now = status()
        if "running" not in now.get("state", {}) or not now.get("started"):
            raise NotYet(str(now.get("state")))
        return True

    until(look, timeout=timeout, every=0.5, what="the container runs", transient=(NotFound,))
