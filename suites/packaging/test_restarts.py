"""Whose pods an upgrade of the chart replaces, value by value, as its renders tell."""

from __future__ import annotations

from boxproof.fixtures.helm_release import Charts
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope
from suites.packaging import chart_values
from suites.packaging.chart_upgrades import Objects, noted, owed, restarted

pytestmark = [scope("image"), needs("box")]

RESTARTS = require("it replaces the pods of {} and of nothing else", lambda found, wanted: found == wanted)
AS_READ = require("it replaces the pods of what reads it, and of nothing else", lambda wrong: wrong == [])
READ_BY = require("one pod or more reads it", lambda readers: readers)
SERVERS = '--set-json=mcp="{}"'
EACH = (
    "--set=config.BOX_LOG_LEVEL=debug", '--set-json=config.BOX_TOKEN_EXPIRES="2031-01-31"', SERVERS,
    '--set-json=managedSettings="{}"', '--set-json=network.allowed=["a.example"]',
)  # fmt: skip
FLEET = '--set-json=agents={"first": {}, "second": {}}'
NO_READER = "--set=network.except={192.0.2.0/24}"


def one_of_two(option: str) -> str:
    """Return an option of all agents as that of one of the fleet."""
    how, _, assignment = option.removeprefix("--").partition("=")
    return f"--{how}=agents.first.{assignment}"


def readers(asked: str, before: Objects, after: Objects) -> list[str]:
    """Return whose pods read what an upgrade changes; an observation."""
    return observe("readers", asked, owed(before, after))


@claim("helm-config-restarts-its-readers")
def test_each_setting_by_itself_restarts_its_readers(charts: Charts, subject: Subject) -> None:
    """In every tier, and of an agent beside others: each by the part of the chart that is for it."""
    before = charts.rendered()
    with control(
        "without checksums an MCP server restarts nothing, and what is in no ConfigMap has no reader"
    ):
        bare = [noted(each, None) for each in (before, charts.rendered(SERVERS))]
        RESTARTS.fails(restarted(f"{SERVERS}, no checksums", *bare), owed(*bare))
        READ_BY.fails(readers(NO_READER, before, charts.rendered(NO_READER)))
    for name in ("", *sorted(subject.chart.components)):
        before = charts.rendered(components=[name] if name else [])
        for option in EACH:
            after = charts.rendered(option, components=[name] if name else [])
            RESTARTS(restarted(f"{option} {name}", before, after), owed(before, after))
    before = charts.rendered(FLEET)
    for option in EACH:
        after = charts.rendered(FLEET, one_of_two(option))
        READ_BY(readers(one_of_two(option), before, after))
        RESTARTS(restarted(one_of_two(option), before, after), owed(before, after))


def amiss(asked: str, before: Objects, after: Objects) -> list[str]:
    """Return whose pods an upgrade replaces without a reason, or leaves in spite of one; an observation."""
    found = set(restarted(asked, before, after)) ^ set(owed(before, after))
    return observe("pods replaced wrongly, or not", asked, sorted(found))


@claim("helm-config-restarts-its-readers")
def test_no_value_restarts_what_does_not_read_it(charts: Charts) -> None:
    before = charts.rendered()
    with control("an annotation that is another one at each upgrade restarts what reads nothing of it"):
        AS_READ.fails(amiss("marked", before, noted(charts.rendered(NO_READER), {"now": "1"})))
    for name, (then, now) in chart_values.effects(charts.program, charts.chart).items():
        AS_READ(amiss(name, then, now))
