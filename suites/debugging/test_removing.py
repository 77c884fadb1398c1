"""A container is told to end before it is removed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from boxproof.agent.agent_tools import Exec
from boxproof.core.process import Result as ExecResult
from boxproof.core.session import Session
from boxproof.deployment.box import Box
from boxproof.fixtures.factories import Twins
from boxproof.probes.pods.probe_pods import PROGRAM, Twin
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, require, scope
from pytest_claims.waiting import until
from suites.debugging import runbook_commands

ENDED_ITSELF = require("the container ended by itself before it was removed", lambda ended: ended)
NO_MISTAKE = require("nothing removes by force, and kubectl comes first", lambda mistakes: mistakes == [])
WORKER = "worker"
SLOW_END = (
    "trap 'echo told >/said/1; sleep 5; echo ended >/said/2; exit 0' TERM; "
    "echo ready >/said/0; while :; do sleep 0.2; done"
)


def worker(twin: Twins, box: Box, session: Session) -> Twin:
    """Return a pod beside the box on its node, whose second container needs some seconds to end."""
    common: dict[str, Any] = {"image": session.probe_image, "imagePullPolicy": "Never"}
    common["volumeMounts"] = [{"name": "said", "mountPath": "/said"}]
    containers = [
        {"name": "probe", "command": [PROGRAM, "idle"], **common},
        {"name": WORKER, "command": ["sh", "-c", SLOW_END], **common},
    ]
    volumes = [{"name": "said", "emptyDir": {}}]
    made = twin(node=box.node, fresh=True, spec={"containers": containers, "volumes": volumes})
    until(lambda: "ready" in said(made), timeout=60, what="the worker's start")
    return made


def said(pod: Twin) -> str:
    """Return what the worker wrote so far."""
    return pod.exec(["sh", "-c", "cat /said/*"]).stdout


def identity(node: Exec, pod: Twin) -> str:
    """Return the id of the worker's container, "" when there is none."""
    labels = {"pod.namespace": pod.namespace, "pod.name": pod.name, "container.name": WORKER}
    words = [word for key, value in labels.items() for word in ("--label", f"io.kubernetes.{key}={value}")]
    return node(["crictl", "ps", "--all", "--quiet", *words]).stdout.strip()


@claim("dbg-crictl-stop-before-rm")
def test_the_script_lets_a_container_end_before_it_removes_it(
    twin: Twins, box: Box, session: Session, node: Callable[[], Exec], script: Callable[..., ExecResult]
) -> None:
    def ended(pod: Twin, label: str) -> bool:
        return observe("it ended by itself", label, "ended" in said(pod))

    with control("removed by force it is cut short"):
        forced = worker(twin, box, session)
        done = node()(["crictl", "rm", "--force", identity(node(), forced)])
        assert done.ok, done.stderr
        ENDED_ITSELF.fails(ended(forced, "crictl rm --force"))
    for words in (("120",), ()):  # as long as it is told, and by itself
        told = worker(twin, box, session)
        first = identity(node(), told)
        plain = node()(["crictl", "rm", first])
        assert not plain.ok, "a running container was removed without a flag"
        done = script("remove.sh", f"{told.namespace}/{told.name}", WORKER, *words)
        ENDED_ITSELF(ended(told, " ".join(("remove.sh", *words))))
        assert done.ok, done.stderr
        assert first not in identity(node(), told).split()  # the kubelet may have started another


@claim("dbg-crictl-stop-before-rm")
@scope("image")
def test_no_runbook_removes_by_force_and_kubectl_comes_first(subject: Subject, tmp_path: Path) -> None:
    with control("each mistake is seen, in documents, scripts and tasks"):
        (tmp_path / "docs" / "more").mkdir(parents=True)
        (tmp_path / "manifests" / "debug").mkdir(parents=True)
        for number, text in enumerate(runbook_commands.EXAMPLES):
            file = tmp_path / "docs" / "more" / f"runbook-{number}.md"
            file.write_text(f"```\nkubectl delete pod a\n{text}\n```\n")
            (tmp_path / "manifests" / "debug" / f"remove-{number}.sh").write_text(f"{text}\n")
            found = observe("mistakes", text, runbook_commands.mistakes(tmp_path))
            assert len(NO_MISTAKE.fails(found)) == 2, text
            file.unlink()
            (tmp_path / "manifests" / "debug" / f"remove-{number}.sh").unlink()
        file.write_text("```\ncrictl stop --timeout 60 a\ncrictl rm a\nkubectl delete pod a\n```\n")
        NO_MISTAKE.fails(observe("mistakes", "kubectl comes last", runbook_commands.mistakes(tmp_path)))
    NO_MISTAKE(observe("mistakes", "the subject's runbooks", runbook_commands.mistakes(subject.directory)))
    assert runbook_commands.removing(subject.directory), "no runbook says how to remove a container"
