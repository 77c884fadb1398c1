"""Which servers the settings of a box have started."""

from __future__ import annotations

import json

import pytest

from suites.mcp import shipped_servers


def test_a_server_is_known_by_its_words() -> None:
    listed = {"b": {"command": "/bin/b", "args": ["--read-only"]}, "a": {"command": "a"}, "c": {"url": "x"}}
    found = shipped_servers.servers(json.dumps({"mcpServers": listed}))
    assert found == [("a", ("a",)), ("b", ("/bin/b", "--read-only"))]


def test_what_is_no_list_of_servers_has_none() -> None:
    for text in ("", "{}", "[]", '{"mcpServers": []}', '{"mcpServers": {"a": 1}}', "{{ .values }}"):
        assert shipped_servers.servers(text) == []


def test_a_file_of_another_tier_is_left_out_of_the_words() -> None:
    words = ("--kubeconfig", "/a", "--read-only", "--kubeconfig=/b", "--port")
    assert shipped_servers.alone(words) == ("--read-only", "--port")
    assert shipped_servers.alone(()) == ()


def test_a_table_of_values_lists_them_as_a_text_does() -> None:
    listed = {"mcpServers": {"a": {"command": "a", "args": ["--b"]}}}
    for values in ({"mcp": json.dumps(listed)}, {"mcp": listed}, {"agents": [{"mcp": listed}]}):
        texts = list(shipped_servers.texts_in(values))
        assert [each for text in texts for each in shipped_servers.servers(text)] == [("a", ("a", "--b"))]


@pytest.mark.parametrize(
    ("server", "told"),
    [
        ({"command": "/usr/bin/k", "args": ["--read-only"]}, []),
        ({"command": "/usr/bin/k", "args": ["--read-only", "--log-level", "2"]}, []),
        ({"command": "/usr/bin/k", "args": ["--port", "8081"]}, ["--port"]),
        ({"command": "/usr/bin/k", "args": ["--sse-port=8081"]}, ["--sse-port=8081"]),
        ({"type": "http", "url": "http://mcp:8081/mcp"}, ["http://mcp:8081/mcp"]),
    ],
)
def test_a_server_that_is_no_child_on_stdio_is_seen(server: dict[str, object], told: list[str]) -> None:
    text = json.dumps({"mcpServers": {"own": server}})
    assert [words for _, words in shipped_servers.reached(text, "own")] == told


def test_a_second_one_of_its_program_is_looked_at_and_others_are_not() -> None:
    others = {
        "more": {"command": "/opt/k", "args": ["--port=1"]},
        "x": {"command": "x", "args": ["--port=1"]},
    }
    text = json.dumps({"mcpServers": {**others, "far": {"url": "https://docs"}}})
    assert list(shipped_servers.reached(text, "own", {"k"})) == [("more", "--port=1")]
