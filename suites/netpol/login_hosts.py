"""The hosts that the CLI's login needs, read from the program itself."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

# where the program keeps what it asks and where it sends people; names for its own tests are no part of these
PATTERN = (
    "(BASE_API_URL|CONSOLE_AUTHORIZE_URL|CLAUDE_AI_AUTHORIZE_URL|CLAUDE_AI_ORIGIN|TOKEN_URL|API_KEY_URL|ROLES_URL"
    '|CONSOLE_SUCCESS_URL|CLAUDEAI_SUCCESS_URL|MANUAL_REDIRECT_URL):"https://[a-zA-Z0-9./_-]+'
)


def login_hosts(found: str) -> tuple[str, ...]:
    """Return the hosts in what ``grep -o PATTERN`` finds in the CLI, sorted; none if it finds nothing."""
    urls = re.findall(r'"(https://[^"\s]+)', found)
    return tuple(sorted({host for each in urls if (host := urlsplit(each).hostname)}))
