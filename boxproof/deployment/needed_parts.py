"""Which part of the subject a fixture stands for: a check that uses it is about subjects that have it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

# by the fixture's name; what a fixture gives of any box stands for nothing
PARTS: dict[str, tuple[str, ...]] = {
    "argv": ("mcp",),
    "box": ("workload",),
    "box_applied": ("workload",),
    "charts": ("chart-beside",),
    "clones": ("clone",),
    "composed": ("compose",),
    "container": ("image",),
    "documented": ("command:run",),
    "hanging": ("box",),
    "headless": ("box", "claude-code"),
    "image": ("image",),
    "kept": ("storage",),
    "listed": ("tools",),
    "make_box": ("workload",),
    "mine": ("claude-code",),
    "modes": ("box",),
    "namespaced": ("tier:namespaced",),
    "on_node": ("node-tools",),
    "operator": ("tier:operator",),
    "rendered": ("workload",),
    "sandbox": ("sandbox",),
    "default_tier": ("workload",),
    "script": ("node-scripts",),
    "shipped": ("box",),
    "shipped_once": ("box",),
    "served": ("box",),
    "steps": ("command:deploy",),
    "stub": ("claude-code",),
    "tools": ("tools",),
    "written": ("dockerfile",),
}


def of_check(item: pytest.Item) -> Iterator[str]:
    """Give the parts that a check's fixtures, and the fixture that a parameter names, stand for."""
    chosen = getattr(item, "callspec", None)
    named = [str(each) for each in chosen.params.values()] if chosen is not None else []
    for name in [*getattr(item, "fixturenames", ()), *named]:
        yield from PARTS.get(name, ())
