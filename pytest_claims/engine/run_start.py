"""The start of the engine: which run this is, and which claims it is about."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from pytest_claims.engine import check_hooks, collection
from pytest_claims.engine.absentees import Absentees
from pytest_claims.engine.stash_keys import (
    ABSENTEES,
    CONTEXT,
    LACKING,
    LATER,
    LOCK,
    REDACTOR,
    SELECTED,
    usage,
)
from pytest_claims.engine.watcher import Watcher
from pytest_claims.faults import UsageError, nearest
from pytest_claims.project import RunContext
from pytest_claims.recording import redaction
from pytest_claims.reports import standing_alone


def start(config: pytest.Config) -> None:
    """Ask which run this is, and which claims it is about; raises pytest.UsageError."""
    config.addinivalue_line("markers", "claim(*ids): the claims a check proves")
    config.addinivalue_line("markers", "needs(*parts): parts of the subject without which it does not run")
    config.addinivalue_line("markers", "scope(name): image, instance (default), cluster or host")
    config.addinivalue_line("markers", "own_cluster: unproven in a cluster that was not made for the run")
    config.addinivalue_line("filterwarnings", "default")  # a warning is no verdict on the subject
    config.option.continue_on_collection_errors = True  # one broken suite blocks its own claims only
    context: RunContext | None = config.hook.pytest_claims_context(config=config)
    config.stash[CONTEXT] = context or standing_alone.context(config)
    secrets = config.hook.pytest_claims_redact(config=config)
    redaction.add(*(each for many in secrets for each in many))
    config.stash[REDACTOR] = redaction.known()
    config.stash[LACKING], config.stash[LATER] = {}, {}
    config.stash[ABSENTEES] = Absentees()
    for each in (sys.modules[__name__], collection, check_hooks):
        config.pluginmanager.register(each, each.__name__)
    config.pluginmanager.register(Watcher(), "pytest_claims.watcher")
    config.pluginmanager.register(config.stash[ABSENTEES], "pytest_claims.absentees")
    try:
        chosen = config.stash[CONTEXT].project.select(config.getoption("claims"))
        config.stash[SELECTED] = frozenset(config.stash[CONTEXT].applicable(chosen))
        _demand_areas(config)
        config.stash[LOCK] = config.stash[CONTEXT].project.red_lock()
    except UsageError as error:
        raise usage(config, error) from error


def _demand_areas(config: pytest.Config) -> None:
    """Raise UsageError for an area of the ini file that no claim is of."""
    known = {each.area for each in config.stash[CONTEXT].project.claims().values()}
    for area in config.getini("claims_observed_areas"):
        if area not in known:
            raise UsageError(f"claims_observed_areas: no area {str(area)!r}", hint=nearest(str(area), known))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of xdist which run it belongs to."""
    node.workerinput[standing_alone.RUN] = node.config.stash[CONTEXT].run
