"""Commands that end or remove something without giving it time are told from those that give it."""

from __future__ import annotations

from pathlib import Path

import pytest

from suites.debugging.runbook_commands import EXAMPLES, forced, mistakes


@pytest.mark.parametrize("command", EXAMPLES)
def test_a_removal_by_force_is_seen(command: str) -> None:
    assert forced(command)


@pytest.mark.parametrize(
    "command",
    [
        "kubectl delete pod a",
        "kubectl delete pod a --grace-period=60",
        "kubectl apply --force-conflicts --server-side -f a.yaml",
        "crictl stop --timeout 60 a && crictl rm a",
        "crictl stop -t 60 a && crictl rm a",
        'crictl stop --timeout "${3:-60}" "$id"',
        '["crictl", "stop", "--timeout", "60", name]',
        "# crictl rm --force a",
        "rm -f file",
        "docker stop registry && docker rm registry",
        "docker image rm --force a",
        "docker kill --signal TERM a",
        "docker stop --time 60 a",
        "docker compose down --timeout 60",
        "kill -TERM $pid",
        "kill -0 $pid",
        "kubectl delete pod a --grace-period=10",
        "crictl stop -t 10 a && crictl rm a",
        "docker stop --signal TERM a",
        "runc kill a TERM",
        "kill -n 15 1",
        "terminationGracePeriodSeconds: 0",
        "kubectl drain node --ignore-daemonsets --grace-period=60 --force",
        "docker compose -f compose.yaml exec claude kill -TERM 1",
        "docker compose kill --signal TERM",
        "docker compose up --detach --timeout 60",
        "podman pod rm a",
        "podman pod kill --signal TERM a",
        "fuser -k -TERM /a",
        "fuser -v /a",
        "cat /sys/fs/cgroup/a/cgroup.events",
        "pkill -f claude",
    ],
)
def test_what_gives_time_is_no_mistake(command: str) -> None:
    assert not forced(command)


def test_documents_in_directories_of_the_documents_are_read_too(tmp_path: Path) -> None:
    (tmp_path / "docs" / "runbooks").mkdir(parents=True)
    (tmp_path / "docs" / "runbooks" / "a.md").write_text("~~~\nkubectl delete pod a --now\n~~~\n")
    assert mistakes(tmp_path) == ["a.md: removes by force"]


@pytest.mark.parametrize(
    ("name", "text", "seen"),
    [
        ("a.rst", "Then\n\n.. code-block:: bash\n\n   crictl rm -f a\n", True),
        ("a.rst", "Do this::\n\n   kubectl delete pod a --force\n", True),
        ("a.rst", ".. warning::\n\n   kubectl delete pod a --force takes no time\n", False),
        ("a.adoc", "[source,bash]\n----\nkubectl delete pod a --now\n----\n", True),
        ("a.adoc", "Removing\n--------\nkubectl delete pod a --now\n--------\n", False),
        ("a.txt", "Then:\n\n  $ kubectl delete pod a --now\n", True),
        ("a.txt", "Never do kubectl delete pod a --now\n", False),
        ("a.md", "Then\n\n    kubectl delete pod a --now\n", True),
        ("a.md", "- Then\n\n    kubectl delete pod a --now is no way\n", False),
        ("a.md", "```console\n# kubectl delete pod a --now\n```\n", True),
        ("a.md", "```console\n# this is no way\n$ kubectl delete pod a\n```\n", False),
        ("a.md", "```sh\n# kubectl delete pod a --now\n```\n", False),
    ],
)
def test_documents_in_whatever_markup_are_read(tmp_path: Path, name: str, text: str, seen: bool) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / name).write_text(text)
    assert bool(mistakes(tmp_path)) is seen


TOOLS = "kind: Pod\nmetadata: {name: tools}\nspec: {hostPID: true}\n"
ON_THE_NODE = "crictl stop --timeout 60 a\ncrictl rm a\n"


@pytest.mark.parametrize(
    ("graceful", "seen"),
    [
        ("kubectl delete pod agent", False),
        ("kubectl delete pod/agent", False),
        ("kubectl delete -f pod.yaml", False),
        ("kubectl -n a delete pod tools", True),
        ("kubectl delete pod/tools\nkubectl delete pod agent", False),
        ("kubectl delete pod node-debugger-a-b", True),
    ],
)
def test_what_is_deleted_first_is_what_was_meant(tmp_path: Path, graceful: str, seen: bool) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests" / "tools.yaml").write_text(TOOLS)
    (tmp_path / "manifests" / "agent.yaml").write_text(
        "kind: Pod\nmetadata: {name: agent}\nspec: {containers: []}\n"
    )
    (tmp_path / "docs" / "a.md").write_text(f"```\n{graceful}\n{ON_THE_NODE}```\n")
    assert bool(mistakes(tmp_path)) is seen
