"""The ``{places}`` in the words of subject.toml that are filled in, and which of them a key may have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from string import Formatter
from typing import TYPE_CHECKING

from pytest_claims.faults import UsageError, one_line

if TYPE_CHECKING:
    from boxproof.subject.model import Subject

STEP = ("cluster", "container", "name", "namespace", "suffix", "timeout", "workload")
OF_COMMANDS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("up", "preflight", "build", "deploy", "down", "stale", "mend"), STEP),
    "rotate": (*STEP, "file"),
    "load": ("cluster", "image"),
    "recovery": ("cluster", "container", "image", "namespace", "workload"),
    "capture": ("container", "directory", "filter", "image", "name", "namespace", "pod", "seconds"),
    "private": ("image", "netrc", "password", "url"),
    "release": ("registry",),
    "test": (),
    "scan": (),
    "prune": (),
}  # ``run`` and ``tag`` are carried out as they stand: braces in them are the engine's, or a shell's


def demand(subject: Subject) -> None:
    """Raise UsageError for the first word with a place that nothing is filled into, or with a lone brace."""
    for where, words, allowed in _written(subject):
        for word in words:
            wrong = _wrong(word, allowed)
            if wrong:
                known = ", ".join(f"{{{each}}}" for each in allowed) or "no places"
                raise UsageError(
                    f"subject.toml: {where}={one_line(repr(word), 80)}: {wrong}",
                    hint=f"allowed: {known}; a brace that is meant is written twice, as {{{{ or }}}}",
                )


def _written(subject: Subject) -> Iterator[tuple[str, Sequence[str], tuple[str, ...]]]:
    """Give the words of each key that is filled in, with the places that it may have."""
    for key, allowed in OF_COMMANDS.items():
        value = getattr(subject.commands, key)
        if key == "recovery":
            yield from ((f"commands.{key}.{at}", words, allowed) for at, words in enumerate(value))
        else:
            yield f"commands.{key}", value, allowed
    sandbox, chart = subject.sandbox, subject.chart
    yield "sandbox.command", sandbox.command, ("python", "subject")
    yield "sandbox.tier", sandbox.tier, ("tier",)
    yield "sandbox.profile", sandbox.profile, ("name",)
    yield "chart.image", chart.image, ("name", "tag")
    yield "chart.agent", chart.agent, ("name",)
    for name, words in chart.components.items():
        yield f"chart.components.{name}", words, ("files", "subject")


def _wrong(word: str, allowed: tuple[str, ...]) -> str:
    """Return what is wrong with the places of a word, "" where nothing is."""
    try:
        named = [field for _, field, _, _ in Formatter().parse(word) if field is not None]
    except ValueError:
        return "it has a brace alone"
    unknown = next((each for each in named if each not in allowed), None)
    return "" if unknown is None else f"nothing is filled in for {one_line(f'{{{unknown}}}', 60)}"
