"""Jobs made from a CronJob by hand, and how they ended."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from boxproof.kube.client import Kube, Object
from boxproof.probes.pods import helper_pods
from pytest_claims.faults import DeadlineExceeded
from pytest_claims.recording import observations
from pytest_claims.waiting import until
from suites.agent_starts import told_variables

WARN_MINUTES = "BOX_EXPIRY_WARN_MINUTES"
LOOKS_EVERY = 10  # seconds: the CronJob controller, as the API documents it
SEEN = 300  # seconds: what watches Jobs looks every few minutes
NAMED = {"@hourly": "0 * * * *"}  # the others come more seldom
END = 90.0  # seconds for a pod to be placed, to run and to be counted


@dataclass(frozen=True)
class Ended:
    """Whether a Job succeeded, the last words of its pod, and the reasons of the warnings about it."""

    succeeded: bool
    words: str
    warnings: tuple[str, ...]


def run_now(kube: Kube, cronjob: Object, asked: str) -> Ended:
    """Make a Job from a CronJob, wait for its end and remove it; raises DeadlineExceeded without an end."""
    with ended(kube, cronjob) as (status, pods):
        meta = status["metadata"]
        failed = _end(status) == "Failed"
        seen = Ended(not failed, _words(pods), _warnings(kube, meta, wanted=failed))
    observations.record("job", asked, seen, decides=seen.succeeded)
    return seen


@contextmanager
def ended(kube: Kube, cronjob: Object) -> Iterator[tuple[Object, list[Object]]]:
    """Make a Job from a CronJob and give it, once it has ended, and its pods, for the length of the block.

    Raises DeadlineExceeded without an end.
    """
    meta = {"name": helper_pods.unique("boxproof-job"), "namespace": cronjob["metadata"]["namespace"]}
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": meta,
        "spec": cronjob["spec"]["jobTemplate"]["spec"],
    }

    def over() -> Object | None:
        found = kube.get("Job", meta["name"], meta["namespace"])
        return found if _end(found) else None

    with helper_pods.applied(kube, job):
        status = until(over, timeout=END, what=f"end of the Job {meta['name']}")
        named = f"batch.kubernetes.io/job-name={meta['name']}"
        yield status, kube.list("Pod", meta["namespace"], named)


def hindrances(spec: dict[str, Any], *, within: int) -> list[str]:
    """Return what keeps a CronJob from running on its own every ``within`` minutes, or its failure from view.

    Who looks for a Job that has failed does not find one that is removed at its end.
    Schedules are read in the form "minutes hours …", where the minutes may be "*", spans, steps or numbers.
    """
    made = (spec.get("jobTemplate") or {}).get("spec") or {}
    found = ["it is suspended"] * bool(spec.get("suspend"))
    found += ["each of its Jobs is suspended"] * bool(made.get("suspend"))
    if spec.get("concurrencyPolicy") == "Forbid" and _deadline(made) > within * 60:
        found.append("a Job that hangs keeps the next ones away")
    if spec.get("startingDeadlineSeconds") is not None and int(spec["startingDeadlineSeconds"]) < LOOKS_EVERY:
        found.append("its deadline is shorter than the controller's looks")
    if int(spec.get("failedJobsHistoryLimit", 1)) < 1:
        found.append("no Job that has failed is kept")
    lasts = made.get("ttlSecondsAfterFinished")
    if lasts is not None and int(lasts) < SEEN:
        found.append("a Job that has failed goes at once")
    minutes, *rest = NAMED.get(str(spec["schedule"]), str(spec["schedule"])).split()
    if rest != ["*"] * 4 or longest_gap(minutes) > within:
        found.append(f"it comes too seldom: {spec['schedule']}")
    return found


def _deadline(job: dict[str, Any]) -> float:
    """Return the seconds after which a Job is ended, whatever it waits for; without end for none."""
    pod = (job.get("template") or {}).get("spec") or {}
    told = [each["activeDeadlineSeconds"] for each in (job, pod) if each.get("activeDeadlineSeconds")]
    return min(map(float, told), default=math.inf)


def warned_before(container: Mapping[str, Any], objects: Sequence[Object], usual: int) -> int:
    """Return how many minutes before the end a container warns: ``usual``, or fewer where it is told so."""
    said = dict(told_variables(container, objects)).get(WARN_MINUTES, "")
    return min(usual, int(float(said))) if said else usual


def longest_gap(minutes: str) -> int:
    """Return the longest time between two runs, in minutes, of a schedule's first field."""
    at = sorted({one for each in minutes.split(",") for one in _span(each)})
    return max(after - before for before, after in zip(at, [*at[1:], at[0] + 60], strict=True))


def _span(text: str) -> range:
    """Return the minutes of one part of that field: "*", "5", "5-20", each with "/N" or without."""
    span, _, step = text.partition("/")
    first, _, last = ("0-59" if span == "*" else span).partition("-")
    return range(int(first), int(last or (59 if step else first)) + 1, int(step or 1))


def _end(job: Object) -> str:
    status: dict[str, Any] = job.get("status", {})
    true = {each["type"] for each in status.get("conditions") or () if each["status"] == "True"}
    return next((each for each in ("Complete", "Failed") if each in true), "")


def _words(pods: list[Object]) -> str:
    states = [each["state"] for pod in pods for each in pod["status"].get("containerStatuses") or ()]
    return " ".join(each.get("terminated", {}).get("message", "") for each in states).strip()


def _warnings(kube: Kube, meta: dict[str, str], *, wanted: bool) -> tuple[str, ...]:
    def found() -> tuple[str, ...]:
        events = kube.list("Event", meta["namespace"])
        about = [each for each in events if each.get("involvedObject", {}).get("name") == meta["name"]]
        return tuple(sorted({each["reason"] for each in about if each.get("type") == "Warning"}))

    if wanted:  # an event comes a moment after the state it tells of; that none comes is an answer
        with suppress(DeadlineExceeded):
            return until(found, timeout=10, what=f"a warning about {meta['name']}")
    return found()
