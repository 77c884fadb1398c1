"""The user's kubeconfigs: one context is found among several files, and copied; nothing of theirs changes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from boxproof.cluster import contexts
from boxproof.core.settings import credential_variables
from pytest_claims.faults import UsageError

EXEC = {"apiVersion": "client.authentication.k8s.io/v1", "command": "./bin/login", "args": ["x"]}


def write(path: Path, name: str, server: str, **user: Any) -> Path:
    """Write a kubeconfig with one context."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = {
        "clusters": [{"name": name, "cluster": {"server": server, "certificate-authority": "pki/ca.crt"}}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": "theirs"}}],
        "current-context": "another",
    }
    path.write_text(yaml.safe_dump(data))
    return path


def test_a_context_is_found_in_the_first_file_that_has_it(tmp_path: Path) -> None:
    files = [
        tmp_path / "missing",
        write(tmp_path / "one", "a", "https://one"),
        write(tmp_path / "two", "a", "https://two"),
        write(tmp_path / "three", "b", "https://three"),
    ]
    assert contexts.chosen(files, "a").server == "https://one"
    assert contexts.chosen(files, "b").server == "https://three"


def test_an_unknown_context_names_the_nearest(tmp_path: Path) -> None:
    file = write(tmp_path / "config", "kind-prod", "https://x")
    with pytest.raises(UsageError, match=r"no context 'kind-prd' in .*config \(did you mean 'kind-prod'\?\)"):
        contexts.chosen([file], "kind-prd")


def test_no_file_and_no_kubeconfig_are_one_line_each(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no kubeconfig at .*none.*--kubeconfig FILE"):
        contexts.chosen([tmp_path / "none"], "a")
    (tmp_path / "passwd").write_text("root:x:0:0:root:/root:/bin/bash\n")
    with pytest.raises(UsageError, match=r"passwd is no kubeconfig: it is no mapping of YAML"):
        contexts.chosen([tmp_path / "passwd"], "a")
    (tmp_path / "odd").write_text("[")
    with pytest.raises(UsageError, match=r"odd is no kubeconfig") as found:
        contexts.chosen([tmp_path / "odd"], "a")
    assert "\n" not in str(found.value)


@pytest.mark.parametrize(
    ("part", "says"),
    [
        ({"cluster": "x"}, "its cluster is no table"),
        ({"user": ["x"]}, "its user is no table"),
        *(
            ({"cluster": {"server": server}}, "its cluster has no server")
            for server in (
                5,
                "",
                "https://",
                "https://[",
                "https://a b",
                "https://h:123456",
                "file:///x",
                "h",
            )
        ),
        ({"cluster": {}}, "its cluster has no server"),
    ],
)
def test_what_no_cluster_is_reached_by_is_named(tmp_path: Path, part: dict[str, object], says: str) -> None:
    data = {
        "contexts": [{"name": "a", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": part.get("cluster", {"server": "https://h"})}],
        "users": [{"name": "u", "user": part.get("user", {})}],
    }
    (tmp_path / "config").write_text(yaml.safe_dump(data))
    with pytest.raises(UsageError, match=f"the context 'a' in .*: {says}"):
        contexts.chosen([tmp_path / "config"], "a")


@pytest.mark.parametrize(
    "server", ["http://127.0.0.1:8080", "https://[::1]:6443", "https://[fe80::1%eth0]", "https://h/k8s/c/1"]
)
def test_servers_of_every_form_are_taken(tmp_path: Path, server: str) -> None:
    assert contexts.chosen([write(tmp_path / "one", "a", server)], "a").server == server


def test_a_context_without_its_cluster_is_named(tmp_path: Path) -> None:
    data = {"contexts": [{"name": "a", "context": {"cluster": "gone", "user": "u"}}]}
    (tmp_path / "config").write_text(yaml.safe_dump(data))
    with pytest.raises(UsageError, match=r"'a' names the cluster 'gone', which is not there"):
        contexts.chosen([tmp_path / "config"], "a")


def test_the_copy_holds_from_anywhere_for_its_owner_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in credential_variables():
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_PROFILE", "mine")
    monkeypatch.setenv("OTHER_SECRET", "no")
    file = write(tmp_path / "kube" / "config", "a", "https://one", exec=dict(EXEC))
    before = (file.read_bytes(), file.stat().st_mtime_ns)

    made = contexts.write(contexts.chosen([file], "a"), tmp_path / "state" / "run" / "kubeconfig", "ours")

    data = yaml.safe_load(made.read_text())
    assert made.stat().st_mode & 0o777 == 0o600
    assert data["current-context"] == "a"
    assert data["contexts"][0]["context"]["namespace"] == "ours"
    assert data["clusters"][0]["cluster"]["certificate-authority"] == str(tmp_path / "kube/pki/ca.crt")
    plugin = data["users"][0]["user"]["exec"]
    assert Path(plugin["command"]) == tmp_path / "kube/bin/login"
    assert plugin["env"] == [{"name": "AWS_PROFILE", "value": "mine"}]
    assert (file.read_bytes(), file.stat().st_mtime_ns) == before


@pytest.mark.parametrize("plugin", ["x", 5, ["x"], {"env": "x"}, {"env": ["x"]}, {"env": [{"name": "a"}]}])
def test_a_credential_plug_in_of_another_form_is_named(tmp_path: Path, plugin: object) -> None:
    file = write(tmp_path / "config", "a", "https://h", exec=plugin)
    with pytest.raises(UsageError, match=r"the context 'a' in .*: its credential plug-in is no table"):
        contexts.chosen([file], "a")


@pytest.mark.parametrize("context", ["x", 5, ["x"], None])
def test_a_context_that_is_no_table_is_named(tmp_path: Path, context: object) -> None:
    (tmp_path / "config").write_text(yaml.safe_dump({"contexts": [{"name": "a", "context": context}]}))
    with pytest.raises(UsageError, match=r"'a' names the cluster None, which is not there"):
        contexts.chosen([tmp_path / "config"], "a")


@pytest.mark.parametrize(
    ("cluster", "user", "says"),
    [
        ({"certificate-authority": "/nonexistent"}, {}, "certificate-authority='/nonexistent' is no file"),
        ({}, {"client-key": "/etc"}, "client-key='/etc' is no file"),
        ({}, {"exec": {"command": "no-such-program"}}, "'no-such-program' is no program of this machine"),
    ],
)
def test_what_a_context_refers_to_and_is_not_there_is_told(
    cluster: dict[str, object], user: dict[str, object], says: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(says)):
        contexts.demand_whole(contexts.Context("a", cluster, user))


def test_what_a_context_has_in_itself_needs_no_file() -> None:
    own = {"certificate-authority": "/nonexistent", "certificate-authority-data": "YQ=="}
    contexts.demand_whole(contexts.Context("a", own, {}))
