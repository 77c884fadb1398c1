"""A till: money in cents."""


def change(paid: int, price: int) -> int:
    """Return what is given back; raises ValueError when too little was paid."""
    if paid < price:
        raise ValueError(f"{price - paid} cents are missing")
    return paid - price


def receipt(name: str, price: int) -> str:
    """Return the line of a receipt."""
    return f"{name:<12}{price / 100:>8.2f}"
