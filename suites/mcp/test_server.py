"""The MCP server: a child of the CLI, with the pod's account, reading and no more."""

from __future__ import annotations

import json
import secrets
from pathlib import PurePosixPath
from typing import Any

from boxproof.kube.accounts import authority, kubeconfig, token
from boxproof.kube.client import Kube
from boxproof.kube.dialogue import dialogue
from boxproof.probes import ledger, mcp
from boxproof.probes.inside import Inside
from boxproof.probes.orphans import kill
from boxproof.probes.processes import Process, processes
from boxproof.probes.sockets import listening
from boxproof.proof import Box, claim, control, observe
from boxproof.stubs.anthropic import MESSAGES, Stub
from boxproof.subject.model import Subject
from boxproof.wait import until

THERE = 30.0  # seconds until a process or a socket is there
PORT = 18917
ABSENT = "no-such-pod"


def running(box: Box, program: str) -> list[Process]:
    """Return the processes in the agent's container that run a program."""
    name = PurePosixPath(program).name
    found = processes(box.beside(box.container))
    return [each for each in found if each.cmdline and PurePosixPath(each.cmdline[0]).name == name]


def parents(box: Box, program: str, of: str) -> list[str]:
    """Return what the parents of a program's processes are: ``of`` is the program that should be."""
    fathers = {each.pid for each in running(box, of)}
    found = ["the CLI" if each.ppid in fathers else f"process {each.ppid}" for each in running(box, program)]
    ledger.record("parents", program, found)
    return found


@claim("mcp-server-starts-in-cluster")
def test_it_answers_with_what_the_pods_account_may_see(
    box: Box, argv: list[str], kube: Kube, aside: str, docker: Any
) -> None:
    with mcp.server(box, argv) as server:
        assert server.tools()
        answer = server.call("pods_list_in_namespace", namespace=box.namespace)
    assert answer.outcome == "ok", answer.text
    assert box.pod in answer.text
    path = f"/tmp/other-{secrets.token_hex(4)}"
    other = kubeconfig({"other": token(kube, aside, "default")}, authority(kube))
    Inside(docker, box.pod_object(), box.container).write(path, other)
    with (
        control("another account is refused the same: what is answered comes from the API server"),
        mcp.server(box, [*argv, "--kubeconfig", path]) as stranger,
    ):
        refused = stranger.call("pods_list_in_namespace", namespace=box.namespace)
        assert refused.outcome == "failed"
        assert "forbidden" in refused.text.lower()


@claim("mcp-server-starts-in-cluster")
def test_the_cli_starts_it_and_it_listens_on_nothing(
    box: Box, argv: list[str], stub: Stub, subject: Subject, docker: Any
) -> None:
    inside, cli = Inside(docker, box.pod_object(), box.container), subject.image.cli
    before = listening(inside)
    login = f"stub-token-mcp-{secrets.token_hex(3)}"
    stub.of(login).behave("slow", seconds=60)
    words = ["env", f"CLAUDE_CODE_OAUTH_TOKEN={login}", cli, "-p", "Say hello."]
    words += ["--output-format", "stream-json", "--verbose"]
    with dialogue(box.kube, box.namespace, box.pod, box.container, words) as talk:
        told = json.loads(talk.hear(lambda line: '"init"' in line, timeout=THERE))
        until(lambda: stub.of(login).requests(MESSAGES), timeout=THERE, what="the session asks the API")
        found, heard = parents(box, argv[0], cli), listening(inside)
        kill(box.beside(box.container), [each for each in running(box, cli) if "-p" in each.cmdline])
    states = {each["name"]: each["status"] for each in told["mcp_servers"]}
    assert subject.mcp.server in observe("MCP servers", "the CLI's own word", states)
    assert states[subject.mcp.server] != "failed"
    assert found == ["the CLI"]
    assert heard == before
    assert PurePosixPath(subject.mcp.skill).parent.name in told["skills"]
    with control("without a session there is none, and one that is given a port listens on it"):
        until(lambda: not running(box, argv[0]), timeout=THERE, what="the server ends with its session")
        assert parents(box, argv[0], cli) == []
        with dialogue(box.kube, box.namespace, box.pod, box.container, [*argv, "--port", str(PORT)]):
            until(lambda: PORT in listening(inside), timeout=THERE, what=f"it listens on {PORT}")
        kill(box.beside(box.container), running(box, argv[0]))


@claim("mcp-read-only-enforced")
def test_it_offers_and_does_nothing_that_changes(box: Box, argv: list[str]) -> None:
    target = {"namespace": box.namespace, "name": ABSENT}
    with mcp.server(box, argv) as server:
        tools = server.tools()
        assert tools
        assert [each.name for each in tools if each.changes] == []
        assert server.call("pods_delete", **target).outcome == "unknown"
    with (
        control("the same server without any flag has tools that change things, and tries to"),
        mcp.server(box, argv[:1]) as free,
    ):
        assert [each for each in free.tools() if each.changes]
        assert free.call("pods_delete", **target).outcome == "failed"
