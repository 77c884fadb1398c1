"""Who alone puts something behind a name: the yardstick for what may be on a list."""

from __future__ import annotations

from collections.abc import Iterator

# The yardstick is not the list: behind these names nobody but the API's own company puts anything.
OWNERS = ("anthropic.com", "claude.com", "claude.ai")
BROUGHT = {"config-clone": ("github.com",)}  # what a component is there for
OTHERS = (
    "storage.googleapis.com", "*.s3.amazonaws.com", "packages.example.org", "index.example.net",
    "gist.github.com", "*.githubusercontent.com", "anthropic.com.exfil.example", "notclaude.ai", "sentry.io",
    "*.ai",
)  # fmt: skip
# what a box may be thought to need beside the API: where it is told of errors and use, pages, code, files
TEMPTING = (
    "statsig.anthropic.com", "console.anthropic.com", "docs.claude.com", "www.anthropic.com", "github.com",
    "api.github.com", "raw.githubusercontent.com", "www.google.com", "registry.example.org",
)  # fmt: skip
# a name, or what is below one, that stands alone in a line or in quotes, in programs and files beside them
NAMED = r"""(^|["'])[*.]*([a-zA-Z0-9_-]+\.)+(com|ai|org|net|io|dev|app|cloud|sh)(["']|$)"""


def built_in(found: str) -> Iterator[str]:
    """Yield the names in what ``grep -rIhoE NAMED`` finds in files of text, and one below each."""
    for each in sorted({line.strip("\"'*.").lower() for line in found.split()}):
        yield from (each, f"below.{each}")


def of_others() -> Iterator[str]:
    """Yield names of others, and of the owners' that no login needs; where * stands, something does."""
    yield from (each.replace("*", "any") for each in (*OTHERS, *TEMPTING))


def owned(entry: str) -> bool:
    """Return whether an entry stands for nothing but names that one of the owners gives."""
    plain = entry.removeprefix("*.")
    return "*" not in plain and any(plain == each or plain.endswith(f".{each}") for each in OWNERS)
