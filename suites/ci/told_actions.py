"""What the steps of a workflow have an action carry out: commands among its options."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

# what actions call the commands that they are given: to try again, on another machine, in a language's shell
OPTIONS = frozenset(
    {
        "cmd", "command", "commands", "inline-script", "inlinescript", "new_command_on_retry", "run",
        "run-cmd", "runcmd", "script", "shell-command",
    }
)  # fmt: skip
# between a program and its first word, where the former has its words as a list of their own
OF_A_CALL = re.compile(r"[\"'`]\s*,\s*\[\s*[\"'`]")


def spoken(content: Any) -> Any:
    """Return the content of a workflow or an action whose steps have what an action carries out as theirs."""
    if not isinstance(content, dict):
        return content
    made = {**content}
    if isinstance(made.get("jobs"), Mapping):
        made["jobs"] = {name: _with_steps(each) for name, each in made["jobs"].items()}
    if isinstance(made.get("runs"), Mapping):
        made["runs"] = _with_steps(made["runs"])
    return made


def _with_steps(item: Any) -> Any:
    steps = item.get("steps") if isinstance(item, Mapping) else None
    return {**item, "steps": [_step(each) for each in steps]} if isinstance(steps, list) else item


def _step(step: Any) -> Any:
    """Return a step with the lines that its action is given."""
    given = list(commands(step)) if isinstance(step, Mapping) and step.get("uses") else []
    return {**step, "run": "\n".join([*filter(None, [step.get("run")]), *given])} if given else step


def commands(step: Mapping[str, Any]) -> Iterator[str]:
    """Give the texts that a step tells an action to carry out."""
    options = step.get("with")
    for key, value in options.items() if isinstance(options, Mapping) else ():
        if str(key).lower() in OPTIONS and isinstance(value, str):
            yield OF_A_CALL.sub(" ", value)
