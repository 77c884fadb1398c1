"""What can fill a disk has an upper size: /tmp, and the logs of a container that crashes over and over."""

from __future__ import annotations

import re
from typing import Any

from boxproof.core.session import Session
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.fixtures.docker_run import Documented, bytes_of_logs
from boxproof.fixtures.factories import Containers
from boxproof.kube.client import Kube
from boxproof.kube.exec import ExecResult
from boxproof.probes.pods import helper_pods
from boxproof.probes.process.cgroup import quantity
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, scope
from pytest_claims.recording import observations
from pytest_claims.waiting import NotYet, until

MIB = 1 << 20
BURST = 300  # MiB
FILL = ["dd", "if=/dev/zero", "bs=1M", f"count={BURST}", "status=none"]
PRINTED, CRASHES = 16, 4  # MiB a life of the container prints, and lives
LINE = "x" * 1000
CRASH = f"yes {LINE} | head -c {PRINTED * MIB}; exit 1"
OVERSHOOT = 1.01  # files are changed after the line that exceeds their size
SIZES = {"k": 10**3, "m": 10**6, "g": 10**9}


def filled(asked: str, ended: ExecResult) -> str:
    """Return how writing a burst ended: "whole", or the error; an observation."""
    found = "whole" if ended.ok else "no space" if "No space left" in ended.stderr else ended.stderr[-200:]
    observations.record("burst", asked, found)
    return found


@claim("tmp-bounded")
def test_the_pods_tmp_is_bounded_and_no_disk(make_box: MakeBox, container: Containers) -> None:
    with control("on a file system without a bound the burst is written"):
        free = container(entrypoint=["sleep", "3600"])
        assert filled("no bound", free.exec([*FILL, "of=/tmp/burst"])) == "whole"
    box = make_box(ready=False)
    helper_pods.start_of(box.kube, box.namespace, box.pod)
    assert filled("/tmp of the pod", box.exec([*FILL, "of=/tmp/burst"], timeout=120)) == "no space"
    carrier = box.exec(["stat", "--file-system", "--format=%T", "/tmp"]).stdout.strip()
    assert observe("carrier", "/tmp of the pod", carrier) == "tmpfs"
    box.exec(["rm", "/tmp/burst"])


@claim("tmp-bounded")
@scope("image")
def test_the_documented_tmp_is_bounded_and_cannot_be_run_from(
    documented: Documented, container: Containers, docker: Any
) -> None:
    with control("without the options the burst is written, and a program in /tmp runs"):
        free = container(entrypoint=["sleep", "3600"])
        assert filled("no options", free.exec([*FILL, "of=/tmp/burst"])) == "whole"
        assert observe("program in /tmp", "no options", runs_from_tmp(free.made)) == 0
    made = docker.containers.get(documented("3600", entrypoint="sleep"))
    assert observe("program in /tmp", "documented", runs_from_tmp(made)) == 126
    code, (_, error) = made.exec_run([*FILL, "of=/tmp/burst"], demux=True)
    ended = ExecResult(tuple(FILL), code, "", (error or b"").decode(), 0)
    assert filled("documented", ended) == "no space"
    options = mount_options(made.exec_run(["cat", "/proc/mounts"]).output.decode())
    assert {"noexec", "nosuid"} <= options


def runs_from_tmp(made: Any) -> int:
    """Return the exit code of a program that was copied to /tmp."""
    copied = "cp /bin/true /tmp/program && /tmp/program"
    return int(made.exec_run(["sh", "-c", copied]).exit_code)


def mount_options(mounts: str) -> set[str]:
    """Return the options of what is mounted at /tmp, of a text like /proc/mounts."""
    found = [each.split()[3].split(",") for each in mounts.splitlines() if each.split()[1] == "/tmp"]
    return set(observe("options of /tmp", "documented", sorted(found[-1] if found else [])))


@claim("logs-bounded-in-crash-loop")
@scope("image")
def test_the_documented_logs_of_a_crash_loop_are_bounded(
    documented: Documented, docker: Any, session: Session, subject: Subject
) -> None:
    bound = log_bound(subject.commands.run)
    assert observe("bound", "documented", bound or 0) > 0
    with control("without the options the same crashes leave more than the bound"):
        bare = ("--log-driver", "json-file", "--log-opt", "max-size=10g")
        loop = crashed(docker, documented("-c", CRASH, entrypoint="sh", restart=True, bare=bare))
        assert bytes_of_logs(docker, loop, session.probe_image) > bound
    loop = crashed(docker, documented("-c", CRASH, entrypoint="sh", restart=True))
    assert PRINTED * MIB / 2 < bytes_of_logs(docker, loop, session.probe_image) <= bound * OVERSHOOT


def log_bound(words: tuple[str, ...]) -> int:
    """Return the most bytes that the options of ``docker run`` let logs take, 0 for no bound."""
    size, files = (re.search(rf"\bmax-{each}=(\d+)([kmg]?)", " ".join(words)) for each in ("size", "file"))
    return int(size[1]) * SIZES.get(size[2], 1) * int(files[1] if files else 1) if size else 0


def crashed(docker: Any, name: str) -> str:
    """Wait until a container has crashed often enough and return its name."""

    def look() -> bool:
        made = docker.containers.get(name)
        if int(made.attrs["RestartCount"]) < CRASHES:
            raise NotYet(f"{made.attrs['RestartCount']} restarts, {made.status}")
        made.stop(timeout=0)
        return True

    until(look, timeout=120, every=0.5, what=f"{CRASHES} crashes")
    return name


@claim("logs-bounded-in-crash-loop")
@scope("instance")
def test_every_kubelet_bounds_the_logs_of_its_containers(kube: Kube) -> None:
    with control("a setting without a bound is seen as such: processes of a pod"):
        assert quantity(observe("setting", "processes", setting(kube, nodes(kube)[0], "podPidsLimit"))) < 0
    for node in nodes(kube):
        size = observe("setting", node, setting(kube, node, "containerLogMaxSize"))
        assert 0 < quantity(size) <= 100 * MIB
        assert 2 <= int(setting(kube, node, "containerLogMaxFiles")) <= 10


def nodes(kube: Kube) -> list[str]:
    """Return the names of the nodes."""
    return [str(each["metadata"]["name"]) for each in kube.list("Node")]


def setting(kube: Kube, node: str, name: str) -> str:
    """Return a setting of a kubelet as it runs, "" for none."""
    found = kube.raw(f"/api/v1/nodes/{node}/proxy/configz")["kubeletconfig"]
    return str(found.get(name, ""))
