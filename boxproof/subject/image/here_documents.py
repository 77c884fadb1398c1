"""Here-documents of a Dockerfile: what a shell reads becomes the commands of its RUN, the rest is a file.

What another interpreter reads becomes a word of its command, as if it were given by an option.
"""

from __future__ import annotations

import re
import shlex
from pathlib import PurePosixPath

from boxproof.subject.image import shell_commands

HEREDOC = re.compile(
    r"^(?P<head>[ \t]*(?P<word>RUN|COPY|ADD)\b[^\n]*?)<<-?[ \t]*(?P<quote>[\"']?)(?P<end>\w+)(?P=quote)"
    r"(?P<tail>[^\n]*)\n(?P<body>.*?)^[ \t]*(?P=end)[ \t]*$",
    re.MULTILINE | re.DOTALL | re.IGNORECASE,
)
OPENING = re.compile(r"<<-?[ \t]*[\"']?\w")
INSTRUCTION = re.compile(r"^\s*(RUN|COPY|ADD)\b", re.IGNORECASE)
RUN = re.compile(r"^\s*RUN\s+(--\S+\s+)*", re.IGNORECASE)
INTERPRETERS = re.compile(r"(python|pypy|node|deno|bun|perl|ruby|php|lua)[\d.]*")
STRICT = re.compile(r"\s*#!.*sh\s+-\w*e")  # how a script begins that ends at the first failure
TEE = re.compile(r"\btee\s+(?:-\S+\s+)*([^\s;&|<>-][^\s;&|<>]*)")
WRITTEN = re.compile(r">\s*([^\s;&|>]+)")


def unfolded(text: str) -> str:
    """Return a Dockerfile's text with each here-document on the line of its instruction."""
    return HEREDOC.sub(_unfolded, _joined(text))


def files(text: str) -> dict[str, str]:
    """Return what the here-documents of a Dockerfile's text become that are files, by their paths."""
    made: dict[str, str] = {}
    for found in HEREDOC.finditer(_joined(text)):
        around = f"{found['head']} {found['tail']}"
        if found["word"].upper() == "RUN":
            places = [*WRITTEN.findall(around), *TEE.findall(around)]
        else:
            place = found["tail"].split()[-1:]
            places = [f"{each}{found['end']}" if each.endswith("/") else each for each in place]
        made |= {each.strip("\"'"): found["body"] for each in places}
    return made


def _joined(text: str) -> str:
    """Return the text with what opens a here-document on a continued line brought on one line."""
    made: list[str] = []
    lines = iter(text.splitlines())
    for line in lines:
        written = [line]
        while INSTRUCTION.match(line) and (written[-1].rstrip().endswith("\\") or _is_remark(written)):
            following = next(lines, None)
            if following is None:
                break
            written.append(following)
        parts = [each for each in written if not each.lstrip().startswith("#")]
        whole = " ".join(each.rstrip().removesuffix("\\") for each in parts)
        made += [whole] if len(written) > 1 and OPENING.search(whole) else written
    return "\n".join(made) + "\n"


def _is_remark(written: list[str]) -> bool:
    """Return whether an instruction goes on behind a remark between its lines."""
    return len(written) > 1 and written[-1].lstrip().startswith("#")


def _unfolded(found: re.Match[str]) -> str:
    head, tail = found["head"], found["tail"].strip()
    if found["word"].upper() != "RUN":
        return f"{head}inline {tail}"
    carried_out = _is_carried_out(RUN.sub("", head), tail)
    if not carried_out and not _interprets(RUN.sub("", head)):
        return f"{head} /dev/stdin {tail}"
    lines = (each.strip() for each in found["body"].replace("\\\n", " ").splitlines())
    body = "; ".join(each for each in lines if each and not each.startswith("#"))
    if not carried_out:
        return f"{head} {shlex.quote(body)} {tail}"
    body = f"set -e; {body}" if STRICT.match(found["body"]) else body
    return f"{head} {tail}; {body}" if RUN.sub("", head).strip() else f"{head}{body} {tail}"


def _is_carried_out(head: str, tail: str) -> bool:
    """Return whether a shell reads the document: itself, behind a pipe, or as the file it is written to."""
    reader = list(shell_commands.commands(head))[-1:]
    if not head.strip() or (reader and _is_shell(reader[0][1])):
        return True
    files = {*WRITTEN.findall(head), *WRITTEN.findall(tail)}
    following = [words for _, words in shell_commands.commands(tail)]
    return any(_is_shell(words) or words[0] in files for words in following)


def _interprets(head: str) -> bool:
    """Return whether a program of another language than a shell's reads the document as its own text."""
    reader = list(shell_commands.commands(head))[-1:]
    words = reader[0][1] if reader else ()
    files = [each for each in words[1:] if not each.startswith("-") and each != "/dev/stdin"]
    return bool(words) and INTERPRETERS.fullmatch(PurePosixPath(words[0]).name) is not None and not files


def _is_shell(words: tuple[str, ...]) -> bool:
    return PurePosixPath(words[0]).name in shell_commands.SHELLS
