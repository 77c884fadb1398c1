"""What is ours and dies is seen, and no box is judged by it: with a stub and listeners that really run."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from boxproof.core.process import run
from boxproof.core.session import Session, StubInfo
from boxproof.deployment import liveness as ours
from boxproof.deployment.liveness import (
    SILENT,
    asking,
    dns_unwell,
    kept_running,
    liveness,
    silent,
    started_anew,
    unwell,
)
from boxproof.probes.local_registry import Registry
from boxproof.stubs import certificates
from pytest_claims.waiting import until
from tests.support.proof_fixtures import Ran

pytestmark = pytest.mark.integration

SERVE = (
    "import signal, sys; from boxproof.stubs.server import stub;"
    " signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT});"
    " stub.main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))"
)
Served = tuple[StubInfo, subprocess.Popen[bytes]]


def free_port() -> int:
    """Return a port that nobody has."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A stub as a process of its own, and how it is found."""
    authority, (api, control) = certificates.issue(["localhost"]), (free_port(), free_port())
    for name, content in (("tls.crt", authority.chain), ("tls.key", authority.key)):
        (tmp_path / name).write_bytes(content)
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(tmp_path), str(api), str(control)], stderr=subprocess.DEVNULL
    )
    info = StubInfo(address=f"127.0.0.1:{api}", ca=authority.ca, control=f"http://127.0.0.1:{control}")
    alone = Session(run="r", directory=str(tmp_path), subject="", cache="", state=str(tmp_path), stub=info)
    until(lambda: liveness(alone) is None, timeout=60, what="the stub answers")
    yield info, process
    process.kill()
    process.wait()


@pytest.fixture
def session(served: Served, run_directory: Path, tmp_path: Path) -> Session:
    """A session of which nothing runs but the stub."""
    here = str(tmp_path)
    return Session(
        run="run-1", directory=str(run_directory), subject=here, cache=here, state=here, stub=served[0]
    )


def test_a_stub_that_is_killed_is_seen(session: Session, served: Served) -> None:
    _, process = served
    assert liveness(session) is None
    process.kill()
    process.wait()
    assert liveness(session) == "the stub of the Anthropic API does not answer"


def test_a_stub_of_which_one_side_is_dead_is_seen(session: Session, served: Served) -> None:
    half = replace(served[0], address=f"127.0.0.1:{free_port()}")
    assert "takes no connection" in str(liveness(replace(session, stub=half)))


BODY = """
HELD = require("the box's prompt is answered", lambda found: found == "answered")

@claim("pvc-bound")
def test_it():
    with control("a prompt nobody answers"):
        HELD.fails(observe("prompt", "nobody", "nothing"))
    {meanwhile}
    HELD(observe("prompt", "the box", "no answer"))
"""


def test_a_box_that_is_judged_by_a_dead_stub_is_not_refuted(
    suite: Callable[..., Ran], served: Served
) -> None:
    _, process = served
    ran = suite(BODY.format(meanwhile=f"os.kill({process.pid}, 9)"))
    assert ran.only.verdict == "blocked"
    assert "the stub of the Anthropic API does not answer" in ran.only.reason


def test_the_same_with_a_stub_that_lives_is_refuted(suite: Callable[..., Ran]) -> None:
    ran = suite(BODY.format(meanwhile="pass"))
    assert ran.only.verdict == "refuted"


LISTENER = '''
import sys
from boxproof.core.process import run, Result
from boxproof.fixtures.factories import Listeners
from boxproof.probes.reach import DENIED, reach, standing
START = "from boxproof.probes.program_files.probe import main; import sys; sys.exit(main())"
class Here:
    """The probe program on this machine."""
    label = "here"
    address = "127.0.0.1"
    def probe(self, *words, timeout=30):
        done = run([sys.executable, "-c", START, *words], timeout=timeout, check=False)
        return done

@pytest.fixture
def listener():
    with standing() as ours:
        made = Listeners(lambda name: Here, ours)
        yield made
        made.close()
'''
SHUT = """
from boxproof.probes.reach import DENIED, Reach, reach
from boxproof.probes.program_files.dns import STATE
SHUT = require("the connection is denied", lambda answer: answer in DENIED)
OPEN = require("the connection gets through", lambda answer: answer is Reach.OPEN)

@claim("pvc-bound")
def test_it(listener):
    target = listener()
    with control("it is reached at first"):
        SHUT.fails(reach(target.on, target))
        OPEN.fails(reach(target.on, "127.0.0.1", 1))
    {meanwhile}
    {required}(reach(target.on, target, within=0.5))
    {also}
"""
KILLED = 'os.kill(int((STATE / target.token / "pid").read_text()), 9)'


@pytest.mark.parametrize(
    ("required", "also"),
    [("OPEN", "SHUT(reach(target.on, target))"), ("SHUT", "OPEN(observe('reach', 'x', Reach.OPEN))")],
    ids=["refutes", "proves"],
)
def test_a_listener_that_dies_neither_refutes_nor_proves(
    suite: Callable[..., Ran], required: str, also: str
) -> None:
    body = SHUT.format(meanwhile=KILLED, required=required, also=also)
    ran = suite(body, conftest=LISTENER)
    assert ran.only.verdict == "blocked", ran.output
    assert "the listener at 127.0.0.1" in ran.only.reason


def test_a_listener_that_lives_lets_the_box_be_judged(suite: Callable[..., Ran]) -> None:
    ran = suite(SHUT.format(meanwhile="pass", required="SHUT", also="pass"), conftest=LISTENER)
    assert ran.only.verdict == "refuted"


def pod(
    name: str, *, ready: bool = True, dns: bool = False, owner: bool = True, began: str = ""
) -> dict[str, Any]:
    """Return a pod of the system."""
    meta: dict[str, Any] = {"name": name, "labels": {"k8s-app": "kube-dns"} if dns else {}}
    if owner:
        meta["ownerReferences"] = [{"kind": "ReplicaSet"}]
    status: dict[str, Any] = {"conditions": [{"type": "Ready", "status": str(ready)}]}
    if began:
        status["containerStatuses"] = [{"state": {"running": {"startedAt": began}}}]
    return {"metadata": meta, "status": status}


def test_a_cluster_without_dns_is_not_well() -> None:
    assert unwell([pod("etcd"), pod("coredns", dns=True)]) == ""
    assert unwell([pod("etcd")]) == "the cluster's DNS has no pod"
    assert unwell([pod("coredns", dns=True, ready=False)]) == "coredns is not Ready"
    decoy = pod("somebody's", dns=True, owner=False)
    assert unwell(kept_running([pod("etcd"), decoy])) == "the cluster's DNS has no pod"


def test_of_a_cluster_that_is_not_ours_the_dns_counts_alone() -> None:
    system = [
        pod("somebody's", ready=False),
        pod("coredns-1", dns=True),
        pod("coredns-2", dns=True, ready=False),
    ]
    assert dns_unwell(system) == ""
    assert dns_unwell(system[:1]) == "", "its DNS may be elsewhere"
    assert dns_unwell(system[2:]) == "coredns-2 is not Ready"


def test_a_dns_that_is_ready_and_says_nothing_is_dead() -> None:
    system = [pod("etcd"), pod("coredns-1", dns=True), pod("coredns-2", dns=True)]
    assert silent(system, lambda _: SILENT) == "no pod of the cluster's DNS says anything"
    codes = {"coredns-1": SILENT, "coredns-2": 0}
    assert silent(system, lambda each: codes[each["metadata"]["name"]]) == "", "one of them speaks"
    assert silent(system[:1], lambda _: SILENT) == "", "nobody was asked"


def say_well(server: socket.socket) -> None:
    """Answer one client."""
    client, _ = server.accept()
    with client:
        asked = b""
        while not asked.endswith(b"\r\n\r\n"):  # what is left unread would end the connection at once
            asked += client.recv(100)
        client.sendall(b"HTTP/1.0 200 OK")


def test_who_is_asked_and_silent_is_told_from_who_speaks_and_who_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ours, "LIVES", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as deaf, socket.create_server(("127.0.0.1", 0)) as speaks:
        threading.Thread(target=say_well, args=(speaks,), daemon=True).start()
        ports = [deaf.getsockname()[1], speaks.getsockname()[1], free_port()]
        codes = [run(asking("127.0.0.1", each), timeout=30, check=False).code for each in ports]
    assert codes == [SILENT, 0, 1]


def test_a_registry_of_ours_that_has_ended_says_so() -> None:
    assert "the registry does not answer" in Registry(None, f"127.0.0.1:{free_port()}").dead()


def test_what_was_started_anew_meanwhile_was_dead() -> None:
    since = datetime.now(UTC)
    before, after = ((since + timedelta(seconds=each)).strftime("%Y-%m-%dT%H:%M:%SZ") for each in (-9, 9))
    pods = [pod("etcd", began=before), pod("coredns", dns=True, began=after)]
    assert list(started_anew(pods, since)) == [f"coredns was started anew at {after}"]
