"""The tasks for debugging on the node of the agent: ``tasks.py`` takes them in."""

from __future__ import annotations

import sys

from invoke.context import Context
from invoke.tasks import task

from boxproof.tasks.task_errors import explained

SUFFIX = "the suffix of a further instance (default: the first one)"
CONTAINER = "a container of the agent's pod (default: the agent's)"


@task(help={"container": CONTAINER, "command": "what to run (default: a shell)", "suffix": SUFFIX})
@explained
def nsenter(_: Context, container: str = "", command: str = "sh", suffix: str = "") -> None:
    """Run a command as root in all namespaces of the agent's container, from its node."""
    from boxproof.tasks import node_tools

    words = [node_tools.container(container), *node_tools.split(command)]
    sys.exit(node_tools.run("enter.sh", *words, terminal=True, suffix=suffix))


@task(help={"suffix": SUFFIX, "seconds": "for how long (default: 10)", "container": CONTAINER})
@explained
def trace(_: Context, suffix: str = "", seconds: str = "10", container: str = "") -> None:
    """Count the system calls of the agent's first process, without stopping it."""
    from boxproof.tasks import node_tools

    words = [node_tools.container(container), node_tools.seconds(seconds)]
    sys.exit(node_tools.run("trace.sh", *words, suffix=suffix))


@task(help={"suffix": SUFFIX})
@explained
def oom(_: Context, suffix: str = "") -> None:
    """Print what the kernel says of the processes of the agent's pod that it killed for lack of memory."""
    from boxproof.tasks import node_tools

    sys.exit(node_tools.run("oom.sh", suffix=suffix))


@task(help={"suffix": SUFFIX, "seconds": "how long it may take to end (default: 60)", "container": CONTAINER})
@explained
def remove_container(_: Context, suffix: str = "", seconds: str = "60", container: str = "") -> None:
    """Stop a container of the agent's pod on its node, then remove it; try kubectl delete pod first."""
    from boxproof.tasks import node_tools

    words = [node_tools.container(container), node_tools.seconds(seconds)]
    sys.exit(node_tools.run("remove.sh", *words, suffix=suffix))
