"""What programs outside rely on is what it was: docs/contracts.md, line by line."""

from __future__ import annotations

from tests import contracts


def test_no_contract_is_broken_and_none_is_new_without_a_line() -> None:
    kept, found = set(contracts.KEPT.read_text().splitlines()), set(contracts.contracts())
    assert sorted(kept - found) == [], (
        "a contract is gone: it changes with a new schema number or an entry under Changed"
    )
    assert sorted(found - kept) == [], "a contract is new: python -m tests.contracts writes it down"
    assert contracts.KEPT.read_text().splitlines() == contracts.contracts(), (
        "python -m tests.contracts sorts it"
    )
