"""The end of a token from the environment, which does not say it itself: whoever made it notes the day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from boxproof.deployment.deploy import COMPONENTS
from boxproof.fixtures.agent_modes import Headless
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.kube.client import Kube
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope
from suites.auth import cron_jobs
from suites.auth.test_expiry import CHECK

DAY = "BOX_TOKEN_EXPIRES"
CONFIG = "claude-config"
NEAR, FAR = 10, 60  # days; docs/authentication.md calls fourteen few
WARNS = require("the check fails, and says how many seconds are left", lambda found: found == (1, True))
WATCH_FAILS = require(
    "the watch fails, says that the token expires, and an event tells of it",
    lambda found: (
        not found.succeeded and "expire" in found.words and "BackoffLimitExceeded" in found.warnings
    ),
)


def day(from_now: int) -> str:
    """Return a day as the setting has it, so many days from now on."""
    return (datetime.now(UTC) + timedelta(days=from_now)).date().isoformat()


@claim("token-expiry-monitored")
@scope("image")
def test_the_health_check_reports_the_end_of_a_token_of_the_environment(
    headless: Headless, token: str
) -> None:
    box = headless(env=token, entrypoint=["sleep", "3600"]).start()

    def checked(asked: str, said: str) -> tuple[int, bool]:
        """Return the exit code, and whether the seconds left are reported."""
        ended = box.exec(CHECK, environment={DAY: said})
        return observe("expiry check", asked, (ended.code, "expires_in_seconds" in ended.stdout))

    for asked, said in {
        f"in {NEAR} days": day(NEAR),
        "past": day(-1),
        "not told": "",
        "no day": "soon",
    }.items():
        WARNS(checked(asked, said))
    with control(f"one that lasts {FAR} days is fine"):
        assert WARNS.fails(checked(f"in {FAR} days", day(FAR))) == (0, True)


@claim("token-expiry-monitored")
@needs("tier:watch")
def test_the_watch_fails_before_a_token_of_a_secret_ends(
    make_box: MakeBox, kube: Kube, subject: Subject
) -> None:
    """It does not hold that token: it is told its last day, as the agent is."""
    box = make_box(components=(*COMPONENTS, *subject.tiers["watch"]))
    path = kube.path("ConfigMap", CONFIG, box.namespace)

    def watched(asked: str, said: str) -> cron_jobs.Ended:
        kube.patch(path, {"data": {DAY: said}})
        return cron_jobs.run_now(kube, box.object("CronJob"), asked)

    with control(f"one that lasts {FAR} days is fine"):
        assert WATCH_FAILS.fails(watched(f"in {FAR} days", day(FAR))).succeeded
    WATCH_FAILS(watched(f"in {NEAR} days", day(NEAR)))
