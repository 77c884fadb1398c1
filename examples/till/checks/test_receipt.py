"""What the till prints."""

import till

from pytest_claims import claim, control, observe


@claim("receipt-names-the-price")
def test_name_and_price_are_on_it() -> None:
    with control("another price makes another line"):
        assert "9.99" in observe("receipt", "tea for 999", till.receipt("tea", 999))
    assert observe("receipt", "tea for 320", till.receipt("tea", 320)).split() == ["tea", "3.20"]
