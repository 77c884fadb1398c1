"""Tracing as the runbook says does not stop the process that is traced."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from boxproof.agent.agent_tools import Exec
from boxproof.deployment.box import Box
from boxproof.fixtures.factories import Twins
from boxproof.kube.exec import ExecResult
from boxproof.probes.pods.probe_pods import Twin
from pytest_claims import claim, control, observe
from pytest_claims.pace import stretched
from pytest_claims.recording.evidence import Evidence
from pytest_claims.waiting import until

CALLS = 2000  # in a batch
SECONDS = 10  # of tracing; it begins with what the tracer needs to start
LOOP = f"""
import json, os, time
def switches():
    with open('/proc/self/status') as file:
        return next(int(line.split()[1]) for line in file if line.startswith('voluntary_ctxt'))
while not os.path.exists('/tmp/go'):
    time.sleep(0.05)
batches, end = [], time.monotonic() + 1800
while not os.path.exists('/tmp/stop') and time.monotonic() < end:
    before, began = switches(), time.monotonic()
    for _ in range({CALLS}):
        os.getppid()
    batches.append((switches() - before, time.monotonic() - began))
with open('/tmp/told.part', 'w') as file:
    json.dump(batches, file)
os.rename('/tmp/told.part', '/tmp/told')
time.sleep(3600)
"""
ID = '"$(crictl ps --quiet --label io.kubernetes.pod.name=$0)"'
PID = "crictl inspect --output go-template --template '{{.info.pid}}' " + ID


def traced(twin: Twins, box: Box, label: str, trace: Callable[[Twin], ExecResult]) -> dict[str, Any]:
    """Return how many stops a call cost at worst, and the tracer's words."""
    pod = twin(node=box.node, fresh=True, command=["python3", "-c", LOOP])
    assert pod.exec(["touch", "/tmp/go"]).ok  # before, so that the tracer finds it at work
    done = trace(pod)
    assert pod.exec(["touch", "/tmp/stop"]).ok
    told = until(lambda: pod.exec(["cat", "/tmp/told"]).stdout, timeout=90, what="the loop's end")
    batches = json.loads(told)
    worst = max(stops for stops, _ in batches) / CALLS
    observe("stopped at each call", label, worst >= 1)
    return {
        "stops": worst,
        "slowest batch, seconds": max(seconds for _, seconds in batches),
        "quickest batch, seconds": min(seconds for _, seconds in batches),
        "said": (done.stdout + done.stderr)[-3000:],
    }


@claim("dbg-tracing-low-overhead")
def test_the_runbook_traces_without_stopping_the_process(
    twin: Twins, box: Box, node: Callable[[], Exec], script: Callable[..., ExecResult], evidence: Evidence
) -> None:
    def strace(pod: Twin) -> ExecResult:
        pid = node()(["sh", "-c", PID, pod.name]).stdout.strip()
        words = ["timeout", "--signal=INT", f"{stretched(SECONDS)}", "/usr/bin/strace", "-c", "-p", pid]
        return node()(words, timeout=SECONDS + 120)

    def runbook(pod: Twin) -> ExecResult:
        place = f"{pod.namespace}/{pod.name}"
        return script("trace.sh", place, "probe", f"{stretched(SECONDS):.0f}", timeout=SECONDS + 120)

    with control("strace -c, which is to be the cheap form, stops it at each call"):
        counted = traced(twin, box, "strace -c", strace)
        assert "getppid" in counted["said"], counted["said"]
        assert counted["stops"] >= 1, counted
    found = traced(twin, box, "the runbook", runbook)
    evidence("tracing.json", {"strace -c": counted, "the runbook": found})
    assert "getppid" in found["said"], f"it traced nothing: {found['said']}"
    assert found["stops"] < 0.1, f"{found['stops']} stops a call: {found['said']}"
