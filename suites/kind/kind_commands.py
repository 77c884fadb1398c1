"""Commands of kind in texts: which cluster they say, and which they take for their own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from boxproof.subject.documented_commands import CONTINUED

LISTED = re.compile(r"[\"']\s*,\s*f?[\"']?")  # between the words of a command that is a list of texts
# by its name, at a version, or by a variable; with options of kind itself between it and what it is to do
PROGRAM = r"(?:\bkind(?:@[\w.-]+)?|\$[({]?\w*KIND\w*[)}]?)[\"']?"
DOES = r"load|create|delete|get|export|docker-image|image-archive|cluster|clusters|kubeconfig|nodes"
BETWEEN = rf"(?:[ \t]+-\S+(?:[ \t]+(?!(?:{DOES})\b)[^\s-]\S*)?)*"
LOAD = re.compile(
    rf"{PROGRAM}(?P<before>{BETWEEN})[ \t]+load(?P<between>{BETWEEN})[ \t]+(?:docker-image|image-archive)\b"
    r"(?P<rest>[^\n;&|]*)"
)
# a name that is nothing where a variable is not set is that of the default
EMPTY = r"[\"']{2}|[\"']?\$\{\w+:?-[\"']{0,2}\}"
STATES = re.compile(rf"[\s\"'](?:--name|-n)[\"']?[=, ]\s*(?!{EMPTY})\S")
# by which kind is told, too
TOLD_SO = re.compile(
    r"^(?!\s*#).*(?:\bKIND_CLUSTER_NAME\b[\"'\]]*\s*[:?]?[=:]|\bexport\s+KIND_CLUSTER_NAME\b)", re.MULTILINE
)
OF_A_CLUSTER = re.compile(
    rf"{PROGRAM}(?P<before>{BETWEEN})[ \t]+(?:(?:create|delete)[ \t]+cluster|(?:get|export)[ \t]+kubeconfig"
    rf"|get[ \t]+nodes)\b(?P<rest>[^\n;&|]*)"
)
ELSEWHERE = re.compile(r"\s(?:--config|-A|--all-clusters)\b")  # where the name may stand, or all are meant
OPTION = re.compile(r"\s--?\w[\w-]*(?:[= ][^\s-]\S*)?")
# what stands before a command of a line that is carried out, and not only said
CARRIED_OUT = re.compile(
    r"(?:^|[;&|(`{!@]|\b(?:then|do|else|sudo|if|exec|time|run:|script:|cmd:|go\s+run)|^\s*-|^\s*\w+=\S*)"
    r"\s*[@-]*\s*[\"']?(?:\S*/)?$"
)
CREATES = re.compile(r"\bcreate\s+cluster\b")
LISTS = rf"{PROGRAM}{BETWEEN}[ \t]+get[ \t]+clusters\b"
FILTERED = re.compile(rf"{LISTS}[^\n|]*\|[ \t]*grep\b(?P<words>[^\n|;&]*)")
COMPARED = re.compile(rf"{LISTS}[^\n]*?(?:=~|==?[ \t]*[\"']?\*)(?P<against>[^\n]*)")
OTHER_WAY_ROUND = re.compile(r"(?:^|\s)-\w*v")
WHOLE = re.compile(r"(?:^|\s)(?:-\w*x\w*|--line-regexp)\b")
FROM_END_TO_END = re.compile(r"\^.*\$\$?[\"']?(?:[\s)\]]|$)")


class Load(NamedTuple):
    """A load of an image: its words, its line, that from the image on, the line's number, what follows."""

    words: str
    line: str
    tail: str
    number: int
    after: str


def joined(text: str) -> str:
    """Return a text with its continued lines, and the words of its lists, in one."""
    return LISTED.sub(" ", CONTINUED.sub(" ", text))


def loads(text: str) -> Iterator[Load]:
    """Give each load of an image in a text that is ``joined``, remarks apart."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        for each in LOAD.finditer(line) if not line.lstrip().startswith("#") else ():
            after = "\n".join(lines[number + 1 :])
            yield Load(each[0], line, line[each.start("rest") :], number, after)


def nameless(texts: Mapping[str, str]) -> list[str]:
    """Return the loads of an image, in scripts and documents, that do not say into which cluster."""
    left = {name: joined(text) for name, text in texts.items() if not TOLD_SO.search(text)}
    return [
        f"{name}: {each.words.strip()}"
        for name, text in left.items()
        for each in loads(text)
        if not STATES.search(each.words)
    ]


def defaulted(text: str) -> list[str]:
    """Return the commands of a script that are about the cluster whose name nobody has to say."""
    found = []
    for line in joined(text).splitlines():
        for each in OF_A_CLUSTER.finditer(line) if not line.lstrip().startswith("#") else ():
            said = f"{each['before']} {each['rest']}"
            told = STATES.search(said) or ELSEWHERE.search(said) or "$" in OPTION.sub("", said)
            if not told and CARRIED_OUT.search(line[: each.start()]):
                found.append(each[0].strip())
    return found


def mistaken(texts: Mapping[str, str]) -> list[str]:
    """Return the looks for a cluster, where one is made, that another of a longer name passes."""
    found = []
    for name, text in texts.items():
        lines = joined(text).splitlines() if CREATES.search(text) else ()
        told = (each.strip() for each in lines if _by_a_part(each))
        found += [f"{name}: {each}" for each in told if not each.startswith("#")]
    return found


def _by_a_part(line: str) -> bool:
    filtered, compared = FILTERED.search(line), COMPARED.search(line)
    if filtered:
        words = filtered["words"]
        return not any(each.search(words) for each in (OTHER_WAY_ROUND, WHOLE, FROM_END_TO_END))
    if not compared:
        return False
    against = compared["against"].lstrip(" \t").lstrip("\"'*")  # one in spaces, or by its ends, is whole
    return not against.startswith((" ", "^", "(", "\\"))
