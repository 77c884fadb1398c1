"""The probe program, run for real on this machine, and what reads its answers."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from boxproof.core.process import Result, run
from boxproof.probes.probe_program import ask
from boxproof.probes.processes import bits, capabilities, capabilities_of, descended, named, parse, processes
from boxproof.probes.program_files.dns import STATE
from boxproof.probes.reach import DENIED, TIMEOUT, UNREACHABLE, Listener, Reach, listen, lookup, reach
from pytest_claims.faults import EnvironmentFault
from pytest_claims.recording import observations

pytestmark = pytest.mark.integration

START = "from boxproof.probes.program_files.probe import main; import sys; sys.exit(main())"


class Here:
    """The probe program on this machine."""

    label = "here"
    address = "127.0.0.1"

    def probe(self, *words: str, timeout: float = 30) -> Result:
        """Run it."""
        return run([sys.executable, "-c", START, *words], timeout=timeout, check=False)


@pytest.fixture
def here() -> Here:
    """A place to probe from."""
    return Here()


@pytest.fixture(params=[False, True], ids=["tcp", "udp"])
def listener(here: Here, request: pytest.FixtureRequest) -> Iterator[Listener]:
    """A listener that is ended afterwards."""
    made = listen(here, token=secrets.token_hex(4), udp=request.param)
    yield made
    with contextlib.suppress(EnvironmentFault):
        made.stop()


def test_an_open_port_says_who_it_is(here: Here, listener: Listener) -> None:
    assert reach(here, listener) is Reach.OPEN


def test_a_stopped_listener_refuses(here: Here, listener: Listener) -> None:
    listener.stop()
    assert reach(here, listener, within=0.5) in DENIED
    assert not (STATE / listener.token).exists()


def test_another_answer_than_the_listeners_is_a_fault_of_the_environment(here: Here) -> None:
    made = listen(here, token=secrets.token_hex(4))
    with pytest.raises(EnvironmentFault, match="answered by something else"):
        reach(here, Listener(made.address, made.port, "other"))
    made.stop()


def test_a_name_that_does_not_exist_is_no_name(here: Here) -> None:
    assert reach(here, "nonesuch.invalid", 80) is Reach.NO_NAME


def test_a_port_in_use_is_a_fault_of_the_environment(here: Here) -> None:
    with socket.create_server(("0.0.0.0", 0)) as taken, pytest.raises(EnvironmentFault, match="in use"):
        listen(here, taken.getsockname()[1], token=secrets.token_hex(4))


def test_what_is_reached_is_recorded(here: Here) -> None:
    with observations.opened() as book:
        reach(here, "127.0.0.1", 1)
    assert [(each.kind, each.asked, each.answer) for each in book.observations] == [
        ("reach", "here -> 127.0.0.1:1", "refused")
    ]


def test_a_broken_probe_is_a_fault_of_the_environment(here: Here) -> None:
    with pytest.raises(EnvironmentFault, match="the probe in here broke"):
        ask(here, "nonesuch")


def test_a_process_that_has_ended_is_left_out_of_many_and_a_fault_alone(here: Here) -> None:
    child = subprocess.Popen(["true"])
    child.wait()
    assert set(capabilities_of(here, [os.getpid(), child.pid])) == {os.getpid()}
    with pytest.raises(EnvironmentFault, match=f"process {child.pid} of here has ended"):
        capabilities(here, child.pid)


def answer_with(query: bytes, rcode: int, *addresses: str) -> bytes:
    """Return a reply to a DNS query."""
    head = query[:2] + struct.pack(">5H", 0x8180 | rcode, 1, len(addresses), 0, 0)
    records = [b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 5, 4) + socket.inet_aton(each) for each in addresses]
    return head + query[12:] + b"".join(records)


@pytest.fixture
def resolver() -> Iterator[Any]:
    """A resolver on this machine: give it the reply to each query, None for silence."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))
    replies: dict[str, tuple[int, list[str]] | None] = {}

    def serve() -> None:
        while True:
            try:
                query, peer = server.recvfrom(512)
            except OSError:
                return
            labels, at = [], 12
            while query[at]:
                labels.append(query[at + 1 : at + 1 + query[at]].decode())
                at += query[at] + 1
            reply = replies.get(".".join(labels), (3, []))
            if reply is not None:
                server.sendto(answer_with(query, reply[0], *reply[1]), peer)

    threading.Thread(target=serve, daemon=True).start()
    yield replies, server.getsockname()[1]
    server.close()


def resolve(here: Here, name: str, port: int) -> dict[str, Any]:
    """Ask the resolver on this machine."""
    words = ["resolve", f"{name}.", "--server", "127.0.0.1", "--port", str(port), "--within", "0.3"]
    return ask(here, *words)


def test_answers_codes_and_silence_are_told_apart(here: Here, resolver: Any) -> None:
    replies, port = resolver
    replies |= {"there.test": (0, ["192.0.2.7", "192.0.2.3"]), "silent.test": None, "broken.test": (2, [])}

    found = {name: resolve(here, f"{name}.test", port) for name in ("there", "none", "silent", "broken")}

    assert {name: each["rcode"] for name, each in found.items()} == {
        "there": "NOERROR", "none": "NXDOMAIN", "silent": TIMEOUT, "broken": "SERVFAIL",
    }  # fmt: skip
    assert found["there"]["answers"] == ["192.0.2.3", "192.0.2.7"]


def test_a_resolver_that_refuses_connections_is_unreachable(here: Here) -> None:
    found = lookup(here, "there.test", tcp=True, server="127.0.0.1", within=0.5)
    assert found.rcode == UNREACHABLE
    assert not found.answered


def test_processes_are_read_from_proc(here: Here) -> None:
    found = {each.pid: each for each in processes(here)}
    assert found[os.getpid()].ppid == os.getppid()
    assert found[os.getpid()].uid == os.getuid()
    assert not found[os.getpid()].zombie


def test_masks_name_signals_and_capabilities() -> None:
    assert bits("0000000000004002", first=1) == {signal.SIGINT, signal.SIGTERM}
    assert named("0000000000002000") == {"NET_RAW"}
    assert named(f"{1 << 41:x}") == {"CAP_41"}


def test_a_status_file_becomes_capability_sets() -> None:
    keys = ("CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb")
    found = parse(dict.fromkeys(keys, "0") | {"CapBnd": "2000", "NoNewPrivs": "1", "Seccomp": "2"})
    assert found.bounding == {"NET_RAW"}
    assert found.effective == frozenset()
    assert found.no_new_privileges
    assert found.seccomp == 2


def process(pid: int, ppid: int, comm: str, *cmdline: str, uid: int = 1000) -> dict[str, object]:
    """Return what the probe program says of a process."""
    return {
        "pid": pid, "ppid": ppid, "state": "S", "comm": comm, "cmdline": list(cmdline), "uid": uid,
        "gid": uid, "caught": "0", "ignored": "0",
    }  # fmt: skip


class Told(Here):
    """A container with the processes it is told of."""

    def __init__(self, *found: dict[str, object]) -> None:
        self.found = found

    def probe(self, *words: str, timeout: float = 30) -> Result:
        """Tell of them."""
        return Result(words, 0, json.dumps({"processes": self.found}), "", timeout)


def test_a_command_that_the_runtime_is_about_to_start_is_no_process_of_the_container() -> None:
    seen = Told(
        process(1, 0, "tini", "/usr/bin/tini"),
        process(40, 0, "runc:[2:INIT]", "runc", "init", uid=0),
        process(41, 0, "runc", "/usr/local/sbin/runc", "init", uid=0),
        process(42, 0, "runc:[2:INIT]", uid=0),
    )
    assert [each.pid for each in processes(seen)] == [1]


def test_what_merely_looks_like_it_is_one() -> None:
    seen = Told(
        process(1, 0, "runc:[2:INIT]", "runc", "init", uid=0),
        process(7, 1, "runc:[2:INIT]", "runc", "init", uid=0),
        process(8, 0, "sh", "sh", "-c", "runc init", uid=0),
    )
    assert [each.pid for each in processes(seen)] == [1, 7, 8]


def test_what_the_first_process_started_is_told_from_commands_from_outside() -> None:
    seen = processes(
        Told(
            process(1, 0, "tini"), process(5, 7, "claude"), process(7, 1, "python3"),
            process(20, 0, "sh"), process(21, 20, "sleep"),
        )
    )  # fmt: skip
    assert [each.pid for each in descended(seen)] == [1, 5, 7]


def test_where_containers_share_a_namespace_the_first_is_the_one_that_came_first_from_outside() -> None:
    seen = processes(
        Told(
            process(1, 0, "pause"), process(18, 0, "tini"), process(24, 18, "python3"),
            process(40, 0, "sh"), process(41, 40, "sleep"),
        )
    )  # fmt: skip
    assert [each.pid for each in descended(seen)] == [18, 24]
