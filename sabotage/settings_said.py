"""Sabotages that say a secret where it stands: in a server's settings, a Secret that ships, a page."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from boxproof.deployment.sabotage_ways import Objects, find, manifest_sabotage
from pytest_claims.sabotages import replace_in, subject_sabotage


@manifest_sabotage("pod-spec-holds-no-literal-token", "a server of the MCP is given its key in the ConfigMap")
def key_of_a_server(objects: Objects) -> None:
    """As the pages of such servers show it."""
    data = find(objects, "ConfigMap", "claude-mcp")["data"]
    servers = json.loads(data["mcp.json"])
    servers["mcpServers"]["kubernetes"]["env"] = {"GRAFANA_API_KEY": "paste-it-here"}
    data["mcp.json"] = json.dumps(servers, indent=2)


@subject_sabotage("pod-spec-holds-no-literal-token", "the chart's values have the header of a login")
def header_among_the_values(directory: Path) -> None:
    """Add a server of somebody else's."""
    login = '"headers": {"Authorization": "Bearer changeme"}'
    server = f'"search": {{"type": "http", "url": "https://search.example.org/mcp", {login}}},'
    replace_in(directory / "chart/values.yaml", '"mcpServers": {', f'"mcpServers": {{ {server}')


@manifest_sabotage("pod-spec-holds-no-literal-token", "where it is served a Secret ships with a word for all")
def word_for_all(objects: Objects) -> None:
    """So that it starts without a further step, with one password for everybody who applies it."""
    space = find(objects, "Service", "claude-api")["metadata"]["namespace"]
    data = {"token": base64.b64encode(b"changeme").decode()}
    meta = {"name": "claude-api", "namespace": space}
    objects.append({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": data})


@subject_sabotage("secret-encrypted-at-rest", "the documented configuration has a whole key in it")
def key_on_the_page(directory: Path) -> None:
    """Show a whole one, ready to be copied."""
    key = base64.b64encode(b"boxproof" * 4).decode()
    replace_in(directory / "docs/authentication.md", "secret: KEY", f"secret: {key}")
