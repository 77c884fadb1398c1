"""The MCP server: a child of the CLI, with the pod's account, reading and no more."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from boxproof.agent import mcp
from boxproof.deployment.box import Box
from boxproof.fixtures.factories import Twins
from boxproof.kube.client import Kube
from boxproof.kube.exec import dialogue
from boxproof.kube.rules import authority, kubeconfig, token
from boxproof.probes.pods import helper_pods
from boxproof.probes.pods.node_view import Inside
from boxproof.probes.pressure import eventually
from boxproof.probes.processes import Process, kill, processes
from boxproof.stubs.anthropic import MESSAGES, Stub
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, require
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


SEES = require("it answers with the pods of the namespace", lambda found: found == ("ok", True))
ONE_SILENT_CHILD = require(
    "the session has one server, its child, and that listens on nothing",
    lambda found: found == Session([frozenset()], True, True),
)
OFFERS_NO_CHANGE = require(
    "it offers tools, and none that changes anything", lambda found: found[0] > 0 and found[1] == []
)
KNOWS_NONE = require("it knows no tool that changes anything", lambda known: known == [])
STILL_THERE = require("the pod is there still", lambda there: there)


@dataclass(frozen=True)
class Session:
    """What the servers of a session listen on, whether the CLI names the server well, and the skill."""

    ports: list[frozenset[int]]
    named: bool
    skill: bool


def seen_by(box: Box, argv: list[str], asked: str) -> tuple[str, bool]:
    """Return how a server lists the pods of the box's namespace, or why it does not; an observation."""
    answer = mcp.called(box, argv, "pods_list_in_namespace", namespace=box.namespace)
    refused = answer.outcome != "ok" and "forbidden" in answer.text.lower()
    told = "forbidden" if refused else answer.outcome
    return observe("pods by the server", asked, (told, box.pod in answer.text))


@claim("mcp-server-starts-in-cluster")
def test_it_answers_with_what_the_pods_account_may_see(
    box: Box, argv: list[str], kube: Kube, aside: str, docker: Any
) -> None:
    path = f"/tmp/other-{secrets.token_hex(4)}"
    other = kubeconfig({"other": token(kube, aside, "default")}, authority(kube))
    Inside(docker, box.pod_object(), box.container).write(path, other)
    SEES(seen_by(box, argv, "the pod's account"))
    with control("another account is refused the same: what is answered comes from the API server"):
        refused = SEES.fails(seen_by(box, [*argv, "--kubeconfig", path], "another account"))
        assert refused[0] == "forbidden", refused


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
    well = states.get(subject.mcp.server, "failed") != "failed"
    skill = PurePosixPath(subject.mcp.skill).parent.name in told["skills"]
    ONE_SILENT_CHILD(observe("session", prompt, Session(heard, well, skill)))
    with control("one that is no child of a session is none of its servers; with a port it listens"):
        with dialogue(box.kube, box.namespace, box.pod, box.container, [*argv, "--port", str(PORT)]):
            [stray] = until(lambda: with_word(box, str(PORT)), timeout=THERE, what="it runs")
            until(lambda: PORT in listening(box, stray), timeout=THERE, what=f"it listens on {PORT}")
            assert servers(box, argv[0], prompt) == []
            ONE_SILENT_CHILD.fails(
                observe("session", "a stray", Session([listening(box, stray)], well, skill))
            )
        kill(box.beside(box.container), [stray])


@claim("mcp-read-only-enforced")
def test_it_offers_and_does_nothing_that_changes(box: Box, argv: list[str]) -> None:
    """By its own annotations and by the names of tools; every tool that the free server has more is tried."""

    def offered(asked: str, server: mcp.Server) -> tuple[int, list[str]]:
        found = server.tools()
        return observe("tools", asked, (len(found), [each.name for each in found if each.changes]))

    def known(asked: str, server: mcp.Server, names: list[str]) -> list[str]:
        target = {"namespace": box.namespace, "name": ABSENT}
        found = [each for each in names if server.call(each, **target).outcome != "unknown"]
        return observe("tools it knows", asked, found)

    with mcp.server(box, argv[:1]) as free, mcp.server(box, argv) as server:
        with control(
            "the same server without any flag has tools that change things, and knows them when asked"
        ):
            changing = OFFERS_NO_CHANGE.fails(offered("free", free))[1]
            more = sorted({each.name for each in free.tools()} - {each.name for each in server.tools()})
            KNOWS_NONE.fails(known("free", free, ["pods_delete"]))
        OFFERS_NO_CHANGE(offered("as configured", server))
        KNOWS_NONE(known("as configured", server, sorted({*changing, *more})))


@claim("mcp-read-only-enforced")
def test_with_an_account_that_may_it_does_not_delete_a_pod(
    box: Box, argv: list[str], kube: Kube, aside: str, docker: Any, twin: Twins
) -> None:
    """What a server says of itself is no evidence: an account that may delete is in its hands, and a pod."""
    path, account = f"/tmp/mighty-{secrets.token_hex(4)}", helper_pods.unique("mighty")
    target = twin(namespace=aside, fresh=True)

    def there(asked: str, argv: list[str]) -> bool:
        with mcp.server(box, [*argv, "--kubeconfig", path]) as server:
            server.call("pods_delete", namespace=target.namespace, name=target.name)
        live = kube.find("Pod", target.name, target.namespace)
        return observe(
            "the pod is there", asked, live is not None and "deletionTimestamp" not in live["metadata"]
        )

    with helper_pods.applied(kube, *deleter(account, aside)):
        text = kubeconfig({"mighty": token(kube, aside, account)}, authority(kube))
        Inside(docker, box.pod_object(), box.container).write(path, text)
        STILL_THERE(there("as configured", argv))
        with control("the server without any flag deletes it"):
            STILL_THERE.fails(there("free", argv[:1]))


def deleter(name: str, namespace: str) -> list[dict[str, Any]]:
    """Return an account that may delete the pods of a namespace."""
    meta = {"name": name, "namespace": namespace}
    group = "rbac.authorization.k8s.io"
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "delete"]}]
    subjects = [{"kind": "ServiceAccount", "name": name, "namespace": namespace}]
    role = {"apiGroup": group, "kind": "Role", "name": name}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta},
        {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": meta, "rules": rules},
        {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": meta,
            "roleRef": role,
            "subjects": subjects,
        },
    ]
