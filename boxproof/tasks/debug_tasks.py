"""The tasks for debugging on the node of the agent: ``tasks.py`` takes them in."""

from __future__ import annotations

import shlex
import sys

from invoke.context import Context
from invoke.tasks import task

from boxproof.tasks.task_errors import explained

CONTAINER = "a container of the agent's pod (default: the agent's)"


@task(help={"command": "what to run (default: a shell)", "container": CONTAINER})
@explained
def nsenter(_: Context, command: str = "sh", container: str = "") -> None:
    """Run a command as root in all namespaces of the agent's container, from its node."""
    from boxproof.tasks import node_tools

    words = [node_tools.container(container), *shlex.split(command)]
    sys.exit(node_tools.run("enter.sh", *words, terminal=True))


@task(help={"seconds": "for how long", "container": CONTAINER})
@explained
def trace(_: Context, seconds: int = 10, container: str = "") -> None:
    """Count the system calls of the agent's first process, without stopping it."""
    from boxproof.tasks import node_tools

    sys.exit(node_tools.run("trace.sh", node_tools.container(container), str(seconds)))


@task
@explained
def oom(_: Context) -> None:
    """Print what the kernel says about processes of the agent's pod that it killed for want of memory."""
    from boxproof.tasks import node_tools

    sys.exit(node_tools.run("oom.sh"))


@task(help={"seconds": "how long it may take to end", "container": CONTAINER})
@explained
def remove_container(_: Context, seconds: int = 60, container: str = "") -> None:
    """Stop a container of the agent's pod on its node, then remove it; try kubectl delete pod first."""
    from boxproof.tasks import node_tools

    sys.exit(node_tools.run("remove.sh", node_tools.container(container), str(seconds)))
