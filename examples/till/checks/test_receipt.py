"""What the till prints."""

import till

from pytest_claims import claim, control, observe, require

NAMES = require("the line is {} and its price", lambda line, *words: line.split() == list(words))


def printed(name: str, price: int) -> str:
    """Return the line of a receipt, as an observation."""
    return observe("receipt", f"{name} for {price}", till.receipt(name, price))


@claim("receipt-names-the-price")
def test_name_and_price_are_on_it() -> None:
    with control("another price makes another line"):
        NAMES.fails(printed("tea", 999), "tea", "3.20")
    NAMES(printed("tea", 320), "tea", "3.20")
