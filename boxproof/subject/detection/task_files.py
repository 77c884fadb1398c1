"""The targets of a box's task files at its top: how each is called, and all that it runs."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from boxproof.subject import variables
from boxproof.subject.detection.directory import Directory, parsed
from boxproof.subject.documented_commands import CONTINUED
from boxproof.subject.manifests.plain_yaml import mapping

MAKEFILES = ("GNUmakefile", "makefile", "Makefile")  # of them make reads the first
JUSTFILES = ("justfile", "Justfile", ".justfile")
TASKFILES = ("Taskfile.yml", "Taskfile.yaml", "taskfile.yml", "taskfile.yaml")
PACKAGE, INVOKE = "package.json", "tasks.py"
LOCKS = {"pnpm-lock.yaml": "pnpm", "yarn.lock": "yarn", "bun.lockb": "bun", "bun.lock": "bun"}
CALLABLE = re.compile(r"\w[\w./:-]*")  # names that are a word of a command as they stand
INCLUDED = re.compile(r"^(?:-|s)?(?:include|import)[ \t]+['\"]?([\w./ -]+)", re.MULTILINE)
HEAD = re.compile(
    r"^@?(?P<names>\w[\w./-]*(?:[ \t]+\w[\w./-]*)*)(?P<params>(?:[ \t]+[*+$]?\w+(?:=\S*)?)*?)"
    r"[ \t]*:(?![:=])(?P<needs>[^\n]*)$"
)
OF_A_TARGET = re.compile(
    r"[ \t]*(?:export[ \t]+)?\w+[ \t]*(?:::|:|\?|\+)?="
)  # a variable that one target has
OPEN = re.compile(r"(?<!\$)\$[({](\w+)[)}]")
QUIET = re.compile(r"(?m)^[@+-]+")  # before a command, how it is carried out
PARAM = re.compile(r"[*+$]*(\w+)(=?)(\S*)")
SCRIPT = re.compile(r"(?<![\w./-])(?:\./)?((?:[\w.-]+/)*[\w.-]+)")
AGAIN = re.compile(
    r"(?:\$\{MAKE\}|\bmake|\bjust|\btask|\binv|\b(?:npm|pnpm|yarn|bun)(?:[ \t]+run)?)((?:[ \t]+[\w:./-]+)+)"
)
DEEPEST = 4  # variables that are said by others
LONGEST = 60_000  # letters of what a target runs that are read


@dataclass(frozen=True)
class Target:
    """A target: its name, where it stands, the words that call it, what it runs itself and needs before.

    Variables in what it runs stand as ``${NAME}``. ``told`` are those that a caller may set, ``form`` is how,
    in words behind the ``at``-th of the call; ``params`` are arguments by their place, with their defaults.
    """

    name: str
    path: Path
    line: int
    call: tuple[str, ...]
    recipe: str
    needs: tuple[str, ...] = ()
    told: Mapping[str, str] = field(default_factory=dict, hash=False)
    form: str = "{name}={value}"
    at: int = -1
    params: tuple[tuple[str, str | None], ...] = ()

    @property
    def where(self) -> str:
        """Its place, as a line of subject.toml says it."""
        return f"{self.path}:{self.line}, target {self.name}"

    @property
    def settable(self) -> frozenset[str]:
        """The variables that a caller may set."""
        return frozenset({*self.told, *(name for name, _ in self.params)})

    @cached_property
    def _known(self) -> dict[str, str]:
        known = {name: value for name, value in self.told.items() if value}
        return known | {name: default for name, default in self.params if default}

    @cached_property
    def calls(self) -> tuple[str, ...]:
        """The names of what it needs before, and of what it may call."""
        called = [word for each in AGAIN.findall(self.recipe) for word in each.split()]
        return tuple(dict.fromkeys([*self.needs, *called]))

    def filled(self, text: str) -> str:
        """Return a text with the variables that its task file gives values itself."""
        for _ in range(DEEPEST if "$" in text else 0):
            text = variables.filled(text, self._known)
        return text

    def calling(self, values: Mapping[str, str]) -> tuple[str, ...]:
        """Return the words that call it with variables of these values, () where it asks for more."""
        told = {self._option(name): value for name, value in values.items() if name in self.told}
        given = [self.form.format(name=name, value=value) for name, value in told.items()]
        words = list(self.call)
        at = len(words) if self.at < 0 else self.at
        words[at:at] = ["env", *given] if given and not self.at else given
        wanted = max((n for n, (name, _) in enumerate(self.params, 1) if name in values), default=0)
        for number, (name, default) in enumerate(self.params, 1):
            value = values.get(name, default)
            if value is None:
                return ()
            words += [value] if number <= wanted else []
        return tuple(words)

    def _option(self, name: str) -> str:
        """Return a variable's name as the words have it: options of a program have dashes."""
        return name.replace("_", "-") if self.form.startswith("--") else name


def targets(here: Directory) -> list[Target]:
    """Return the targets of the task files at the top, in the order of the runners that read them."""
    readers = (
        (MAKEFILES, _of_make), (JUSTFILES, _of_just), (TASKFILES, _of_task), ((PACKAGE,), _of_npm),
        ((INVOKE,), _of_invoke),
    )  # fmt: skip
    found: list[Target] = []
    for names, read in readers:
        path = next((Path(each) for each in names if Path(each) in here.files), None)
        found += read(here, path) if path is not None else ()
    return [each for each in found if CALLABLE.fullmatch(each.name)]


def ran(here: Directory, target: Target, every: Sequence[Target]) -> str:
    """Return all that a target runs: what it needs before, what it calls, and what scripts of theirs say."""
    beside = {each.name: each for each in every if each.call[0] == target.call[0]}
    scripts, texts = set(here.scripts), [""]
    waiting, reached = [target.name], {target.name}
    while waiting and sum(map(len, texts)) < LONGEST:
        each = beside[waiting.pop()]
        own = sorted({Path(word) for word in SCRIPT.findall(each.recipe)} & scripts - {each.path})
        texts += [each.recipe, *(variables.as_shell(here.text(path)) for path in own)]
        called = [name for name in each.calls if name in beside and name not in reached]
        reached |= {*called}
        waiting += called
    return "\n".join(texts)[:LONGEST]


def _of_make(here: Directory, path: Path) -> Iterator[Target]:
    read = dict(_included(here, path))
    told = {name: "" for text in read.values() for name in OPEN.findall(text)}  # a caller may set these too
    told |= {name: value for text in read.values() for name, value in variables.assigned(text).items()}
    for each, text in read.items():
        for name, line, needs, recipe, _ in _blocks(text, "\t"):
            yield Target(name, each, line, ("make", name), recipe, needs, told)


def _of_just(here: Directory, path: Path) -> Iterator[Target]:
    read = dict(_included(here, path))
    told = {name: value for text in read.values() for name, value in variables.assigned(text).items()}
    for each, text in read.items():
        for name, line, needs, recipe, params in _blocks(text, " \t"):
            call = ("just", name)
            yield Target(name, each, line, call, recipe, needs, told, at=1, params=params)


def _included(here: Directory, path: Path) -> Iterator[tuple[Path, str]]:
    """Give a file and those that it includes by their names, each with its text."""
    text = CONTINUED.sub(" ", here.text(path))
    yield path, here.text(path)
    for each in dict.fromkeys(name for told in INCLUDED.findall(text) for name in told.split()):
        if Path(each) in here.files and Path(each) != path:
            yield Path(each), here.text(Path(each))


Block = tuple[str, int, tuple[str, ...], str, tuple[tuple[str, str | None], ...]]


def _blocks(text: str, indent: str) -> Iterator[Block]:
    """Give the targets of a Makefile or of a justfile: name, line, needs, recipe, parameters."""
    lines = text.splitlines()
    for at, line in enumerate(lines):
        head = HEAD.match(line)
        if head is None or line.startswith((" ", "\t")) or OF_A_TARGET.match(head["needs"]):
            continue
        names, *more = head["names"].split()
        params = [*more, *head["params"].split()] if indent != "\t" else []
        needs, _, begun = head["needs"].partition(";" if indent == "\t" else "#")
        body = list(_body(lines[at + 1 :], indent))
        recipe = CONTINUED.sub(" ", "\n".join([begun.strip() if indent == "\t" else "", *body]))
        for name in [names] if indent != "\t" else [names, *more]:
            needed = tuple(re.findall(r"\w[\w./-]*", needs))
            yield name, at + 1, needed, variables.as_shell(QUIET.sub("", recipe)), tuple(map(_param, params))


def _body(lines: Sequence[str], indent: str) -> Iterator[str]:
    for line in lines:
        if line.strip() and not line.startswith(tuple(indent)):
            return
        yield line.strip()


def _param(word: str) -> tuple[str, str | None]:
    told = PARAM.fullmatch(word)
    if told is None:
        return word, None
    return told[1], told[3].strip("\"'") if told[2] or word.startswith("*") else None


def _of_task(here: Directory, path: Path) -> Iterator[Target]:
    text = here.text(path)
    whole = mapping(parsed(text))
    told = {str(name): variables.as_shell(str(each)) for name, each in mapping(whole.get("vars")).items()}
    for name, task in mapping(whole.get("tasks")).items():
        about = task if isinstance(task, dict) else {"cmds": task if isinstance(task, list) else [task]}
        steps = _listed(about.get("cmds") or about.get("cmd"))
        listed = [each if isinstance(each, dict) else {"cmd": each} for each in steps]
        needs = [each if isinstance(each, dict) else {"task": each} for each in _listed(about.get("deps"))]
        needs += [each for each in listed if each.get("task")]
        recipe = variables.as_shell("\n".join(str(each.get("cmd") or "") for each in listed))
        own = {str(key): str(value) for key, value in mapping(about.get("vars")).items()}
        known = {key: value for key, value in told.items() if key not in own}  # a task's own count before
        call = ("task", str(name))
        yield Target(
            str(name), path, _line(text, rf"^ +[\"']?{re.escape(str(name))}[\"']?:"), call, recipe,
            tuple(str(each.get("task")) for each in needs), known,
        )  # fmt: skip


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [value] if value else []


def _of_npm(here: Directory, path: Path) -> Iterator[Target]:
    text = here.text(path)
    try:
        whole = json.loads(text)
    except ValueError:
        return
    runner = next((each for name, each in LOCKS.items() if Path(name) in here.files), "npm")
    scripts = mapping(mapping(whole).get("scripts"))
    for name, command in scripts.items():
        recipe = variables.as_shell(str(command))
        told = dict.fromkeys(re.findall(r"\$\{(\w+)\}", recipe), "")
        line = _line(text, rf"^\s*\"{re.escape(name)}\"\s*:")
        call = (runner, "run", name)
        yield Target(name, path, line, call, recipe, (f"pre{name}", f"post{name}"), told, at=0)


def _of_invoke(here: Directory, path: Path) -> Iterator[Target]:
    try:
        module = ast.parse(here.text(path))
    except (SyntaxError, ValueError):
        return
    known = _texts(module.body)
    for each in module.body:
        if isinstance(each, ast.FunctionDef) and (made := _task(each)) is not None:
            name, needs = made
            params = [one.arg for one in (*each.args.args[1:], *each.args.kwonlyargs)]
            told = dict.fromkeys(params, "")
            texts = {key: value for key, value in (known | _texts(each.body)).items() if key not in told}
            recipe = variables.filled(_spoken(each), texts)
            form = "--{name}={value}"
            yield Target(name, path, each.lineno, ("inv", name), recipe, needs, told, form)


def _texts(body: Sequence[ast.stmt]) -> dict[str, str]:
    """Return the texts that statements give a name."""
    return {
        one.id: _said(each.value)
        for each in body
        if isinstance(each, ast.Assign)
        for one in each.targets
        if isinstance(one, ast.Name) and isinstance(each.value, ast.Constant | ast.JoinedStr)
    }


def _task(function: ast.FunctionDef) -> tuple[str, tuple[str, ...]] | None:
    """Return a task's name and those of the tasks that it needs before, None for a function that is none."""
    for each in function.decorator_list:
        called = each.func if isinstance(each, ast.Call) else each
        if ast.unparse(called).rpartition(".")[2] == "task":
            options = each.keywords if isinstance(each, ast.Call) else []
            named = [_said(one.value) for one in options if one.arg == "name"]
            before = [one.id.replace("_", "-") for one in ast.walk(each) if isinstance(one, ast.Name)]
            needs = tuple(name for name in before if name not in ("task", "invoke"))
            return next(iter(named), function.name.replace("_", "-")), needs
    return None


def _spoken(function: ast.FunctionDef) -> str:
    """Return the commands of a function: each text, or list of texts, that it calls something with."""
    lines = []
    for each in ast.walk(function):
        first = each.args[0] if isinstance(each, ast.Call) and each.args else None
        listed = first.elts if isinstance(first, ast.List | ast.Tuple) else [first]
        lines.append(" ".join(_said(one) for one in listed if one is not None))
    return "\n".join(filter(None, lines))


def _said(value: ast.expr) -> str:
    """Return what an expression says: a text, with ``${NAME}`` for what is filled in."""
    if isinstance(value, ast.JoinedStr):
        return "".join(map(_said, value.values))
    if isinstance(value, ast.Constant):
        return str(value.value)
    if isinstance(value, ast.FormattedValue):
        return f"${{{ast.unparse(value.value)}}}"
    return f"${{{value.id}}}" if isinstance(value, ast.Name) else ""


def _line(text: str, pattern: str) -> int:
    found = re.search(pattern, text, re.MULTILINE)
    return text.count("\n", 0, found.start()) + 1 + found[0].startswith("\n") if found else 1
