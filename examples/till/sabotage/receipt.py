"""Defects of the receipt."""

from pathlib import Path

from pytest_claims import replace_in, subject_sabotage


@subject_sabotage("receipt-names-the-price", "cents are cut off where they are no nines")
def rounded(directory: Path) -> None:
    replace_in(directory / "till.py", "{price / 100:>8.2f}", "{price / 100:>8.4g}")
