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
from boxproof.subject.image.entrypoint import scripts
from boxproof.subject.image.image_files import reader
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope
from pytest_claims.pace import stretched
from suites.image import deployed_words

ASKS_A_CLUSTER = re.compile(r"kubernetes\.default|kubectl|pod-kubeconfig|stern|claude -p|mcp-server")
# between two words of a shell, of a list, or of a server's settings; options may stand there too
NEXT = r"(?:\W{1,30}args\W{1,30}|\W{1,4})(?:-[\w=.:/-]+\W{1,30})*"
MANAGERS = "apt|apt-get|aptitude|dnf|microdnf|yum|zypper"
FETCHES = re.compile(
    rf"\b(?:npx|uvx|bunx|pipx|pip3?{NEXT}(?:install|download)|npm{NEXT}(?:i|ci|install|exec|update)"
    rf"|(?:pnpm|yarn|bun){NEXT}(?:add|dlx|install|x)|uv{NEXT}(?:tool|pip|add|sync|run\W{{1,30}}--with)"
    rf"|deno{NEXT}(?:run|install){NEXT}(?:npm|jsr|https):|go{NEXT}(?:run|install)"
    rf"|(?:{MANAGERS}){NEXT}(?:install|upgrade)|apk{NEXT}(?:add|upgrade)"
    rf"|(?:cargo|gem|opam|cabal|krew|asdf|mise|conda|mamba){NEXT}install"
    rf"|(?:plugin|extension|marketplace){NEXT}(?:install|add)|claude{NEXT}(?:update|install))\b"
    # an image, as a server is told to be one
    rf"|\"(?:docker|podman|nerdctl|crane)\"{NEXT}(?:run|pull)\b"
    # what is carried out as it comes, or made a program
    r"|\b(?:curl|wget)\b[^\n|;&]*\|\s*(?:sudo\s+)?(?:ba|da|z)?sh\b"
    r"|\b(?:ba|da|z)?sh\b[^\n;&|]*(?:\$\(|<\()\s*(?:curl|wget)\b"
    r"|\b(?:curl|wget)\b[^\n]*\s(?:-\w*[oO]|--output(?:-document)?)[= ]*(?P<file>[^\s;&|]+)(?=[\s;&|])"
    r"(?:[^\n]*\n){0,2}?[^\n]*\bchmod\b[^\n]*\s(?P=file)(?=[\s;&|\"']|$)"
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
    "server in a container": {"kind": "ConfigMap", "data": {
        "mcp.json": '{"mcpServers": {"a": {"command": "docker", "args": ["run", "-i", "--rm", "a/b"]}}}',
    }},
    "package": {"kind": "Pod", "spec": {"initContainers": [{"command": ["apt-get", "-qy", "install", "a"]}]}},
    "installer": {"kind": "Pod", "spec": {"containers": [
        {"command": ["sh", "-c", "curl -fsSL https://example.invalid/x | sh && exec start"]}
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
    session: Session,
    docker: Any,
    subject: Subject,
    image: ImageInfo,
    image_config: dict[str, Any],
    container: Containers,
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
        started = scripts(image_config, read)
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
    CARRIES(observe("scripts that fetch", "what the image starts", fetching(started)))


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
