"""What the till gives back."""

import till

from pytest_claims import claim, control, observe, require

GIVES = require("{} cents are given back", lambda answer, cents: answer == cents)
REFUSES = require(
    "an error says that {} cents are missing", lambda answer, cents: f"{cents} cents" in str(answer)
)


def given(paid: int, price: int) -> int | str:
    """Return the change, or the error, as an observation."""
    try:
        answer: int | str = till.change(paid, price)
    except ValueError as error:
        answer = str(error)
    return observe("change", f"{paid} for {price}", answer)


@claim("change-is-the-difference")
def test_the_difference_is_given_back() -> None:
    with control("for nothing all of it is given back"):
        GIVES.fails(given(500, 0), 180)
    GIVES(given(500, 320), 180)


@claim("change-refuses-too-little")
def test_too_little_is_refused() -> None:
    with control("just enough is taken"):
        REFUSES.fails(given(320, 320), 20)
    REFUSES(given(300, 320), 20)
