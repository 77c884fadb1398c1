"""What gives a variable its value beside a container's own list: other keys, files, a shell's words."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from boxproof.subject.variables import filled

Object = Mapping[str, Any]
REFERS = {"configMapKeyRef": "ConfigMap", "secretKeyRef": "Secret"}
TAKES_ALL = {"configMapRef": "ConfigMap", "secretRef": "Secret"}
OF_A_SHELL = re.compile(r"(\.(sh|bash|env|zsh)|(^|/)\.?(env|\w*rc|\w*profile))$")
REMARKS = re.compile(r"^\s*#.*$", re.MULTILINE)
BY_A_SHELL = re.compile(r"#!\s*\S*(/env\s+)?\S*sh\b")


def by_reference(container: Object, made: Sequence[Object], variable: str) -> Iterator[str]:
    """Give the values that a container takes for a variable from other objects under other names."""
    for one in container.get("env") or ():
        told = (one.get("valueFrom") or {}) if one.get("name") == variable else {}
        for key, kind in REFERS.items():
            named = told.get(key) or {}
            yield from _value(made, kind, named.get("name"), named.get("key"))
    for one in container.get("envFrom") or ():
        prefix = str(one.get("prefix") or "")
        if prefix and variable.startswith(prefix):
            for key, kind in TAKES_ALL.items():
                named = one.get(key) or {}
                yield from _value(made, kind, named.get("name"), variable.removeprefix(prefix))


def _value(made: Sequence[Object], kind: str, name: object, key: object) -> Iterator[str]:
    for each in made:
        if each["kind"] == kind and each["metadata"]["name"] == name and key in _data(each):
            yield _data(each)[str(key)]


def _data(item: Object) -> dict[str, str]:
    """Return what an object of settings says, by key; a Secret has it in one of two forms."""
    plain = {**(item.get("data") or {})}
    if item["kind"] == "Secret":
        plain = {key: _decoded(str(each)) for key, each in plain.items()} | {**(item.get("stringData") or {})}
    return {str(key): str(each) for key, each in plain.items()}


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode(errors="replace")
    except (binascii.Error, ValueError):  # filled in by somebody
        return text


def in_a_shell(text: str, variable: str) -> list[str]:
    """Return the values that a shell's words give a variable, "" where they take it away.

    Of a value that only the user can say nothing is known.
    """
    name, text = re.escape(variable), REMARKS.sub("", text)
    given = re.findall(rf"(?:^|[\s;&|(\"']){name}=[\"']?([^\s;&|\"')]*)", text)
    unset = rf"\bunset\s+(?:[-\w]+\s+)*{name}\b|\benv\s[^;&|\n]*(?:-u\s*|--unset[= ]){name}\b"
    known = [each for each in map(filled, given) if "$" not in each]
    return [*known, *("" for _ in re.findall(unset, text))]


def in_scripts(written: Mapping[str, Any], variable: str) -> Iterator[str]:
    """Give the values that the scripts and files of variables among settings give a variable."""
    for key, text in written.items():
        if OF_A_SHELL.search(str(key)) or BY_A_SHELL.match(str(text)):
            yield from in_a_shell(str(text), variable)
