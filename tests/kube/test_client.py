"""The client: answers are dicts, failures are typed."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from boxproof.kube.access_reviews import Answer, Question, groups_of, questions_of, review
from boxproof.kube.client import Conflict, Forbidden, Invalid, Kube, NotFound
from pytest_claims.faults import EnvironmentFault

POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "n"}}


def resource(name: str, kind: str, *subs: str, scope: str = "Namespaced") -> dict[str, Any]:
    """Return a resource as aggregated discovery gives it."""
    verbs = ["get", "list", "create"]
    below = [{"subresource": each, "responseKind": {"kind": "X"}, "verbs": ["get"]} for each in subs]
    return {
        "resource": name, "responseKind": {"kind": kind}, "scope": scope,
        "verbs": verbs, "subresources": below,
    }  # fmt: skip


def discovery(group: str, version: str, *resources: dict[str, Any]) -> dict[str, Any]:
    """Return one group as aggregated discovery gives it."""
    return {"metadata": {"name": group}, "versions": [{"version": version, "resources": list(resources)}]}


CORE = discovery(
    "", "v1", resource("pods", "Pod", "log"), resource("namespaces", "Namespace", scope="Cluster")
)
APPS = discovery("apps", "v1", resource("deployments", "Deployment", "scale"))


class Server(BaseHTTPRequestHandler):
    """A few answers of an API server."""

    protocol_version = "HTTP/1.1"
    asked: list[tuple[str, str, Any]]
    late = threading.Event()

    def handle_any(self) -> None:
        """Answer by path."""
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or b"null")
        path = self.path.partition("?")[0]
        self.asked.append((self.command, self.path, body))
        status, answer = self.find(path, body)
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        with suppress(BrokenPipeError):
            self.wfile.write(data)

    do_GET = do_POST = do_PATCH = do_DELETE = handle_any  # noqa: N815

    def find(self, path: str, body: Any) -> tuple[int, Any]:
        """Return status and answer."""
        if path.endswith("subjectaccessreviews"):
            verb = body["spec"]["resourceAttributes"]["verb"]
            if verb == "late" and not self.late.is_set():
                self.late.set()
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)  # the answer gets lost
            if verb == "break":
                return 500, {"message": "broken"}
            return 201, {"status": {"allowed": verb == "get", "evaluationError": "no" * (verb == "odd")}}
        groups = {"/api": [CORE], "/apis": [APPS]}
        if path in groups:
            return 200, {"kind": "APIGroupDiscoveryList", "items": groups[path]}
        if path == "/readyz":
            return 200, b"ok"
        if "newborn" in path and sum("newborn" in each for _, each, _ in self.asked) == 1:
            told = 'error looking up service account newborn/default: serviceaccount "default" not found'
            return 403, {"message": f'pods "a" is forbidden: {told}'}
        for status, word in ((404, "gone"), (403, "forbidden"), (409, "taken"), (422, "wrong")):
            if word in path:
                return status, {"message": f"it is {word}"}
        if path.endswith("/pods") and self.command == "GET":
            return 200, {"apiVersion": "v1", "kind": "PodList", "items": [{"metadata": {"name": "a"}}]}
        return 200, POD

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def asked() -> list[tuple[str, str, Any]]:
    """What the server was asked."""
    Server.asked = []
    return Server.asked


@pytest.fixture
def kube(tmp_path: Path, asked: list[tuple[str, str, Any]]) -> Iterator[Kube]:
    """A client of a server that answers a little."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    made = Kube(str(kubeconfig(tmp_path, server.server_port)))
    yield made
    made.close()
    server.shutdown()
    server.server_close()


def kubeconfig(directory: Path, port: int) -> Path:
    """Write a kubeconfig for a server on this machine."""
    path = directory / "kubeconfig"
    named = {
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
    }
    path.write_text(yaml.safe_dump({"current-context": "x", "kind": "Config", "apiVersion": "v1"} | named))
    return path


@pytest.mark.parametrize("write", ["create", "apply"])
def test_a_pod_of_a_new_namespace_waits_for_its_account(
    kube: Kube, asked: list[tuple[str, str, Any]], write: str
) -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "newborn"}}
    made = kube.create(pod) if write == "create" else kube.apply([pod])[0]
    assert made == POD
    assert len([path for _, path, _ in asked if "newborn" in path]) == 2


def test_a_proxy_is_not_asked_for_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: list[tuple[str, str, Any]]
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")  # one that nobody is
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    made = Kube(str(kubeconfig(tmp_path, server.server_port)))
    assert made.alive()
    made.close()
    server.shutdown()
    server.server_close()


def test_objects_come_as_plain_dicts_with_their_kind(kube: Kube) -> None:
    assert kube.get("Pod", "a", "n") == POD
    assert kube.list("pods", "n") == [{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}]
    assert kube.alive()


@pytest.mark.parametrize(
    ("name", "kind"), [("gone", NotFound), ("forbidden", Forbidden), ("taken", Conflict), ("wrong", Invalid)]
)
def test_a_refusal_is_typed_and_says_what_the_server_said(
    kube: Kube, name: str, kind: type[EnvironmentFault]
) -> None:
    with pytest.raises(kind, match=f"it is {name}"):
        kube.get("Pod", name, "n")


def test_find_gives_none_for_what_does_not_exist(kube: Kube) -> None:
    assert kube.find("Pod", "gone", "n") is None


def test_what_names_no_namespace_goes_where_the_kubeconfig_says(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path, 1)
    assert Kube(str(path)).namespace == "default"
    data = yaml.safe_load(path.read_text())
    data["contexts"][0]["context"]["namespace"] = "ours"
    path.write_text(yaml.safe_dump(data))
    assert Kube(str(path)).namespace == "ours"


def test_no_answer_is_a_fault_of_the_environment(tmp_path: Path) -> None:
    kube = Kube(str(kubeconfig(tmp_path, 1)))
    assert not kube.alive()
    with pytest.raises(EnvironmentFault, match="does not answer GET /x"):
        kube.raw("/x")


def test_an_unusable_kubeconfig_is_a_fault_of_the_environment(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match="cannot use the kubeconfig"):
        Kube(str(tmp_path / "none"))


def test_an_unknown_kind_is_a_fault_of_the_environment(kube: Kube) -> None:
    with pytest.raises(EnvironmentFault, match="serves no Gadget"):
        kube.get("Gadget", "a")


def test_discovery_includes_subresources(kube: Kube) -> None:
    names = {(each.group, each.name, each.kind) for each in kube.resources()}
    assert ("", "pods/log", "Pod") in names
    assert ("apps", "deployments/scale", "Deployment") in names


def test_namespaces_are_applied_first_and_deleted_last(kube: Kube, asked: list[tuple[str, str, Any]]) -> None:
    objects = [POD, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}}]
    kube.apply(objects)
    kube.delete(objects)
    paths = [(each[0], each[1].partition("?")[0]) for each in asked if each[0] in ("PATCH", "DELETE")]
    pod, namespace = "/api/v1/namespaces/n/pods/a", "/api/v1/namespaces/n"
    assert paths == [("PATCH", namespace), ("PATCH", pod), ("DELETE", pod), ("DELETE", namespace)]


def test_apply_is_the_servers_with_our_manager(kube: Kube, asked: list[tuple[str, str, Any]]) -> None:
    kube.apply([POD])
    assert any("fieldManager=boxproof" in each[1] for each in asked)


def test_reviews_are_allowed_denied_or_error(kube: Kube) -> None:
    asked = {verb: Question(verb=verb, resource="pods") for verb in ("get", "delete", "odd", "break")}
    answers = review(kube, "u", ["g"], asked.values())
    assert {verb: answers[question] for verb, question in asked.items()} == {
        "get": Answer.ALLOWED,
        "delete": Answer.DENIED,
        "odd": Answer.ERROR,
        "break": Answer.ERROR,
    }


def test_reviews_of_a_dead_server_are_a_fault_of_the_environment(tmp_path: Path) -> None:
    kube = Kube(str(kubeconfig(tmp_path, 1)))
    with pytest.raises(EnvironmentFault):
        review(kube, "u", None, [Question(verb="get", resource="pods")])


def test_a_review_whose_answer_got_lost_is_asked_again(kube: Kube, asked: list[tuple[str, str, Any]]) -> None:
    question = Question.of("late", "pods", "n")
    assert review(kube, "u", [], [question]) == {question: Answer.DENIED}
    assert len([path for _, path, _ in asked if path.endswith("subjectaccessreviews")]) == 2


def test_a_service_account_is_in_its_groups() -> None:
    assert groups_of("system:serviceaccount:n:a") == (
        "system:serviceaccounts", "system:serviceaccounts:n", "system:authenticated",
    )  # fmt: skip
    assert groups_of("jane") == ("system:authenticated",)


def test_questions_cover_every_verb_of_every_resource(kube: Kube) -> None:
    found = {str(each) for each in questions_of(kube.resources(), namespace="n")}
    assert "get pods/log in n" in found
    assert "list namespaces in all namespaces" in found
    assert str(Question.of("patch", "deployments.apps/scale", "n")) == "patch deployments.apps/scale in n"


def test_an_older_version_of_a_kind_that_is_listed_in_another_has_its_path(kube: Kube) -> None:
    listed = kube.resource("Deployment").api_version
    assert listed == "apps/v1"
    assert (
        kube.path("Deployment", "a", "n", "apps/v1beta9") == "/apis/apps/v1beta9/namespaces/n/deployments/a"
    )
    with pytest.raises(EnvironmentFault, match=r"serves no Deployment other\.dev/v1"):
        kube.path("Deployment", "a", "n", "other.dev/v1")
