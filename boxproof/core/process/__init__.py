"""The one place that runs processes: argv lists, a built environment, a deadline for each."""

from boxproof.core.process.conversations import Started, started
from boxproof.core.process.endings import (
    KILL_AFTER,
    Process,
    end_all,
    end_group,
    tell,
    undisturbed,
    when_told,
)
from boxproof.core.process.lasting import ENDING, become, daemon, foreground, guarded
from boxproof.core.process.running import MAKE_ROOM, CommandFailed, CommandTimedOut, Result, piped, run
from boxproof.core.process.surroundings import (
    OWN_TEMPORARY,
    OWNER,
    environment,
    given,
    in_utf8,
    owned_by,
    owner,
    passing_on,
    temporary,
    temporary_root,
)

__all__ = [
    "ENDING",
    "KILL_AFTER",
    "MAKE_ROOM",
    "OWNER",
    "OWN_TEMPORARY",
    "CommandFailed",
    "CommandTimedOut",
    "Process",
    "Result",
    "Started",
    "become",
    "daemon",
    "end_all",
    "end_group",
    "environment",
    "foreground",
    "given",
    "guarded",
    "in_utf8",
    "owned_by",
    "owner",
    "passing_on",
    "piped",
    "run",
    "started",
    "tell",
    "temporary",
    "temporary_root",
    "undisturbed",
    "when_told",
]
