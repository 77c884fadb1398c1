"""The commands of a shell's line, each by itself, and here-documents of a Dockerfile brought on such a line.

What a shell reads of a here-document becomes the commands of its RUN, the rest is a file. What another
interpreter reads becomes a word of its command, as if it were given by an option.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

CONTROL = frozenset({"!", "if", "elif", "then", "else", "while", "until", "do", "exec", "("})
# programs that start another: their options that take a value, and how many words stand before the other
STARTERS: Mapping[str, tuple[frozenset[str], int]] = {
    name: (frozenset(valued.split()), before)
    for name, valued, before in (
        ("env", "-u -C --unset --chdir", 0), ("sudo", "-u -g -h -p -C -U -r -t", 0), ("doas", "-u -C", 0),
        ("command", "", 0), ("builtin", "", 0), ("nohup", "", 0), ("setsid", "", 0), ("eatmydata", "", 0),
        ("nice", "-n --adjustment", 0), ("ionice", "-c -n -p", 0), ("time", "-f -o", 0),
        ("stdbuf", "-i -o -e", 0), ("xargs", "-n -P -I -L -a -d -s -E", 0), ("flock", "-w -E", 1),
        ("timeout", "-k -s --kill-after --signal", 1), ("gosu", "", 1), ("su-exec", "", 1), ("chroot", "", 1),
        ("runuser", "-u -g -G", 0), ("setpriv", "--reuid --regid --groups", 0), ("chpst", "-u -U", 0),
    )
}  # fmt: skip
SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh", "su"})
PYTHON = re.compile(r"(?:.*/)?(?:python|pypy)[\d.]*")
SUBSTITUTED = re.compile(r"[$<>]\(")
BACKTICKS = re.compile(r"(?<!\\)`([^`]+)`")
QUOTED = re.compile(r"'[^']*'")
PIP = re.compile(r"pip[\d.]+")
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


def simple_commands(line: str) -> list[str]:
    """Return the commands of a shell line that it does not nest in quotes or ``$(…)``."""
    found = [""]
    quote, depth, braces = "", 0, 0  # those of a variable, which group no commands
    for before, each, after in zip(f" {line}", line, f"{line[1:]} ", strict=False):
        opens = before == "$" and each == "{" and quote != "'"
        closes = each == "}" and braces > 0
        braces += opens - closes
        if quote:
            quote = "" if each == quote else quote
        elif each in "'\"":
            quote = each
        depth += {"(": 1, ")": -1}.get(each, 0)
        redirects = each == "&" and (before in "<>" or after == ">")
        if not quote and depth <= 0 and each in "&|;{}\n" and not (braces or closes or redirects):
            found.append("")
        else:
            found[-1] += each
    return [each.strip() for each in found if each.strip()]


def program(word: str) -> str:
    """Return the name of a command's program, without its directory; pip3.12 is pip."""
    name = PurePosixPath(word).name
    return "pip" if PIP.fullmatch(name) else name


def commands(line: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Give each command of a shell line in words, and the part of the line that it is written in.

    Those of a subshell, of `$(…)` and of a shell that is given a text are in the part around them.
    """
    for text in simple_commands(line):
        if text.startswith("(") and text.endswith(")"):
            inside = [text[1:-1]]
        else:
            words = _words(text)
            if words:
                yield text, words
            inside = [*_substituted(text), script(words)]
        yield from ((text, words) for each in inside if each for _, words in commands(each))


def _substituted(text: str) -> Iterator[str]:
    """Give what stands in each `$(…)` and `<(…)` of a command, and between its backticks."""
    opening = SUBSTITUTED.search(text)
    while opening:
        depth, end = 1, opening.end()
        while end < len(text) and depth:
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        yield text[opening.end() : end - 1 if not depth else end]
        opening = SUBSTITUTED.search(text, end)
    yield from BACKTICKS.findall(QUOTED.sub("", text))


def script(words: tuple[str, ...]) -> str:
    """Return the text that a shell is given to carry out, "" where the command is none such."""
    if not words or PurePosixPath(words[0]).name not in SHELLS:
        return ""
    given = next((at for at, each in enumerate(words) if re.fullmatch(r"-[a-z]*c|--command", each)), 0)
    return words[given + 1] if given and given + 1 < len(words) else ""


def exec_form(text: str) -> tuple[str, ...]:
    """Return the words of a RUN that is written as a list, () for a line of the shell."""
    if not text.startswith("["):
        return ()
    try:
        words = json.loads(text)
    except ValueError:
        return ()
    return tuple(str(each) for each in words)


def _words(text: str) -> tuple[str, ...]:
    try:
        words = shlex.split(text)
    except ValueError:  # half of a quoted text: no command of a package manager
        words = text.split()
    return started(tuple(words))


def started(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return the words from the program on that a command is about: past what starts it."""
    while words:
        name = PurePosixPath(words[0]).name
        if words[0] in CONTROL or "=" in words[0]:
            words = words[1:]
        elif name in STARTERS and words[1:2] not in (("-v",), ("-V",)):
            words = _past(words[1:], *STARTERS[name])
        elif PYTHON.fullmatch(words[0]) and "-m" in words[1:]:
            words = words[words.index("-m") + 1 :]  # python3 -I -m pip is pip
        else:
            return words
    return ()


def _past(words: tuple[str, ...], valued: frozenset[str], before: int) -> tuple[str, ...]:
    """Return the words behind options, their values, and what stands before a program."""
    while words and words[0].startswith("-"):
        words = words[2 if words[0] in valued else 1 :]
    return words[before:]


def with_here_documents(text: str) -> str:
    """Return a Dockerfile's text with each here-document on the line of its instruction."""
    return HEREDOC.sub(_unfolded, _joined(text))


def here_document_files(text: str) -> dict[str, str]:
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
    reader = list(commands(head))[-1:]
    if not head.strip() or (reader and _is_shell(reader[0][1])):
        return True
    files = {*WRITTEN.findall(head), *WRITTEN.findall(tail)}
    following = [words for _, words in commands(tail)]
    return any(_is_shell(words) or words[0] in files for words in following)


def _interprets(head: str) -> bool:
    """Return whether a program of another language than a shell's reads the document as its own text."""
    reader = list(commands(head))[-1:]
    words = reader[0][1] if reader else ()
    files = [each for each in words[1:] if not each.startswith("-") and each != "/dev/stdin"]
    return bool(words) and INTERPRETERS.fullmatch(PurePosixPath(words[0]).name) is not None and not files


def _is_shell(words: tuple[str, ...]) -> bool:
    return PurePosixPath(words[0]).name in SHELLS
