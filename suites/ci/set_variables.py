"""The variables that a subject's objects, Compose files and values of a chart set, wherever they stand."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from boxproof.core.session import Session
from boxproof.subject.manifests import compose_file, shipped
from boxproof.subject.model import Subject
from suites.image import deployed_words

VARIABLE = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*")
ASSIGNED = re.compile(r"(?P<name>[A-Z][A-Z0-9_]*)=(?P<value>.*)", re.DOTALL)


def shipped_by(session: Session, subject: Subject) -> dict[str, dict[str, str]]:
    """Return the variables with their values, by the file or the tier that sets them."""
    found = {where: of_tree(list(made)) for where, made in deployed_words.objects(session, subject).items()}
    for path in shipped.files(subject, "*.yaml", "*.yml"):
        every = [each for each in compose_file.documents(path) if "apiVersion" not in each]
        if every:
            found[str(path.relative_to(subject.directory))] = of_tree(every)
    found |= {where: of_tree(content) for where, content in shipped.compose(subject).items()}
    return found


def of_tree(item: Any) -> dict[str, str]:
    """Return the variables that are set in something, however deep; of one set twice the last value."""
    return dict(_of(item))


def _of(item: Any) -> Iterator[tuple[str, str]]:
    if isinstance(item, Mapping):
        name = str(item.get("name", ""))
        if VARIABLE.fullmatch(name) and ("value" in item or "valueFrom" in item):
            yield name, str(item.get("value", "from elsewhere"))
        for key, each in item.items():
            if VARIABLE.fullmatch(str(key)) and not isinstance(each, Mapping | list):
                yield str(key), _plain(each)
            yield from _of(each)
    elif isinstance(item, list | tuple):
        for each in item:
            assigned = ASSIGNED.fullmatch(each) if isinstance(each, str) else None
            if assigned:
                yield assigned["name"], assigned["value"]
            yield from _of(each)


def _plain(value: Any) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
