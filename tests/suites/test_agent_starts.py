"""How what ships starts the agent is read out of objects, Compose files and commands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from boxproof.core.settings import ROOT
from boxproof.subject import model
from boxproof.subject.documented_commands import Run
from boxproof.subject.model import ComposePart, Subject
from suites.agent_starts import Mount, Start, commands, of_objects, of_run, of_service, services

AGENT = {"name": "agent", "volumeMounts": [{"name": "home", "mountPath": "/home/a/.claude"}]}


def workload(agent: dict[str, Any], **pod: Any) -> list[dict[str, Any]]:
    """Return the objects of an agent whose volume is a claim of its own, and of its settings."""
    spec: dict[str, Any] = {
        "template": {"spec": {"containers": [agent], **pod}},
        "volumeClaimTemplates": [{"metadata": {"name": "home"}}],
    }
    settings = {"CLAUDE_CONFIG_DIR": "/home/a/.claude"}
    return [
        {"kind": "ConfigMap", "metadata": {"name": "settings"}, "data": settings},
        {"kind": "StatefulSet", "metadata": {"name": "agent"}, "spec": spec},
    ]


def of(agent: dict[str, Any], **pod: Any) -> Start:
    """Return how that agent starts."""
    subject = Subject(directory=ROOT, name="a", workload="agent", container="agent")
    return of_objects("a tier", workload(agent, **pod), subject)


def test_what_a_pod_mounts() -> None:
    mounts = [
        *AGENT["volumeMounts"],
        {"name": "login", "mountPath": "/home/a/.claude/.credentials.json", "subPath": "login"},
        {"name": "work", "mountPath": "/work", "readOnly": True},
    ]
    volumes = [{"name": "login", "secret": {"secretName": "login"}}, {"name": "work", "emptyDir": {}}]
    security = {"readOnlyRootFilesystem": True}
    start = of(AGENT | {"volumeMounts": mounts, "securityContext": security}, volumes=volumes)
    assert start.mounts == (
        Mount("/home/a/.claude", "claim"),
        Mount("/home/a/.claude/.credentials.json", "secret"),
        Mount("/work", "emptyDir", True),
    )
    written = ("/home/a/.claude/todos", "/home/a/.claude/.credentials.json", "/work", "/home/a")
    assert [start.writes(each) for each in written] == [True, False, False, False]
    assert of(AGENT).writes("/home/a")


@pytest.mark.parametrize(
    ("volume", "brought"),
    [
        ({"configMap": {"name": "settings"}}, {"CLAUDE_CONFIG_DIR"}),
        (
            {"configMap": {"name": "settings", "items": [{"key": "CLAUDE_CONFIG_DIR", "path": "a/b"}]}},
            {"a/b"},
        ),
        ({"secret": {"secretName": "a-users"}}, set()),
        ({"projected": {"sources": [{"configMap": {"name": "settings"}}]}}, {"CLAUDE_CONFIG_DIR"}),
        ({"emptyDir": {}}, None),
    ],
)
def test_which_files_objects_bring_to_a_mount(volume: dict[str, Any], brought: set[str] | None) -> None:
    agent = AGENT | {"volumeMounts": [{"name": "one", "mountPath": "/etc/one"}]}
    [mount] = of(agent, volumes=[{"name": "one", **volume}]).mounts
    assert mount.brought == brought


def test_what_is_said_to_a_pod() -> None:
    given = {"envFrom": [{"configMapRef": {"name": "settings"}}], "env": [{"name": "A", "value": "b"}]}
    assert of(AGENT | given).variables == {"CLAUDE_CONFIG_DIR": "/home/a/.claude", "A": "b"}
    key = {"name": "settings", "key": "CLAUDE_CONFIG_DIR"}
    named = [{"name": "HERE", "valueFrom": {"configMapKeyRef": key}}, {"name": "NOWHERE", "valueFrom": {}}]
    prefixed = [{"prefix": "MY_", "configMapRef": {"name": "settings"}}, {"secretRef": {"name": "settings"}}]
    found = of(AGENT | {"env": named, "envFrom": prefixed}).variables
    assert found == {"MY_CLAUDE_CONFIG_DIR": "/home/a/.claude", "HERE": "/home/a/.claude"}
    assert of(AGENT).variables == {}


@pytest.mark.parametrize(
    ("service", "mount"),
    [
        ({"volumes": ["home:/a"]}, Mount("/a", "volume")),
        ({"volumes": ["/a"]}, Mount("/a", "anonymous")),
        ({"volumes": ["./here:/a:ro"]}, Mount("/a", "bind", True)),
        ({"volumes": ["${DIR:?say where}/x:/a:rw,z"]}, Mount("/a", "bind")),
        ({"volumes": ["${VOLUME:-home}:/a"]}, Mount("/a", "volume")),
        ({"volumes": [{"type": "volume", "source": "home", "target": "/a"}]}, Mount("/a", "volume")),
        ({"volumes": [{"type": "volume", "target": "/a"}]}, Mount("/a", "anonymous")),
        (
            {"volumes": [{"type": "bind", "source": ".", "target": "/a", "read_only": True}]},
            Mount("/a", "bind", True),
        ),
        ({"tmpfs": "/a:size=1g"}, Mount("/a", "tmpfs")),
        ({"tmpfs": ["/a"]}, Mount("/a", "tmpfs")),
        ({"tmpfs": ["/a:mode=0755,size=1g"]}, Mount("/a", "tmpfs", True)),
        ({"tmpfs": ["/a:mode=755,uid=1000"]}, Mount("/a", "tmpfs")),
        ({"tmpfs": ["/a:mode=0770,gid=1000"]}, Mount("/a", "tmpfs")),
        ({"tmpfs": ["/a:mode=1777"]}, Mount("/a", "tmpfs")),
        (
            {"volumes": [{"type": "tmpfs", "target": "/a", "tmpfs": {"mode": 0o755}}]},
            Mount("/a", "tmpfs", True),
        ),
        ({"volumes": [{"type": "tmpfs", "target": "/a", "tmpfs": {"size": 9}}]}, Mount("/a", "tmpfs")),
        ({"secrets": ["login"]}, Mount("/run/secrets/login", "secret", True)),
        ({"secrets": [{"source": "login", "target": "/a/login"}]}, Mount("/a/login", "secret", True)),
        ({"configs": [{"source": "state"}]}, Mount("/state", "configMap", True)),
    ],
)
def test_what_a_service_mounts(service: dict[str, Any], mount: Mount) -> None:
    assert of_service("compose.yaml", service).mounts == (mount,)


@pytest.mark.parametrize("said", [{"A": "b", "C": None}, ["A=b", "C"]])
def test_what_is_said_to_a_service(said: Any) -> None:
    start = of_service("compose.yaml", {"environment": said, "read_only": True})
    assert (start.variables, start.read_only) == ({"A": "b", "C": ""}, True)


def test_files_of_variables_tell_a_service_what_it_does_not_say(tmp_path: Path) -> None:
    (tmp_path / "box.env").write_text("# for developers\nA=1\nexport B='2'\nAPI_TOKEN=none\n")
    files = "[{path: box.env}, missing.env]"
    text = f"services: {{one: {{image: a, env_file: {files}, environment: [B=3]}}}}"
    (tmp_path / "compose.yaml").write_text(text)
    part = ComposePart(file="compose.yaml", service="one")
    [(name, service)] = services(Subject(directory=tmp_path, name="a", compose=part))
    assert of_service(name, service).variables == {"A": "1", "B": "3"}


@pytest.mark.parametrize(
    ("words", "mount"),
    [
        ("-v claude:/a", Mount("/a", "volume")),
        ("--volume=./x:/a:ro", Mount("/a", "bind", True)),
        ("--tmpfs /a:rw,size=1g", Mount("/a", "tmpfs")),
        ("--mount type=bind,src=/x,dst=/a,readonly", Mount("/a", "bind", True)),
        ("--mount source=claude,target=/a,readonly=false", Mount("/a", "volume")),
        ("--mount type=volume,target=/a", Mount("/a", "anonymous")),
        ("--mount type=tmpfs,dst=/a,tmpfs-mode=0755", Mount("/a", "tmpfs", True)),
        ("--mount src=b,dst=/a,volume-opt=type=tmpfs,volume-opt=device=tmpfs", Mount("/a", "tmpfs")),
    ],
)
def test_what_a_command_mounts(words: str, mount: Mount) -> None:
    start = of_run(Run("page.md", (*words.split(), "--read-only", "-e", "A=b")))
    assert (start.mounts, start.read_only, start.variables) == ((mount,), True, {"A": "b"})


def test_the_innermost_mount_carries() -> None:
    start = Start("one", (Mount("/", "bind"), Mount("/a/b", "secret"), Mount("/a/", "claim")))
    paths = ("/a/b/c", "/a/bc", "/b")
    found = [start.carrier(each) for each in paths]
    assert [each and each.kind for each in found] == ["secret", "claim", "bind"]
    assert Start("one", (Mount("/a", "claim"),)).carrier("/ab") is None


def test_volumes_of_memory_and_files_of_variables_are_read(tmp_path: Path) -> None:
    text = (
        "services: {a: {env_file: [a.env, {path: none.env, required: false}], environment: {B: own},"
        " volumes: ['home:/a', 'kept:/b', {type: volume, source: home, target: /c}]}}\n"
        "volumes: {home: {driver_opts: {type: tmpfs, device: tmpfs}}, kept: }\n"
    )
    (tmp_path / "compose.yaml").write_text(text)
    (tmp_path / "a.env").write_text("CLAUDE_CONFIG_DIR=/tmp/claude\nB=file\n")
    part = ComposePart(file="compose.yaml", service="a")
    subject = Subject(directory=tmp_path, name="a", compose=part)
    [(name, service)] = services(subject)
    start = of_service(name, service)
    assert start.mounts == (Mount("/a", "tmpfs"), Mount("/b", "volume"), Mount("/c", "tmpfs"))
    assert start.variables == {"CLAUDE_CONFIG_DIR": "/tmp/claude", "B": "own"}


def test_our_box_is_started_in_several_ways() -> None:
    subject = model.load(ROOT)
    assert {name for name, _ in services(subject)} == {"compose.yaml: claude", "compose.docker.yaml: claude"}
    pages = {each.page for each in commands(subject)}
    assert {"docs/running.md", "subject.toml"} <= pages


def amount(name: str, **told: str) -> dict[str, Any]:
    """Return a variable that has a request or a limit for its value."""
    return {"name": name, "valueFrom": {"resourceFieldRef": told}}


def test_variables_that_are_requests_or_limits() -> None:
    agent = AGENT | {
        "resources": {"requests": {"cpu": "500m"}, "limits": {"cpu": "2500m", "memory": "4Gi"}},
        "env": [
            amount("GOMAXPROCS", resource="requests.cpu"),
            amount("CPUS", resource="limits.cpu"),
            amount("MIB", resource="limits.memory", divisor="1Mi", containerName="agent"),
            amount("DISK", resource="limits.ephemeral-storage"),
        ],
    }
    assert dict(of(agent).variables) == {"GOMAXPROCS": "1", "CPUS": "3", "MIB": "4096"}
