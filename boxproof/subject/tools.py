"""The tools a box promises, from the one file that has their versions."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from boxproof.errors import SubjectFault
from boxproof.subject.model import Subject


@dataclass(frozen=True, kw_only=True)
class Tool:
    """One tool: the command that shows it at work, the capability and tier it needs, how it refuses elsewhere."""

    name: str
    works: str
    capability: str = ""
    tier: str = "default"
    refusal: str = ""


def tools(subject: Subject) -> dict[str, Tool]:
    """Return the tools of a subject by name; raises SubjectFault if it promises none."""
    path = subject.path(subject.image.tools)
    listed: list[Mapping[str, Any]] = tomllib.loads(path.read_text()).get("tool", []) if path else []
    if not listed:
        raise SubjectFault(f"no tool in {subject.image.tools or 'subject.toml: image.tools'}")
    fields = Tool.__dataclass_fields__
    made = [Tool(**{key: value for key, value in each.items() if key in fields}) for each in listed]
    return {each.name: each for each in made}
