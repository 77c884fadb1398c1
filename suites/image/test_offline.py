"""Everything the box needs at run time is in the image."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from boxproof.core.session import ImageInfo, Session
from boxproof.fixtures.factories import Containers
from boxproof.probes.containers import LocalContainer
from boxproof.probes.pressure import demand_speed, judged
from boxproof.subject.image import tools
from boxproof.subject.image.image_files import reader
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope
from pytest_claims.pace import stretched
from suites.image import deployed_words

ASKS_A_CLUSTER = re.compile(r"kubernetes\.default|kubectl|pod-kubeconfig|stern|claude -p|mcp-server")
FETCHES = re.compile(  # as words of a shell or of a list
    r"\b(npx|uvx|bunx|pipx|pip3?\W{1,4}install|npm\W{1,4}(i|install|exec)|go\W{1,4}(run|install)|apt(-get)?\W{1,4}install"
    r"|cargo\W{1,4}install|gem\W{1,4}install)\b"
)
INITIALIZE = json.dumps(
    {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2024-11-05",
            "capabilities": {},
            "clientInfo": {"name": "boxproof", "version": "0"},
        },
    }
)
KUBECONFIG = "/tmp/kubeconfig"
WORK = require("all of them work", lambda silent: silent == [])
SERVES = require("an MCP server is configured", bool)
CARRIES = require("no script of the image fetches programs", lambda found: found == {})
# keeps the server's input open until it has answered; the looks are counted, not their seconds
OPEN_UNTIL = "looks=0; until [ -e $answered ] || [ $looks -ge 200 ]; do sleep 0.3; looks=$((looks + 1)); done"
NOWHERE = """\
apiVersion: v1
kind: Config
clusters: [{name: a, cluster: {server: "https://127.0.0.1:1"}}]
contexts: [{name: a, context: {cluster: a, user: a}}]
current-context: a
users: [{name: a, user: {token: none}}]
"""
BRINGS = require("nothing that is deployed has the box fetch programs", lambda found: found == {})
FETCHED = {  # what each of them starts or reads, by what makes it
    "servers": {"kind": "ConfigMap", "data": {"mcp.json": '{"mcpServers": {"a": {"command": "npx"}}}'}},
    "clone": {
        "kind": "Pod",
        "spec": {"initContainers": [{"command": ["sh", "-c"], "args": ["pip install a"]}]},
    },
    "hook": {"kind": "Pod", "spec": {"containers": [
        {"lifecycle": {"postStart": {"exec": {"command": ["npm", "install", "-g", "a"]}}}}
    ]}},
}  # fmt: skip


def works(where: LocalContainer, command: str) -> bool:
    """Return whether a command does its work there."""
    return where.exec(["timeout", f"{stretched(180)}", "sh", "-c", command]).code == 0


def own_scripts(subject: Subject) -> dict[str, str]:
    """Return the texts that a subject brings into its image: scripts and configurations, no recipe."""
    context = subject.directory / subject.image.context
    given = {subject.directory / each for each in subject.image.entrypoints}
    found = {each for each in context.glob("rootfs/**/*") if each.is_file()} | given
    return {
        str(each.relative_to(subject.directory)): each.read_text(errors="replace") for each in sorted(found)
    }


def fetching(texts: Mapping[str, str]) -> dict[str, str]:
    """Return what fetches programs in texts, by path."""
    found = {path: FETCHES.search(text) for path, text in texts.items()}
    return {path: each[0] for path, each in found.items() if each}


def greets(argv: list[str]) -> str:
    """Return a command that is fine if an MCP server answers the first message."""
    return (
        f"answered=$(mktemp -u); {{ printf '%s\\n' {shlex.quote(INITIALIZE)}; {OPEN_UNTIL}; }} |"
        f" KUBECONFIG={KUBECONFIG} {shlex.join(argv)} |"
        " { grep -q serverInfo && touch $answered; }; [ -e $answered ]"
    )


@claim("image-self-sufficient-offline")
@needs("tools", "mcp")
@scope("image")
def test_nothing_is_fetched_at_run_time(
    session: Session, docker: Any, subject: Subject, image: ImageInfo, container: Containers
) -> None:
    listed = subject.path(subject.image.tools)
    if listed is None or not subject.mcp.config:
        pytest.skip("subject.toml names no list of tools, or no configuration of MCP servers")
    # something listens in it, as in a pod, for the tools that look for that
    listens = ("-m", "http.server", "--directory", "/tmp", "8000")
    idle: dict[str, Any] = {"entrypoint": ["python3"], "files": {KUBECONFIG: (NOWHERE.encode(), 0o644)}}
    off = container(*listens, network_mode="none", **idle)
    with control("what is fetched when it is asked for works with a network, and not without"):
        on = container(*listens, network=session.network, **idle)
        source = container(
            *listens, image=session.probe_image, entrypoint=["python3"], network=session.network
        )
        source.made.reload()
        address = source.made.attrs["NetworkSettings"]["Networks"][session.network]["IPAddress"]
        patient = "curl -fsS --retry 30 --retry-delay 1 --retry-connrefused --max-time 120"
        fetched = f"{patient} http://{address}:8000/ >/dev/null"
        assert works(on, fetched), "what is fetched does not work with a network either"
        WORK.fails(
            observe("silent", "what is fetched, without a network", [] if works(off, fetched) else [fetched])
        )
        SERVES.fails(observe("MCP servers", "a configuration without any", []))
        CARRIES.fails(
            observe("scripts that fetch", "npx -y", fetching({"start": "exec npx -y server@latest"}))
        )
    with reader(docker, image.reference, run=session.run) as read:
        servers = json.loads(read(subject.mcp.config) or "{}").get("mcpServers", {})
    SERVES(observe("MCP servers", subject.mcp.config, sorted(servers)))
    commands = {
        each.name: each.works
        for each in tools.load(listed)
        if each.tier == "default" and not ASKS_A_CLUSTER.search(each.works)
    }
    commands |= {
        f"MCP {name}": greets([each.get("command", "no-command"), *each.get("args", ())])
        for name, each in servers.items()
    }

    def silent() -> list[str]:
        """Return the programs that do not work; some have a time of their own that can be too short."""
        with ThreadPoolExecutor(4) as pool:
            done = zip(commands, pool.map(lambda each: works(off, each), commands.values()), strict=True)
            found = sorted(name for name, fine in done if not fine)
        if found:
            demand_speed(f"programs fail: {', '.join(found)}")
        return found

    WORK(observe("silent", f"{len(commands)} programs without a network", judged(silent)))
    CARRIES(observe("scripts that fetch", "the image's own", fetching(own_scripts(subject))))


@claim("image-self-sufficient-offline")
@needs("template")
@scope("image")
def test_nothing_that_is_deployed_fetches_programs(session: Session, subject: Subject) -> None:
    """What its pods start, and the settings that they read in the place of the image's own."""
    with control("a server by npx in a ConfigMap, an init container and a hook that install are seen"):
        for name, each in FETCHED.items():
            texts = deployed_words.by_object([{**each, "metadata": {"name": name}}])
            found = BRINGS.fails(observe("fetched where it is deployed", name, fetching(texts)))
            assert found.keys() == texts.keys()
    texts = deployed_words.of(session, subject)
    BRINGS(observe("fetched where it is deployed", f"{len(texts)} objects and services", fetching(texts)))
