"""What a subject's runbooks tell people to run on a node, and in a cluster."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from boxproof.subject.manifests import page_code

LINES = re.compile(r"\\\n\s*")
FORCED = (
    re.compile(r"\b(?:crictl|nerdctl)\b[^|;&#\n]*\brmp?\b[^|;&#\n]*\s(?:-\w*f\w*|--force)\b"),
    re.compile(
        r"\bctr\b[^|;&#\n]*\b(?:kill|rm|delete)\b[^|;&#\n]*"
        r"\s(?:-\w*f\w*|--force|(?:-s|--signal)[ =](?:SIG)?(?:KILL|9))"
    ),
    re.compile(r"\bkubectl\b[^|;&#\n]*\bdelete\b[^|;&#\n]*\s(?:--force\b|--now\b|--grace-period[ =][01]\b)"),
    re.compile(r"\bkubectl\b[^|;&#\n]*\breplace\b[^|;&#\n]*\s--force\b"),
    # whatever ends pods takes that time from them: drain, apply, rollout; oc is kubectl
    re.compile(r"\b(?:kubectl|oc)\b[^|;&#\n]*\s--grace-period[ =][01]\b"),
    re.compile(r"\boc\b[^|;&#\n]*\bdelete\b[^|;&#\n]*\s--(?:force|now)\b"),
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
        r"\b(?:docker|podman|nerdctl)\b[^|;&#\n]*\s(?:stop|restart|down|up)\b"
        r"[^|;&#\n]*\s(?:(?:-t|--time|--timeout)[ =]?[01]\b|(?:-s|--signal)[ =](?:SIG)?(?:KILL|9)\b)"
    ),
    re.compile(
        r"\brunc\b[^|;&#\n]*\b(?:kill\s+\S+\s+(?:SIG)?(?:KILL|9)\b|delete\b[^|;&#\n]*\s(?:-f|--force)\b)"
    ),
    # Compose, with options of its own before the word, and pods of Podman
    re.compile(
        r"\b(?:docker|podman|nerdctl)(?:-compose|\s+compose)(?:\s+-\S+(?:\s+(?!kill\b)[^-\s]\S*)?)*\s+kill\b"
        r"(?![^|;&#\n]*\s(?:-s|--signal)[ =](?!(?:SIG)?(?:KILL|9)\b)\w)"
    ),
    re.compile(
        r"\bpodman\s+pod\s+(?:kill\b(?![^|;&#\n]*\s(?:-s|--signal)[ =](?!(?:SIG)?(?:KILL|9)\b)\w)"
        r"|rm\b[^|;&#\n]*\s(?:-\w*f\w*|--force)\b)"
    ),
    # the API server forgets it, whatever of it still runs
    re.compile(r"\bkubectl\b[^|;&#\n]*\bpatch\b[^|;&#\n]*\bfinalizers\b[^|;&#\n]*(?:null|\[\s*\])"),
    re.compile(r"\bkubectl\b[^|;&#\n]*\bpatch\b[^|;&#\n]*\bremove\b[^|;&#\n]*/finalizers\b"),
    # the kernel kills all that is in a cgroup, or has a file open
    re.compile(r"(?:>|\btee\b)[^|;&#\n]*\bcgroup\.kill\b"),
    re.compile(r"(?<![\w-])fuser\b(?![^|;&#\n]*\s-(?:SIG)?(?:TERM|15)\b)[^|;&#\n]*\s(?:-\w*k\w*|--kill)\b"),
    re.compile(r"(?<![A-Za-z])gracePeriodSeconds[\"'\\]*\s*[=:]\s*[01]\b"),
    re.compile(r"(?<![\w-])(?:pkill|killall|kill)\s+(?:-[sn]\s*|--signal[ =]|-)(?:SIG)?(?:KILL|9)\b"),
    re.compile(r"(?<![\w-])(?:pkill|killall)\b[^|;&#\n]*\s-(?:-signal[ =])?(?:SIG)?(?:KILL|9)\b"),
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
    "kubectl drain node --ignore-daemonsets --grace-period=0",
    "oc delete pod a --force",
    "docker-compose kill",
    "docker compose -f compose.yaml --profile a kill a",
    "podman pod rm -f a",
    "podman pod kill a",
    "docker compose up --detach --force-recreate --timeout 0",
    """kubectl patch pod a --type json -p '[{"op": "remove", "path": "/metadata/finalizers"}]'""",
    "echo 1 >/sys/fs/cgroup/kubepods.slice/a/cgroup.kill",
    "fuser -k /home/claude/.claude",
    "pkill -f -9 claude",
)
GRACEFUL = re.compile(r"\bkubectl\b.*?\bdelete\b.*?\bpods?\b[ /]*(?P<name>[^\s;&|]*)")
DEBUGGER = "node-debugger"  # how the pods begin that `kubectl debug` makes for a node
BY_HAND = re.compile(r"crictl\b[^|;&#\n]*\bstopp?\b|remove\.sh|inv remove-container")
DOCUMENTS = ("*.md", "*.mdx", "*.markdown", "*.rst", "*.adoc", "*.asciidoc", "*.txt")
SCRIPTS = ("*.sh", "Makefile", "*.mk", "justfile", "tasks.py")
PLACES = ("docs", "manifests", "chart", "runbooks", "scripts")


def commands(text: str, suffix: str) -> str:
    """Return the commands of a document, lines joined that a backslash parts; ``suffix`` tells its markup."""
    return LINES.sub(" ", "\n".join(page_code.code(text, suffix)))


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
        yield path.name, commands(path.read_text(errors="replace"), path.suffix)


def _scripts(directory: Path) -> list[Path]:
    return _files(directory, SCRIPTS)
