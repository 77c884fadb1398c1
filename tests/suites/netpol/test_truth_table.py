"""A table of connections: filled from packets, once its policies are in force, and what is said of it."""

from __future__ import annotations

import secrets
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from boxproof.core.process import Result
from boxproof.kube.client import Kube
from boxproof.kube.network_policies import Place
from boxproof.probes import connectivity
from boxproof.probes.connectivity import Spot, canaries, in_force
from boxproof.probes.probe_program import ask
from boxproof.probes.program_files.table import attempt
from boxproof.probes.reach import Outside, Reach
from pytest_claims.faults import EnvironmentFault
from suites.netpol import truth_table
from suites.netpol.truth_table import Line, Taken, counted, shared
from tests.probes.test_probe_program import Here

CLOSED = 1


class Broken(Here):
    """A place where the probe does not answer."""

    label = "twin in a"

    def probe(self, *words: str, timeout: float = 30) -> Result:
        """Say nothing that can be read."""
        return Result(words, 1, "", "cannot fork", timeout)


@pytest.fixture
def port() -> int:
    """A port nobody uses, over TCP or UDP."""
    with socket.create_server(("0.0.0.0", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def listens(port: int) -> Iterator[Spot]:
    """A place that listens on one port, and is known by another closed one."""
    here = Here()
    made = connectivity.exposed(Place("target", "127.0.0.1", "a"), here, [port], secrets.token_hex(4))
    yield Spot(made.place, (*made.ports, (CLOSED, "TCP")), made.token)
    ask(here, "stop", "--token", made.token)


def source(prober: Any = None) -> Spot:
    """Return a place to probe from."""
    return Spot(Place("source", "127.0.0.1", "a", {"app": "agent"}), (), prober=prober or Here())


def policy(direction: str, *ports: int, selects: str = "agent") -> dict[str, Any]:
    """Return a policy that allows TCP ports, one way."""
    rules = [{"ports": [{"protocol": "TCP", "port": each} for each in ports]}] if ports else []
    spec = {"podSelector": {"matchLabels": {"app": selects}}, "policyTypes": [direction]}
    return {
        "kind": "NetworkPolicy",
        "metadata": {"name": selects, "namespace": "a"},
        "spec": spec | {direction.lower(): rules},
    }


def test_a_canary_is_forbidden_by_one_end_alone(listens: Spot, port: int) -> None:
    named = Spot(Place("target", "127.0.0.1", "a", {"app": "target"}), listens.ports, listens.token)
    rows = connectivity.rows([source(), named])
    out, into = policy("Egress", CLOSED), policy("Ingress", port, selects="target")

    assert [each.text for each in canaries(rows, [out])] == ["source, egress"]
    both = {each.text: each.row.text for each in canaries(rows, [out, into])}
    assert both == {
        "source, egress": f"source -> target:{port}/TCP", "target, ingress": f"source -> target:{CLOSED}/TCP",
    }  # fmt: skip
    assert canaries(rows, []) == []
    assert canaries(rows, [policy("Egress"), policy("Ingress", selects="target")]) == []


def test_what_is_denied_is_in_force_and_what_gets_through_is_late(listens: Spot, port: int) -> None:
    rows = connectivity.rows([source(), listens])
    denied = canaries(rows, [policy("Egress", port)])
    assert denied[0].row.text == f"source -> target:{port}/UDP"
    closed = canaries([each for each in rows if each.port == CLOSED], [policy("Egress", port)])

    assert list(in_force(closed, within=5).seconds) == ["source, egress"]
    found = in_force(denied, within=0.3)
    assert found.seconds == {}
    assert found.late["source, egress"] >= 0.3


def test_a_table_is_taken_whole_and_kept(listens: Spot, port: int, tmp_path: Path) -> None:
    applied: list[object] = []
    kube = cast(Kube, SimpleNamespace(apply=applied.extend))
    policies = [policy("Egress", port, CLOSED)]
    spots = [source(), Spot(listens.place, ((port, "TCP"), (CLOSED, "TCP")), listens.token)]

    def made() -> Taken:
        return truth_table.take(spots, policies, kube)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(truth_table, "ROUTES", 0.2)
        first = shared(tmp_path / "tables" / "one.json", made)
    again = shared(tmp_path / "tables" / "one.json", lambda: pytest.fail("taken twice"))

    assert applied == policies
    assert again == first
    assert first.shut == [f"source -> target:{CLOSED}/TCP: refused"]
    assert first.mismatches == [f"source -> target:{CLOSED}/TCP: refused, allowed"]
    assert first.late == {}


def test_a_report_says_how_many_rows_and_how_many_mismatches() -> None:
    line = Line("a", "b", 1, "TCP", allowed=False, free=Reach.OPEN, ended=Reach.OPEN)
    lines = [line] * 50
    found = Taken(lines, {}, {}, 1.0)
    assert counted(lines, [each.ended for each in lines], []) == {"rows": 50, "open": 50, "mismatches": 0}
    said = counted(lines, [each.ended for each in lines], found.mismatches)
    assert said["mismatches"] == 50
    assert said["which"] == ["a -> b:1/TCP: open, not allowed"] * truth_table.SHOWN


def test_a_probe_that_breaks_is_named(listens: Spot) -> None:
    with pytest.raises(EnvironmentFault, match=r"^source, sweep: the probe in twin in a broke"):
        connectivity.tried(connectivity.rows([source(Broken()), listens]))
    with pytest.raises(EnvironmentFault, match=r"^far, expose: .*cannot fork"):
        connectivity.exposed(Place("far", "", "a"), Broken(), [80], "token")


def test_another_than_the_listener_is_a_fault(listens: Spot, port: int) -> None:
    other = Spot(listens.place, ((port, "TCP"),), "other")
    with pytest.raises(EnvironmentFault, match="answered by something else"):
        connectivity.tried(connectivity.rows([source(), other]))


@pytest.fixture
def deaf() -> Iterator[tuple[int, list[int]]]:
    """A server that answers a datagram only the second time; its port, and those it was asked from."""
    asked: list[int] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def serve() -> None:
            for _ in range(2):
                _, peer = server.recvfrom(512)
                asked.append(peer[1])
            server.sendto(b"at last", peer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1], asked


def test_a_datagram_is_sent_again_from_the_port_that_was_asked_for(
    deaf: tuple[int, list[int]], port: int
) -> None:
    server, asked = deaf
    assert attempt(f"127.0.0.1:{server}/UDP", port, 3.0) == {"reach": "open", "identity": ""}
    assert asked == [port, port]


def test_silence_is_filtered_over_udp_and_fine_over_tcp_where_nobody_is_asked_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = f"127.0.0.1:{server.getsockname()[1]}"
        deadline = 300.0  # nobody waits for its end: that is what is shown
        started = time.monotonic()
        assert attempt(f"{place}/TCP", 0, deadline)["reach"] == "open"
        assert time.monotonic() - started < deadline
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind(("127.0.0.1", 0))
        assert attempt(f"127.0.0.1:{mute.getsockname()[1]}/UDP", 0, 0.3)["reach"] == "filtered"


@pytest.mark.usefixtures("kernel")
def test_a_probe_outside_that_overruns_is_a_fault() -> None:
    argvs: list[list[str]] = []

    def exec_run(argv: list[str], demux: bool) -> tuple[int, tuple[bytes, bytes]]:
        argvs.append(argv)
        return 137, (b"", b"")

    made = Outside(None, "probe", "run")
    made._made = cast(Any, SimpleNamespace(exec_run=exec_run))
    with pytest.raises(EnvironmentFault, match="outside the cluster: no end within 5 s: connect x 1"):
        made.probe("connect", "x", "1", timeout=5)
    assert argvs[0][:3] == ["timeout", "--signal=KILL", "5.0"]
