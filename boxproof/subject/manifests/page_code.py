"""The code in a document: what its readers copy and run, in whatever markup it is written."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

# in the step of a list it is indented
FENCED = re.compile(
    r"^[ \t]*(?P<mark>```+|~~~+)(?P<info>[^\n]*)\n(?P<body>.*?)^[ \t]*(?P=mark)", re.MULTILINE | re.DOTALL
)
# reStructuredText: a directive for code, or what is indented behind two colons; another directive is prose
LITERAL = re.compile(
    r"^(?P<indent>[ \t]*)"
    r"(?:\.\. (?:code-block|code|sourcecode|prompt)::(?P<info>[^\n]*)|(?!\.\. )\S[^\n]*::|::)[ \t]*\n"
    r"(?:(?P=indent)[ \t]+:[\w-]+:[^\n]*\n)*"
    r"(?P<body>(?:[ \t]*\n|(?P=indent)[ \t]+\S[^\n]*(?:\n|\Z))+)",
    re.MULTILINE,
)
# AsciiDoc: a listing stands alone or below its attributes; dashes below a line of text make a heading of it
LISTED = re.compile(
    r"(?:\A|(?<=\n\n)|(?<=\]\n)|(?<=\+\n))(?P<mark>-{4,}|\.{4,})[ \t]*\n"
    r"(?P<info>)(?P<body>.*?)^(?P=mark)[ \t]*$",
    re.MULTILINE | re.DOTALL,
)
MARKUPS = {".rst": LITERAL, ".rest": LITERAL, ".adoc": LISTED, ".asciidoc": LISTED}
INDENTED = re.compile(r"(?:\A|(?<=\n\n))(?:(?: {4}|\t)[ \t]*\S[^\n]*(?:\n|\Z)|[ \t]*\n)+")
ITEM = re.compile(r"\s*(?:[-*+]|\d+[.)])\s")
CONSOLE = re.compile(r"\s*\{?\.?(?:console|shell-?session|sh-session|bash-session|terminal)\b", re.IGNORECASE)
PROGRAM = (
    r"(?:sudo|kubectl|oc|helm|docker(?:-compose)?|podman|nerdctl|crictl|ctr|runc|git|curl|claude|inv|make"
    r"|kill|pkill|killall|fuser|systemctl|nsenter|strace|export)\b"
)
# in a console root's prompt is what begins a remark elsewhere
PROMPT = re.compile(
    rf"^[ \t]*(?:[\w.@:~/()\[\]-]*\$|[\w.@:~/()\[\]-]+#|#(?=[ \t]+{PROGRAM}))[ \t]+", re.MULTILINE
)
COMMAND = re.compile(rf"^[ \t]*(?:[$#>][ \t]+)?(?P<command>{PROGRAM}[^\n]*)", re.MULTILINE)


def code(text: str, suffix: str = ".md") -> list[str]:
    """Return the blocks of code of a document, by the ending of its name; prompts of a console left out."""
    ending = suffix.lower()
    if ending == ".txt":  # nothing there marks it but what a line begins with
        return [each["command"] for each in COMMAND.finditer(text)]
    blocks = MARKUPS.get(ending, FENCED)
    found = [_typed(each["body"], each["info"] or "") for each in blocks.finditer(text)]
    return found if blocks is not FENCED else [*found, *_indented(text)]


def _typed(body: str, info: str) -> str:
    return PROMPT.sub("", body) if CONSOLE.match(info) else body


def _indented(text: str) -> Iterator[str]:
    """Give what is code in Markdown by its indentation alone; in a list that is one more paragraph of it."""
    plain = FENCED.sub("", text)
    for each in INDENTED.finditer(plain):
        before = next((one for one in reversed(plain[: each.start()].split("\n\n")) if one.strip()), "")
        listed = before.startswith((" ", "\t")) or any(map(ITEM.match, before.splitlines()))
        if each[0].strip() and not listed:
            yield each[0].lstrip("\n")


def words(command: str) -> list[str]:
    """Return the words of a command without its remark; what is no shell is parted at its spaces."""
    try:
        return shlex.split(command, comments=True)
    except ValueError:  # a quotation that goes on
        return command.split()
