"""Which part of the subject a fixture stands for: a check that uses it is about subjects that have it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

# by the fixture's name; what a fixture gives of any box stands for nothing
PARTS: dict[str, tuple[str, ...]] = {
    "argv": ("mcp",),
    "as_written": ("workload", "template"),
    "box": ("workload",),
    "box_applied": ("workload",),
    "charts": ("chart-beside",),
    "clones": ("clone",),
    "compose_services": ("compose",),
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
    "own_documents": ("box",),
    "rendered": ("workload", "template"),
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


CLUSTER = frozenset(
    {
        "access", "aside", "box", "box_applied", "charts", "cluster", "command", "kube", "listener",
        "make_box", "mine", "nested", "outside", "sandbox", "steps", "stub", "tier", "twin",
    }
)  # fmt: skip
IMAGE = frozenset({"container", "docker", "engine", "image", "image_config", "image_layers"})


def stage_of(item: pytest.Item) -> str:
    """Return the stage from which on a check can run: "static", "image" or "cluster", by its fixtures."""
    given = set(getattr(item, "fixturenames", ())) - set(_parameters(item))
    return "cluster" if given & CLUSTER else "image" if given & IMAGE else "static"


def _parameters(item: pytest.Item) -> dict[str, object]:
    chosen = getattr(item, "callspec", None)
    return dict(chosen.params) if chosen is not None else {}


def of_check(item: pytest.Item) -> Iterator[str]:
    """Give the parts that a check's fixtures, and the fixture that a parameter names, stand for."""
    chosen = _parameters(item)
    given = [each for each in getattr(item, "fixturenames", ()) if each not in chosen]
    for name in [*given, *map(str, chosen.values())]:
        yield from PARTS.get(name, ())
    stage = stage_of(item)
    yield from {"static": (), "image": ("image",), "cluster": ("workload",)}[stage]
