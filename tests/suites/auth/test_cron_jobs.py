"""What keeps a CronJob from coming often enough."""

from __future__ import annotations

from typing import Any

import pytest

from suites.auth.cron_jobs import hindrances, longest_gap, warned_before


def _ended_after(seconds: int) -> dict[str, Any]:
    return {"jobTemplate": {"spec": {"activeDeadlineSeconds": seconds}}}


@pytest.mark.parametrize(
    ("spec", "number"),
    [
        ({"schedule": "*/10 * * * *"}, 0),
        ({"schedule": "5,35 * * * *"}, 0),
        ({"schedule": "0 * * * *"}, 1),
        ({"schedule": "*/10 3 * * *"}, 1),
        ({"schedule": "*/10 * * * *", "suspend": True}, 1),
        ({"schedule": "*/10 * * * *", "startingDeadlineSeconds": 5}, 1),
        ({"schedule": "@hourly"}, 1),
        ({"schedule": "@daily"}, 1),
        ({"schedule": "0-59/10 * * * *"}, 0),
        ({"schedule": "*/10 * * * *", "jobTemplate": {"spec": {"suspend": True}}}, 1),
        ({"schedule": "*/10 * * * *", "failedJobsHistoryLimit": 0}, 1),
        ({"schedule": "*/10 * * * *", "failedJobsHistoryLimit": 3, "successfulJobsHistoryLimit": 0}, 0),
        ({"schedule": "*/10 * * * *", "jobTemplate": {"spec": {"ttlSecondsAfterFinished": 0}}}, 1),
        ({"schedule": "*/10 * * * *", "jobTemplate": {"spec": {"ttlSecondsAfterFinished": 3600}}}, 0),
        ({"schedule": "*/10 * * * *", "concurrencyPolicy": "Forbid"}, 1),
        ({"schedule": "*/10 * * * *", "concurrencyPolicy": "Forbid", **_ended_after(7200)}, 1),
        ({"schedule": "*/10 * * * *", "concurrencyPolicy": "Forbid", **_ended_after(120)}, 0),
        ({"schedule": "*/10 * * * *", "concurrencyPolicy": "Replace"}, 0),
    ],
)
def test_what_hinders_it(spec: dict[str, Any], number: int) -> None:
    assert len(hindrances(spec, within=30)) == number


def test_the_longest_gap_goes_over_the_hour() -> None:
    assert [longest_gap(each) for each in ("*", "*/20", "50,59", "0,10")] == [1, 20, 51, 50]
    assert [longest_gap(each) for each in ("5-59/10", "7/20", "0-10/5,30", "7")] == [10, 20, 30, 60]


@pytest.mark.parametrize(("said", "minutes"), [(None, 30), ("15", 15), ("90", 30), ("", 30)])
def test_it_warns_no_earlier_than_it_is_told(said: str | None, minutes: int) -> None:
    data = {} if said is None else {"BOX_EXPIRY_WARN_MINUTES": said}
    settings = {"kind": "ConfigMap", "metadata": {"name": "c"}, "data": data}
    container = {"name": "watch", "envFrom": [{"configMapRef": {"name": "c"}}]}
    assert warned_before(container, [settings], 30) == minutes
