"""Sabotages of the MCP server, of the skill made of the tools, and of what Forbidden is turned into."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from boxproof.deployment.sabotage_ways import (
    Objects,
    as_root,
    edited,
    find,
    image_sabotage,
    manifest_sabotage,
)
from pytest_claims.sabotages import subject_sabotage

CONFIG, KEY = "claude-mcp", "mcp.json"
FORBIDDEN = "/usr/local/lib/box/forbidden.py"


def _server(objects: Objects, edit: Callable[[dict[str, Any]], None]) -> None:
    """Edit the cluster's server in the ConfigMap."""
    data = find(objects, "ConfigMap", CONFIG)["data"]
    whole = json.loads(data[KEY])
    edit(whole["mcpServers"]["kubernetes"])
    data[KEY] = json.dumps(whole)


@manifest_sabotage("mcp-server-starts-in-cluster", "the configuration names a program that is not there")
def another_program(objects: Objects) -> None:
    """Misspell the program."""
    _server(objects, lambda server: server.update(command="/usr/local/bin/kubernetes-mcp"))


@manifest_sabotage("mcp-server-starts-in-cluster", "the server is told to serve HTTP on a port")
def serves_http(objects: Objects) -> None:
    """Give it a port."""
    _server(objects, lambda server: server["args"].extend(["--port", "8081"]))


@manifest_sabotage("mcp-read-only-enforced", "the flag --read-only is missing")
def may_write(objects: Objects) -> None:
    """Take the flag away."""
    _server(objects, lambda server: server["args"].remove("--read-only"))


@manifest_sabotage("mcp-read-only-enforced", "only what destroys is disabled, what creates is not")
def may_create(objects: Objects) -> None:
    """Put the weaker flag in its place."""
    _server(objects, lambda server: server.update(args=["--disable-destructive"]))


image_sabotage(
    "no_launcher", "rbac-forbidden-hint", "kubectl is itself again, without the launcher before it",
    dockerfile="USER root\nRUN ln -sf ../libexec/box/kubectl /usr/local/bin/kubectl\nUSER 1000:1000",
)  # fmt: skip
image_sabotage(
    "no_hint_for_subresources", "rbac-forbidden-hint", "what is below a resource is not translated",
    dockerfile=edited(FORBIDDEN, r's/\?P<resource>\[\^"\]\+/?P<resource>\\w+/'),
)  # fmt: skip
image_sabotage(
    "no_hint_for_paths", "rbac-forbidden-hint", "an address that is no resource is not translated",
    dockerfile=edited(FORBIDDEN, r's/\|path "\(\?P<path>/|no path "(?P<path>/'),
)  # fmt: skip
image_sabotage(
    "no_skill", "mcp-server-starts-in-cluster", "the skill was written where the CLI does not look",
    dockerfile="USER root\nRUN mv /etc/claude-code/.claude/skills /etc/claude-code/skills\nUSER 1000:1000",
)  # fmt: skip


@manifest_sabotage("mcp-read-only-enforced", "--read-only is taken back by what follows it")
def taken_back(objects: Objects) -> None:
    """Add the flag's opposite."""
    _server(objects, lambda server: server["args"].append("--read-only=false"))


@manifest_sabotage("mcp-server-starts-in-cluster", "the server asks as another account than the pod's")
def nobodys_account(objects: Objects) -> None:
    """Give it a kubeconfig that is not there."""
    _server(objects, lambda server: server["args"].extend(["--kubeconfig", "/nonexistent/kubeconfig"]))


@manifest_sabotage("mcp-read-only-enforced", "a second server beside the one that reads may write")
def second_server(objects: Objects) -> None:
    """Add it to the configuration."""
    data = find(objects, "ConfigMap", CONFIG)["data"]
    whole = json.loads(data[KEY])
    whole["mcpServers"]["cluster"] = {**whole["mcpServers"]["kubernetes"], "args": []}
    data[KEY] = json.dumps(whole)


image_sabotage(
    "managed_server_may_write", "mcp-read-only-enforced",
    "a server that every session gets, by a file of an administrator's, may write",
    dockerfile=as_root(
        """printf '{"mcpServers": {"cluster": {"command": "kubernetes-mcp-server", "args": []}}}' """
        "> /etc/claude-code/managed-mcp.json"
    ),
)  # fmt: skip
image_sabotage(
    "second_server_without_a_cluster", "mcp-read-only-enforced",
    "the file in the image has a second server, which may write",
    dockerfile=edited(
        "/etc/box/mcp/mcp.json",
        r's#"mcpServers": \{#&"cluster": {"type": "stdio", '
        r'"command": "/usr/local/bin/kubernetes-mcp-server"},#',
    ),
)  # fmt: skip


@subject_sabotage("mcp-server-starts-in-cluster", "an example of values has the server listen for everybody")
def listens_by_an_example(directory: Path) -> None:
    """It reads only, on a port of the pod."""
    server = "      command: /usr/local/bin/kubernetes-mcp-server\n"
    args = '      args: [--read-only, --port, "8081"]\n'
    text = f"mcp:\n  mcpServers:\n    kubernetes:\n{server}{args}"
    (directory / "chart/values-shared.yaml").write_text(text)
