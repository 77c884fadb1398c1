"""Sabotages of bounds and logs elsewhere than in the agent's own container."""

from __future__ import annotations

from pathlib import Path

from boxproof.deployment.sabotage_ways import Objects, edited, find, image_sabotage, manifest_sabotage
from pytest_claims.sabotages import replace_in, subject_sabotage

LIBRARY = "/usr/local/lib/box"
OVER, NODE = "compose.docker.yaml", "manifests/debug/node.yaml"

image_sabotage(
    "proxy_prints", "structured-leveled-logs", "the way out prints what it refuses",
    dockerfile=edited(
        f"{LIBRARY}/proxy.py", r's/log\(f"refused \{why\}", status=why\.status\)/print(why, flush=True)/'
    ),
)  # fmt: skip
image_sabotage(
    "watch_prints", "structured-leveled-logs", "the watch of the login prints a sentence",
    dockerfile=edited(
        f"{LIBRARY}/login.py",
        r's/print\(json\.dumps\(\{"time": _now\(\), "level": level\} \| found\)\)/print(found["msg"])/',
    ),
)  # fmt: skip
image_sabotage(
    "clone_prints", "structured-leveled-logs", "what clones prints why it fails",
    dockerfile=edited(
        f"{LIBRARY}/config_clone.py",
        r's/log\(f"No configuration, so no agent: \{error\}", "error"\)/print("No configuration:", error)/',
    ),
)  # fmt: skip
image_sabotage(
    "supervisor_counts_no_kills", "oom-is-visible", "in the default mode nobody looks at the count of kills",
    dockerfile=edited(f"{LIBRARY}/supervise.py", r"/^ +self\.kills\.look\(\)$/d"),
)  # fmt: skip


@subject_sabotage("logs-bounded-in-crash-loop", "a service that comes with the socket has unbound logs")
def service_with_the_socket(directory: Path) -> None:
    more = "services:\n  socket-proxy:\n    image: example.com/socket-proxy:1\n"
    replace_in(directory / OVER, "services:\n", more)


@subject_sabotage("tmp-bounded", "with the engine's socket comes the /tmp of the host")
def tmp_of_the_host(directory: Path) -> None:
    replace_in(directory / OVER, "    volumes:\n", "    volumes:\n      - /tmp:/tmp\n")


@subject_sabotage("tmp-bounded", "the pod with a node's tools fills the node's disk by way of its /tmp")
def tmp_of_the_node(directory: Path) -> None:
    replace_in(directory / NODE, "      emptyDir:\n        medium: Memory\n        sizeLimit: 256Mi\n",
               "      emptyDir: {}\n")  # fmt: skip


image_sabotage(
    "not_sized_on_a_terminal", "limits-read-from-cgroup", "in mode interactive the CLI is told no sizes",
    dockerfile=edited("/usr/local/bin/entrypoint", 's|python3 -I "[$]lib"/limits.py claude|claude|'),
)  # fmt: skip


@manifest_sabotage("limits-and-requests-present", "the way out asks for no processor, and its limit is none")
def limited_at_none(objects: Objects) -> None:
    for each in find(objects, "Deployment")["spec"]["template"]["spec"]["containers"]:
        for kind in ("requests", "limits"):
            each["resources"][kind]["cpu"] = "0"
