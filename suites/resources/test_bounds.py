"""What can fill a disk has an upper size: /tmp, and the logs of a container that crashes over and over."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from boxproof.core.process import Result as ExecResult
from boxproof.core.session import Session
from boxproof.deployment.deploy import rendered
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.fixtures.compose_project import Composed, Documented, bytes_of_logs
from boxproof.fixtures.factories import Containers
from boxproof.probes.pods import helper_pods
from boxproof.probes.pods.probe_pods import INSIDE
from boxproof.subject import documented_commands
from boxproof.subject.documented_commands import Run
from boxproof.subject.manifests.pod_specs import GROUPS, containers, pod_spec
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope
from pytest_claims.recording import observations
from pytest_claims.waiting import NotYet, until
from suites.resources.option_bounds import MOST_LOGS, compose_bound, log_bound, tmp_is_tight

MIB = 1 << 20
BURST = 300  # MiB
FILL = ["dd", "if=/dev/zero", "bs=1M", f"count={BURST}", "status=none"]
PRINTED, CRASHES = 16, 4  # MiB a life of the container prints, and lives
LINE = "x" * 1000
OVERSHOOT = 1.01  # files are changed after the line that exceeds their size

KUBELET = ("containerLogMaxSize", "containerLogMaxFiles")
FULL = require("the burst does not fit: no space", lambda found: found == "no space")
IN_MEMORY = require("it is in memory, not on a disk", lambda carrier: carrier == "tmpfs")
NOT_RUN = require("a program there is not run", lambda code: code == 126)
MOUNTED_WITH = require(
    "it is mounted with noexec and nosuid", lambda options: {"noexec", "nosuid"} <= set(options)
)
BOUNDED = require("no service has logs without an upper size", lambda services: services == [])
HAS_BOUND = require("the command bounds the logs, at a gigabyte or less", lambda size: 0 < size <= MOST_LOGS)
STAYS_BELOW = require(
    "the logs take some space, and at most {} bytes", lambda size, bound: 0 < size <= bound * OVERSHOOT
)
DOCUMENTED = require("the documents say what bounds logs in a cluster", lambda words: words == set(KUBELET))
NO_OTHER = require("no container may fill a /tmp without a bound", lambda found: found == [])


def filled(asked: str, ended: ExecResult) -> str:
    """Return how writing a burst ended: "whole", or the error; an observation."""
    found = "whole" if ended.ok else "no space" if "No space left" in ended.stderr else ended.stderr[-200:]
    observations.record("burst", asked, found)
    return found


@claim("tmp-bounded")
def test_the_pods_tmp_is_bounded_and_no_disk(
    make_box: MakeBox, container: Containers, session: Session
) -> None:
    def carrier(asked: str, run: Callable[[Sequence[str]], ExecResult], top: str = "") -> str:
        found = run(["stat", "--file-system", "--format=%T", f"{top}/tmp"]).stdout.strip()
        return observe("carrier", asked, found)

    with control("on a file system without a bound, a disk's, the burst is written"):
        free = container(image=session.probe_image, entrypoint=["sleep", "3600"])
        FULL.fails(filled("no bound", free.exec([*FILL, "of=/tmp/burst"])))
        IN_MEMORY.fails(carrier("no bound", free.exec))
    box = make_box(ready=False)
    helper_pods.start_of(box.kube, box.namespace, box.pod)
    beside, burst = box.as_its_user(), f"{INSIDE}/tmp/burst"
    try:
        FULL(filled("/tmp of the pod", beside.exec([*FILL, f"of={burst}"], timeout=120)))
        IN_MEMORY(carrier("/tmp of the pod", beside.exec, INSIDE))
    finally:
        beside.exec(["rm", "-f", burst])


@claim("tmp-bounded")
@needs("default-tier")
def test_so_is_that_of_every_container_that_may_write_there(session: Session, subject: Subject) -> None:
    """The pods beside the agent's, and those of every tier: a root that is read-only has no /tmp to fill."""

    def unbounded(asked: str, objects: Sequence[Mapping[str, Any]]) -> list[str]:
        found = [
            where
            for each in objects
            for where, one in containers([each], GROUPS[:2])
            if not tmp_is_bounded(pod_spec(each) or {}, one)
        ]
        return observe("unbounded /tmp", asked, found)

    with control("a container that writes on its own layer, one on a directory without a limit"):
        bare = {"name": "a", "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}]}
        pod = {"kind": "Pod", "metadata": {"name": "p"}}
        for volumes in (
            [],
            [{"name": "tmp", "emptyDir": {}}],
            [{"name": "tmp", "emptyDir": {"medium": "Memory"}}],
        ):
            NO_OTHER.fails(
                unbounded("doctored", [pod | {"spec": {"volumes": volumes, "containers": [bare]}}])
            )
    for name, components in (subject.tiers or {"default": ()}).items():
        NO_OTHER(unbounded(f"tier {name}", rendered(session, components=components)[0]))


def tmp_is_bounded(pod: Mapping[str, Any], container: Mapping[str, Any]) -> bool:
    """Return whether what a container writes to /tmp has an upper size, and is in memory."""
    mounts = {each["mountPath"]: each["name"] for each in container.get("volumeMounts") or ()}
    volume: Mapping[str, Any] = next(
        (each for each in pod.get("volumes") or () if each["name"] == mounts.get("/tmp")), {}
    )
    memory = volume.get("emptyDir") or {}
    if memory.get("medium") == "Memory" and memory.get("sizeLimit"):
        return True
    return not volume and bool((container.get("securityContext") or {}).get("readOnlyRootFilesystem"))


@claim("tmp-bounded")
@scope("image")
def test_the_documented_tmp_is_bounded_and_cannot_be_run_from(
    documented: Documented, container: Containers, docker: Any
) -> None:
    def options(asked: str, made: Any) -> list[str]:
        return observe(
            "options of /tmp", asked, mount_options(made.exec_run(["cat", "/proc/mounts"]).output.decode())
        )

    with control("without the options the burst is written, and a program in /tmp runs"):
        free = container(entrypoint=["sleep", "3600"])
        FULL.fails(filled("no options", free.exec([*FILL, "of=/tmp/burst"])))
        NOT_RUN.fails(observe("program in /tmp", "no options", runs_from_tmp(free.made)))
        MOUNTED_WITH.fails(options("no options", free.made))
    made = docker.containers.get(documented("3600", entrypoint="sleep"))
    NOT_RUN(observe("program in /tmp", "documented", runs_from_tmp(made)))
    code, (_, error) = made.exec_run([*FILL, "of=/tmp/burst"], demux=True)
    ended = ExecResult(tuple(FILL), code, "", (error or b"").decode(), 0)
    FULL(filled("documented", ended))
    MOUNTED_WITH(options("documented", made))


@claim("tmp-bounded")
@scope("image")
@needs("compose")
def test_so_is_that_of_the_compose_file(composed: Composed, container: Containers) -> None:
    def options(asked: str, made: Any) -> list[str]:
        mounts = made.exec_run(["cat", "/proc/mounts"]).output.decode()
        return observe("options of /tmp", asked, mount_options(mounts))

    def burst(asked: str, made: Any) -> str:
        code, (_, error) = made.exec_run([*FILL, "of=/tmp/burst"], demux=True)
        return filled(asked, ExecResult(tuple(FILL), code, "", (error or b"").decode(), 0))

    with control("without the options a program in /tmp runs, and the burst is written"):
        free = container(entrypoint=["sleep", "3600"]).made
        NOT_RUN.fails(observe("program in /tmp", "no options", runs_from_tmp(free)))
        MOUNTED_WITH.fails(options("no options", free))
        FULL.fails(burst("no options", free))
    made = composed().up().made
    NOT_RUN(observe("program in /tmp", "the Compose file", runs_from_tmp(made)))
    MOUNTED_WITH(options("the Compose file", made))
    FULL(burst("the Compose file", made))


def runs_from_tmp(made: Any) -> int:
    """Return the exit code of a program that was copied to /tmp."""
    copied = "cp /bin/true /tmp/program && /tmp/program"
    return int(made.exec_run(["sh", "-c", copied]).exit_code)


def mount_options(mounts: str) -> list[str]:
    """Return the options of what is mounted at /tmp, of a text like /proc/mounts."""
    found = [each.split()[3].split(",") for each in mounts.splitlines() if each.split()[1] == "/tmp"]
    return sorted(found[-1] if found else [])


@claim("logs-bounded-in-crash-loop")
@scope("image")
def test_the_documented_logs_of_a_crash_loop_are_bounded(
    documented: Documented, docker: Any, session: Session, subject: Subject
) -> None:
    bare = ("--log-driver", "json-file", "--log-opt", "max-size=10g")
    with control("a command without options does not bound them, and no disk has ten gigabytes to spare"):
        HAS_BOUND.fails(observe("bytes at most", "no options", log_bound(())))
        HAS_BOUND.fails(observe("bytes at most", "ten gigabytes", log_bound(bare)))
    bound = observe("bytes at most", "the documented command", log_bound(subject.commands.run))
    HAS_BOUND(bound)
    # all lives together print more than the bound
    crash = f"yes {LINE} | head -c {max(PRINTED * MIB, bound // CRASHES)}; exit 1"
    with control("without the options the same crashes leave more than the bound"):
        loop = crashed(docker, documented("-c", crash, entrypoint="sh", restart=True, bare=bare))
        STAYS_BELOW.fails(bytes_of_logs(docker, loop, session.probe_image), bound)
    loop = crashed(docker, documented("-c", crash, entrypoint="sh", restart=True))
    STAYS_BELOW(bytes_of_logs(docker, loop, session.probe_image), bound)


@claim("logs-bounded-in-crash-loop")
@scope("image")
def test_the_logs_of_every_service_of_the_compose_file_are_bounded(
    compose_services: dict[str, Any],
) -> None:
    def unbounded(asked: str, services: Mapping[str, Any]) -> list[str]:
        found = [name for name, each in services.items() if not compose_bound(each.get("logging") or {})]
        return observe("services", asked, found)

    with control("a service that names no driver, one whose driver has no size, and one of a vast size"):
        doctored = {"a": {}, "b": {"logging": {"driver": "json-file", "options": {"max-file": "3"}}}}
        doctored["c"] = {"logging": {"driver": "local", "options": {"max-size": "50g"}}}
        assert BOUNDED.fails(unbounded("doctored", doctored)) == ["a", "b", "c"]
    assert compose_services, "the Compose file has no service"
    BOUNDED(unbounded("the Compose file", compose_services))


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
@scope("image")
def test_the_documents_say_what_bounds_logs_in_a_cluster(own_documents: str) -> None:
    """Logs of pods are the kubelet's, its settings the user's: the box can but say which they are."""

    def named(asked: str, text: str) -> set[str]:
        return observe("settings named", asked, {each for each in KUBELET if each in text})

    with control("a text that speaks of logs alone names none"):
        DOCUMENTED.fails(named("another text", "Logs of pods are the kubelet's."))
    DOCUMENTED(named("the documents", own_documents))


PAGES_BOUND = require("each command of the documents that runs it bounds the logs", lambda bare: bare == [])
PAGES_TMP = require(
    "each command of the documents that runs it gives /tmp a size, noexec and nosuid", lambda bare: bare == []
)


def otherwise(asked: str, runs: Sequence[Run], good: Callable[[Sequence[str]], bool]) -> list[str]:
    """Return where documents run the box otherwise than is good, or that none does; an observation."""
    found = [f"{each.page}: {' '.join(each.options)}" for each in runs if not good(each.options)]
    return observe("commands of the documents", asked, found if runs else ["no document runs it"])


def doctored_runs(subject: Subject, *options: str) -> list[Run]:
    """Return the commands of a page that runs the box with these options in the place of its own."""
    text = f"docker run {' '.join(options)} -it {subject.image.name}:TAG\n"
    return documented_commands.runs_in({"doctored.md": text}, subject.image.name)


@claim("logs-bounded-in-crash-loop")
@needs("command:run")
@scope("image")
def test_each_command_of_the_documents_bounds_the_logs(subject: Subject) -> None:
    """What people copy is the page; subject.toml only says what stands there."""

    def bounded(options: Sequence[str]) -> bool:
        return 0 < log_bound(options) <= MOST_LOGS

    with control("a page that runs it without the options, with files and no size, and no page at all"):
        for options in ((), ("--log-driver", "json-file", "--log-opt", "max-file=3")):
            PAGES_BOUND.fails(otherwise("doctored", doctored_runs(subject, *options), bounded))
        PAGES_BOUND.fails(otherwise("no page", [], bounded))
    PAGES_BOUND(otherwise("the documents", documented_commands.runs(subject), bounded))


@claim("tmp-bounded")
@needs("command:run")
@scope("image")
def test_each_command_of_the_documents_bounds_tmp(subject: Subject) -> None:
    """What people copy is the page; subject.toml only says what stands there."""
    with control("a page that runs it without the option, without a size, and so that programs run there"):
        for options in ((), ("--tmpfs", "/tmp:rw,noexec"), ("--tmpfs", "/tmp:rw,exec,size=1g")):
            PAGES_TMP.fails(otherwise("doctored", doctored_runs(subject, *options), tmp_is_tight))
    PAGES_TMP(otherwise("the documents", documented_commands.runs(subject), tmp_is_tight))
