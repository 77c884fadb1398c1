"""What takes no notice of a load that has failed: a script, a recipe, a step of a pipeline, a document."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from suites.kind.kind_commands import Load, joined, loads

IGNORED = re.compile(
    r"\|\|\s*(?:true|echo|printf|logger|exit 0|/bin/true)\b|\|\|\s*:|;\s*(?:true|:|exit 0)\s*$"
)
BY_MAKE = re.compile(r"^\t[@+\s]*-")  # a line whose failure make takes no notice of
BY_JUST = re.compile(r"^[ \t]+@?-")
OF_A_SHELL = re.compile(r"^#!.*\b(?:ba|da|k|z)?sh\b")
STOPPING = re.compile(r"^[^#\n]*\bset\s+-\w*e|\berrexit\b|^#!.*sh\s+-\w*e", re.MULTILINE)
GOES_ON = re.compile(r"^(?!\s*#).*\b(?:kubectl|helm|docker|kind|make)\b", re.MULTILINE)
HEEDED = re.compile(r"&&|\|\||^\s*(?:if|while|until)\b")
PAGES = (".md", ".mdx", ".markdown")
REDIRECTED = re.compile(r"\d*>&\d?|&>>?")
PIPED = re.compile(r"[^;&|]*\|(?!\|)")
BESIDE = re.compile(r"[^;&|]*&(?!&)")  # goes on beside what follows
AWAITED = re.compile(r"\bwait\s+(?:-n\b|[\"']?[$%])")  # by what it is: else its failure is lost
HEARD = re.compile(r"\bpipefail\b|\bPIPESTATUS\b|^\s*(?:-\s+)?shell:\s*bash\s*$", re.MULTILINE)
OTHERWISE = re.compile(r"\|\|\s*(?:\{(?P<group>.*?)[;\n]\s*\}|\((?P<shell>[^()]*)\))", re.DOTALL)
COMMANDS = re.compile(r"[;\n]|&&|\|\|")
CONDITION = re.compile(r"^\s*[@-]*\s*if\s+(?P<not>!\s*)?")
END = re.compile(r"(?:^|[;\n])\s*fi\b")
ELSE = re.compile(r"(?:^|[;\n])\s*else\b")
NESTED = re.compile(r"\b(?:if|elif|case|while|for)\b")
# they say something, and end nothing
TELLERS = frozenset(
    {"echo", "printf", "logger", "log", "warn", "warning", "info", "say", ":", "true", "/bin/true"}
)
ITEM = re.compile(r"^(\s*)-\s+[\w-]+:")  # of a list in YAML
MAY_FAIL = re.compile(r"^\s*(?:-\s+)?(?:continue-on-error|ignore_error|allow_failure):\s*(?:true|yes)\b")


def unheeded(texts: Mapping[str, str]) -> list[str]:
    """Return the loads of an image after whose failure a script, a recipe or a document goes on."""
    found = []
    for name, text in texts.items():
        whole = joined(text)
        found += [f"{name}: {each.line.strip()}" for each in loads(whole) if _passed(name, whole, each)]
    return found


def _passed(name: str, text: str, load: Load) -> bool:
    """Return whether nothing stops where a load fails."""
    if IGNORED.search(load.tail) or BY_MAKE.match(load.line):
        return True
    if name.lower().endswith("justfile") and BY_JUST.match(load.line):
        return True
    if _only_said(load) or _may_fail(text.splitlines(), load.number):
        return True
    return _lost(name, text, load) or _goes_on(name, text, load)


def _lost(name: str, text: str, load: Load) -> bool:
    """Return whether a pipe, or what goes on beside, has another exit code in the place of the load's."""
    tail = REDIRECTED.sub("", load.tail)
    if name.lower().endswith(PAGES):
        return False
    piped = PIPED.match(tail) is not None and not HEARD.search(text)
    return piped or (BESIDE.match(tail) is not None and not AWAITED.search(load.after))


def _only_said(load: Load) -> bool:
    """Return whether all that is done about a failure is to say so, by a group or a condition."""
    block = f"{load.tail}\n{load.after}"
    group, condition = OTHERWISE.search(block), CONDITION.match(load.line)
    if group and group.start() < len(load.tail):
        return _tell(group["group"] or group["shell"] or "")
    end = END.search(block)
    if not condition or not end or re.search(r"\bthen\b", load.line[: -len(load.tail)]):
        return False
    body = block[: end.start()]
    if NESTED.search(body):
        return False
    then, *otherwise = ELSE.split(body, maxsplit=1)
    failed = then.partition("then")[2] if condition["not"] else "".join(otherwise)
    return _tell(failed) and GOES_ON.search(block[end.end() :]) is not None


def _tell(body: str) -> bool:
    """Return whether commands only say something."""
    every = [each.strip().lstrip("@") for each in COMMANDS.split(body) if each.strip()]
    return all(each.split()[0] in TELLERS or each == "exit 0" for each in every)


def _may_fail(lines: Sequence[str], number: int) -> bool:
    """Return whether a line is in a step of a pipeline, or of a task, that may fail."""
    begin = next((at for at in range(number, -1, -1) if ITEM.match(lines[at])), -1)
    item = ITEM.match(lines[begin]) if begin >= 0 else None
    if item is None:
        return False
    deeper = len(item[1])
    rest = range(begin + 1, len(lines))
    end = next((at for at in rest if lines[at].strip() and _indent(lines[at]) <= deeper), len(lines))
    return number < end and any(MAY_FAIL.match(each) for each in lines[begin:end])


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _goes_on(name: str, text: str, load: Load) -> bool:
    """Return whether a shell that does not end with the first failure carries out more after a line."""
    shell = name.endswith(".sh") or OF_A_SHELL.match(text) is not None
    stated = re.match(r"\s*(?:\[|if|exit|return)\b", load.after)
    heard = STOPPING.search(text) or HEEDED.search(load.line) or stated
    return shell and not heard and GOES_ON.search(load.after) is not None
