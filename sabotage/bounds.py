"""Sabotages of what the box may use up, and of seeing that it did."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from boxproof.deployment.sabotage_ways import Objects, edited, find, image_sabotage, manifest_sabotage
from pytest_claims.sabotages import replace_in, subject_sabotage
from sabotage.box_parts import pod_of

KILLS = "/usr/local/lib/box/kills.py"


def _without(directory: Path, option: str) -> None:
    """Take an option and its value out of the documented command."""
    file = directory / "subject.toml"
    file.write_text(re.sub(rf'"{option}", "[^"]*",', "", file.read_text()))


image_sabotage(
    "kills_not_noticed", "oom-is-visible", "nobody looks whether the count of kills has grown",
    dockerfile=edited(KILLS, "s/ and now.oom_kills > self.known:/ and False:/"),
)  # fmt: skip


@manifest_sabotage("tmp-bounded", "/tmp is the container's own file system")
def tmp_not_mounted(objects: Objects) -> None:
    """Remove the mount."""
    mounts: list[dict[str, Any]] = pod_of(objects)["containers"][0]["volumeMounts"]
    mounts[:] = [each for each in mounts if each["mountPath"] != "/tmp"]


@subject_sabotage("tmp-bounded", "the documented command has no tmpfs")
def no_tmpfs(directory: Path) -> None:
    """Remove the option."""
    _without(directory, "--tmpfs")


@subject_sabotage("logs-bounded-in-crash-loop", "the documented command does not bound the logs")
def no_log_options(directory: Path) -> None:
    """Remove the options."""
    _without(directory, "--log-opt")


@manifest_sabotage("tmp-bounded", "/tmp is a directory without a limit on the node's disk")
def tmp_on_disk(objects: Objects) -> None:
    """Take medium and limit away."""
    volume = next(each for each in pod_of(objects)["volumes"] if each["name"] == "tmp")
    volume["emptyDir"] = {}


@manifest_sabotage("tmp-bounded", "a pod beside the agent's may fill its own layer")
def writable_beside(objects: Objects) -> None:
    """Make the root of the way out writable."""
    for each in find(objects, "Deployment")["spec"]["template"]["spec"]["containers"]:
        each["securityContext"]["readOnlyRootFilesystem"] = False


@subject_sabotage("logs-bounded-in-crash-loop", "the Compose file does not bound the logs")
def no_compose_options(directory: Path) -> None:
    """Remove the size."""
    replace_in(directory / "compose.yaml", "        max-size: 10m\n", "")


@subject_sabotage("logs-bounded-in-crash-loop", "the documented command lets logs take thirty gigabytes")
def logs_beyond_any_disk(directory: Path) -> None:
    """Give a bound that bounds nothing."""
    replace_in(directory / "subject.toml", "max-size=10m", "max-size=10g")


@subject_sabotage("logs-bounded-in-crash-loop", "a service of the Compose file lets logs take 150 gigabytes")
def compose_logs_beyond_any_disk(directory: Path) -> None:
    """Give a driver that has a bound by itself another one."""
    old = '      driver: json-file\n      options:\n        max-size: 10m\n        max-file: "3"\n'
    new = '      driver: local\n      options:\n        max-size: 50g\n        max-file: "3"\n'
    replace_in(directory / "compose.yaml", old, new)


@subject_sabotage("logs-bounded-in-crash-loop", "the page leaves out options that subject.toml says it has")
def page_without_log_options(directory: Path) -> None:
    """Remove the line."""
    old = "    --log-driver json-file --log-opt max-size=10m --log-opt max-file=3 \\\n"
    replace_in(directory / "docs/running.md", old, "")


@subject_sabotage("tmp-bounded", "the page leaves out the option that subject.toml says it has")
def page_without_tmpfs(directory: Path) -> None:
    """Remove the words."""
    replace_in(directory / "docs/running.md", " --tmpfs /tmp:rw,noexec,nosuid,nodev,size=256m", "")


@subject_sabotage("logs-bounded-in-crash-loop", "no document says what bounds logs in a cluster")
def not_documented(directory: Path) -> None:
    """Remove the words."""
    replace_in(directory / "docs/running.md", "`containerLogMaxSize`, `containerLogMaxFiles`", "its settings")


image_sabotage(
    "not_an_oom", "oom-is-visible", "the box turns every end of its CLI into an ordinary one",
    dockerfile="USER root\n"
    "RUN sed -i -E 's/^( +)return code if code >= 0 else 128 - code/\\1return min(abs(code), 1)/' "
    "/usr/local/lib/box/supervise.py\nUSER 1000:1000",
)  # fmt: skip
