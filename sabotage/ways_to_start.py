"""Sabotages of what only one tier, Compose file or page says: of its end, user, mounts and probes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from boxproof.deployment.sabotage_ways import Objects, find, manifest_sabotage
from pytest_claims.sabotages import replace_in, subject_sabotage
from sabotage.box_parts import agent_of, pod_of

COMPOSE, PAGE = "compose.yaml", "docs/running.md"
CONFIG = "/home/claude/.claude"
SKILL = "/etc/claude-code/.claude/skills/toolkit/SKILL.md"


def _served(objects: Objects) -> dict[str, Any]:
    """Return the agent's container where it is served over HTTP; elsewhere there is no such object."""
    find(objects, "Service", "claude-api")
    return agent_of(objects)


def _variable(container: dict[str, Any], name: str, **source: dict[str, str]) -> None:
    container.setdefault("env", []).append({"name": name, "valueFrom": source})


@manifest_sabotage("sigterm-graceful-5s", "where it is served a hook waits 15 s for clients to go")
def waits_where_served(objects: Objects) -> None:
    """There is one pod, and no elsewhere."""
    _served(objects)["lifecycle"] = {"preStop": {"exec": {"command": ["sh", "-c", "sleep 15"]}}}


@manifest_sabotage("sigterm-graceful-5s", "where it is served a hook waits as long as anybody is prompting")
def waits_for_clients(objects: Objects) -> None:
    """No number says how long."""
    waits = "while pgrep -f output-format; do sleep 1; done"
    _served(objects)["lifecycle"] = {"preStop": {"exec": {"command": ["sh", "-c", waits]}}}


@subject_sabotage("sigterm-graceful-5s", "the page gives the box a second to end, subject.toml says nothing")
def a_second_on_the_page(directory: Path) -> None:
    """So that it is quick to go."""
    replace_in(directory / PAGE, "    -it -e CLAUDE_MODE", "    --stop-timeout 1 -it -e CLAUDE_MODE")


@manifest_sabotage("grace-period-60", "a box that its probe has given up has 5 s to end")
def hasty_probe(objects: Objects) -> None:
    """It hangs, so why wait?"""
    agent_of(objects)["livenessProbe"]["terminationGracePeriodSeconds"] = 5


@manifest_sabotage("zombies-reaped", "where it is served the box's script is started, and no init")
def no_init_where_served(objects: Objects) -> None:
    """The image's own command is copied, without its first words."""
    _served(objects)["command"] = ["/usr/local/bin/entrypoint"]


@manifest_sabotage("pvc-survives-pod-deletion", "each node has a directory of its own on the volume")
def directory_of_each_node(objects: Objects) -> None:
    """In a cluster whose volumes stay on their node nothing is seen of it."""
    agent = agent_of(objects)
    _variable(agent, "NODE", fieldRef={"fieldPath": "spec.nodeName"})
    mount = next(each for each in agent["volumeMounts"] if each["mountPath"] == CONFIG)
    mount["subPathExpr"] = "nodes/$(NODE)"


@manifest_sabotage("pvc-survives-pod-deletion", "where it is served its state is a directory of the pod's")
def forgets_where_served(objects: Objects) -> None:
    """A service has no state, somebody thought."""
    mount = next(each for each in _served(objects)["volumeMounts"] if each["mountPath"] == CONFIG)
    mount["name"] = "state"
    pod_of(objects)["volumes"].append({"name": "state", "emptyDir": {}})


@subject_sabotage("no-volume-shadowing", "Compose mounts a volume over the settings of the image")
def volume_over_the_settings(directory: Path) -> None:
    """The engine fills it from the first image, and from no other."""
    home = f"      - home:{CONFIG}\n"
    replace_in(directory / COMPOSE, home, f"{home}      - settings:/etc/claude-code\n")
    replace_in(directory / COMPOSE, "\nvolumes:\n  home:\n", "\nvolumes:\n  home:\n  settings:\n")


@manifest_sabotage("no-volume-shadowing", "where it is served a setting is mounted over the image's settings")
def setting_over_the_settings(objects: Objects) -> None:
    """A ConfigMap brings its own files, and hides those that it does not have."""
    _served(objects)["volumeMounts"].append({"name": "mode", "mountPath": "/etc/claude-code"})
    source = {"name": "claude-config", "items": [{"key": "CLAUDE_MODE", "path": "mode"}]}
    pod_of(objects)["volumes"].append({"name": "mode", "configMap": source})


@subject_sabotage("no-volume-shadowing", "the entrypoint installs the image's skill where there is none yet")
def installed_once(directory: Path) -> None:
    """By another program than cp."""
    path = directory / "image/rootfs/usr/local/bin/entrypoint"
    to = '"$CLAUDE_CONFIG_DIR/toolkit.md"'
    replace_in(path, "\nset -eu\n", f"\nset -eu\n[ -e {to} ] || install -m 600 {SKILL} {to} || :\n")


@subject_sabotage("no-volume-shadowing", "the entrypoint unpacks the image's skills beside what is there")
def unpacked_once(directory: Path) -> None:
    """By an archive, of which it keeps what is there already."""
    path = directory / "image/rootfs/usr/local/bin/entrypoint"
    pipe = 'tar -C /etc/claude-code/.claude -cf - skills | tar -C "$CLAUDE_CONFIG_DIR" -xkf - || :'
    replace_in(path, "\nset -eu\n", f"\nset -eu\n{pipe}\n")


@subject_sabotage("home-and-workdir-writable", "Compose runs the box as a user that the image does not know")
def another_user_by_compose(directory: Path) -> None:
    """It is that of the person who wrote it."""
    replace_in(directory / COMPOSE, 'user: "1000:1000"', 'user: "1001:1001"')


@subject_sabotage("home-and-workdir-writable", "a page runs the box as whoever calls the engine")
def callers_user_on_a_page(directory: Path) -> None:
    """So that files of the work directory are the caller's."""
    user = '    --user "$(id -u):$(id -g)" -it -e CLAUDE_MODE'
    replace_in(directory / PAGE, "    -it -e CLAUDE_MODE", user)


@manifest_sabotage("liveness-detects-dead-or-hung", "where it is served liveness asks to be connected")
def connected_where_served(objects: Objects) -> None:
    """The kernel answers for a service that hangs."""
    probe = _served(objects)["livenessProbe"]
    del probe["exec"]
    probe["tcpSocket"] = {"port": "api"}


@manifest_sabotage("readiness-reflects-auth", "where it is served readiness asks if the service is there")
def there_where_served(objects: Objects) -> None:
    """That is another question than liveness, and knows of no login."""
    probe = _served(objects)["readinessProbe"]
    del probe["exec"]
    probe["httpGet"] = {"path": "/healthz", "port": "api"}


@manifest_sabotage("readiness-reflects-auth", "clients are sent to an agent that is not ready")
def sent_before_it_is_ready(objects: Objects) -> None:
    """As the headless Service of a database says it."""
    find(objects, "Service", "claude-api")["spec"]["publishNotReadyAddresses"] = True


@subject_sabotage("oom-is-visible", "Compose keeps the kernel from ending anything at the limit")
def stands_still_by_compose(directory: Path) -> None:
    """So that no session is lost."""
    replace_in(directory / COMPOSE, "    mem_limit: 4g\n", "    mem_limit: 4g\n    oom_kill_disable: true\n")


@manifest_sabotage("limits-read-from-cgroup", "where it is served processors are those that are asked for")
def processors_asked_for(objects: Objects) -> None:
    """Half a processor is asked for, and three may be used."""
    _variable(_served(objects), "GOMAXPROCS", resourceFieldRef={"resource": "requests.cpu"})
