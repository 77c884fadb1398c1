"""What the documents say about tiers is what is proven."""

from __future__ import annotations

from boxproof.core.settings import ROOT
from boxproof.subject import model
from suites.tools.debug_container import captured


def test_the_documented_capture_is_the_proven_one() -> None:
    text = (ROOT / "docs/tiers.md").read_text()
    options = [
        each for each in model.load(ROOT).commands.capture if each.startswith(("--profile", "--custom"))
    ]

    assert len(options) == 2
    assert all(each.replace("{directory}/", "") in text for each in options)


def test_captured_packets_are_counted() -> None:
    assert captured("tcpdump: listening on any\n1 packet captured\n3 packets received by filter\n") == 1
    assert captured("0 packets captured\n") == 0
    assert captured("tcpdump: any: You don't have permission to perform this capture\n") == 0
