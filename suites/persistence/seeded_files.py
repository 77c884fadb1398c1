"""What a start copies to the volume only where nothing is: a newer image's file never arrives there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from boxproof.subject.documented_commands import CONTINUED
from boxproof.subject.variables import filled

REMARK = re.compile(r"(?:^|\s)#.*$", re.MULTILINE)
ASSIGNED = re.compile(
    r"^\s*(?:(?:export|local|readonly)\s+)*(?P<name>\w+)=[\"']?(?P<value>[^\s\"';&|]+)[\"']?\s*$",
    re.MULTILINE,
)
STATEMENTS = re.compile(r"[;\n]|(?<!\S)(?:then|do)(?!\S)")
COPY = re.compile(
    r"(?:^|[&|({]|\belse|\bsudo|\s-exec(?:dir)?|\bxargs(?:\s+\S+)*?\s)\s*(?:\S*/)?"
    r"(?P<words>(?:cp|mv|rsync|install|cat|sed|envsubst|jq|tar|bsdtar|unzip)\s[^&|]*)"
)
WRITES = frozenset({"cat", "sed", "envsubst", "jq"})  # to where their output is sent
OUTPUT = re.compile(r"(?<![\d&])1?>{1,2}\s*(?P<path>[^\s>&]+)")
OTHER_OUTPUT = re.compile(r"(?:\d|&)>{1,2}\s*\S+|(?<!\d)<(?!<)")
NO_CLOBBER = re.compile(r"\s(?:-\w*n\w*|--no-clobber|--update=none(?:-fail)?)(?=\s)")
KEEPS_OLD = re.compile(r"^\S+\s+\w*k\w*\s|\s-\w*k\w*\s|\s--(?:keep-(?:old|newer)|skip-old)-files\s")
KEEPS = {
    "cp": NO_CLOBBER,
    "mv": NO_CLOBBER,
    "rsync": re.compile(r"\s--ignore-existing(?=\s)"),
    "tar": KEEPS_OLD,
    "bsdtar": KEEPS_OLD,
    "unzip": re.compile(r"\s-\w*n\w*(?=\s)"),
}
UNPACKS = {
    **dict.fromkeys(("tar", "bsdtar"), re.compile(r"^\S+\s+\w*x|\s-\w*x|\s--(?:extract|get)\b")),
    "unzip": re.compile(""),
}
INTO = re.compile(r"\s(?:-\w*[Cd]|--directory)[= ]\s*(?P<path>[^\s-]\S*)")
GONE_TO = re.compile(r"\bcd\s+(?P<path>/\S+)\s*&&")
PIPED = re.compile(r"(?:[^|&]+\|)+\s*$")
OF_AN_IMAGE = re.compile(r"(?<!\S)/[^\s*]+")
TESTED = re.compile(r"(?P<not>!\s*(?:\[\[?|test)?\s*)?-[efdsrLh]\s+(?P<path>[^\s\]]+)")
EMPTY = re.compile(r"-z\s+[\"']?\$\(\s*ls\b[^)]*?\s(?P<path>[^\s)-][^\s)]*)(?:\s+2>\S+)?\s*\)")
GROUP = re.compile(r"(?P<sign>\|\||&&)\s*[{(]")
BODY = re.compile(r"^(?:function\s+\S+\s*(?:\(\))?|[\w:-]+\s*\(\))?\s*\{")  # of a function, or a group alone
OF_THE_CLI = (".claude.json", ".credentials.json")  # what it writes itself is no image's


@dataclass(frozen=True)
class Places:
    """Where the volume is, where other things are mounted, and what variables are known to be."""

    volume: Sequence[str]
    others: Sequence[str] = ()
    variables: Mapping[str, str] = field(default_factory=dict)


def copied_once(text: str, places: Places) -> list[str]:
    """Return the commands of a shell that copy from the image to the volume where nothing is there yet."""
    found: list[str] = []
    around = _Around(places)
    for each in _statements(text, places.variables):
        around.enter(each)
        found += [each for copy in COPY.finditer(each) if _once(each, copy, around.lacks, places)]
        around.leave(each)
    return found


class _Around:
    """The conditions and groups around a statement: whether one holds only where nothing is there."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self._every = [False]
        self._otherwise = False  # what the condition in force makes of its other branch

    @property
    def lacks(self) -> bool:
        """Whether what stands here is carried out only where the volume lacks something."""
        return any(self._every)

    def enter(self, statement: str) -> None:
        """Take in how a statement begins."""
        if statement.startswith(("fi", "}", ")", "elif ")) and len(self._every) > 1:
            self._every.pop()
        if statement.startswith(("if ", "elif ")):
            self._every.append(_lacks(statement, self.places))
            self._otherwise = _has(statement, self.places)
        elif statement.startswith("else"):
            self._every[-1] = self._otherwise

    def leave(self, statement: str) -> None:
        """Take in the group that a statement opens and leaves open."""
        group = GROUP.search(statement)
        if (group or BODY.match(statement)) and not statement.endswith(("}", ")")):
            guarded = group is not None and _guarded(statement[: group.end("sign")], self.places)
            self._every.append(guarded)


def _statements(text: str, variables: Mapping[str, str]) -> Iterator[str]:
    """Give the statements of a shell, without remarks, variables filled in."""
    plain = REMARK.sub("", CONTINUED.sub(" ", text))
    known = dict(variables)
    for each in ASSIGNED.finditer(plain):
        known.setdefault(each["name"], filled(each["value"], known))
    home = known.get("HOME", "~")
    for statement in STATEMENTS.split(filled(plain, known)):
        if statement.strip():
            yield re.sub(r"(?<!\S)~(?=/)", home, statement.strip().replace('"', "").replace("'", ""))


def _once(statement: str, copy: re.Match[str], inside: bool, places: Places) -> bool:
    """Return whether a copy is one from the image to the volume, and done only once."""
    program, operands = _operands(copy["words"].rstrip(" })\\+"), statement[: copy.start("words")])
    if len(operands) < 2 or not _below(operands[-1], places.volume):
        return False
    names = {PurePosixPath(each).name for each in operands}
    seeds = [each for each in operands[:-1] if each.startswith("/") and not _below(each, places.volume)]
    if not seeds or names & set(OF_THE_CLI) or all(_below(each, places.others) for each in seeds):
        return False
    keeps = program in KEEPS and KEEPS[program].search(f"{copy['words']} ")
    return bool(keeps) or inside or _guarded(PIPED.sub("", statement[: copy.start("words")]), places)


def _operands(words: str, before: str) -> tuple[str, list[str]]:
    """Return the program of a copy and its operands, the last of which is where it copies to.

    What comes of a pipe, or of what is found, is what is named ``before``.
    """
    program = words.split(maxsplit=1)[0]
    if program in UNPACKS:
        return program, _unpacked(program, words, before)
    output = OUTPUT.search(words) if program in WRITES else None
    plain = OTHER_OUTPUT.sub(" ", OUTPUT.sub(" ", words))
    operands = [each for each in plain.split()[1:] if not each.startswith("-") and ">" not in each]
    if program in WRITES:
        return program, [*operands, output["path"]] if output else []
    if "{}" in operands:
        operands = [*OF_AN_IMAGE.findall(before)[:1], *(each for each in operands if each != "{}")]
    return program, operands


def _unpacked(program: str, words: str, before: str) -> list[str]:
    """Return what an archive is, or is made of, and last where it is unpacked to; [] for one that is made."""
    into = INTO.search(words) or GONE_TO.search(before)
    if not into or not UNPACKS[program].search(words):
        return []
    return [*(OF_AN_IMAGE.findall(INTO.sub(" ", words)) or OF_AN_IMAGE.findall(before)), into["path"]]


def _guarded(before: str, places: Places) -> bool:
    """Return whether what stands before a command has it run only where nothing is there."""
    condition = before.rstrip(" {(")
    if condition.endswith("||"):
        return _has(condition, places)
    return condition.endswith("&&") and _lacks(condition, places)


def _lacks(condition: str, places: Places) -> bool:
    tested = [each["path"] for each in TESTED.finditer(condition) if each["not"]]
    tested += [each["path"] for each in EMPTY.finditer(condition)]
    return any(_below(each, places.volume) for each in tested)


def _has(condition: str, places: Places) -> bool:
    tested = [each["path"] for each in TESTED.finditer(condition) if not each["not"]]
    return any(_below(each, places.volume) for each in tested)


def _below(path: str, tops: Sequence[str]) -> bool:
    return any(f"{path.rstrip('/')}/".startswith(f"{each.rstrip('/')}/") for each in tops)
