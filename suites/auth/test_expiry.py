"""The end of a login is told of beforehand."""

from __future__ import annotations

import copy
from typing import Any

from boxproof.agent.login import FILE, credentials
from boxproof.fixtures.agent_modes import Headless
from boxproof.fixtures.box_fixtures import Tier
from boxproof.kube.client import Kube
from boxproof.probes.pods.node_view import Inside
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, require, scope
from suites.auth import cron_jobs
from suites.auth.cron_jobs import WARN_MINUTES

MINUTE, DAY = 60, 86_400
CHECK = ("/usr/local/bin/healthcheck", "expiry")
NEAR = {
    "no file": None,
    "10 minutes": credentials("stub-token", expires_in=10 * MINUTE),
    "past": credentials("stub-token", expires_in=-MINUTE),
    "not told": credentials("stub-token", expiresAt=None),
}


WARNS = require("the check fails, and says how many seconds are left", lambda found: found == (1, True))
FAILS = require(
    "the watch fails, says that the login expires, and an event tells of it",
    lambda found: (
        not found.succeeded and "expire" in found.words and "BackoffLimitExceeded" in found.warnings
    ),
)
STATES = require("the documents state both lifetimes", lambda found: found == ("8 hours", "one year"))
COMES = require("nothing keeps it from coming, often enough to warn in time", lambda found: found == [])
WARNED_BEFORE = 30  # minutes: what healthcheck expiry calls few (docs/authentication.md)


@claim("token-expiry-monitored")
@scope("image")
def test_the_health_check_reports_an_end_that_is_near_or_unknown(headless: Headless) -> None:
    box = headless(entrypoint=["sleep", "3600"]).start()

    def checked(file: str | None) -> tuple[int, bool]:
        """Return the exit code, and whether the seconds left are reported."""
        if file is not None:
            box.put({headless.file: (file.encode(), 0o644)})
        ended = box.exec(CHECK)
        return observe("expiry check", file or "no file", (ended.code, "expires_in_seconds" in ended.stdout))

    for file in NEAR.values():
        WARNS(checked(file))
    with control("a login for 30 days is fine"):
        assert WARNS.fails(checked(credentials("stub-token", expires_in=30 * DAY))) == (0, True)


@claim("token-expiry-monitored")
def test_the_watch_fails_before_the_login_ends(tier: Tier, kube: Kube, docker, subject: Subject) -> None:
    box = tier(*subject.tiers["watch"])
    inside = Inside(docker, box.pod_object(), box.container)

    def watched(asked: str, file: str | None) -> cron_jobs.Ended:
        inside.write(f"{subject.config_dir}/{FILE}", file or "")
        return cron_jobs.run_now(kube, box.object("CronJob"), asked)

    with control("a login for 30 days is fine"):
        found = FAILS.fails(watched("30 days", credentials("stub-token", expires_in=30 * DAY)))
        assert found.succeeded
    for asked in ("10 minutes", "not told"):
        FAILS(watched(asked, NEAR[asked]))


@claim("token-expiry-monitored")
def test_the_watch_comes_by_itself_and_often_enough(tier: Tier, kube: Kube, subject: Subject) -> None:
    box = tier(*subject.tiers["watch"], ready=False)
    meta = box.object("CronJob")["metadata"]
    live = kube.get("CronJob", meta["name"], box.namespace)

    def hindrances(spec: dict[str, Any], asked: str, **told: str) -> list[str]:
        watch = spec["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]
        own = {"env": [*(watch.get("env") or ()), *({"name": key, "value": told[key]} for key in told)]}
        within = cron_jobs.warned_before(watch | own, box.objects, WARNED_BEFORE)
        return observe("what keeps it from coming", asked, cron_jobs.hindrances(spec, within=within))

    endless = copy.deepcopy(live["spec"]) | {"concurrencyPolicy": "Forbid"}
    endless["jobTemplate"]["spec"].pop("activeDeadlineSeconds", None)
    wrong = {
        "suspended": live["spec"] | {"suspend": True},
        "seldom": live["spec"] | {"schedule": "0 3 * * 1"},
        "kept away by one that hangs": endless,
    }
    for what, spec in wrong.items():
        with control(f"one that is {what} is seen"):
            COMES.fails(hindrances(spec, what))
    with control("one that warns a minute before is seen"):
        COMES.fails(hindrances(live["spec"] | {"schedule": "*/10 * * * *"}, "late", **{WARN_MINUTES: "1"}))
    COMES(hindrances(live["spec"], "as applied"))


@claim("token-expiry-monitored")
@scope("image")
def test_the_documentation_states_the_lifetimes(subject: Subject) -> None:
    def stated(name: str) -> tuple[str, ...]:
        path = subject.path(name)
        text = path.read_text() if path else ""
        return observe("lifetimes", name, tuple(each for each in ("8 hours", "one year") if each in text))

    with control("another page does not state them"):
        STATES.fails(stated("subject.toml"))
    STATES(stated("docs/authentication.md"))
