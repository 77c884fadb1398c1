"""``inv -l`` in working order: machine, image, the box that runs, the proof, the clean-up."""

from __future__ import annotations

from invoke.collection import Collection
from invoke.program import Program
from invoke.util import helpline

GROUPS: dict[str, tuple[str, ...]] = {
    "look at the machine": ("doctor", "preflight"),
    "make the box": ("build", "lock", "chart", "sbom", "binaries", "harness"),
    "bring it up": ("up", "load", "deploy"),
    "prove it": ("test", "watch", "report", "conformance", "new-claim"),
    "look into it": ("logs", "shell", "exec", "nsenter", "trace", "oom", "remove-container"),
    "keep it going": ("stale", "rotate-token", "diff-config", "backup", "restore"),
    "take it down": ("remove", "down", "clean"),
}


def in_working_order() -> None:
    """Have ``inv -l`` list the tasks by group; what no group names comes last, under a heading of its own."""
    plain = Program._make_pairs

    def pairs(
        self: Program, coll: Collection, ancestors: list[str] | None = None
    ) -> list[tuple[str, str | None]]:
        return plain(self, coll, ancestors) if ancestors or self.list_root else listed(coll)

    setattr(Program, plain.__name__, pairs)


def listed(collection: Collection) -> list[tuple[str, str | None]]:
    """Return the lines of the list: a heading, then its tasks with their first sentence."""
    tasks = {str(name): task for name, task in collection.tasks.items()}
    rest = tuple(sorted(set(tasks) - {each for many in GROUPS.values() for each in many}))
    found: list[tuple[str, str | None]] = []
    for heading, names in {**GROUPS, "more": rest}.items():
        here = [each for each in names if each in tasks]
        if here:
            found.append((f"{heading}:", None))
            found += [(f"  {each}", helpline(tasks[each])) for each in here]
    return [*found, ("inv --help TASK", "Show what a task takes.")]
