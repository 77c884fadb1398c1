"""What a deployed box starts and reads, wherever its objects say it."""

from __future__ import annotations

from typing import Any

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
