"""How slow the machine is, by what a kernel says of it; deadlines that grow with that, and exact ones."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from boxproof.core.process import CommandTimedOut, run
from pytest_claims import pace
from pytest_claims.faults import DeadlineExceeded
from pytest_claims.own_process import PROCESS
from pytest_claims.pace import Deadline, Machine
from pytest_claims.waiting import until
from tests.kernel import PROCESSORS, QUICK, Kernel
from tests.support.clocks import Clock


def test_an_idle_machine_is_not_slow(kernel: Kernel) -> None:
    assert kernel.machine.measure() == pace.Pace(crowded=1.0, slow=1.0, load=0.1)


def test_a_high_load_counts_as_far_as_work_waits_for_it(kernel: Kernel) -> None:
    kernel.slowed(6)
    assert kernel.machine.measure().factor == 6
    kernel.waits("cpu", 50)
    assert kernel.machine.measure().factor == 3.5
    kernel.waits("cpu", 0)
    assert kernel.machine.measure().factor == 1


def test_a_kernel_without_pressure_has_its_load_believed(kernel: Kernel) -> None:
    (kernel.proc / "pressure/cpu").unlink()
    kernel.load(4 * PROCESSORS)
    assert kernel.machine.measure().factor == 4


def test_a_load_that_has_just_begun_counts_too(kernel: Kernel) -> None:
    kernel.load(0.2, running=5 * PROCESSORS + 1)
    kernel.waits("cpu", 100)
    assert kernel.machine.measure().factor == 5


def test_the_factor_has_a_bound(kernel: Kernel) -> None:
    kernel.slowed(500)
    assert kernel.machine.measure().factor == pace.MOST


@pytest.mark.parametrize("what", ["memory", "io"])
def test_work_that_waits_for_memory_or_disk_is_slow(kernel: Kernel, what: str) -> None:
    kernel.waits(what, some=75, full=75)
    assert kernel.machine.measure().factor == 4


def test_the_own_cgroups_pressure_counts_where_the_systems_is_low(kernel: Kernel) -> None:
    kernel.says(kernel.proc / "self/cgroup", "0::/job\n")
    kernel.says(kernel.cgroups / "job/cpu.pressure", "some avg10=100.00 avg60=0.00 avg300=0.00 total=1\n")
    kernel.load(3 * PROCESSORS)
    assert kernel.machine.measure().factor == 3


def test_a_quota_makes_processors_fewer(kernel: Kernel) -> None:
    kernel.says(kernel.proc / "self/cgroup", "0::/slice/job\n")
    kernel.says(kernel.cgroups / "slice/job/cpu.max", "max 100000\n")
    kernel.says(kernel.cgroups / "slice/cpu.max", "50000 100000\n")
    assert kernel.machine.cores() == 0.5
    with PROCESS.having(pace.Meter(kernel.machine)):
        assert pace.workers() == 2


def test_a_quota_of_version_1_makes_processors_fewer(tmp_path: Path) -> None:
    kernel = Kernel(tmp_path)
    kernel.says(kernel.proc / "self/cgroup", "3:cpu,cpuacct:/job\n0::/\n")
    kernel.says(kernel.cgroups / "cpu/job/cpu.cfs_quota_us", "25000\n")
    kernel.says(kernel.cgroups / "cpu/job/cpu.cfs_period_us", "100000\n")
    assert kernel.machine.cores() == 0.25


def test_an_engine_that_its_quota_holds_back_makes_us_slow(kernel: Kernel) -> None:
    kernel.says(kernel.proc / "77/comm", "dockerd\n")
    kernel.says(kernel.proc / "77/cgroup", "0::/engine\n")
    kernel.says(kernel.cgroups / "engine/cpu.max", "50000 100000\n")
    kernel.says(kernel.cgroups / "engine/cpu.stat", "usage_usec 1000000\nthrottled_usec 0\n")
    assert kernel.machine.measure().factor == 1
    kernel.says(kernel.cgroups / "engine/cpu.stat", "usage_usec 2000000\nthrottled_usec 3000000\n")
    assert kernel.machine.measure().factor == 4


def test_a_quota_of_version_1_that_holds_back_makes_us_slow_too(tmp_path: Path) -> None:
    kernel = Kernel(tmp_path)
    kernel.says(kernel.proc / "77/comm", "kubelet\n")
    kernel.says(kernel.proc / "77/cgroup", "2:cpuacct:/\n1:cpu:/docker/node\n0::/\n")
    group = kernel.cgroups / "cpu/docker"
    kernel.says(group / "cpu.cfs_quota_us", "50000\n")
    kernel.says(group / "cpu.cfs_period_us", "100000\n")
    kernel.says(group / "cpu.stat", "nr_periods 1\nnr_throttled 0\nthrottled_time 0\n")
    (group / "node").mkdir()
    assert kernel.machine.measure().factor == 1
    kernel.says(group / "cpu.stat", "nr_periods 9\nnr_throttled 9\nthrottled_time 9000000000000\n")
    assert kernel.machine.measure().factor == pace.MOST


def test_slow_processors_count_by_a_unit_of_work(kernel: Kernel) -> None:
    slow = Machine(kernel.proc, kernel.cgroups, unit=lambda: 3 * QUICK)
    assert slow.measure() == pace.Pace(crowded=1.0, slow=3.0, load=0.1)


def test_busy_loops_are_seen_on_this_very_kernel(tmp_path: Path) -> None:
    if not Path("/proc/pressure/cpu").exists():
        pytest.skip("this kernel does not say who waits")
    loops = "import os, time\nend = time.monotonic() + 30\n" + "os.fork()\n" * 3
    loops += "while time.monotonic() < end and not os.path.exists(MARK): sum(range(10000))\n"
    mark = tmp_path / "enough"
    with PROCESS.having(pace.Meter(Machine())):
        code = loops.replace("MARK", repr(str(mark)))
        argv = ["nice", "-n", "19", sys.executable, "-c", code]
        with ThreadPoolExecutor(1) as pool:
            busy = pool.submit(run, argv, timeout=60)
            try:
                assert until(lambda: pace.factor() > 1.5, timeout=25, what="the load is seen")
            finally:
                mark.touch()
            assert busy.result().ok


def test_a_deadline_on_a_quiet_machine_is_its_seconds(kernel: Kernel) -> None:
    deadline = Deadline(60)
    assert 30 < deadline.left <= 60
    assert str(deadline) == "60 s"


def test_a_wait_on_a_slow_machine_is_stretched_and_says_so(kernel: Kernel, clock: Clock) -> None:
    kernel.slowed(5)
    looks: list[float] = []
    started = clock.moment

    with pytest.raises(
        DeadlineExceeded, match=r"not within 1 s \(stretched to \d+ s: the machine is \S+ times slow"
    ):
        until(lambda: looks.append(clock.moment), timeout=1, every=0.05, what="a state")

    assert looks[-1] - started > 4.5


def test_what_comes_late_on_a_slow_machine_is_waited_for(kernel: Kernel, clock: Clock) -> None:
    kernel.slowed(12)
    ready = clock.moment + 1.5
    assert until(lambda: clock.moment > ready, timeout=0.3, every=0.05, what="a late answer")


def test_a_wait_grows_while_it_lasts(kernel: Kernel) -> None:
    deadline = Deadline(10)
    assert deadline.left <= 10
    kernel.slowed(8)
    with PROCESS.having(pace.Meter(kernel.machine)):
        assert 70 < deadline.left <= 80


def test_an_exact_bound_is_not_stretched(kernel: Kernel) -> None:
    kernel.slowed(12)
    assert Deadline(1, exact=True).left <= 1
    with pytest.raises(DeadlineExceeded, match="a bound: not within 0 s; last seen"):
        until(lambda: False, timeout=0.2, every=0.05, what="a bound", exact=True)
    with pytest.raises(CommandTimedOut, match="no end within 0 s"):
        run(["sleep", "30"], timeout=0.2, exact=True)


def test_a_command_on_a_slow_machine_gets_longer(kernel: Kernel) -> None:
    kernel.slowed(12)
    assert run(["sleep", "1.5"], timeout=0.5).ok


def test_a_command_that_overran_is_ended_also_on_a_slow_machine(kernel: Kernel) -> None:
    kernel.slowed(5)
    with pytest.raises(CommandTimedOut, match=r"no end within 0 s \(stretched to .* times slower\): sleep"):
        run(["sleep", "60"], timeout=0.2)


@pytest.mark.parametrize("factor", [1, 40])
def test_workers_follow_the_processors_not_the_moment_a_run_starts(kernel: Kernel, factor: int) -> None:
    kernel.slowed(factor)
    with PROCESS.having(pace.Meter(kernel.machine)):
        assert pace.workers() == max(2, min(8, int(pace.cores()) + 2))


def test_a_watch_writes_what_it_saw(kernel: Kernel, tmp_path: Path) -> None:
    kernel.slowed(3)
    with pace.watched(tmp_path):
        pass
    seen = pace.read(tmp_path)
    assert (seen["slowest"], seen["mean"], seen["load_highest"]) == (3, 3, 3 * PROCESSORS)
    assert pace.read(tmp_path / "elsewhere") == {}


def test_the_slowest_moment_since_a_mark_is_remembered(kernel: Kernel, clock: Clock) -> None:
    pace.mark()
    kernel.slowed(4)
    assert until(lambda: pace.slowest() == 4, timeout=10, what="a new measurement")
    kernel.load(0.1)
    kernel.waits("cpu", 0)
    until(lambda: pace.factor() == 1, timeout=10, what="a quiet moment")
    assert pace.slowest() == 4
    pace.mark()
    assert pace.slowest() == 1
