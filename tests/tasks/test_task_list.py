"""inv -l: every task once, under the heading of its work; the same words for the same options."""

from __future__ import annotations

import copy
import importlib.util
import sys
from collections import Counter, defaultdict
from typing import Any

import pytest
from invoke.collection import Collection
from invoke.parser.argument import Argument
from invoke.tasks import Task

from boxproof.core.settings import ROOT
from boxproof.tasks import task_errors


@pytest.fixture
def collection(monkeypatch: pytest.MonkeyPatch) -> Collection:
    """The tasks of this repository, as a process finds them: one that invoke ran has lost its help."""
    for name in [
        each for each in sys.modules if each.startswith("boxproof.tasks.") and each.endswith("_tasks")
    ]:
        monkeypatch.delitem(sys.modules, name)
    spec = importlib.util.spec_from_file_location("own_tasks", ROOT / "tasks.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return Collection.from_module(module)


def arguments_of(task: Task[Any]) -> list[Argument]:
    """Return what a task takes; invoke takes the help out of the task that it is asked of."""
    fresh = copy.copy(task)
    fresh.help = dict(task.help)
    return list(fresh.get_arguments())


def test_every_task_stands_under_one_heading(collection: Collection) -> None:
    names = [name.strip() for name, _ in task_errors.listed(collection) if name.startswith("  ")]
    assert Counter(names) == Counter(map(str, collection.tasks))
    headings = [name for name, says in task_errors.listed(collection) if says is None]
    assert headings == [f"{each}:" for each in task_errors.GROUPS]


def test_the_groups_name_no_task_that_is_not_there(collection: Collection) -> None:
    assert {each for many in task_errors.GROUPS.values() for each in many} <= set(map(str, collection.tasks))


def test_an_option_means_the_same_everywhere(collection: Collection) -> None:
    kinds: dict[str, set[object]] = defaultdict(set)
    for task in collection.tasks.values():
        for argument in arguments_of(task):
            kinds[str(argument.name)].add(argument.kind)
    assert {name: found for name, found in kinds.items() if len(found) > 1} == {}
    assert not any(name.startswith("as_") and name != "as_json" for name in kinds)


def test_a_letter_means_the_same_everywhere(collection: Collection) -> None:
    letters: dict[str, set[str]] = defaultdict(set)
    for task in collection.tasks.values():
        for argument in arguments_of(task):
            letters[str(argument.name)] |= {each for each in argument.names if len(each) == 1}
    assert letters["suffix"] == {"s"}
    assert letters["container"] == {"c"}
    assert not any("h" in found for found in letters.values())  # it asks for help


def test_every_option_says_what_it_is_for(collection: Collection) -> None:
    silent = [
        f"{task.name} --{argument.name}"
        for task in collection.tasks.values()
        for argument in arguments_of(task)
        if not argument.help
    ]
    assert silent == []
