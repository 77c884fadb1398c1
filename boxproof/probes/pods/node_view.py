"""A look into a running container from its node, with nothing of the container's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from boxproof.host.engine.docker_cli import said
from pytest_claims.faults import EnvironmentFault
from pytest_claims.recording import observations

FIELDS_BEFORE_DASH = 6  # of a mountinfo line; optional fields follow


@dataclass(frozen=True)
class Mount:
    """What carries a path: where it is mounted, its file system, which directory it shows."""

    point: str
    fstype: str
    root: str
    read_only: bool = False


class Inside:
    """The files, mounts and identity of one container's first process.

    ``engine`` is a docker client, ``pod`` the live object; raises EnvironmentFault if the container
    does not run or its node does not answer.
    """

    def __init__(self, engine: Any, pod: Mapping[str, Any], container: str) -> None:
        self.node = engine.containers.get(pod["spec"]["nodeName"])
        groups = ("initContainerStatuses", "containerStatuses")
        every = [each for group in groups for each in pod.get("status", {}).get(group) or ()]
        states = {each["name"]: each for each in every}
        identity = str(states.get(container, {}).get("containerID", "")).rpartition("/")[2]
        if not identity:
            raise EnvironmentFault(f"container {container} of {pod['metadata']['name']} does not run")
        template = "{{.info.pid}}"
        self.pid = self._run("crictl", "inspect", "--output", "go-template", "--template", template, identity)

    def _run(self, *argv: str, again: bool = True) -> str:
        code, output = said(self.node, argv, again=again)
        text = output.decode(errors="replace").strip()
        if code:
            raise EnvironmentFault(f"{' '.join(argv)} on {self.node.name}: {text[-200:]}")
        return str(text)

    def _proc(self, name: str) -> str:
        return self._run("cat", f"/proc/{self.pid}/{name}")

    @property
    def uid(self) -> int:
        """The effective uid of the first process."""
        return self._id("Uid:")

    @property
    def gid(self) -> int:
        """The effective gid of the first process."""
        return self._id("Gid:")

    def _id(self, which: str) -> int:
        line = next(each for each in self._proc("status").splitlines() if each.startswith(which))
        return int(line.split()[2])

    def status(self) -> dict[str, str]:
        """Return the fields of /proc/PID/status of the first process."""
        lines = (each.partition(":") for each in self._proc("status").splitlines())
        return {name: value.strip() for name, _, value in lines}

    def shared_with_node(self, *kinds: str) -> tuple[str, ...]:
        """Return which kinds of namespaces the first process has in common with its node's."""
        links = {
            each: self._run("readlink", f"/proc/1/ns/{each}", f"/proc/{self.pid}/ns/{each}").split()
            for each in kinds
        }
        return tuple(each for each, (node, own) in links.items() if node == own)

    @property
    def host(self) -> str:
        """The host name that the first process sees."""
        return self._run("nsenter", "--uts", "--target", str(self.pid), "cat", "/proc/sys/kernel/hostname")

    @property
    def variables(self) -> dict[str, str]:
        """The environment it was started with."""
        pairs = (each.partition("=") for each in self._proc("environ").split("\0"))
        return {name: value for name, _, value in pairs if name}

    def home(self) -> str:
        """Return the home of the running uid in the container's passwd file, "" without an entry."""
        rows = [each.split(":") for each in (self.read("/etc/passwd") or "").splitlines()]
        home = next((row[5] for row in rows if len(row) > 5 and row[2] == str(self.uid)), "")
        observations.record("home", f"uid {self.uid}", home)
        return home

    def mount(self, path: str) -> Mount:
        """Return what carries ``path`` in the container; raises EnvironmentFault where nothing is told to."""
        holding = [each for each in self._mounts() if _holds(each.point, path)]
        if not holding:
            raise EnvironmentFault(
                f"the mounts of process {self.pid} on {self.node.name} came without a root"
            )
        found = max(holding, key=lambda each: len(each.point))
        observations.record("mount", path, found)
        return found

    def _mounts(self) -> list[Mount]:
        made = []
        for line in self._proc("mountinfo").splitlines():
            before, _, after = line.partition(" - ")
            fields = before.split()
            if len(fields) >= FIELDS_BEFORE_DASH:
                flags = fields[5].split(",")
                made.append(Mount(fields[4], after.split()[0], fields[3], read_only="ro" in flags))
        return made

    def read(self, path: str) -> str | None:
        """Return the text of a file in the container, None where there is none."""
        code, output = said(self.node, ["cat", f"/proc/{self.pid}/root{path}"], again=True)
        text = None if code else output.decode(errors="replace")
        observations.record("file", path, text)
        return text

    def signal_children(self, name: str) -> None:
        """Send a signal to the processes that the first one started."""
        self._run("pkill", f"-{name}", "-P", str(self.pid), again=False)

    def end(self) -> None:
        """Kill the first process, as a crash would: the container restarts."""
        self._run("kill", "-KILL", str(self.pid), again=False)

    def write(self, path: str, text: str) -> None:
        """Write a file into the container, owned by the running uid, readable by it alone.

        A directory that is not there is made likewise, as the CLI would make it.
        """
        target, owner = f"/proc/{self.pid}/root{path}", self.uid
        script = (
            'umask 077 && d="${2%/*}" && { [ -d "$d" ] || { mkdir -p "$d" && chown "$3" "$d"; }; }'
            ' && printf %s "$1" > "$2" && chown "$3" "$2"'
        )
        self._run("sh", "-c", script, "write", text, target, f"{owner}:{owner}")


def _holds(point: str, path: str) -> bool:
    return point in ("/", path) or path.startswith(f"{point.rstrip('/')}/")
