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
    ],
)
def test_what_gives_time_is_no_mistake(command: str) -> None:
    assert not forced(command)


def test_documents_in_directories_of_the_documents_are_read_too(tmp_path: Path) -> None:
    (tmp_path / "docs" / "runbooks").mkdir(parents=True)
    (tmp_path / "docs" / "runbooks" / "a.md").write_text("~~~\nkubectl delete pod a --now\n~~~\n")
    assert mistakes(tmp_path) == ["a.md: removes by force"]
