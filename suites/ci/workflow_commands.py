"""What a step of a workflow really carries out: its lines, and how its shell takes a failure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from boxproof.subject.documented_commands import CONTINUED

REMARK = re.compile(r"(?:^|\s)#.*$")
SAYS = re.compile(r"^\s*(?:echo|printf|:)\s[^;&|]*$")
NEVER = re.compile(r"^\s*(?:\$\{\{\s*)?(?:false|'false'|\"false\"|0)\s*(?:\}\}\s*)?$", re.IGNORECASE)
PIPEFAIL = re.compile(r"\bset\s+-\w*o\s+pipefail\b")
HEEDS = re.compile(r"\s-\w*e|\s-o\s+errexit")  # a shell of one's own that ends with the first failure
SCANS = re.compile(
    r"(?:(?:^|[;&|(]|\bsudo)\s*(?:\S*/)?|\b(?:docker|podman) run\b[^|;&\n]*\b)(?:trivy|grype)\b[^|;&\n]*"
)
PIPED = re.compile(r"\|(?!\|)")
JOINED = re.compile(r"\d*>&\d?|&>>?")  # an output that goes where another goes
CONDITION = re.compile(r"^\s*(?:if|elif|while|until|!)\s")
CONDITION_ENDS = re.compile(r"\b(?:then|do)\b")
AMONG_OTHERS = re.compile(r"^[^&|;]*(?<!&)&\s*$")  # goes on beside what follows
OTHERWISE = re.compile(r"[\s)}\"']*(\|\||&&)")
GOES_ON = ("&&", "||", "|")  # a line that ends so has the next one behind it
# how what follows a failure ends the step all the same
ENDS_IT = re.compile(
    r"\b(?:exit|return)\b(?!\s+0\b)|(?:^|[;&|{(])\s*(?:false|fail|die)\b|(?:^|[;&|])\s*wait\s+[\"']?[$%]"
    r"|^\s*(?:\[\[?|test)\s[^&|\n]*\$[^&|\n]*$",
    re.MULTILINE,
)


def lines(step: Mapping[str, Any]) -> list[str]:
    """Return the lines of a step's shell, continued ones joined; no remarks, nothing that is only said."""
    return [each for each in _bare(step) if not SAYS.match(each)]


def _bare(step: Mapping[str, Any]) -> list[str]:
    text = CONTINUED.sub(" ", str(step.get("run") or ""))
    bare = (REMARK.sub("", each) for each in text.splitlines())
    return [each for each in bare if each.strip()]


def never(*conditions: Mapping[str, Any]) -> bool:
    """Return whether one of a step, its job and the like is switched off for good."""
    return any(NEVER.match(str(each["if"])) is not None for each in conditions if "if" in each)


def swallowed(
    step: Mapping[str, Any], job: Mapping[str, Any], workflow: Mapping[str, Any], gate: Sequence[str]
) -> list[str]:
    """Return how the shell of a step takes no notice of a failure of what is to stop it.

    ``gate`` are words of that command; programs that scan are known by their names. GitHub's own shell ends
    with the first failure, and hears nothing of what stands before a pipe unless it is named or told to.
    """
    shell, every = _shell(step, job, workflow), _bare(step)
    at = [number for number, each in enumerate(every) if _gates(each, gate)]
    found = []
    told = "pipefail" in shell or shell == "bash" or PIPEFAIL.search("\n".join(every))
    if not told and any(PIPED.match(rest) for each in at for rest in _behind(every[each], gate)):
        found.append("(what it is piped into decides)")
    if any(_passed_over(every, each, gate) for each in at):
        found.append("(what follows its failure ends nothing)")
    if "{0}" in shell and not HEEDS.search(shell) and any(each < len(every) - 1 for each in at):
        found.append(f"(the shell {shell!r} goes on)")
    return found


def _passed_over(every: Sequence[str], at: int, gate: Sequence[str]) -> bool:
    """Return whether a line takes a failure of the gate as an answer, and nothing after it ends the step.

    A shell that ends with the first failure does not, for a condition, for one of several that are joined
    by && or ||, and for what goes on in the background.
    """
    line, end = every[at], at
    while end < len(every) - 1 and every[end].rstrip().endswith(GOES_ON):
        end += 1
    behind = list(_behind(line, gate))
    joined = [found[1] for each in behind if (found := OTHERWISE.match(each))]
    heard = "||" in joined or ("&&" in joined and end < len(every) - 1)
    aside = any(AMONG_OTHERS.match(each) for each in behind)
    asked = CONDITION.match(line) is not None and _gates(CONDITION_ENDS.split(line)[0], gate)
    after = "\n".join([*behind, *every[at + 1 :]])
    return (heard or aside or asked) and ENDS_IT.search(after) is None


def _shell(*places: Mapping[str, Any]) -> str:
    step, *others = places
    named = [
        step.get("shell"),
        *(((each.get("defaults") or {}).get("run") or {}).get("shell") for each in others),
    ]
    return str(next(filter(None, named), ""))


def _gates(line: str, gate: Sequence[str]) -> bool:
    return not SAYS.match(line) and (bool(SCANS.search(line)) or _names(line, gate))


def _names(line: str, gate: Sequence[str]) -> bool:
    return bool(gate) and " ".join(gate) in " ".join(line.split())


def _behind(line: str, gate: Sequence[str]) -> Iterator[str]:
    """Give what stands behind each command of a line that is to stop the step."""
    line = JOINED.sub("", line)
    yield from (line[found.end() :] for found in SCANS.finditer(line))
    words = r"\s+".join(map(re.escape, gate))
    yield from (line[found.end() :] for found in re.finditer(rf"{words}[^|;&\n]*", line) if gate)


CLAIMS = re.compile(r"--claims[= ]\s*[\"']?(?P<claims>[^\s\"']+)")
VARIABLE = re.compile(r"\$\{?(\w+)\}?")
ALL = "*"


def narrowed(step: Mapping[str, Any], *places: Mapping[str, Any]) -> str:
    """Return the claims that a step's command is told, "" for all of them or what its user says.

    A variable has the value of the step, or of one of the ``places`` that it is in.
    """
    known = {
        name: str(value)
        for each in (*reversed(places), step)
        for name, value in (each.get("env") or {}).items()
    }
    told = [found["claims"] for line in lines(step) for found in CLAIMS.finditer(line)]
    filled = [VARIABLE.sub(lambda name: known.get(name[1], name[0]), each) for each in told]
    return next((each for each in filled if each != ALL and "$" not in each), "")
