"""The steps by hand: what `inv` calls."""
