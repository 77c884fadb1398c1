"""The tasks of a box one by one: what each has carried out, which others it calls, whether it asks.

A task here is a target, a function, a script of a package, a whole script, or a word that a script knows.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePosixPath

from boxproof.subject.documented_commands import CONTINUED
from suites.packaging import task_commands

IN_LISTS = frozenset({".js", ".mjs", ".cjs", ".ts"})  # words in lists, as in Python
SHELLS = frozenset({".sh", ".bash", ".zsh", ""})
RECIPES = re.compile(r"(?:GNUm|M|m)akefile(?:\..+)?|\.?[jJ]ustfile|.+\.(?:mk|just)")
# a variable that has a command of more than one word
COMMAND = re.compile(
    r"^[ \t]*(?:export[ \t]+)?(?P<name>\w+)[ \t]*[:?]?=[ \t]*[\"']?"
    r"(?P<value>(?:docker|podman|kubectl|oc|helm)[ \t][^\n\"'#]*)",
    re.MULTILINE,
)
COMMENT = re.compile(r"(?<!\S)#.*$", re.MULTILINE)
# what only says something
HELP = re.compile(r"\bcat\b[^\n|>]*<<-?\s*[\"']?(\w+)[\"']?[^\n|>]*\n.*?^\s*\1\s*$", re.DOTALL | re.MULTILINE)
SAYS = re.compile(r"(?<![\w-])(?:echo|printf)\b(?:[ \t]*(?:\"[^\"]*\"|'[^']*'|[^\s;&|\"']+))*")
PRINTS = re.compile(
    r"\b(?:print|say|echo|answer|log(?:ger)?(?:\.\w+)?|logging\.\w+|warn\w*|console\.\w+|Exit|exit|\w*Error)"
    r"\s*\((?:[^()]|\([^()]*\))*\)"
)
# a part that is carried out where its user says so: a prompt, an option, a variable that is empty otherwise
PROMPT = re.compile(r"\bread[ \t]+-\w*[pr]|\bconfirm\b|\[y/N\]|\bprompt:|\binput\(|\bgum\b", re.IGNORECASE)
ON_OPTION = re.compile(r"\[\[?(?![^\n\]]*(?:!=|-z))[^\n\]]*\$\$?\{?[\w@#][^\n\]]*\]\]?[ \t]*&&[^\n]*")
OPTION_IN = re.compile(r"^\s*(?:el)?if\b(?!.*(?:!=|-z|\bif\s+!)).*\$\$?\{?[\w@#]")
IN_MAKE = re.compile(r"^[ \t]*(?:ifdef|ifeq)\b.*?^[ \t]*(?:else|endif)\b", re.DOTALL | re.MULTILINE)
FUNCTION = re.compile(
    r"^(?:function[ \t]+(?P<word>[\w-]+)(?:[ \t]*\(\))?|(?P<name>[\w-]+)[ \t]*\(\))[ \t]*\{?"
)
ARM = re.compile(r"^[ \t]+\(?[\"']?(?P<name>[\w-]+)[\"']?(?:[ \t]*\|[ \t]*[\"']?[\w-]+[\"']?)*\)(?=\s|$)")
END_OF_FUNCTION = re.compile(r"^\}|(?<=[;\s])\}\s*$")
END_OF_ARM = re.compile(r";;&?\s*$")
RUNNER = re.compile(
    r"(?:\b(?:make|just|task|inv|invoke|nox|(?:npm|pnpm|yarn|bun|mise|uv)(?:[ \t]+(?:-\S+[ \t]+)*run)?)"
    r"|\$\(?MAKE\)?)(?P<words>(?:[ \t]+[\w:.=/-]+)+)"
)
TASK = re.compile(r"\btask:[ \t]*[\"']?([\w:-]+)")
NEEDS = re.compile(r"\b(?:deps|depends|depends_on):?[ \t]*=?[ \t]*(\[[^\]]*\]|(?:\n[ \t]+-[ \t]*[^\n]+)+)")
WORD = re.compile(r"[\w:-]+")
PLACE = re.compile(r"[\w.-]*(?:/[\w.-]+)+|[\w-]+\.(?:sh|bash|py|js|mjs|ts|rb)\b")


@dataclass(frozen=True)
class Task:
    """A task: where it stands, its name, its commands as lines of a shell, the others that it calls.

    One that is ``inner`` is called by others alone; one ``asks`` its user before it does anything.
    """

    where: str
    name: str
    commands: str
    calls: frozenset[str] = frozenset()
    inner: bool = False
    asks: bool = False


@dataclass(frozen=True)
class _Part:
    path: str
    name: str  # "" for what is in none of a file's tasks
    text: str
    head: str = ""  # names those that come first
    inner: bool = False

    @property
    def where(self) -> str:
        return f"{self.path}: {self.name}" if self.name else self.path


def tasks(texts: Mapping[str, str]) -> list[Task]:
    """Return the tasks of files by their paths."""
    every = [each for path, text in texts.items() for each in _parts(path, text)]
    told = {path: _told(text) for path, text in texts.items()}
    return [
        Task(
            each.where, each.name or PurePosixPath(each.path).stem, _commands(each, told[each.path]),
            frozenset(_calls(each, every)), each.inner, PROMPT.search(each.head + each.text) is not None,
        )
        for each in every
    ]  # fmt: skip


def doing(
    every: Sequence[Task], acts: Callable[[str], list[str]], asked: re.Pattern[str]
) -> dict[str, list[str]]:
    """Return what tasks do, by themselves or by those that they call, but for those ``asked`` to by name.

    ``acts`` gives what is done by lines of a shell.
    """
    does = {each.where: [] if each.asks else acts(each.commands) for each in every}
    for _ in every:
        more = {
            each.where: sorted({*does[each.where], *(one for other in each.calls for one in does[other])})
            for each in every
            if not each.asks
        }
        if all(does[where] == found for where, found in more.items()):
            break
        does |= more
    unasked = (each for each in every if not each.inner and not _is_asked(each, asked))
    return {each.where: does[each.where] for each in unasked if does[each.where]}


def _is_asked(task: Task, asked: re.Pattern[str]) -> bool:
    stem = PurePosixPath(task.where.partition(": ")[0]).stem
    return bool(asked.search(task.name) or asked.search(stem))


def _told(text: str) -> dict[str, str]:
    return {
        **task_commands.assigned(text),
        **{each["name"]: each["value"].strip() for each in COMMAND.finditer(text)},
    }


def _commands(part: _Part, told: Mapping[str, str]) -> str:
    """Return the commands of a part alone, one in a line, with its variables filled in."""
    path = f"{part.path}.py" if PurePosixPath(part.path).suffix in IN_LISTS else part.path
    text = part.text if path.endswith((".py", ".json")) else COMMENT.sub("", HELP.sub("", part.text))
    plain = COMMAND.sub("", PRINTS.sub("", CONTINUED.sub(" ", text)))
    spoken = task_commands.spoken(path, plain, told)
    lines = SAYS.sub("", _without_options(spoken)).splitlines()
    return "\n".join(re.sub(r"[ \t]+", " ", each).strip() for each in lines if "$(if" not in each)


def _without_options(text: str) -> str:
    """Return lines of a shell without those that only an option of its user has carried out."""
    kept, left = [], 0
    for line in ON_OPTION.sub("", IN_MAKE.sub("", text)).splitlines():
        ends = re.match(r"\s*(?:fi|else|elif)\b", line)
        if left and re.match(r"\s*if\b", line) and not re.search(r"\bfi\b", line):
            left += 1
        elif left and ends and (left == 1 or line.strip().startswith("fi")):
            left -= 1
        elif not left and OPTION_IN.match(line) and "$(" not in line.partition("then")[0]:
            left = 0 if re.search(r"\bfi\b", line) else 1
        elif not left:
            kept.append(line)
    return "\n".join(kept)


def _parts(path: str, text: str) -> Iterator[_Part]:
    name = PurePosixPath(path)
    ways = {".py": _of_python, ".json": _of_package}
    if way := ways.get(name.suffix):
        yield from way(path, text)
    elif name.suffix in SHELLS and not RECIPES.fullmatch(name.name):
        yield from _of_shell(path, text)
    elif name.suffix in IN_LISTS:
        yield _Part(path, "", re.sub(r"^\s*(?://|\*).*$", "", text, flags=re.MULTILINE))
    else:
        for where, part in task_commands.parts(path, text):
            own = where.removeprefix(path).removeprefix(": ")
            head = part.partition("\n")[0] if own and RECIPES.fullmatch(name.name) else ""
            first = COMMENT.sub("", head.partition(":")[2])
            yield _Part(
                path,
                own,
                part.removeprefix(head) if own else part,
                first,
                not own or own.startswith(("_", ".")),
            )


def _of_python(path: str, text: str) -> Iterator[_Part]:
    """Give the functions of a file, without what their options alone have done, and the rest of it."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        yield _Part(path, "", text)
        return
    lines = text.splitlines()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            head = "\n".join(lines[first - 1 : node.lineno - 1])
            yield _Part(path, node.name, _body(node, lines), head, node.name.startswith("_"))
            lines[first - 1 : node.end_lineno] = [""] * ((node.end_lineno or first) - first + 1)
    yield _Part(path, "", "\n".join(re.sub(r"(?<!\S)#.*$", "", each) for each in lines))


def _body(node: ast.FunctionDef | ast.AsyncFunctionDef, lines: Sequence[str]) -> str:
    told = node.args
    options = {each.arg for each in (*told.posonlyargs, *told.args, *told.kwonlyargs)}
    kept = dict(enumerate(lines[node.body[0].lineno - 1 : node.end_lineno], node.body[0].lineno))
    left = [each for each in ast.walk(node) if _is_optional(each, options)]
    if isinstance(first := node.body[0], ast.Expr) and isinstance(first.value, ast.Constant):
        left.append(first)
    for each in left:
        body = each.body if isinstance(each, ast.If) else [each]
        for one in body:
            for line in range(getattr(one, "lineno", 0), (getattr(one, "end_lineno", 0) or 0) + 1):
                kept.pop(line, None)
    return "\n".join(re.sub(r"(?<!\S)#.*$", "", each) for each in kept.values())


def _is_optional(node: ast.AST, options: set[str]) -> bool:
    """Return whether something is done where an option of the function says so, and not otherwise."""
    if not isinstance(node, ast.If | ast.IfExp) or isinstance(node.test, ast.UnaryOp):
        return False
    return any(isinstance(each, ast.Name) and each.id in options for each in ast.walk(node.test))


def _of_package(path: str, text: str) -> Iterator[_Part]:
    told = None
    with suppress(ValueError):
        told = json.loads(text)
    scripts = told.get("scripts") if isinstance(told, dict) else None
    for name, each in (scripts or {}).items() if isinstance(scripts, dict) else ():
        yield _Part(path, str(name), str(each))


def _of_shell(path: str, text: str) -> Iterator[_Part]:
    """Give the functions of a script, the words that it knows, and the rest of it."""
    own: list[str] = []
    name, ends, lines = "", END_OF_ARM, own
    for line in HELP.sub("", text).splitlines():
        begun = None if name else FUNCTION.match(line) or ARM.match(line)
        if begun:
            name, lines = _name(begun), []
            ends = END_OF_ARM if begun.re is ARM else END_OF_FUNCTION
        rest = line[begun.end() :] if begun else line
        done = ends.search(rest) if name else None
        lines.append(rest[: done.start()] if done else rest)
        if done:
            yield _Part(path, name, "\n".join(lines), inner=ends is END_OF_FUNCTION)
            name, lines = "", own
    if lines is not own:
        own += lines
    yield _Part(path, "", "\n".join(own))


def _name(found: re.Match[str]) -> str:
    return next(each for each in found.groups() if each)


def _calls(part: _Part, every: Sequence[_Part]) -> Iterator[str]:
    """Give where those tasks stand that a part calls."""
    text = COMMENT.sub("", part.text)
    here = {each.name: each.where for each in every if each.path == part.path and each.name}
    named = {each.name: each.where for each in every if each.name and not each.inner} | here
    asked = [word for each in RUNNER.finditer(text) for word in WORD.findall(each["words"])]
    asked += TASK.findall(text)
    asked += [word for each in NEEDS.findall(part.head + "\n" + text) for word in WORD.findall(each)]
    yield from (named[each] for each in asked if each in named and named[each] != part.where)
    first = [*WORD.findall(part.head), *(f"{way}{part.name}" for way in ("pre", "post") if part.name)]
    yield from (here[each] for each in first if each in here and here[each] != part.where)
    yield from (where for name, where in here.items() if where != part.where and _is_called(name, part, text))
    yield from _scripts(part, text, every)


def _is_called(name: str, part: _Part, text: str) -> bool:
    """Return whether a function of the same file is called."""
    word = re.escape(name)
    if part.path.endswith(".py"):
        return re.search(rf"(?<![\w.]){word}\(", text) is not None
    inner = PurePosixPath(part.path).suffix in SHELLS and not RECIPES.fullmatch(PurePosixPath(part.path).name)
    return (
        inner
        and re.search(rf"(?:^|[;&|({{]|\bthen|\bdo|\belse)[ \t]*{word}(?=[\s;&|)]|$)", text, re.M) is not None
    )


def _scripts(part: _Part, text: str, every: Sequence[_Part]) -> Iterator[str]:
    """Give the scripts that a part calls by their paths, or what of one, where the word after it says so."""
    for found in PLACE.finditer(text):
        tail = "/".join(each for each in found[0].split("/") if each not in ("", ".", ".."))
        for each in every:
            if each.path != part.path and tail and f"/{each.path}".endswith(f"/{tail}"):
                after = WORD.match(text[found.end() :].lstrip("\"' \t,"))
                if not each.name or (after and after[0] == each.name):
                    yield each.where
