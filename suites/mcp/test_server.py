"""The MCP server: a child of the CLI, with the pod's account, reading and no more."""

from __future__ import annotations

import json
import secrets
from pathlib import PurePosixPath
from typing import Any

from boxproof.agent import mcp
from boxproof.deployment.box import Box
from boxproof.kube.client import Kube
from boxproof.kube.exec_stream import dialogue
from boxproof.kube.service_accounts import authority, kubeconfig, token
from boxproof.probes.eventually import eventually
from boxproof.probes.pods.node_view import Inside
from boxproof.probes.process.orphans import kill
from boxproof.probes.process.processes import Process, processes
from boxproof.stubs.anthropic import MESSAGES, Stub
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe
from pytest_claims.recording import observations
from pytest_claims.waiting import until
from suites.mcp.listening_sockets import listening

THERE = 60.0  # seconds until a process or a socket is there
PORT = 18917
ABSENT = "no-such-pod"


def with_word(box: Box, word: str) -> list[Process]:
    """Return the processes in the agent's container that were started with an argument of that text."""
    return [each for each in processes(box.beside(box.container)) if word in " ".join(each.cmdline)]


def servers(box: Box, program: str, session: str) -> list[Process]:
    """Return the processes of the server that are children of the session with a word; an observation."""
    every = processes(box.beside(box.container))
    fathers = {each.pid for each in every if session in " ".join(each.cmdline)}
    found = [each for each in every if each.ppid in fathers and each.cmdline[:1] == (program,)]
    observations.record("servers of a session", f"child of {session}", [each.comm for each in found])
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
    box: Box, argv: list[str], stub: Stub, subject: Subject
) -> None:
    login = f"stub-token-mcp-{secrets.token_hex(4)}"
    stub.of(login).behave("slow", seconds=900)
    prompt = f"Say {secrets.token_hex(8)}."
    words = ["env", f"CLAUDE_CODE_OAUTH_TOKEN={login}", subject.image.cli, "-p", prompt]
    words += ["--output-format", "stream-json", "--verbose"]
    with dialogue(box.kube, box.namespace, box.pod, box.container, words) as talk:
        told = json.loads(talk.hear(lambda line: '"init"' in line, timeout=THERE))
        until(lambda: stub.of(login).requests(MESSAGES), timeout=THERE, what="the session asks the API")
        eventually(lambda: servers(box, argv[0], prompt), timeout=THERE, what="its MCP server is there")
        found = servers(box, argv[0], prompt)
        heard = [listening(box, each) for each in found]
        kill(box.beside(box.container), with_word(box, prompt))
    states = {each["name"]: each["status"] for each in told["mcp_servers"]}
    assert subject.mcp.server in observe("MCP servers", "the CLI's own word", states)
    assert states[subject.mcp.server] != "failed"
    assert heard == [frozenset()], "one server, and it listens on nothing"
    assert PurePosixPath(subject.mcp.skill).parent.name in told["skills"]
    with control("one that is no child of a session is none of its servers; with a port it listens"):
        with dialogue(box.kube, box.namespace, box.pod, box.container, [*argv, "--port", str(PORT)]):
            [stray] = until(lambda: with_word(box, str(PORT)), timeout=THERE, what="it runs")
            until(lambda: PORT in listening(box, stray), timeout=THERE, what=f"it listens on {PORT}")
            assert servers(box, argv[0], prompt) == []
        kill(box.beside(box.container), [stray])


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
