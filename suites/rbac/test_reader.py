"""What the default tier is there for: reading, logs among it, and nothing that runs a command."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import partial

import pytest

from boxproof.agent import mcp
from boxproof.agent.agent_tools import Told, kubectl
from boxproof.deployment.box import Box
from boxproof.fixtures.factories import Twins
from boxproof.kube.access_reviews import READS, Answer, Question, reviewed
from boxproof.kube.client import Kube, Object
from boxproof.kube.rules import STREAMS, about, authority, kubeconfig
from boxproof.probes.pods.helper_pods import unique
from boxproof.probes.pods.probe_pods import CONTAINER, INSIDE
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require
from pytest_claims.waiting import until
from suites.rbac.conftest import Bound, lent
from suites.rbac.rights import allowed, from_rules, spaces

READABLE = (
    "pods", "services", "endpoints", "configmaps", "events", "nodes", "namespaces",
    "deployments.apps", "statefulsets.apps", "daemonsets.apps", "replicasets.apps",
    "ingresses.networking.k8s.io", "networkpolicies.networking.k8s.io", "jobs.batch", "cronjobs.batch",
    "customresourcedefinitions.apiextensions.k8s.io",
)  # fmt: skip
OPENED = tuple(f"{each}/{below}" for each in ("pods", "services", "nodes") for below in sorted(STREAMS))

READS_ALL = require("it may get, list and watch all of it, everywhere", lambda missing: missing == [])
PRINTED = require("kubectl ends well and has printed something", lambda found: found == "printed")
EVENTS = require("describe shows an event", lambda number: number > 0)
ANSWERS_200 = require("the API server answers 200", lambda status: status == "200")
LISTED = require("the pods of its namespace are listed", lambda found: found == "listed")
NO_STREAM = require("no verb opens a stream for it", lambda yes: yes == [])
FORBIDDEN = require("kubectl is told that this is forbidden", lambda found: found == "forbidden")


def came_of(told: Told, asked: str) -> str:
    """Return what came of a kubectl command: printed, nothing, forbidden or failed; an observation."""
    ended = "printed" if told.ok and told.stdout.strip() else "nothing" if told.ok else "failed"
    return observe("came of kubectl", asked, "forbidden" if told.forbidden else ended)


def missing(kube: Kube, user: str) -> list[str]:
    """Return which reads of what is readable are not allowed to ``user``; an observation."""
    answers = reviewed(kube, user, None, [Question.of(verb, each) for each in READABLE for verb in READS])
    assert len(answers) == len(READABLE) * len(READS)
    return observe(
        "missing", user, sorted(str(each) for each, answer in answers.items() if answer is not Answer.ALLOWED)
    )


@claim("rbac-reader-can-read")
def test_the_reader_may_read_everywhere(reader: Box, kube: Kube, bound: Bound) -> None:
    with control("an account that reads pods in one namespace is seen to lack the rest"):
        READS_ALL.fails(missing(kube, bound("", "pods", tuple(READS))))
    READS_ALL(missing(kube, reader.user))


@claim("rbac-reader-can-read")
def test_the_kubectl_in_the_pod_reads_everywhere(box: Box) -> None:
    def reads(*kinds: str) -> str:
        words = ("get", ",".join(kinds), "--all-namespaces", "-o", "name")
        return came_of(kubectl(box, *words), " ".join(words[:2]))

    with control("with one kind more that is forbidden, the same command fails"):
        PRINTED.fails(reads(*READABLE, "secrets"))
    PRINTED(reads(*READABLE))


@claim("rbac-pods-log")
def test_the_kubectl_in_the_pod_reads_logs(box: Box, kube: Kube, bound: Bound, twin: Twins) -> None:
    own = ("-n", box.namespace, box.pod, "-c", box.container)
    elsewhere = twin(command=["sh", "-c", "echo here; exec sleep 3600"])

    def printed(*words: str, env: dict[str, str] | None = None) -> str:
        return came_of(kubectl(box, "logs", "--tail=1", *words, env=env), " ".join(["logs", *words]))

    with control("as an account that may read pods there and no logs, the same command fails"):
        other = bound("", "pods", tuple(READS), (), box.namespace)
        PRINTED.fails(printed(*own, env=lent(box, kube, other)))
        log = partial(kube.logs, elsewhere.namespace, elsewhere.name, CONTAINER)
        until(log, timeout=30, what=f"{elsewhere.label} has a log")
    PRINTED(printed(*own))
    PRINTED(printed("-n", elsewhere.namespace, elsewhere.name))


def events_shown(box: Box, kind: str, name: str) -> int:
    """Return how many events the kubectl in the pod shows when it describes an object."""
    told = kubectl(box, "describe", kind, name, "-n", box.namespace)
    assert told.ok, told.stderr
    lines = told.stdout.partition("\nEvents:")[2].splitlines()
    return observe("events", f"{kind} {name}", len([each for each in lines[1:] if "----" not in each][1:]))


def happened(box: Box) -> Object:
    """Return an event about a box's pod."""
    about_it = {"kind": "Pod", "name": box.pod, "namespace": box.namespace}
    about_it["uid"] = box.pod_object()["metadata"]["uid"]
    meta = {"name": unique("boxproof-looked"), "namespace": box.namespace}
    return {
        "apiVersion": "v1", "kind": "Event", "metadata": meta, "involvedObject": about_it, "type": "Normal",
        "reason": "Looked", "message": "somebody describes this pod", "source": {"component": "boxproof"},
    }  # fmt: skip


@claim("rbac-events-for-describe")
def test_describe_shows_events(box: Box) -> None:
    box.kube.create(happened(box))  # those of the kubelet are kept for an hour only
    with control("an object nothing happened to has none"):
        EVENTS.fails(events_shown(box, "serviceaccount", "default"))
    EVENTS(events_shown(box, "pod", box.pod))


MOUNTED = "/var/run/secrets/kubernetes.io/serviceaccount"
NOBODY = "/tmp/nobody"
# as a program of the agent's would: by the files that are mounted there. An image may have /var/run as a link
# to /run, which from outside would lead to our own.
ASK = """
import os, ssl, sys, urllib.error, urllib.request
root, mounted, namespace, asks = sys.argv[1:]
link = os.path.islink(f"{root}/var/run")
place = os.path.join("/var", os.readlink(f"{root}/var/run")) if link else "/var/run"
top = root + os.path.normpath(place) + mounted.removeprefix("/var/run")
server = f"https://{os.environ['KUBERNETES_SERVICE_HOST']}:{os.environ['KUBERNETES_SERVICE_PORT']}"
given = {"Authorization": "Bearer " + open(f"{top}/token").read()} if asks == "with" else {}
asked = urllib.request.Request(f"{server}/api/v1/namespaces/{namespace}/pods", headers=given)
direct = urllib.request.ProxyHandler({})
trust = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=f"{top}/ca.crt"))
try:
    print(urllib.request.build_opener(direct, trust).open(asked, timeout=120).status)
except urllib.error.HTTPError as error:
    print(error.code)
except OSError:
    print("not reached")
"""


def status_with(box: Box, token: bool) -> str:
    """Return the status of a list of the namespace's pods, asked in the pod with its token or without one."""
    words = ["python3", "-c", ASK, INSIDE, MOUNTED, box.namespace, "with" if token else "without"]
    told = box.as_its_user().exec(words, timeout=180)
    return observe("status", "with its token" if token else "with no token", told.stdout.strip())


@claim("rbac-sa-token-usable-in-pod")
@needs("rights")
def test_the_account_of_the_pod_is_usable_in_it(box: Box) -> None:
    with control("without a token the API server refuses"):
        # a policy that keeps the pod from the API server makes its token as useless as no token
        assert ANSWERS_200.fails(status_with(box, token=False)) in ("401", "403", "not reached")
    ANSWERS_200(status_with(box, token=True))


@claim("rbac-sa-token-usable-in-pod")
@needs("tools")
@pytest.mark.parametrize("by", ["kubectl", "the MCP server"])
def test_both_ways_to_the_api_use_it(box: Box, kube: Kube, subject: Subject, by: str) -> None:
    if by != "kubectl" and not subject.mcp.config:
        pytest.skip("the subject has no MCP server")
    nobody = kubeconfig({"nobody": "stub-token"}, authority(kube))
    assert box.exec(["sh", "-c", f"cat >{NOBODY}"], stdin=nobody).ok

    def listed(config: str = "") -> str:
        if by == "kubectl":
            env = {"KUBECONFIG": config} if config else {}
            told = kubectl(box, "get", "pods", "-n", box.namespace, "-o", "name", env=env)
            ended = told.ok and f"pod/{box.pod}" in told.stdout
        else:
            argv = mcp.command(box, subject.mcp.config, subject.mcp.server)
            # in a pod it heeds no KUBECONFIG, but this option
            words = [*argv, "--kubeconfig", config] if config else argv
            answer = mcp.called(box, words, "pods_list_in_namespace", namespace=box.namespace)
            ended = answer.outcome == "ok" and box.pod in json.dumps(answer.text)
        return observe("list of pods", f"{by}, {config or 'as it is'}", "listed" if ended else "refused")

    with control("with a token that nobody gave it the same list is refused"):
        LISTED.fails(listed(NOBODY))
    LISTED(listed())


def streams(kube: Kube, user: str, objects: Iterable[Object] = ()) -> list[str]:
    """Return which streams ``user`` may open, to anything in any namespace or by the names in its rules."""
    asked = [
        Question.of(verb, each, place)
        for each in OPENED
        for verb in ("get", "create")
        for place in spaces(kube)
    ]
    own = [each for each in from_rules(kube, user, list(objects)) if about(each, *OPENED)]
    return allowed(kube, user, [*asked, *own], "streams")


@claim("rbac-reader-cannot-exec")
def test_no_verb_opens_a_stream(reader: Box, kube: Kube, bound: Bound) -> None:
    with control("an account that may enter one pod, by its name"):
        NO_STREAM.fails(streams(kube, bound("", "pods/exec", ("get",), ("one-pod",))))
    NO_STREAM(streams(kube, reader.user, reader.objects))


@claim("rbac-reader-cannot-exec")
@needs("tools")
@pytest.mark.parametrize("websockets", ["true", "false"])
def test_the_kubectl_in_the_pod_cannot_exec(
    box: Box, twin: Twins, kube: Kube, bound: Bound, websockets: str
) -> None:
    other, env = twin(), {"KUBECTL_REMOTE_COMMAND_WEBSOCKETS": websockets}
    words = ("exec", "-n", other.namespace, other.name, "--", "echo", "inside")

    def tried(more: dict[str, str]) -> str:
        return came_of(kubectl(box, *words, env=env | more), f"exec, websockets {websockets}")

    with control("as an account that may, the same kubectl does it"):
        FORBIDDEN.fails(tried(lent(box, kube, bound("", "pods,pods/exec", ("get", "create")))))
    FORBIDDEN(tried({}))
