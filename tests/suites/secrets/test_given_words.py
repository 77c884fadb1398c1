"""A secret is found among the words of a command, and only there."""

from __future__ import annotations

import pytest

from suites.secrets.given_words import in_words


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ('curl -H "Authorization: Bearer $TOKEN" http://x', True),
        ('curl -H @- http://x <<<"Authorization: Bearer $TOKEN"', False),
        ("printf 'Authorization: Bearer %s' \"$TOKEN\" | curl -H @- http://x", False),
        ("docker run -e CLAUDE_CODE_OAUTH_TOKEN=x box", True),
        ("docker run --env=GITHUB_TOKEN=x box", True),
        ("docker run -e CLAUDE_CODE_OAUTH_TOKEN box", False),
        ("docker run -e BOX_API_TOKEN_FILE=/run/token box", False),
        ("CLAUDE_CODE_OAUTH_TOKEN=$(cat token) docker run -e CLAUDE_CODE_OAUTH_TOKEN box", False),
        ("TOKEN=$(openssl rand -hex 32)", False),
        ("kubectl create secret generic a --from-literal=token=abc", True),
        ("kubectl create secret generic a --from-file=token=FILE", False),
        (
            'kubectl create secret generic a --from-literal=token="sha256:$(printf %s "$TOKEN" | sha256sum)"',
            False,
        ),
        ("helm install a --set token=${API_KEY}", True),
        ("helm install a --set path=${API_KEY_FILE}", False),
        ("# curl -H $TOKEN", False),
        ("curl \\\n  -u me:$PASSWORD http://x", True),
    ],
)
def test_what_a_line_shows(line: str, found: bool) -> None:
    assert bool(in_words({"page.md": line})) is found
