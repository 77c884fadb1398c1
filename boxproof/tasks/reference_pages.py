"""Reference pages out of the code: options, settings, tasks, subject.toml, the claims in public words."""

from __future__ import annotations

import copy
import importlib.util
import inspect
import json
import re
from collections.abc import Iterator
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from boxproof.cli.options import COMMANDS, parser
from boxproof.core.own_project import OURS
from boxproof.core.settings import PREFIX, ROOT, Settings
from boxproof.subject import model

BY_MACHINE = {
    "workers": "by processors",
    "reports": "`reports/` here",
    "cache": "`$XDG_CACHE_HOME/boxproof`",
    "state": "`$XDG_STATE_HOME/boxproof`",
}
MEANT = {"claims": "all", "keep": "no"}  # what an empty default comes to
UNSAID = {  # what the settings are for that are no options
    "publish": "where a release is pushed to: `--registry` of `release`",
    "engine": "`user`: a Docker Engine of yours; `embedded`: boxproof's own; `auto`: one, else the other",
    "binary_cache": "compiled programs that machines share: a directory, `https://…`, `oci://…` or `wheel:…`",
    "snapshot": "a dated archive that the image's packages come from, or its moment",
    "reports": "where reports go",
    "reports_kept": "how many reports are kept; the latest and the last accepted one always are",
    "reports_days": "how many days they are kept",
    "cache": "what can be downloaded or built again",
    "state": "the embedded engine, clusters, the history of runs",
}
MADE = "This page is made from the code by `nox -s docs`.\n"


def pages() -> dict[str, str]:
    """Return every page as Markdown, by its name."""
    return {
        "options": options(),
        "settings": settings(),
        "tasks": tasks(),
        "subject-toml": subject_toml(),
        "claims": claims(),
    }


def options() -> str:
    """Return the page of the commands and what they take."""
    parts = ["# Options", MADE]
    for name, about in COMMANDS.items():
        text = parser(name, about).format_help().rstrip()
        parts.append(f"## {name}\n\n{about}\n\n```text\n{text}\n```\n")
    return "\n".join(parts)


def settings() -> str:
    """Return the page of the settings: each as an option and a variable, with its default."""
    rows = ["# Settings", MADE]
    rows += ["An option takes precedence over its variable, and that over the default.\n"]
    rows += ["| variable | option | what it is for | default |", "|---|---|---|---|"]
    takes = dict(told for name in reversed(COMMANDS) for told in _words(name))
    for each in fields(Settings):
        option = f"--{each.name.replace('_', '-')}"
        shown = f"`{option}`" if option in takes else ""
        said = UNSAID.get(each.name) or takes[option]
        rows.append(f"| `{PREFIX}{each.name.upper()}` | {shown} | {said} | {_default(each)} |")
    return "\n".join([*rows, ""])


def _words(command: str) -> Iterator[tuple[str, str]]:
    """Give each option of a command, and what its help says without the default."""
    for action in parser(command, "")._actions:
        said = re.sub(r" \(default: [^)]*\)", "", action.help or "")
        yield from ((each, said) for each in action.option_strings)


def _default(each: Any) -> str:
    if each.default is MISSING:
        return BY_MACHINE.get(each.name, "by the machine")
    if isinstance(each.default, Path):
        return "this repository"
    return f"`{each.default}`" if each.default not in ("", (), False) else MEANT.get(each.name, "none")


def tasks() -> str:
    """Return the page of the steps by hand, with what each takes."""
    spec = importlib.util.spec_from_file_location("tasks_of_inv", ROOT / "tasks.py")
    assert spec is not None and spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    from invoke.collection import Collection

    collection = Collection.from_module(found)
    parts = ["# Tasks", MADE]
    for name, task in sorted(collection.tasks.items()):
        parts.append(f"## inv {name}\n\n{inspect.getdoc(task.body) or ''}\n")
        fresh = copy.copy(task)
        fresh.help = dict(task.help)  # invoke takes the help out of the task that it is asked of
        for argument in fresh.get_arguments():
            flags = ", ".join(f"`{'--' if len(each) > 1 else '-'}{each}`" for each in argument.names)
            parts.append(f"- {flags}: {argument.help or 'needed'}")
        parts.append("")
    return "\n".join(parts)


def subject_toml() -> str:
    """Return the page of subject.toml: each table, its keys, their types and defaults."""
    parts = ["# subject.toml", MADE, "What boxproof knows about a box. Paths are relative to the file."]
    parts += ["[Adding a subject](../adding-a-subject.md#every-key) says what each key is for.\n"]
    parts += _table("", model.Subject, set())
    return "\n".join(parts)


def _table(name: str, kind: type[BaseModel], seen: set[type[BaseModel]]) -> list[str]:
    seen.add(kind)
    told = (inspect.getdoc(kind) or "").splitlines()
    said = told[0].replace("``", "`") if told else ""
    rows = [f"## {f'[{name}]' if name else 'At the top'}\n", said, ""]
    rows += ["| key | type | default |", "|---|---|---|"]
    below: list[tuple[str, type[BaseModel]]] = []
    for key, each in kind.model_fields.items():
        if key == "directory":  # where the file is
            continue
        inner = _models(each.annotation)
        below += [(f"{name}.{key}".lstrip("."), one) for one in inner if one not in seen]
        shown = "table" if inner else _type(each.annotation)
        default = "" if inner else "needed" if each.is_required() else _toml(_given(each))
        rows.append(f"| `{key}` | {shown} | {default} |")
    rows.append("")
    for title, one in below:
        if one not in seen:
            rows += _table(title, one, seen)
    return rows


def _models(annotation: Any) -> list[type[BaseModel]]:
    inner = [each for part in getattr(annotation, "__args__", ()) for each in _models(part)]
    own = isinstance(annotation, type) and issubclass(annotation, BaseModel)
    return [annotation, *inner] if own else inner


def _given(field: FieldInfo) -> Any:
    return field.get_default(call_default_factory=True)


def _toml(value: Any) -> str:
    """Return a default as it would be written, "none" for an empty one."""
    if isinstance(value, tuple | list):
        value = list(value)
    return f"`{json.dumps(value)}`" if value not in ("", [], {}, None) else "none"


def _type(annotation: Any) -> str:
    """Return a type in words: what to write, not how it is kept."""
    words = {str: "text", int: "whole number", bool: "true or false", float: "number"}
    if annotation in words:
        return words[annotation]
    inner, kind = get_args(annotation), get_origin(annotation)
    if kind is Annotated:
        return _type(inner[0])
    if kind is Literal:
        return " or ".join(f"`{each}`" for each in inner)
    if kind is tuple:
        return f"list of {_type(inner[0])}"
    if kind is dict:
        return f"table of {_type(inner[1])}"
    return str(annotation)


def claims() -> str:
    """Return the page of the claims, by area, in the words of the report."""
    parts = ["# Claims", MADE, "## Where they were taken from\n", "Reports name these documents.\n"]
    parts += [f"- **{each.title}**: {each.about}" for each in OURS.sources.values()]
    parts.append("")
    for area, title in OURS.titles().items():
        parts.append(f"## {title}\n")
        for each in (one for one in OURS.claims().values() if one.area == area):
            known = f" ({', '.join(each.maps)})" if each.maps else ""
            parts.append(f"- **{each.id}**: {each.says}{known}")
        parts.append("")
    return "\n".join(parts)
