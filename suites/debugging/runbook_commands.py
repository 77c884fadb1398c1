"""What a subject's runbooks tell people to run on a node, and in a cluster."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import yaml

BLOCK = re.compile(r"^\s*(?:```|~~~)[^\n]*\n(.*?)^\s*(?:```|~~~)", re.MULTILINE | re.DOTALL)
LINES = re.compile(r"\\\n\s*")
FORCED = (
    re.compile(r"\b(?:crictl|nerdctl)\b[^|;&#\n]*\brmp?\b[^|;&#\n]*\s(?:-\w*f\w*|--force)\b"),
    re.compile(
        r"\bctr\b[^|;&#\n]*\b(?:kill|rm|delete)\b[^|;&#\n]*"
        r"\s(?:-\w*f\w*|--force|(?:-s|--signal)[ =](?:SIG)?(?:KILL|9))"
    ),
    re.compile(r"\bkubectl\b[^|;&#\n]*\bdelete\b[^|;&#\n]*\s(?:--force\b|--now\b|--grace-period[ =][01]\b)"),
    re.compile(r"\bkubectl\b[^|;&#\n]*\breplace\b[^|;&#\n]*\s--force\b"),
    re.compile(r"\bcrictl\b[^|;&#\n]*\bstopp?\b[^|;&#\n]*\s(?:-t|--timeout)[ =][01]\b"),
    # its own time-out is 0, and that of a pod's sandbox always
    re.compile(r"\bcrictl\b[^|;&#\n]*\bstop\b(?![^|;&#\n]*[\s\"'](?:-\w*t|--timeout)\b)"),
    re.compile(r"\bcrictl\b[^|;&#\n]*\bstopp\b"),
    # an engine without a cluster, and whoever sends the signal by hand
    re.compile(r"\b(?:docker|podman)(?:\s+-\S+)*(?:\s+container)?\s+rm\b[^|;&#\n]*\s(?:-\w*f\w*|--force)\b"),
    re.compile(
        r"\b(?:docker|podman|nerdctl)(?:\s+-\S+)*(?:\s+(?:container|compose))?\s+kill\b"
        r"(?![^|;&#\n]*\s(?:-s|--signal)[ =](?!(?:SIG)?(?:KILL|9)\b)\w)"
    ),
    re.compile(
        r"\b(?:docker|podman|nerdctl)\b[^|;&#\n]*\s(?:stop|restart|down)\b"
        r"[^|;&#\n]*\s(?:(?:-t|--time|--timeout)[ =]?[01]\b|(?:-s|--signal)[ =](?:SIG)?(?:KILL|9)\b)"
    ),
    re.compile(
        r"\brunc\b[^|;&#\n]*\b(?:kill\s+\S+\s+(?:SIG)?(?:KILL|9)\b|delete\b[^|;&#\n]*\s(?:-f|--force)\b)"
    ),
    # the API server forgets it, whatever of it still runs
    re.compile(r"\bkubectl\b[^|;&#\n]*\bpatch\b[^|;&#\n]*\bfinalizers\b[^|;&#\n]*(?:null|\[\s*\])"),
    re.compile(r"(?<![A-Za-z])gracePeriodSeconds[\"'\\]*\s*[=:]\s*[01]\b"),
    re.compile(r"(?<![\w-])(?:pkill|killall|kill)\s+(?:-[sn]\s*|--signal[ =]|-)(?:SIG)?(?:KILL|9)\b"),
)
EXAMPLES = (
    "crictl stop a && crictl rm -f a",
    "crictl rm --force a",
    "crictl rmp -fa",
    "crictl stop --timeout 0 a",
    "crictl stop a && crictl rm a",
    "crictl --timeout 9s stop a",
    'crictl stop ${1:+--timeout "$1"} a',
    "crictl stopp a && crictl rmp a",
    "kubectl delete --grace-period=0 --force pod a",
    "kubectl delete pod a --now",
    "kubectl -n claude delete pod a \\\n  --grace-period 0",
    "kubectl replace --force -f pod.yaml",
    "ctr -n k8s.io tasks kill --signal SIGKILL a",
    "nerdctl rm -f a",
    "docker rm --force a",
    "docker stop a && docker container rm -vf a",
    "podman rm -f a",
    "docker kill a",
    "docker compose kill",
    "docker kill --signal SIGKILL a",
    "docker stop --time 0 a",
    "docker compose down -t 0",
    "kill -9 $pid",
    "nsenter --target $pid --all -- pkill -KILL claude",
    "kubectl delete pod a --grace-period=1",
    "crictl stop -t 1 a && crictl rm a",
    "docker stop --signal KILL a && docker rm a",
    "runc kill a KILL",
    "runc delete --force a",
    "kill -n 9 1",
    """kubectl patch pod a -p '{"metadata": {"finalizers": null}}'""",
    "curl -X DELETE $API/api/v1/namespaces/a/pods/a?gracePeriodSeconds=0",
)
GRACEFUL = re.compile(r"\bkubectl\b.*?\bdelete\b.*?\bpods?\b[ /]*(?P<name>[^\s;&|]*)")
DEBUGGER = "node-debugger"  # how the pods begin that `kubectl debug` makes for a node
BY_HAND = re.compile(r"crictl\b[^|;&#\n]*\bstopp?\b|remove\.sh|inv remove-container")
DOCUMENTS, SCRIPTS = ("*.md", "*.rst", "*.txt"), ("*.sh", "Makefile", "*.mk", "justfile", "tasks.py")
PLACES = ("docs", "manifests", "chart", "runbooks", "scripts")


def commands(text: str) -> str:
    """Return the commands of a Markdown text, lines joined that a backslash parts."""
    return LINES.sub(" ", "".join(BLOCK.findall(text)))


def removing(directory: Path) -> list[str]:
    """Return the documents that say how to remove a container on its node."""
    return [name for name, text in _documents(directory) if BY_HAND.search(text)]


def mistakes(directory: Path) -> list[str]:
    """Return "FILE: mistake" for each removal by force, and each runbook that puts one before kubectl."""
    found = [f"{path.name}: removes by force" for path in _scripts(directory) if forced(path.read_text())]
    tools = node_pods(directory)
    for name, text in _documents(directory):
        if forced(text):
            found.append(f"{name}: removes by force")
        by_hand = BY_HAND.search(text)
        graceful = next((each for each in GRACEFUL.finditer(text) if _is_meant(each["name"], tools)), None)
        if by_hand and (graceful is None or graceful.start() > by_hand.start()):
            found.append(f"{name}: removes on the node before kubectl is tried")
    return found


def node_pods(directory: Path) -> set[str]:
    """Return the names of the pods that people bring to a node for a look: to delete one ends no other."""
    found = set()
    for path in _files(directory, ("*.yaml", "*.yml")):
        try:
            every = [each for each in yaml.safe_load_all(path.read_text()) if isinstance(each, dict)]
        except yaml.YAMLError:
            continue  # a template
        for each in every:
            spec = each.get("spec") or {}
            if each.get("kind") == "Pod" and (spec.get("hostPID") or spec.get("nodeName")):
                found.add(str((each.get("metadata") or {}).get("name")))
    return found


def _is_meant(name: str, tools: set[str]) -> bool:
    return name not in tools and not name.startswith(DEBUGGER)


def forced(text: str) -> bool:
    """Return whether a command of a text ends or removes something without giving it time."""
    lines = (each for each in LINES.sub(" ", text).splitlines() if not each.lstrip().startswith("#"))
    return any(pattern.search(line) for line in lines for pattern in FORCED)


def _files(directory: Path, patterns: tuple[str, ...]) -> list[Path]:
    top = [path for each in patterns for path in directory.glob(each)]
    below = [path for place in PLACES for each in patterns for path in (directory / place).rglob(each)]
    return sorted({path for path in (*top, *below) if path.is_file()})


def _documents(directory: Path) -> Iterator[tuple[str, str]]:
    for path in _files(directory, DOCUMENTS):
        text = path.read_text()
        yield path.name, commands(text)


def _scripts(directory: Path) -> list[Path]:
    return _files(directory, SCRIPTS)
