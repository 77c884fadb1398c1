"""A cluster that is not ours: what is wrong with it is one line, before anything is made there."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from boxproof.cli import e2e
from boxproof.cluster import cluster_info
from boxproof.cluster.contexts import Context
from boxproof.core.settings import ROOT, Settings
from pytest_claims.faults import EnvironmentFault, UsageError

pytestmark = pytest.mark.integration

NODE = {
    "metadata": {"name": "w"},
    "status": {"nodeInfo": {"containerRuntimeVersion": "containerd://2.1.4", "kernelVersion": "6.1"}},
}
LISTS = {
    "/api/v1/nodes": [NODE],
    "/apis/apps/v1/daemonsets": [{"metadata": {"name": "cilium"}}],
}


class Server(BaseHTTPRequestHandler):
    """An API server that answers what is asked beforehand, and notes what would change something."""

    status = 200
    refused = ""
    changes: list[str]

    def do_GET(self) -> None:
        """Answer by path."""
        path = self.path.partition("?")[0]
        if path in LISTS:
            self.say({"apiVersion": "v1", "items": LISTS[path]})
        elif path == "/version":
            self.say({"gitVersion": "v1.33.1"}, self.status)
        elif path.endswith("/endpointslices/kubernetes"):
            addresses = [{"addresses": ["10.0.0.1"]}, {"addresses": ["10.0.0.2"]}]
            self.say({"endpoints": addresses, "ports": [{"port": 6443}]})
        elif path.endswith("/services/kubernetes"):
            self.say({"spec": {"clusterIP": "172.20.0.1"}})
        else:
            resources = [
                {"resource": name, "responseKind": {"kind": kind}, "scope": scope, "verbs": ["list"]}
                for name, kind, scope in (("nodes", "Node", "Cluster"), ("services", "Service", "Namespaced"))
            ]
            core = {"metadata": {"name": ""}, "versions": [{"version": "v1", "resources": resources}]}
            self.say({"kind": "APIGroupDiscoveryList", "items": [core] if path == "/api" else []})

    def do_POST(self) -> None:
        """Answer a review; anything else is a change."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if body["kind"] != "SelfSubjectAccessReview":
            self.changes.append(self.path)
        asked = body["spec"]["resourceAttributes"]
        self.say({"status": {"allowed": asked["resource"] != self.refused}}, 201)

    def say(self, data: dict[str, Any], status: int = 200) -> None:
        """Send an answer."""
        body = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The port of an API server."""
    monkeypatch.setattr(Server, "changes", [], raising=False)
    made = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=made.serve_forever, args=(0.02,), daemon=True).start()
    yield made.server_port
    made.shutdown()
    made.server_close()


def asked(directory: Path, port: int, context: str = "prod") -> Settings:
    """Return settings for a context of a kubeconfig that leads to ``port``."""
    path = directory / "config"
    data = {
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": "prod", "context": {"cluster": "c", "user": "u"}}],
    }
    path.write_text(yaml.safe_dump(data))
    return Settings(
        context=context, kubeconfig=str(path), publish="localhost:5001", subject=ROOT,
        reports=directory / "reports", state=directory / "state", cache=directory / "cache",
    )  # fmt: skip


def test_a_cluster_that_lets_us_is_let_through_and_nothing_is_made(tmp_path: Path, server: int) -> None:
    cluster_info.check_external(asked(tmp_path, server))
    assert Server.changes == []


@pytest.mark.parametrize(
    ("port", "context", "error", "says"),
    [
        (1, "prod", EnvironmentFault, r"'prod', http://127.0.0.1:1, does not answer.*kubectl --context prod"),
        (1, "prd", UsageError, r"no context 'prd' in .*did you mean 'prod'"),
    ],
)
def test_a_bad_context_is_one_line_and_leaves_nothing(
    tmp_path: Path, port: int, context: str, error: type[Exception], says: str
) -> None:
    settings = asked(tmp_path, port, context)
    with pytest.raises(error, match=says) as found:
        e2e.main(settings)
    assert "\n" not in str(found.value)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["config"]


def test_a_user_that_is_refused_is_told_from_a_dead_server(
    tmp_path: Path, server: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Server, "status", 401)
    with pytest.raises(EnvironmentFault, match=r"of the context 'prod' refuses its user: .*401"):
        cluster_info.check_external(asked(tmp_path, server))


def test_rights_that_are_missing_are_named(
    tmp_path: Path, server: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Server, "refused", "clusterroles")
    with pytest.raises(EnvironmentFault, match=r"'prod' may not: create clusterroles .*administrator"):
        cluster_info.check_external(asked(tmp_path, server))


def test_it_is_what_its_api_tells(tmp_path: Path, server: int) -> None:
    found = cluster_info.external_context(asked(tmp_path, server))
    path = tmp_path / "private"
    path.write_text((tmp_path / "config").read_text() + "current-context: prod\n")

    cluster = cluster_info.gather_external(found, str(path), "kubectl")

    assert (cluster.context, cluster.kubernetes, cluster.nodes) == ("prod", "1.33.1", ("w",))
    assert (cluster.containerd, cluster.cni, cluster.kind) == ("2.1.4", "cilium", "")
    assert (cluster.service, cluster.apiserver) == ("172.20.0.1:443", "10.0.0.1:6443")
    assert cluster.endpoints == ("10.0.0.2:6443",)


def test_its_name_is_its_servers_and_fits_files() -> None:
    one, other = (
        Context(name, {"server": "https://API.example.com:6443/a"}, {}) for name in ("x", "arn:y/z")
    )
    assert cluster_info.external_name(one) == cluster_info.external_name(other)
    assert cluster_info.external_name(one).startswith("at-api-example-com-6443-a-")
    assert len(cluster_info.external_name(Context("x", {"server": f"https://{'a' * 80}"}, {}))) <= 40
