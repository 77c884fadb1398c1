"""The second stub, in a cluster: both are told the same, and what either got is told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from boxproof.core.session import StubInfo
from boxproof.stubs import anthropic, certificates
from boxproof.stubs.anthropic import Repository, Stub


class There:
    """The side in the cluster."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, Any]] = []
        self.got: list[dict[str, Any]] = []
        self.closed = False

    def ask(self, method: str, path: str, body: object, query: dict[str, str] | None) -> dict[str, Any]:
        """Note what was asked."""
        self.told.append((method, path, body or query))
        if path == "/git/commit":
            return {"commit": "there"}
        return {"requests": self.got} if method == "GET" else {}

    def close(self) -> None:
        """Note it."""
        self.closed = True


@pytest.fixture
def there() -> There:
    """The side in the cluster."""
    return There()


@pytest.fixture
def stub(info: StubInfo, there: There) -> Iterator[Stub]:
    """Both sides."""
    made = Stub(info, side=there)  # type: ignore[arg-type]
    yield made
    made.close()
    assert there.closed


def received(at: float, path: str) -> dict[str, Any]:
    """Return a request as the control side tells it."""
    return {"at": at, "method": "POST", "host": "h", "path": path, "token": "t", "status": 200}


def test_requests_of_both_are_told_in_their_order(stub: Stub, there: There, info: StubInfo) -> None:
    httpx.get(f"https://{info.address}/between", verify=False, trust_env=False)
    there.got = [received(0, "/first"), received(9e9, "/last")]
    assert [each.path for each in stub.requests()] == ["/first", "/between", "/last"]


def test_both_behave_alike(stub: Stub, there: There) -> None:
    stub.of("stub-token-a").behave("401")
    assert there.told == [("POST", "/behaviour", {"mode": "401", "token": "stub-token-a"})]
    stub.of("stub-token-a").requests()
    assert there.told[-1] == ("GET", "/requests", {"token": "stub-token-a"})


def test_repositories_are_where_pods_clone_them(stub: Stub, there: There) -> None:
    repository = Repository(stub, "config", "t").create()
    assert repository.commit({}) == "there"
    assert repository.asked() == []
    assert [each[1] for each in there.told] == ["/git/create", "/git/commit", "/git/config"]


def test_what_is_made_in_the_cluster_is_labelled_and_listens_on_the_real_port() -> None:
    made = anthropic.objects("home", "r/probe:1", certificates.issue(["x"]), {"boxproof.dev/run": "r"})
    assert [each["kind"] for each in made] == ["Secret", "Service", "Pod"]
    assert {each["metadata"]["labels"]["boxproof.dev/run"] for each in made} == {"r"}
    assert {each["metadata"]["namespace"] for each in made} == {"home"}
    _, service, pod = made
    assert [each["port"] for each in service["spec"]["ports"]] == [443, 8081]
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    (container,) = pod["spec"]["containers"]
    assert (container["imagePullPolicy"], container["command"][1:]) == ("IfNotPresent", ["stub"])
    assert "tolerations" not in pod["spec"]


def test_the_control_side_is_asked_through_the_api_server(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, Any]] = []

    class Kube:
        def __init__(self, _: str) -> None: ...

        def post(self, path: str, body: Any) -> dict[str, Any]:
            asked.append((path, body))
            return {}

        def raw(self, path: str) -> dict[str, Any]:
            asked.append((path, None))
            return {"requests": []}

    monkeypatch.setattr(anthropic, "Kube", Kube)
    side = anthropic.Side("k", "home/boxproof-stub")
    side.ask("GET", "/requests", None, {"token": "a b"})
    side.ask("POST", "/reset", {"token": ""}, None)
    below = "/api/v1/namespaces/home/services/boxproof-stub:8081/proxy"
    assert asked == [(f"{below}/requests?token=a+b", None), (f"{below}/reset", {"token": ""})]
