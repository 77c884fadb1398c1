"""Who alone puts something behind a name: the yardstick for what may be on a list."""

from __future__ import annotations

# The yardstick is not the list: behind these names nobody but the API's own company puts anything.
OWNERS = ("anthropic.com", "claude.com", "claude.ai")
BROUGHT = {"config-clone": ("github.com",)}  # what a component is there for
OTHERS = (
    "storage.googleapis.com", "*.s3.amazonaws.com", "packages.example.org", "index.example.net",
    "gist.github.com", "*.githubusercontent.com", "anthropic.com.exfil.example", "notclaude.ai", "sentry.io",
    "*.ai",
)  # fmt: skip


def owned(entry: str) -> bool:
    """Return whether an entry stands for nothing but names that one of the owners gives."""
    plain = entry.removeprefix("*.")
    return "*" not in plain and any(plain == each or plain.endswith(f".{each}") for each in OWNERS)
