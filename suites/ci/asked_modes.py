"""What programs ask whether they are tried: to set it is no harm, to act by it is a way around."""

from __future__ import annotations

import re

ASKED = re.compile(
    r"(?:\$\{?|(?:environ|env)(?:\.get)?[\[(]\s*[\"']|getenv\(\s*[\"']|process\.env\.|ENV\[[\"'])"
    r"(CI|GITHUB_ACTIONS|GITLAB_CI|BUILDKITE|PYTEST_\w+|TESTING|E2E\w*|BYPASS_\w+"
    r"|(?:NO|DISABLE|WITHOUT)_(?:GATE|CHECK|HEALTH|PROBE|LIVENESS|READINESS|VERIF)\w*)\b"
    r"|(?<=[\"'])(pytest)(?=[\"']\s+(?:not\s+)?in\s+sys\.modules)"
)
OTHERS, PACKED = "node_modules", 400  # characters of a line that a program wrote


def asked(path: str, text: str) -> set[str]:
    """Return the variables of that kind that a program asks for; what others packed does so for colours."""
    if OTHERS in path:
        return set()
    lines = (each for each in text.splitlines() if len(each) < PACKED)
    return {each[1] or each[2] for line in lines for each in ASKED.finditer(line)}
