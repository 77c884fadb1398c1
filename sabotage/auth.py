"""Sabotages of the login: where it comes from, where it is kept, what is made of it."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import yaml

from boxproof.deployment.sabotage_ways import (
    Objects,
    as_root,
    edited,
    find,
    image_sabotage,
    manifest_sabotage,
)
from pytest_claims.sabotages import subject_sabotage
from sabotage.box_parts import agent_of, pod_of

START = "/usr/local/bin/entrypoint"
LOGIN = "/usr/local/lib/box/login.py"
WRAPPER = "/usr/local/sbin/claude"  # before the CLI in PATH
CONFIG = "/home/claude/.claude"
FILE = f"{CONFIG}/.credentials.json"


def wrapped(otherwise: str) -> str:
    """Return Dockerfile lines that put a shell before the CLI, which does more where that fails."""
    text = f'#!/bin/sh\\n/usr/local/bin/claude "$@" || {{ {otherwise}; }}\\n'
    return as_root(f"printf '{text}' > {WRAPPER}", f"chmod 0755 {WRAPPER}")


def at_start(line: str) -> str:
    """Return Dockerfile lines that put a line of shell before what the entrypoint does."""
    return edited(START, f"2i {line}")


def _home(objects: Objects) -> dict[str, Any]:
    """Return the mount of the volume that holds the login."""
    mounts: list[dict[str, Any]] = agent_of(objects)["volumeMounts"]
    return next(each for each in mounts if each["mountPath"] == CONFIG)


image_sabotage(
    "file_first", "auth-env-first-then-file", "the box takes the file for the login in use; the CLI does not",
    dockerfile=edited(LOGIN, r"s/(if environ.get.TOKEN, ...*\)):$/\1 and not file(environ).exists():/"),
)  # fmt: skip
image_sabotage(
    "file_preferred", "auth-env-first-then-file", "the entrypoint drops the variable where there is a file",
    dockerfile=at_start(f"[ -s {FILE} ] \\&\\& unset CLAUDE_CODE_OAUTH_TOKEN"),
)  # fmt: skip
image_sabotage(
    "value_is_logged", "auth-env-first-then-file", "the log says what the token is, not only where",
    dockerfile=edited(LOGIN, r"s/(environment variable) \{TOKEN\}/\1 {TOKEN} {os.environ[TOKEN]}/"),
)  # fmt: skip
image_sabotage(
    "only_exists", "zero-byte-credentials-detected", "a credentials file that is there is a login",
    dockerfile=edited(LOGIN, r's/Login\("file", "(empty|truncated)"/Login("file", "ok"/'),
)  # fmt: skip
image_sabotage(
    "only_not_empty", "zero-byte-credentials-detected", "a credentials file with anything in it is a login",
    dockerfile=edited(LOGIN, r's/Login\("file", "truncated"/Login("file", "ok"/'),
)  # fmt: skip
image_sabotage(
    "not_its_own_directory", "token-refresh-writes-back", "the directory of the credentials belongs to root",
    dockerfile=as_root(f"chown root:root {CONFIG}", f"chmod 0755 {CONFIG}"),
)  # fmt: skip
image_sabotage(
    "works_on_a_copy", "token-refresh-writes-back", "the entrypoint has the CLI use a copy of its directory",
    dockerfile=at_start(f"cp -r {CONFIG} /tmp/copy; export CLAUDE_CONFIG_DIR=/tmp/copy"),
)  # fmt: skip
image_sabotage(
    "beside_the_volume", "claude-json-persists", "the CLI keeps it in the home, beside the mounted directory",
    dockerfile=at_start("unset CLAUDE_CONFIG_DIR"),
)  # fmt: skip
image_sabotage(
    "swept_at_start", "claude-json-persists", "the entrypoint removes it at every start",
    dockerfile=at_start(f"rm -f {CONFIG}/.claude.json"),
)  # fmt: skip
image_sabotage(
    "end_not_read", "token-expiry-monitored", "the end in the file is not read",
    dockerfile=edited(LOGIN, r"s/login.get\(.expiresAt.\)/4102444800000/"),
)  # fmt: skip
image_sabotage(
    "unknown_is_endless", "token-expiry-monitored", "a login that does not say when it ends lasts for ever",
    dockerfile=edited(LOGIN, r"s/, bool\) else None/, bool) else 4e9/"),
)  # fmt: skip
image_sabotage(
    "cleans_up_after_failure", "mid-session-401-keeps-state", "what the CLI fails at is swept away",
    dockerfile=wrapped("rm -rf /workspace/*; exit 1"),
)  # fmt: skip
image_sabotage(
    "ends_with_the_cli", "mid-session-401-keeps-state", "the first prompt that fails ends the box",
    dockerfile=wrapped("kill 1; exit 1"),
)  # fmt: skip
image_sabotage(
    "always_ready", "mid-session-401-keeps-state", "readiness does not ask about the login",
    dockerfile=as_root(r"printf '#!/bin/sh\nexit 0\n' > /usr/local/bin/healthcheck"),
)  # fmt: skip
image_sabotage(
    "cached_on_the_volume", "rotated-token-picked-up", "the entrypoint keeps the first token it was given",
    dockerfile=at_start(
        f"t={CONFIG}/.token; [ -s $t ] || echo $CLAUDE_CODE_OAUTH_TOKEN > $t;"
        " export CLAUDE_CODE_OAUTH_TOKEN=$(cat $t)"
    ),
)  # fmt: skip
image_sabotage(
    "source_is_remembered", "restart-reauthenticates", "the entrypoint keeps to the source it found first",
    dockerfile=at_start(
        f"s={CONFIG}/.source; [ -s $s ] || echo ${{CLAUDE_CODE_OAUTH_TOKEN:+env}}file > $s;"
        " [ $(cat $s) != file ] || unset CLAUDE_CODE_OAUTH_TOKEN"
    ),
)  # fmt: skip
image_sabotage(
    "advises_the_home", "no-cross-platform-credential-share", "the box asks for the home of the host",
    dockerfile=edited(LOGIN, "s/-v claude:/-v ~\\/.claude:/"),
)  # fmt: skip


@manifest_sabotage("credentials-dir-writable", "the credentials are a read-only mount of a Secret")
def secret_as_the_file(objects: Objects) -> None:
    pod_of(objects)["volumes"].append({"name": "login", "secret": {"secretName": "claude-token"}})
    mount = {"name": "login", "mountPath": FILE, "subPath": "token", "readOnly": True}
    agent_of(objects)["volumeMounts"].append(mount)


@manifest_sabotage("credentials-dir-writable", "the volume of the login is mounted read-only")
def volume_read_only(objects: Objects) -> None:
    _home(objects)["readOnly"] = True


@manifest_sabotage(
    "credentials-atomic-rename-works", "the credentials are a file mounted alone, to be written"
)
def file_mounted_alone(objects: Objects) -> None:
    volume = _home(objects)["name"]
    first = {
        "name": "first",
        "image": agent_of(objects)["image"],
        "command": ["touch", "/volume/.credentials.json"],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": volume, "mountPath": "/volume"}],
    }
    pod_of(objects)["initContainers"] = [first]
    agent_of(objects)["volumeMounts"].append(
        {"name": volume, "mountPath": FILE, "subPath": ".credentials.json"}
    )


@manifest_sabotage("credentials-atomic-rename-works", "the directory of the login is a Secret")
def secret_as_the_directory(objects: Objects) -> None:
    pod_of(objects)["volumes"].append({"name": "login", "secret": {"secretName": "claude-token"}})
    _home(objects)["name"] = "login"


@manifest_sabotage("home-uid-host-stable", "the first process is given another home by a shell around it")
def another_home_at_first(objects: Objects) -> None:
    start = f"export HOME=/tmp; exec /usr/bin/tini -- {START}"
    agent_of(objects)["command"] = ["sh", "-c", start]


@manifest_sabotage("home-uid-host-stable", "the pod of a Deployment gets a new name each time")
def nameless_pod(objects: Objects) -> None:
    workload = find(objects, "StatefulSet")
    volume = {"name": _home(objects)["name"], "emptyDir": {}}
    pod_of(objects)["volumes"].append(volume)
    workload["kind"] = "Deployment"
    workload["spec"] = {key: workload["spec"][key] for key in ("replicas", "selector", "template")}


@manifest_sabotage("token-expiry-monitored", "the watch says that all is well whatever it finds")
def watch_always_content(objects: Objects) -> None:
    job = find(objects, "CronJob")["spec"]["jobTemplate"]["spec"]
    container = job["template"]["spec"]["containers"][0]
    container["command"] = ["sh", "-c", f"{' '.join(container['command'])} || true"]


@manifest_sabotage("rotated-token-picked-up", "the token stands in the pod template")
def literal_token(objects: Objects) -> None:
    token = base64.b64decode(find(objects, "Secret")["data"]["token"]).decode()
    variables = agent_of(objects)["env"]
    mine = next(each for each in variables if each["name"] == "CLAUDE_CODE_OAUTH_TOKEN")
    variables[variables.index(mine)] = {"name": mine["name"], "value": token}


@manifest_sabotage("restart-reauthenticates", "the pod template has a token of its own, an empty one")
def empty_literal_token(objects: Objects) -> None:
    variables = agent_of(objects)["env"]
    mine = next(each for each in variables if each["name"] == "CLAUDE_CODE_OAUTH_TOKEN")
    variables[variables.index(mine)] = {"name": mine["name"], "value": ""}


def _shared_claim(objects: Objects, name: str) -> None:
    """Add a claim to the objects and a volume of it to the pod."""
    namespace = find(objects, "StatefulSet")["metadata"]["namespace"]
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
    meta = {"name": name, "namespace": namespace}
    objects.append({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": spec})
    pod_of(objects)["volumes"].append({"name": name, "persistentVolumeClaim": {"claimName": name}})


@manifest_sabotage("one-credential-file-per-agent", "one claim for all replicas")
def one_claim_for_all(objects: Objects) -> None:
    _shared_claim(objects, "one")
    _home(objects)["name"] = "one"


@manifest_sabotage("one-credential-file-per-agent", "the login is not on the volume of the replica")
def login_on_a_shared_claim(objects: Objects) -> None:
    _shared_claim(objects, "one")
    agent_of(objects)["volumeMounts"].append({"name": "one", "mountPath": "/one"})
    agent_of(objects).setdefault("env", []).append({"name": "CLAUDE_CONFIG_DIR", "value": "/one"})


@manifest_sabotage("no-cross-platform-credential-share", "the home of the host is mounted into the pod")
def home_of_the_host(objects: Objects) -> None:
    home = {"path": "/Users/me/.claude", "type": "DirectoryOrCreate"}
    pod_of(objects)["volumes"].append({"name": _home(objects)["name"], "hostPath": home})
    del find(objects, "StatefulSet")["spec"]["volumeClaimTemplates"]


@subject_sabotage("no-cross-platform-credential-share", "a Compose file mounts the home of the host")
def compose_with_the_home(directory: Path) -> None:
    volumes = ["~/.claude:/home/claude/.claude"]
    service = {"image": "claude-in-a-box", "volumes": volumes}
    (directory / "compose.yaml").write_text(yaml.safe_dump({"services": {"claude": service}}))


@subject_sabotage("token-expiry-monitored", "the documentation does not say how long a token lasts")
def lifetimes_not_stated(directory: Path) -> None:
    page = directory / "docs/authentication.md"
    kept = [line for line in page.read_text().splitlines() if not line.startswith("| lasts")]
    page.write_text("\n".join(kept))


image_sabotage(
    "opened_for_the_group", "auth-login-for-its-user-alone", "the entrypoint opens its place for the group",
    dockerfile=at_start(f"chmod -R g+rX {CONFIG}"),
)  # fmt: skip
image_sabotage(
    "shut_directory", "credentials-dir-writable", "the entrypoint shuts one directory beside the file",
    dockerfile=at_start(f"mkdir -p {CONFIG}/todos; chmod 0500 {CONFIG}/todos"),
)  # fmt: skip


@manifest_sabotage("token-expiry-monitored", "the watch is suspended")
def watch_suspended(objects: Objects) -> None:
    find(objects, "CronJob")["spec"]["suspend"] = True


@manifest_sabotage("token-expiry-monitored", "each Job of the watch is made suspended")
def watch_jobs_suspended(objects: Objects) -> None:
    find(objects, "CronJob")["spec"]["jobTemplate"]["spec"]["suspend"] = True


@manifest_sabotage("token-expiry-monitored", "the watch comes once a night, when the login has long run out")
def watch_comes_seldom(objects: Objects) -> None:
    find(objects, "CronJob")["spec"]["schedule"] = "0 3 * * *"


@subject_sabotage("no-cross-platform-credential-share", "a page has the home of the host mounted")
def page_with_the_home(directory: Path) -> None:
    page = directory / "docs/installing.md"
    page.write_text(f"{page.read_text()}\n```\ndocker run -v ~/.claude:{CONFIG} claude-in-a-box\n```\n")


REAL = "/usr/local/bin/claude"
WITHOUT_LOGIN = f'#!/bin/sh\\n[ "$1" = auth ] && exit 1\\nexec {REAL}-real "$@"\\n'
image_sabotage(
    "no_login_by_hand", "rotated-token-picked-up", "the CLI of the box does not log in by hand",
    dockerfile=as_root(
        f"mv {REAL} {REAL}-real", f"printf '{WITHOUT_LOGIN}' > {REAL}", f"chmod 0755 {REAL}",
    ),
)  # fmt: skip


@manifest_sabotage("rotated-token-picked-up", "as shipped it does not wait for somebody to log in")
def nobody_waits(objects: Objects) -> None:
    del find(objects, "ConfigMap", "claude-config")["data"]["CLAUDE_WAIT_FOR_LOGIN"]
