"""Which checks a run has: those of the selected claims; what is not among them is written down, too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from pytest_claims import selection
from pytest_claims.concurrency import scheduling, scopes
from pytest_claims.engine.absentees import SkippedFile, claims_of
from pytest_claims.engine.stash_keys import (
    ABSENTEES,
    CONTEXT,
    LACKING,
    LATER,
    LOCK,
    REDACTOR,
    SELECTED,
    directory_of,
    is_controller,
    usage,
)
from pytest_claims.faults import UsageError
from pytest_claims.recording import records, redaction, source_forms
from pytest_claims.recording.red_lock import RedLock


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the checks of the selected claims; a check without a known claim is a usage error."""
    known = config.stash[CONTEXT].project.claims()
    for item in items:
        ids = claims_of(item)
        if not ids:
            raise usage(config, UsageError(f"{item.nodeid} proves no claim", hint="mark it with @claim(…)"))
        try:
            scope_of(item)
        except UsageError as error:
            raise usage(config, error) from error
        for each in ids:
            if each not in known:
                raise usage(config, selection.unknown(each, known, item.nodeid))
    wanted = config.stash[SELECTED]
    lacking: dict[str, str] = config.stash[LACKING]
    later: dict[str, str] = config.stash[LATER]
    dropped = [item for item in items if wanted.isdisjoint(claims_of(item))]
    items[:] = [item for item in items if not wanted.isdisjoint(claims_of(item))]
    for item in items:
        lack = _lack(item)
        why = "" if lack else (item.ihook.pytest_claims_leave_out(item=item) or "")
        if lack or why:
            dropped.append(item)
            noted, said = (lacking, lack) if lack else (later, why)
            noted |= {each: said for each in claims_of(item) if each not in noted}
    config.stash[ABSENTEES].own.update(dropped)
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = [item for item in items if item not in dropped]
    _demand_apart(config, items)
    items[:] = _ordered(config, items)


def _demand_apart(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Raise a usage error for checks whose records would be taken for one another's, or for none."""
    shown = Counter(config.stash[REDACTOR].text(item.nodeid) for item in items)
    twice = next((name for name, number in shown.items() if number > 1), "")
    if twice:
        hint = "give its parameters ids that tell them apart, without what looks like a secret"
        raise usage(config, UsageError(f"{shown[twice]} checks are called {twice}", hint=hint))


def _lack(item: pytest.Item) -> str:
    """Return why a check cannot be about this subject, "" where it can."""
    absent = item.config.stash[CONTEXT].absent
    return "; ".join(dict.fromkeys(absent[each] for each in needs(item) if each in absent))


def needs(item: pytest.Item) -> tuple[str, ...]:
    """Return the parts of a subject that a check is about, each once."""
    asked = [str(each) for mark in item.iter_markers("needs") for each in mark.args]
    asked += [each for many in item.ihook.pytest_claims_needs(item=item) for each in many]
    return tuple(dict.fromkeys(asked))


def _ordered(config: pytest.Config, items: list[pytest.Item]) -> list[pytest.Item]:
    """Return the slowest first for each worker; those that need the cluster alone come last, together."""
    hands = int(getattr(config, "workerinput", {}).get("workercount", 1))
    known = scheduling.read(directory_of(config))
    if not known:
        return items
    sorted_items = scheduling.slowest_first(items, lambda item: item.nodeid, known)
    sorted_items.sort(key=lambda item: scope_of(item) == "cluster")
    return scheduling.dealt(sorted_items, hands)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Write down everything that must report, so that silence is noticed."""
    config = session.config
    listed = config.getoption("list_checks")
    if listed:
        found = {
            each.nodeid: {"claims": claims_of(each), "form": form_of(each), "needs": needs(each)}
            for each in session.items
        }
        records.write_json(Path(listed), found)
    if is_controller(config) or config.getoption("collectonly"):
        return
    records.save_collected(directory_of(config), {item.nodeid: claims_of(item) for item in session.items})
    lacking: dict[str, str] = config.stash[LACKING]
    later: dict[str, str] = config.stash[LATER]
    records.save_lacking(directory_of(config), lacking)
    absentees = config.stash[ABSENTEES]
    skipped = list(absentees.of_files(config.rootpath, config.stash[CONTEXT].project.claims()))
    records.save_later(directory_of(config), _vanished(config, skipped) | later)
    # of a file that names no claim nobody can say what is missing
    nameless = [f"{name}: skipped as a whole: {reason}" for name, reason, claims in skipped if not claims]
    if absentees.faults or nameless:
        records.save_faults(directory_of(config), [*absentees.faults, *nameless])


def _vanished(config: pytest.Config, skipped: Iterable[SkippedFile]) -> dict[str, str]:
    """Return why selected claims are at best unproven: a check of theirs is not among those that run."""
    project, wanted = config.stash[CONTEXT].project, config.stash[SELECTED]
    lock = config.stash[LOCK] if project.red_required else RedLock()
    found = config.stash[ABSENTEES].reasons(wanted, lock)
    for name, reason, claims in skipped:
        found |= dict.fromkeys(claims & wanted, f"{name} was skipped as a whole: {reason}")
    return {claim: redaction.text(why) for claim, why in found.items()}


def form_of(item: pytest.Item) -> str:
    """Return the form of a check's source, "" for what is no function, or one of two of a name."""
    name = getattr(item, "originalname", "") or ""
    if not name or item.path.suffix != ".py" or not source_forms.is_one(item.path, name):
        return ""
    return source_forms.form_of(item.path, name)


def scope_of(item: pytest.Item) -> scopes.Scope:
    """Return the scope in the nearest scope mark; raises UsageError for an unknown one."""
    mark = item.get_closest_marker("scope")
    return scopes.checked(str(mark.args[0])) if mark else "instance"
