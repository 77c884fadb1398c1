"""Which servers the settings of a box have started."""

from __future__ import annotations

import json

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
