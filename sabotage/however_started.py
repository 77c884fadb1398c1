"""Sabotages of one way of starting the agent among others: a tier, a Compose file, a command, a fleet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from boxproof.deployment.sabotage_ways import Objects, find, manifest_sabotage
from pytest_claims.sabotages import replace_in, subject_sabotage
from sabotage.box_parts import agent_of, pod_of

CONFIG = "/home/claude/.claude"
FILE = f"{CONFIG}/.credentials.json"
COMPOSE, WITH_THE_SOCKET = "compose.yaml", "compose.docker.yaml"


def _served(objects: Objects) -> dict[str, Any]:
    """Return the agent's container where it is served over HTTP; elsewhere there is no such object."""
    find(objects, "Service", "claude-api")
    return agent_of(objects)


@subject_sabotage("memory-limit-sized-for-the-agent", "Compose gives the box half of what an agent needs")
def half_by_compose(directory: Path) -> None:
    """Where it is killed a manifest says nothing of it."""
    replace_in(directory / COMPOSE, "mem_limit: 4g", "mem_limit: 2g")


@subject_sabotage("memory-limit-sized-for-the-agent", "the documented command gives the box two gigabytes")
def half_by_the_command(directory: Path) -> None:
    """On the page and in subject.toml alike."""
    replace_in(directory / "docs/running.md", "--memory 4g", "--memory 2g")
    replace_in(directory / "subject.toml", '"--memory", "4g"', '"--memory", "2g"')


@subject_sabotage("memory-limit-sized-for-the-agent", "one agent of the fleet that ships has two gigabytes")
def half_in_the_fleet(directory: Path) -> None:
    """The values of one agent replace those of all."""
    replace_in(directory / "chart/examples/fleet.yaml", "        memory: 6Gi", "        memory: 2Gi")


@subject_sabotage("home-and-workdir-writable", "Compose makes the root read-only, and mounts no home")
def root_read_only_by_compose(directory: Path) -> None:
    """Harden it as the manifests are, without what they mount."""
    replace_in(directory / COMPOSE, "    cap_drop: [ALL]\n", "    read_only: true\n    cap_drop: [ALL]\n")


@manifest_sabotage("home-and-workdir-writable", "for production the work directory is mounted read-only")
def work_shut_in_production(objects: Objects) -> None:
    """What is tried is another tier."""
    find(objects, "StorageClass")  # in that tier alone
    mounts = agent_of(objects)["volumeMounts"]
    next(each for each in mounts if each["mountPath"] == "/workspace")["readOnly"] = True


@manifest_sabotage("pvc-mounted-at-real-home", "where it is served the CLI is told of another directory")
def elsewhere_where_served(objects: Objects) -> None:
    """A service keeps no state, somebody thought."""
    _served(objects).setdefault("env", []).append({"name": "CLAUDE_CONFIG_DIR", "value": "/workspace/state"})


@subject_sabotage("pvc-mounted-at-real-home", "a page mounts the volume in root's home")
def page_with_roots_home(directory: Path) -> None:
    """As it was when the box ran as root."""
    replace_in(directory / "docs/running.md", f"-v claude:{CONFIG} ", "-v claude:/root/.claude ")


@subject_sabotage("home-and-workdir-writable", "Compose has the work directory in memory that is root's")
def work_of_roots_by_compose(directory: Path) -> None:
    """Its mode is that of a directory on a disk, and nobody gives it an owner."""
    memory = "      - /tmp:rw,noexec,nosuid,nodev,size=256m\n"
    replace_in(directory / COMPOSE, memory, f"{memory}      - /workspace:size=1g,mode=0755\n")


@subject_sabotage("pvc-mounted-at-real-home", "the volume of the Compose file is memory, for all its name")
def volume_of_memory(directory: Path) -> None:
    """It is there until the machine is restarted, and its engine with it."""
    memory = "    driver_opts: {type: tmpfs, device: tmpfs}\n"
    replace_in(directory / COMPOSE, "\nvolumes:\n  home:\n", f"\nvolumes:\n  home:\n{memory}")


@subject_sabotage("pvc-mounted-at-real-home", "a file of variables tells Compose's CLI of another directory")
def elsewhere_by_a_file(directory: Path) -> None:
    """What is told stands beside the Compose file."""
    (directory / "agent.env").write_text("CLAUDE_CONFIG_DIR=/workspace/state\n")
    replace_in(directory / COMPOSE, "    cap_drop: [ALL]\n", "    env_file: agent.env\n    cap_drop: [ALL]\n")


@manifest_sabotage("pvc-mounted-at-real-home", "where it is served a ConfigMap's key names another directory")
def elsewhere_by_a_key(objects: Objects) -> None:
    """The variable has no value of its own."""
    key = {"name": "claude-config", "key": "STATE"}
    variable = {"name": "CLAUDE_CONFIG_DIR", "valueFrom": {"configMapKeyRef": key}}
    _served(objects).setdefault("env", []).append(variable)
    find(objects, "ConfigMap", "claude-config")["data"]["STATE"] = "/workspace/state"


@manifest_sabotage("credentials-dir-writable", "where it is served the credentials are a file of a Secret")
def secret_where_served(objects: Objects) -> None:
    """Give the service a login as one gives others a certificate."""
    mount = {"name": "login", "mountPath": FILE, "subPath": "credentials.json", "readOnly": True}
    _served(objects)["volumeMounts"].append(mount)
    pod_of(objects)["volumes"].append({"name": "login", "secret": {"secretName": "claude-login"}})


@subject_sabotage("credentials-dir-writable", "with the socket comes a mount of the credentials alone")
def file_with_the_socket(directory: Path) -> None:
    """What can be touched cannot be replaced."""
    file = directory / WITH_THE_SOCKET
    replace_in(file, "    volumes:\n", f"    volumes:\n      - ./credentials.json:{FILE}\n")


@manifest_sabotage("auth-login-for-its-user-alone", "the watch opens the volume for its group each time")
def opened_by_the_watch(objects: Objects) -> None:
    """It comes every ten minutes, on the agent's own claim."""
    job = find(objects, "CronJob")["spec"]["jobTemplate"]["spec"]
    del job["template"]["spec"]["securityContext"]["fsGroupChangePolicy"]


@subject_sabotage("auth-login-for-its-user-alone", "the pod of a backup opens the volume for its group")
def opened_by_a_backup(directory: Path) -> None:
    """Leave out what other pods say."""
    replace_in(directory / "manifests/backup/pod.yaml", "    fsGroupChangePolicy: OnRootMismatch\n", "")


@subject_sabotage("no-cross-platform-credential-share", "a volume of the cluster is the home of the host")
def volume_of_the_host(directory: Path) -> None:
    """The pod mounts a claim, and nothing of the host's."""
    spec = {
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteOnce"],
        "hostPath": {"path": "/Users/me/.claude"},
    }
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": "claude-home"},
        "spec": spec,
    }
    (directory / "manifests/debug/volume.yaml").write_text(yaml.safe_dump(volume))


@subject_sabotage("no-cross-platform-credential-share", "a page has Compose mount the home of the host")
def page_with_the_home_by_compose(directory: Path) -> None:
    """It is no command of the engine's own."""
    page = directory / "docs/installing.md"
    line = f"docker compose run --rm -v ~/.claude:{CONFIG} claude"
    page.write_text(f"{page.read_text()}\n```\n{line}\n```\n")


@manifest_sabotage("probe-checks-the-right-thing", "where it is served the liveness probe lets all pass")
def passes_where_served(objects: Objects) -> None:
    """So that a prompt that takes long does not end it."""
    probe = _served(objects)["livenessProbe"]
    probe["exec"]["command"] = ["sh", "-c", f"{' '.join(probe['exec']['command'])} || true"]


@manifest_sabotage("readiness-reflects-auth", "where it is served readiness asks what liveness asks")
def ready_where_alive(objects: Objects) -> None:
    """Copy the command."""
    agent = _served(objects)
    agent["readinessProbe"]["exec"] = agent["livenessProbe"]["exec"]


@manifest_sabotage("no-shell-wrapper-inside-exec-form", "where it is served a shell starts it, and waits")
def shell_where_served(objects: Objects) -> None:
    """Have it say when the box has ended."""
    start = "/usr/bin/tini -- /usr/local/bin/entrypoint; echo ended"
    _served(objects)["command"] = ["/bin/bash", "-c", start]


@manifest_sabotage("pod-spec-holds-no-literal-token", "where it is served the clients' token is a variable")
def clients_token_where_served(objects: Objects) -> None:
    """It has the shape of nothing, and is no login of the agent's."""
    _served(objects).setdefault("env", []).append({"name": "BOX_API_TOKEN", "value": "changeme"})


@manifest_sabotage("one-credential-file-per-agent", "where it is served two pods have one claim")
def two_where_served(objects: Objects) -> None:
    """A service may have several, somebody thought; one node mounts it for both."""
    agent, item = _served(objects), find(objects, "StatefulSet")
    mount = next(each for each in agent["volumeMounts"] if each["mountPath"] == CONFIG)
    meta = {"name": "one", "namespace": item["metadata"]["namespace"]}
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    objects.append({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": spec})
    pod_of(objects)["volumes"].append({"name": "one", "persistentVolumeClaim": {"claimName": "one"}})
    mount["name"] = "one"
    item["spec"]["replicas"] = 2
