"""What a deployed box starts and reads, wherever its objects say it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from boxproof.subject.model import ComposePart, Subject
from suites.image import deployed_words


def named(kind: str, **fields: Any) -> dict[str, Any]:
    """Return an object of a kind, called "it"."""
    return {"kind": kind, "metadata": {"name": "it"}, **fields}


def test_lists_are_read_as_a_shell_has_them_and_settings_as_they_are() -> None:
    probe = {"exec": {"command": ["pip", "install", "a"]}}
    container = {"command": ["sh", "-c"], "args": ["npx a"], "livenessProbe": probe, "image": "i:1"}
    spec = {"initContainers": [{"env": [{"name": "A", "value": "b"}]}], "containers": [container]}
    pods = [
        named("Pod", spec=spec),
        named("StatefulSet", spec={"template": {"spec": spec}}),
        named("CronJob", spec={"jobTemplate": {"spec": {"template": {"spec": spec}}}}),
    ]
    texts = deployed_words.by_object(pods)
    assert sorted(texts) == ["CronJob it", "Pod it", "StatefulSet it"]
    for each in texts.values():
        assert {"sh -c", "npx a", "pip install a", "A", "b"} <= set(each.splitlines())


def test_what_starts_and_says_nothing_has_no_words() -> None:
    objects = [named("Service", spec={"ports": []}), named("Secret", data={"a": "bnB4"}), named("ConfigMap")]
    assert deployed_words.by_object(objects) == {}
    assert deployed_words.by_object([named("ConfigMap", data={"a": "npx"})]) == {"ConfigMap it": "npx"}


def test_a_variable_is_found_where_a_container_or_its_settings_give_it() -> None:
    env = [{"name": "A", "value": "0"}, {"name": "B", "valueFrom": {}}]
    objects = [
        named("ConfigMap", data={"A": "1", "B": "2"}), named("Pod", spec={"containers": [{"env": env}]}),
        named("Service", spec={}),
    ]  # fmt: skip
    assert deployed_words.settings(objects, "A") == {"ConfigMap it": "1", "Pod it, env": "0"}
    assert deployed_words.settings(objects, "B") == {"ConfigMap it": "2"}
    assert deployed_words.settings(objects, "C") == {}


def test_a_variable_is_found_in_a_file_of_settings_too() -> None:
    settings = '{"env": {"A": "0", "AB": "3"},\n  "other": {"A" : false}}'
    objects = [named("ConfigMap", data={"settings.json": settings, "words": "A=1"})]
    assert list(deployed_words.settings(objects, "A").values()) == ["0", "false"]
    assert deployed_words.within(settings, "A") == ["0", "false"]


def test_what_nothing_carries_out_is_left_out() -> None:
    rules = '{"deny": ["Bash(npm install:*)"], "bash": {"npx *": "deny"}, "mcp": ["npx", "--offline", "a"]}'
    data = {
        "AGENTS.md": "Run `npm install` first.",
        "start.sh": "# npx would fetch it\nagent\n",
        "rules": rules,
    }
    env = [{"name": "PATH", "value": "/opt/pipx/bin:/usr/bin"}, {"name": "RUNNER", "value": "uvx"}]
    objects = [named("ConfigMap", data=data), named("Pod", spec={"containers": [{"env": env}]})]
    texts = deployed_words.by_object(objects)
    assert "agent" in texts["ConfigMap it"]
    assert not any(each in texts["ConfigMap it"] for each in ("npm install", "npx"))
    assert "pipx" not in texts["Pod it"]
    assert "uvx" in texts["Pod it"]


def test_a_variable_is_found_by_the_key_that_a_container_takes_it_from() -> None:
    env = [{"name": "ONE_TWO", "valueFrom": {"configMapKeyRef": {"name": "it", "key": "other"}}}]
    objects = [
        named("ConfigMap", data={"other": "0", "TWO": "2"}),
        named("Secret", data={"TWO": "Mw=="}),
        named("Pod", spec={"containers": [{"env": env}]}),
        named("Pod", spec={"containers": [{"envFrom": [{"prefix": "ONE_", "secretRef": {"name": "it"}}]}]}),
    ]
    assert sorted(deployed_words.settings(objects, "ONE_TWO").values()) == ["0", "3"]
    assert deployed_words.settings(objects, "other_key") == {}


def test_a_variable_is_found_in_what_a_shell_is_told() -> None:
    for text, value in {
        "unset -v OTHER A; exec agent": "", "env -u A agent": "", "export A=0 && exec agent": "0",
        "A='off' agent": "off", "A=${A:-1} agent": "1",
    }.items():  # fmt: skip
        pod = named("Pod", spec={"containers": [{"command": ["sh", "-c", text]}]})
        assert list(deployed_words.settings([pod], "A").values()) == [value], text
        script = named("ConfigMap", data={"start.sh": f"{text}\n", "words": text})
        assert list(deployed_words.settings([script], "A").values()) == [value], text
    for text in ("BA=0 agent", "A=$A agent", '[ "$A" = 0 ] || agent', "# unset A\nagent"):
        pod = named("Pod", spec={"containers": [{"args": [text]}]})
        assert deployed_words.settings([pod], "A") == {}, text


def test_a_service_of_compose_takes_variables_of_files(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(
        "services:\n  a: {env_file: one.env}\n  b: {env_file: [one.env, {path: two.env, required: false}]}\n"
        "  c: {env_file: one.env, environment: {A: '3'}}\n  d: {command: sh -c 'unset A && agent'}\n"
        "  e: {env_file: none.env}\n"
    )
    (tmp_path / "one.env").write_text("# what it has\nA=0\n")
    (tmp_path / "two.env").write_text("export A='2'\n")
    subject = Subject(directory=tmp_path, name="box", compose=ComposePart(file="compose.yaml"))
    found = deployed_words.of_services(subject, "A")
    assert {where.partition(",")[0]: value for where, value in found.items()} == {
        "compose.yaml: a": "0", "compose.yaml: b": "2", "compose.yaml: c": "3", "compose.yaml: d": "",
    }  # fmt: skip
