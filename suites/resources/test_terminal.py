"""A person's own session in the box is sized by the control group too."""

from __future__ import annotations

from typing import Any

from boxproof.fixtures.agent_modes import Modes, started
from boxproof.probes.containers import LocalContainer
from boxproof.subject.model import Subject
from pytest_claims import claim, control, scope
from suites.entrypoint.test_limits import CPUS, LIMIT, SIZED, THREADS, environ, memory_sizes, threads


@claim("limits-read-from-cgroup")
@scope("image")
def test_the_cli_on_a_terminal_is_started_with_sizes_below_the_limit(modes: Modes, subject: Subject) -> None:
    def on_a_terminal(**options: Any) -> LocalContainer:
        return started(modes("interactive", tty=True, stdin_open=True, **options))

    with control("without a limit it is told no size, and no number of processors"):
        free = environ(on_a_terminal(), subject.image.cli)
        SIZED.fails(memory_sizes("no limit", free), LIMIT)
        THREADS.fails(threads("no limit", free), CPUS)
    held = environ(on_a_terminal(mem_limit=LIMIT, nano_cpus=CPUS * 10**9), subject.image.cli)
    SIZED(memory_sizes(f"{LIMIT} bytes", held), LIMIT)
    THREADS(threads(f"{CPUS} processors", held), CPUS)
