"""Captures that pages tell, and what they lack."""

from __future__ import annotations

import pytest

from suites.tools import told_captures

CARRIED_OUT = ("kubectl", "debug", "{pod}", "--profile=baseline", "--custom={directory}/debug/root.json")
WHOLE = "kubectl -n a debug -it p --image=i --profile baseline --custom=x/root.json -- tcpdump -i any"


def test_a_command_over_several_lines_is_one() -> None:
    text = (
        "# kubectl debug p -- tcpdump\nkubectl debug -it p --image=i \\\n  --profile=general -- tcpdump\nls\n"
    )
    assert told_captures.captures(text) == ["kubectl debug -it p --image=i  --profile=general -- tcpdump"]


@pytest.mark.parametrize("text", ["kubectl debug node/n -it --image=i -- tcpdump", "kubectl debug p -- sh"])
def test_what_captures_in_no_pod_is_none(text: str) -> None:
    assert told_captures.captures(text) == []


@pytest.mark.parametrize(
    ("command", "lacks"),
    [
        (WHOLE, []),
        (WHOLE.replace("--profile baseline ", ""), ["--profile"]),
        (WHOLE.replace("--custom=x/root.json ", ""), ["--custom"]),
        (WHOLE.replace("root.json", "other.json"), ["--custom"]),
    ],
)
def test_what_it_lacks_of_the_one_that_is_carried_out(command: str, lacks: list[str]) -> None:
    assert told_captures.lacking(command, CARRIED_OUT) == lacks
