"""The end of a login is told of beforehand."""

from __future__ import annotations

from boxproof.agent.login import FILE, credentials
from boxproof.fixtures.box_fixtures import Tier
from boxproof.fixtures.headless import Headless
from boxproof.kube.client import Kube
from boxproof.probes.pods.node_view import Inside
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, scope
from suites.auth import cron_jobs

MINUTE, DAY = 60, 86_400
CHECK = ("/usr/local/bin/healthcheck", "expiry")
NEAR = {
    "no file": None,
    "10 minutes": credentials("stub-token", expires_in=10 * MINUTE),
    "past": credentials("stub-token", expires_in=-MINUTE),
    "not told": credentials("stub-token", expiresAt=None),
}


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

    for left, file in NEAR.items():
        assert checked(file) == (1, True), left
    with control("a login for 30 days is fine"):
        assert checked(credentials("stub-token", expires_in=30 * DAY)) == (0, True)


@claim("token-expiry-monitored")
def test_the_watch_fails_before_the_login_ends(tier: Tier, kube: Kube, docker, subject: Subject) -> None:
    box = tier(*subject.tiers["watch"])
    inside = Inside(docker, box.pod_object(), box.container)

    def watched(asked: str, file: str | None) -> cron_jobs.Ended:
        inside.write(f"{subject.config_dir}/{FILE}", file or "")
        return cron_jobs.run_now(kube, box.object("CronJob"), asked)

    with control("a login for 30 days is fine"):
        assert watched("30 days", credentials("stub-token", expires_in=30 * DAY)).succeeded
    for asked in ("10 minutes", "not told"):
        found = watched(asked, NEAR[asked])
        assert not found.succeeded, asked
        assert "expire" in found.words
        assert "BackoffLimitExceeded" in found.warnings


@claim("token-expiry-monitored")
@scope("image")
def test_the_documentation_states_the_lifetimes(subject: Subject) -> None:
    def stated(name: str) -> tuple[str, ...]:
        path = subject.path(name)
        text = path.read_text() if path else ""
        return observe("lifetimes", name, tuple(each for each in ("8 hours", "one year") if each in text))

    with control("another page does not state them"):
        assert stated("subject.toml") == ()
    assert stated("docs/authentication.md") == ("8 hours", "one year")
