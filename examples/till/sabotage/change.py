"""Defects of the change."""

from pathlib import Path

from pytest_claims import replace_in, subject_sabotage


@subject_sabotage("change-is-the-difference", "a cent too much is given back where there is a price")
def generous(directory: Path) -> None:
    replace_in(directory / "till.py", "return paid - price", "return paid - price + bool(price)")


@subject_sabotage("change-refuses-too-little", "what is missing is given back")
def credulous(directory: Path) -> None:
    replace_in(directory / "till.py", "if paid < price:", "if False:")
