"""The embedded engine's private things, and what a crash leaves; no engine is started here."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path

import pytest

from boxproof.core.process import daemon, run
from boxproof.core.settings import Settings
from boxproof.host import process_table
from boxproof.host.engine import bridge, embedded, engine_choice, engine_programs
from pytest_claims.faults import EnvironmentFault, ExitCode, UsageError
from pytest_claims.waiting import until


def test_a_process_is_told_by_its_start_time() -> None:
    assert process_table.start_time(os.getpid()) > 0
    assert process_table.start_time(2**22 + 1) == 0
    assert process_table.command(os.getpid())


def test_a_zombie_counts_as_gone(tmp_path: Path) -> None:
    process = daemon(["true"], log=tmp_path / "log")
    until(lambda: not process_table.start_time(process.pid), timeout=5, what="end of true")
    assert process_table.command(process.pid) == []
    process.wait()


def test_the_pid_file_of_a_stranger_or_a_zombie_is_stale(tmp_path: Path) -> None:
    layout = embedded.Layout(tmp_path)
    layout.root.mkdir()
    assert layout.pid() == 0
    layout.pid_file.write_text(str(os.getpid()))
    assert layout.pid() == 0
    layout.pid_file.write_text("no number")
    assert layout.pid() == 0


def test_what_a_killed_daemon_left_is_cleared(tmp_path: Path) -> None:
    layout = embedded.Layout(tmp_path)
    (layout.exec / "containerd").mkdir(parents=True)
    left = [layout.pid_file, layout.socket, layout.exec / "containerd/containerd.pid"]
    for path in left:
        path.write_text(str(os.getpid()))
    (layout.root / "boot").write_text(process_table.boot_id())
    (layout.exec / "kept").touch()
    embedded._clear_stale(layout)
    assert not [path for path in left if path.exists()]
    assert (layout.exec / "kept").exists(), "the same boot: shims are taken over"
    (layout.root / "boot").write_text("another boot")
    embedded._clear_stale(layout)
    assert not layout.exec.exists()
    assert (layout.root / "boot").read_text() == process_table.boot_id()


def test_leftover_processes_of_the_engine_are_ended_and_no_others(tmp_path: Path) -> None:
    layout = embedded.Layout(tmp_path)
    layout.exec.mkdir(parents=True)
    started = []
    for name in ("docker-proxy", "containerd-shim-runc-v2", "sleeper"):
        program = layout.exec / name
        program.symlink_to("/bin/sleep")
        started.append(daemon([program, "60"], log=tmp_path / "log"))
    proxy, shim, other = started
    try:
        embedded._end_leftovers(layout)
        assert [bool(process_table.start_time(each.pid)) for each in started] == [False, True, True]
        embedded._end_leftovers(layout, embedded.DAEMONS | {embedded.SHIM})
        assert [bool(process_table.start_time(each.pid)) for each in started] == [False, False, True]
    finally:
        for each in (proxy, shim, other):
            each.kill()
            each.wait()


def test_one_line_says_why_the_daemon_ended(tmp_path: Path) -> None:
    layout = embedded.Layout(tmp_path)
    layout.root.mkdir()
    layout.log.write_text("noise\nfailed to write: no space left on device\n")
    first = embedded._why(layout).splitlines()[0]
    assert "is full" in first


def test_a_path_too_long_for_a_socket_is_named(tmp_path: Path) -> None:
    layout = embedded.Layout(tmp_path / ("x" * 90))
    with pytest.raises(EnvironmentFault, match="too long for a socket"):
        embedded._check_room(layout)


def test_the_firewall_chains_get_a_name_of_their_own(tmp_path: Path) -> None:
    script = tmp_path / "iptables"
    text = engine_programs.WRAPPER.format(prefix="BPAB12", exports="", program="printf '%s\\n'")
    script.write_text(text)
    script.chmod(0o755)
    words = ["-A", "FORWARD", "-j", "DOCKER-FORWARD", "DOCKER", "DOCKER_OUTPUT", "a b", "xDOCKER", "*"]
    said = run([script, *words], timeout=5).stdout.splitlines()
    assert said == [
        "-A", "FORWARD", "-j", "BPAB12-FORWARD", "BPAB12", "DOCKER_OUTPUT", "a b", "xDOCKER", "*",
    ]  # fmt: skip


def test_renamed_chains_stay_within_the_limit() -> None:
    assert len("DOCKER-ISOLATION-STAGE-2".replace("DOCKER", "BPAB12")) <= 28


def test_two_engines_get_different_bridges_and_networks(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    assert bridge.bridge_name(one) != bridge.bridge_name(two)
    assert len(bridge.bridge_name(one)) <= 15
    first = bridge.pool(one, [])
    assert bridge.pool(one, []) == first
    assert not bridge.pool(one, [first]).overlaps(first)


def test_a_private_network_of_all_of_ten_leaves_another_range(tmp_path: Path) -> None:
    everything = [ipaddress.IPv4Network(each) for each in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")]
    found = bridge.pool(tmp_path, everything[:1])
    assert found.subnet_of(everything[1])
    assert bridge.pool(tmp_path, everything[:2]) == everything[2]
    with pytest.raises(EnvironmentFault, match="no free private network"):
        bridge.pool(tmp_path, everything)


def test_the_pool_is_clear_of_the_ranges_of_a_cluster(tmp_path: Path) -> None:
    cluster = [ipaddress.IPv4Network("10.244.0.0/16"), ipaddress.IPv4Network("10.96.0.0/12")]
    for number in range(200):
        pool = bridge.pool(tmp_path / str(number), [])
        assert not any(pool.overlaps(each) for each in cluster)


def test_routes_are_read_and_the_default_route_left_out(tmp_path: Path) -> None:
    table = tmp_path / "route"
    table.write_text(
        "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n"
        "eth0 00000000 0100A8C0 0003 0 0 0 00000000 0 0 0\n"
        "eth0 0000A8C0 00000000 0001 0 0 0 00FFFFFF 0 0 0\n"
    )
    assert bridge.routes(table) == [ipaddress.IPv4Network("192.168.0.0/24")]


def test_an_unknown_way_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean 'embedded'"):
        engine_choice.ensure(Settings(engine="embeded", state=tmp_path, cache=tmp_path))


def test_without_root_and_docker_one_line_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_choice, "user_host", lambda: f"unix://{tmp_path}/none.sock")
    monkeypatch.setattr(embedded, "possible", lambda: "not root")
    with pytest.raises(EnvironmentFault, match="none can be started: not root") as raised:
        engine_choice.ensure(Settings(state=tmp_path, cache=tmp_path))
    assert raised.value.exit_code is ExitCode.BLOCKED
    assert "join its group" in raised.value.hint
    assert raised.value.hint.endswith("nox -s e2e -- --stage static")
    assert not list(tmp_path.iterdir())


def test_the_users_engine_is_never_the_embedded_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(state=tmp_path, cache=tmp_path)
    monkeypatch.setattr(engine_choice, "user_host", lambda: embedded.Layout(tmp_path).host)
    assert engine_choice.probe_user_engine(settings) is None


def test_stopping_where_nothing_runs_does_nothing(tmp_path: Path) -> None:
    assert engine_choice.stop(Settings(state=tmp_path / "state", cache=tmp_path)) is False
    assert not (tmp_path / "state").exists()
