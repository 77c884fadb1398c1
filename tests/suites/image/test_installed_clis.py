"""Where an image has a CLI: each way to install it is one place, and what a later layer removes is none."""

from __future__ import annotations

import pytest

from boxproof.subject.image.layers import Layer
from suites.image import installed_clis

CLI = "/usr/local/bin/claude"
NPM = "usr/local/lib/node_modules/@anthropic-ai/claude-code"
MODULES = NPM.rpartition("/")[0]
AGENTS = f"{MODULES}/claude-agent-sdk"
SDK = "opt/venv/lib/python3.12/site-packages/claude_agent_sdk"
EDITOR = "home/coder/.vscode-server/extensions/anthropic.claude-code-2.1.0-linux-x64"
NATIVE = "home/claude/.local/share/claude/versions/2.1.0"


def layer(*names: str, hollow: tuple[str, ...] = ()) -> Layer:
    """Return a layer with these files; whiteouts and hollow ones have no bytes."""
    sizes = {name: 0 if ".wh." in name or name in hollow else 1 for name in (*names, *hollow)}
    return Layer("", 0, 0, sizes, hollow=list(hollow))


@pytest.mark.parametrize(
    ("layers", "places"),
    [
        ([layer("usr/local/bin/claude", "usr/bin/jq")], ["usr/local/bin/claude"]),
        ([layer(f"{NPM}/cli.js", f"{NPM}/package.json", hollow=("usr/local/bin/claude",))], [MODULES]),
        ([layer(f"{NPM}/node_modules/@anthropic-ai/claude-code-linux-x64/claude")], [MODULES]),
        ([layer(NATIVE, hollow=("home/claude/.local/bin/claude",))], [NATIVE]),
        ([layer("usr/local/bin/claude"), layer(f"{NPM}/cli.js")], ["usr/local/bin/claude", MODULES]),
        ([layer("usr/local/bin/claude", "opt/bin/claude")], ["opt/bin/claude", "usr/local/bin/claude"]),
        ([layer("usr/local/bin/claude"), layer("usr/local/bin/claude")], ["usr/local/bin/claude"]),
        ([layer(NATIVE), layer("home/claude/.local/share/.wh.claude")], []),
        ([layer(f"{NPM}/cli.js"), layer(f"{NPM}/.wh..wh..opq", f"{NPM}/cli.js")], [MODULES]),
        ([layer("opt/bin/claude"), layer(hollow=("opt/bin/claude",))], []),
        ([layer("usr/local/bin/claude"), layer(f"{SDK}/_bundled/claude", f"{SDK}/client.py")],
         [SDK, "usr/local/bin/claude"]),
        ([layer(f"{NPM}/cli.js"), layer(f"{AGENTS}/cli.js", f"{AGENTS}/sdk.mjs")], [MODULES, AGENTS]),
        ([layer(f"{AGENTS}-linux-x64/claude", f"{AGENTS}/sdk.mjs")], [AGENTS]),
        ([layer(f"{EDITOR}/resources/native-binary/claude", f"{EDITOR}/extension.js")], [EDITOR]),
        ([layer(f"{SDK}/client.py", f"{AGENTS}/package.json", f"{EDITOR}/claude/readme.md")], []),
        ([layer("usr/share/bash-completion/completions/claude", "home/claude/.claude/settings.json")], []),
    ],
)  # fmt: skip
def test_each_installation_is_one_place(layers: list[Layer], places: list[str]) -> None:
    assert installed_clis.found(layers, CLI) == places


def test_the_pinned_one_counts_wherever_it_is() -> None:
    assert installed_clis.found([layer("opt/agent/run")], "/opt/agent/run") == ["opt/agent/run"]
