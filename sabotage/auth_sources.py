"""Sabotages of what is found out about a login: which it is, when it ends, whose it may be."""

from __future__ import annotations

from pathlib import Path

from boxproof.deployment.sabotage_ways import Objects, edited, find, image_sabotage, manifest_sabotage
from pytest_claims.sabotages import replace_in, subject_sabotage
from sabotage.box_parts import agent_of

LIBRARY = "/usr/local/lib/box"
LOGIN = f"{LIBRARY}/login.py"
CONFIG = "/home/claude/.claude"

image_sabotage(
    "told_half_an_hour_before", "token-expiry-monitored",
    "a token that is made by hand is told of half an hour before its end, as one that renews itself",
    dockerfile=edited(LOGIN, r's/"env": 14 \* 24 \* 60/"env": 30/'),
)  # fmt: skip
image_sabotage(
    "run_out_is_no_reason", "auth-401-message", "of a login that has run out it says that it is no good",
    dockerfile=edited(LOGIN, r's/\{EXPIRED\}: the login in \{where\} has run out/{where} is no good/'),
)  # fmt: skip
image_sabotage(
    "any_file_ends_the_wait", "zero-byte-credentials-detected",
    "who waits for a login waits for its file, whatever is in it",
    dockerfile=edited(
        f"{LIBRARY}/supervise.py",
        r's/return (login\.problem\(login\.find)/return "" if login.file().exists() else \1/',
    ),
)  # fmt: skip
image_sabotage(
    "service_keeps_the_token", "auth-env-first-then-file",
    "the service hands its CLI no token, as it hands it none of its clients'",
    dockerfile=edited(
        f"{LIBRARY}/prompts.py",
        r's/not in \(TOKEN, TOKEN_FILE\)/not in (TOKEN, TOKEN_FILE, "CLAUDE_CODE_OAUTH_TOKEN")/',
    ),
)  # fmt: skip


@manifest_sabotage("token-expiry-monitored", "the watch is not told the last day of the agent's token")
def watch_without_settings(objects: Objects) -> None:
    job = find(objects, "CronJob")["spec"]["jobTemplate"]["spec"]
    del job["template"]["spec"]["containers"][0]["envFrom"]


@manifest_sabotage("claude-json-persists", "what the CLI knows of itself is removed as a pod starts")
def swept_in_each_pod(objects: Objects) -> None:
    swept = ["rm", "-f", f"{CONFIG}/.claude.json"]
    agent_of(objects)["lifecycle"] = {"postStart": {"exec": {"command": swept}}}


@manifest_sabotage("one-credential-file-per-agent", "for production the volume is one that all nodes mount")
def many_nodes_in_production(objects: Objects) -> None:
    find(objects, "StorageClass")  # in that tier alone
    template = find(objects, "StatefulSet")["spec"]["volumeClaimTemplates"][0]
    template["spec"]["accessModes"] = ["ReadWriteMany"]


@subject_sabotage("no-cross-platform-credential-share", "a page mounts the host's home by another option")
def page_with_the_home_spelled_out(directory: Path) -> None:
    mount = "--mount type=bind,source=$HOME/.claude,target=/home/claude/.claude"
    replace_in(directory / "docs/running.md", "-v claude:/home/claude/.claude claude-in-a-box:TAG",
               f"{mount} claude-in-a-box:TAG")  # fmt: skip


@subject_sabotage("no-cross-platform-credential-share", "the Compose file's volume is the home of the host")
def volume_of_the_home(directory: Path) -> None:
    driver = "    driver_opts: {type: none, o: bind, device: '${HOME}/.claude'}\n"
    replace_in(directory / "compose.yaml", "\nvolumes:\n  home:\n", f"\nvolumes:\n  home:\n{driver}")


@subject_sabotage("token-kind-matches-mode", "the fleet that ships has tokens that its mode refuses")
def fleet_in_remote_control(directory: Path) -> None:
    replace_in(directory / "chart/examples/fleet.yaml", "  CLAUDE_MODE: api", "  CLAUDE_MODE: remote-control")


@manifest_sabotage("token-expiry-monitored", "no Job of the watch that has failed is kept")
def failures_not_kept(objects: Objects) -> None:
    """Who looks for it finds none."""
    find(objects, "CronJob")["spec"]["failedJobsHistoryLimit"] = 0


image_sabotage(
    "token_of_the_moment", "token-refresh-writes-back",
    "the service hands its CLI the token that is in the file just now, which nobody renews",
    dockerfile=edited(
        f"{LIBRARY}/prompts.py",
        r's/^( +)self\.starting \+= 1$/&\n\1found = __import__("login").file()\n'
        r'\1if found.exists() and not env.get("CLAUDE_CODE_OAUTH_TOKEN"):\n'
        r'\1    kept = json.loads(found.read_text())["claudeAiOauth"]\n'
        r'\1    env["CLAUDE_CODE_OAUTH_TOKEN"] = kept["accessToken"]/',
    ),
)  # fmt: skip
