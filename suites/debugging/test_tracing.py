"""Tracing as the runbook says does not stop the process that is traced."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from boxproof.agent.agent_tools import Exec
from boxproof.core.process import Result as ExecResult
from boxproof.deployment.box import Box
from boxproof.fixtures.factories import Twins
from boxproof.probes.pods.probe_pods import Twin
from boxproof.subject.manifests import shipped
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, require, scope
from pytest_claims.pace import stretched
from pytest_claims.recording.check import Evidence
from pytest_claims.waiting import until
from suites.debugging import cost_words

CHEAP = require(
    "it traces, and stops the process less than once in ten calls", lambda found: found[0] and found[1] < 0.1
)
TOLD = require("the documents say what strace -c costs", lambda told: told)
STRACE = re.compile(r"strace -c\b")
CHEAP_WORDS = ("stop it with Ctrl-C", "it does not slow the process down", "it counts without stopping it")
CALLS = 2000  # in a batch
PAUSE = 0.2  # seconds between two batches: a loop without any would keep a processor busy
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
    time.sleep({PAUSE})
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

    def cost(label: str, found: dict[str, Any]) -> tuple[bool, float]:
        """Return whether it traced the process, and how often a call stopped it at worst; an observation."""
        return observe("traced, and stops a call", label, ("getppid" in found["said"], found["stops"]))

    with control("strace -c, which is to be the cheap form, stops it at each call"):
        counted = traced(twin, box, "strace -c", strace)
        seen = CHEAP.fails(cost("strace -c", counted))
        assert seen[0] and seen[1] >= 1, counted
    found = traced(twin, box, "the runbook", runbook)
    evidence("tracing.json", {"strace -c": counted, "the runbook": found})
    CHEAP(cost("the runbook", found))


@claim("dbg-tracing-low-overhead")
@scope("image")
def test_the_runbook_says_what_strace_costs(subject: Subject) -> None:
    """Including its -c: the documents count that as full strace."""

    def says(asked: str, text: str) -> bool:
        found = any(STRACE.search(each) and cost_words.told(each) for each in re.split(r"\n\s*\n", text))
        return observe("the cost of strace -c is told", asked, found)

    with control("a text that recommends it as cheap does not"):
        TOLD.fails(says("another text", "Use `strace -c`: it is cheap.\n\nA debugger stops the process."))
        for each in CHEAP_WORDS:
            TOLD.fails(says(each, f"Use `strace -c`: {each}."))
    documents = sorted((subject.directory / "docs").glob("*.md"))
    TOLD(says("the documents", "\n\n".join(each.read_text() for each in documents)))


NONE_SILENT = require("each document that names strace -c says what it costs", lambda silent: silent == [])


@claim("dbg-tracing-low-overhead")
@scope("image")
def test_no_document_names_it_without_its_cost(subject: Subject) -> None:
    """That one page says so is no use to a reader of another one."""

    def silent(asked: str, documents: Mapping[str, str]) -> list[str]:
        said = [
            (name, cost_words.told(each))
            for name, text in documents.items()
            for each in re.split(r"\n\s*\n", text)
            if STRACE.search(each)
        ]
        found = {name for name, _ in said} - {name for name, cost in said if cost}
        return observe("documents that name it without its cost", asked, sorted(found))

    files = shipped.files(subject, "*.md")
    pages = {str(each.relative_to(subject.directory)): each.read_text() for each in files}
    with control("another page that recommends it as cheap is seen"):
        more = {"another.md": "Use `strace -c`: it is cheap.\n\nA debugger stops the process."}
        assert "another.md" in NONE_SILENT.fails(silent("with another", pages | more))
        for each in CHEAP_WORDS:
            more = {"another.md": f"`strace -c` counts the calls: {each}."}
            assert "another.md" in NONE_SILENT.fails(silent(each, pages | more)), each
    NONE_SILENT(silent("the documents", pages))


ATTACHES = re.compile(  # or counts, which is attaching too, however the options are written
    r"\b[sl]trace\b(?=[^`\n|;]*\s(?:-\w*[cCp]\w*|--summary(?:-only)?|--attach)\b)"
)
CONTINUED = re.compile(r"\\\n\s*")
NONE_CHEAP = require(
    "each document and script that attaches strace or ltrace says what that costs",
    lambda silent: silent == [],
)


@claim("dbg-tracing-low-overhead")
@scope("image")
def test_no_document_attaches_strace_without_its_cost(subject: Subject) -> None:
    """Counting is one of several ways to do it, and may be written in many; a script is read like a page."""

    def silent(asked: str, texts: Mapping[str, str]) -> list[str]:
        found = []
        for name, text in texts.items():
            joined = CONTINUED.sub(" ", text)
            parts = re.split(r"\n\s*\n", joined) if name.endswith(".md") else [joined]
            said = [each for each in parts if ATTACHES.search(each)]
            if said and not any(cost_words.told(each) for each in said):
                found.append(name)
        return observe("documents and scripts that attach it without its cost", asked, sorted(found))

    files = shipped.files(subject, "*.md", *shipped.SCRIPTS)
    texts = {str(each.relative_to(subject.directory)): each.read_text(errors="replace") for each in files}
    with control("another page, and a script, that do so as if it were cheap are seen"):
        for words in ("-fcp 1", "-f -p 1", "-C -p 1", "--summary-only --attach=1", "-c ls", "\\\n  -p 1"):
            page = f"It is cheap:\n```\nstrace {words}\n```\n\nA debugger stops the process."
            script = f"# What it does\nltrace {words}\n"
            assert {"another.md", "another.sh"} <= set(
                NONE_CHEAP.fails(silent(words, texts | {"another.md": page, "another.sh": script}))
            ), words
    NONE_CHEAP(silent("the documents and scripts", texts))
