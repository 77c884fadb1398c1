"""The docker client of the engine in use, and commands inside node containers."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import IO, Any

from boxproof.core.process import Result, piped, run
from boxproof.core.session import KIND_CLUSTER_LABEL, EngineInfo
from pytest_claims.faults import EnvironmentFault, Unprovable
from pytest_claims.waiting import until

NEEDS_NODE = "needs a node of its own cluster"


def docker(
    engine: EngineInfo,
    *words: str,
    timeout: float = 60,
    check: bool = True,
    stdin: bytes | IO[bytes] | None = None,
    on_line: Callable[[str], None] | None = None,
    env: Mapping[str, str] | None = None,
) -> Result:
    """Run the docker client; options and errors as ``run``."""
    argv = [engine.client, *words]
    given = engine.env | dict(env or {})
    return run(argv, timeout=timeout, env=given, check=check, stdin=stdin, on_line=on_line)


def streamed(engine: EngineInfo, *words: str) -> AbstractContextManager[IO[bytes]]:
    """Run the docker client and give its output as a stream; errors as ``piped``."""
    return piped([engine.client, *words], env=engine.env)


def inside(
    engine: EngineInfo,
    node: str,
    argv: Sequence[str],
    *,
    timeout: float = 60,
    check: bool = True,
    stdin: bytes | IO[bytes] | None = None,
) -> Result:
    """Run a command in a node; options and errors as ``run``; raises Unprovable where nodes are closed."""
    if engine.closed:
        raise Unprovable(NEEDS_NODE)
    flags = ["--interactive"] if stdin is not None else []
    return docker(engine, "exec", *flags, node, *argv, timeout=timeout, check=check, stdin=stdin)


class Guarded:
    """A docker client that gives every container but nodes of a cluster that is not ours."""

    def __init__(self, client: Any, closed: Sequence[str]) -> None:
        self._client = client
        self.containers = GuardedContainers(client.containers, closed)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


class GuardedContainers:
    """The containers of ``Guarded``."""

    def __init__(self, containers: Any, closed: Sequence[str]) -> None:
        self._containers = containers
        self._closed = frozenset(closed)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._containers, name)

    def get(self, container: str) -> Any:
        """Return a container; raises Unprovable for a node that is closed."""
        if container in self._closed:
            raise Unprovable(NEEDS_NODE)
        return self._containers.get(container)


def nodes_of(engine: EngineInfo, cluster: str, *, running: bool = False) -> tuple[str, ...]:
    """Return the node containers of a cluster by name, stopped ones too unless ``running``."""
    everything = [] if running else ["--all"]
    words = ["ps", *everything, "--filter", f"label={KIND_CLUSTER_LABEL}={cluster}", "--format", "{{.Names}}"]
    return tuple(sorted(docker(engine, *words).stdout.split()))


def image_id(engine: EngineInfo, reference: str) -> str:
    """Return the engine's id of an image, "" if it has none."""
    found = docker(engine, "image", "inspect", "--format", "{{.Id}}", reference, check=False)
    return found.stdout.strip() if found.ok else ""


def clusters(engine: EngineInfo) -> tuple[str, ...]:
    """Return the names of all clusters with running nodes, whoever made them."""
    words = [
        "ps",
        "--filter",
        f"label={KIND_CLUSTER_LABEL}",
        "--format",
        f'{{{{.Label "{KIND_CLUSTER_LABEL}"}}}}',
    ]
    return tuple(sorted(set(docker(engine, *words).stdout.split())))


def identities(engine: EngineInfo, names: Sequence[str]) -> tuple[str, ...]:
    """Return the ids of containers; none where one of them is not there."""
    found = docker(engine, "inspect", "--type", "container", "--format", "{{.Id}}", *names, check=False)
    return tuple(found.stdout.split()) if found.ok else ()


def cgroup(engine: EngineInfo) -> str:
    """Return which control groups the engine's machine has: "v1" or "v2"."""
    return f"v{docker(engine, 'info', '--format', '{{.CgroupVersion}}').stdout.strip() or '2'}"


# On a busy machine engines were seen to report success and lose output, so the output says that it is whole.
WHOLE = '"$@"; code=$?; printf "\\n%s" "$0"; exit $code'
ANEW = 10.0  # seconds for a reading whose answers are lost


class _Lost(EnvironmentFault):
    """The output of an exec did not come, or not all of it."""


def said(container: Any, argv: Sequence[str], *, again: bool = False) -> tuple[int, bytes]:
    """Run ``argv`` in a container that has a shell; its exit code, and stdout and stderr as they came.

    ``container`` is one of the docker SDK. An answer that is lost raises EnvironmentFault; with ``again`` the
    command is a mere reading, and is run anew for some seconds.
    """
    if not again:
        return _once(container, argv)
    what = f"the output of {' '.join(argv)} in {container.name}"
    return until(lambda: _once(container, argv), timeout=ANEW, what=what, transient=(_Lost,))


def _once(container: Any, argv: Sequence[str]) -> tuple[int, bytes]:
    end = f"end-{secrets.token_hex(8)}"
    code, output = container.exec_run(["sh", "-c", WHOLE, end, *argv])
    text, mark, _ = (output or b"").rpartition(f"\n{end}".encode())
    if not mark:
        raise _Lost(f"the engine lost the output of {' '.join(argv)} in {container.name} (exit code {code})")
    return int(code), text
