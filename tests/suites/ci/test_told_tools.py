"""Which capability a text says that a tool needs."""

from __future__ import annotations

import pytest

from suites.ci import told_tools

TABLE = (
    "| netraw | NET_RAW | tcpdump |\n| netadmin | NET_ADMIN | iptables |\n| ptrace | SYS_PTRACE | strace |\n"
)
TEXT = "tcpdump needs NET_RAW, iptables needs CAP_NET_ADMIN, and strace of others needs SYS_PTRACE."
SECTIONS = (
    "# NET_RAW\n\nFor captures:\n\n- tcpdump\n\n# NET_ADMIN\n\n- iptables\n\n# SYS_PTRACE\n\n- strace\n"
)
COLUMNS = (
    "| tool | NET_RAW | NET_ADMIN | SYS_PTRACE |\n|---|---|---|---|\n"
    "| tcpdump | x | | |\n| iptables | | x | |\n| strace | | | x |\n"
)


@pytest.mark.parametrize("text", [TABLE, TEXT, SECTIONS, COLUMNS])
def test_a_text_that_tells_each_lacks_none(text: str) -> None:
    assert told_tools.untold(text) == []


@pytest.mark.parametrize("text", [TABLE, TEXT, SECTIONS, COLUMNS])
def test_one_that_takes_them_for_each_others_lacks_both(text: str) -> None:
    swapped = text.replace("NET_RAW", "?").replace("NET_ADMIN", "NET_RAW").replace("?", "NET_ADMIN")
    assert told_tools.untold(swapped) == ["tcpdump: NET_RAW", "iptables: NET_ADMIN"]
