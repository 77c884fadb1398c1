"""A secret is found among the words of a command, and only there."""

from __future__ import annotations

from typing import Any

import pytest

from suites.secrets.given_words import in_words, of_containers, of_services


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
        ('curl -H "Authorization: Bearer $(cat token)" http://x', True),
        ("curl -H 'x-api-key: KEY' http://x", True),
        ('printf "Authorization: Bearer %s" "$(cat token)" | curl -H @- http://x', False),
        ("git clone https://x:$GITHUB_PAT@git.example.org/a.git", True),
        ("git clone https://git.example.org/a.git $PATH/$COMPATIBLE", False),
        ('docker login --password "$password" registry.example.org', True),
        ("docker login --password-stdin registry.example.org < token", False),
        ("docker build --secret id=netrc,src=$HOME/.netrc .", False),
        ("psql --password=$(cat /run/secrets/db_password)", True),
        ("kubectl create secret generic a --from-file=token=$token_file", False),
        ("sh -c 'printf %s \"$TOKEN\" | curl -H @- http://x'", False),
        ("sh -c 'curl -u me:$TOKEN http://x'", True),
        ("kubectl exec a -- sh -c 'TOKEN=$(cat /run/token); use <<<\"$TOKEN\"'", False),
        ("kubectl exec a -- sh -c 'curl -u me:$(cat /run/token) http://x'", True),
        ("docker login -u AWS -p $(aws ecr get-login-password --region x) registry.example.org", True),
        ("aws ecr get-login-password | docker login -u AWS --password-stdin registry.example.org", False),
        ('claude --settings "$(op read op://vault/item)"', True),
        ('kubectl --token="$(kubectl create token a)" get pods', True),
        ("x -p \"$(kubectl get secret a -o jsonpath='{.data.token}' | base64 -d)\"", True),
        ("kubectl describe $(kubectl get secret -o name)", False),
        ("TOKEN=$(gh auth token) docker run -e TOKEN box", False),
        ("helm install a chart --set auth.apiKey=abcde", True),
        ("helm install a chart --set=a=b,auth.token=abcde", True),
        ("helm install a chart --set auth.token=", False),
        ("helm install a chart --set auth.existingSecret=claude-token --set token.create=true", False),
        ("helm install a chart --set-string env.ANTHROPIC_API_KEY=x", True),
        ("helm install a chart --set automountToken=false --set maxTokens=4000", False),
        ("kubectl create secret generic a --from-literal=api-key=abc", True),
        ("kubectl create secret generic a --from-literal credentials.json='{}'", True),
        ("kubectl create secret generic a --from-literal=repository=https://x --from-file=token=F", False),
        ("kubectl create secret generic a --from-file token=F", False),
        ("kubectl create configmap a --from-literal=model=b", False),
        ("docker run -eANTHROPIC_API_KEY=x box", True),
        ("docker run -e ANTHROPIC_API_KEY box", False),
        ("git clone https://<PAT>@git.example.org/a.git", True),
        ("git clone https://oauth2:YOUR_TOKEN@git.example.org/a.git", True),
        ("git clone https://x-access-token@git.example.org/a.git", False),
        ("git clone https://compatible@git.example.org/a.git", False),
        ("git clone ssh://git@git.example.org/secrets/a.git", False),
    ],
)
def test_what_a_line_shows(line: str, found: bool) -> None:
    assert bool(in_words({"page.md": line})) is found


def container(**fields: Any) -> list[dict[str, Any]]:
    """Return a pod with one container."""
    one = {"name": "one"} | fields
    return [{"kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [one]}}]


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"command": ["serve"], "args": ["--token=$(API_TOKEN)"]}, True),
        ({"command": ["serve", "--token-file=$(API_TOKEN_FILE)"]}, False),
        ({"readinessProbe": {"exec": {"command": ["sh", "-c", "curl -u me:$TOKEN http://x"]}}}, True),
        ({"livenessProbe": {"exec": {"command": ["sh", "-c", 'curl -K - http://x <<<"$TOKEN"']}}}, False),
        ({"lifecycle": {"postStart": {"exec": {"command": ["tell", "Authorization: Bearer x"]}}}}, True),
    ],
)
def test_what_a_container_shows(fields: dict[str, Any], found: bool) -> None:
    assert bool(in_words(of_containers("a tier", container(**fields)))) is found


@pytest.mark.parametrize(
    ("service", "found"),
    [
        ({"command": "serve --token $API_TOKEN"}, True),
        ({"command": ["serve", "--port", "8080"]}, False),
        ({"healthcheck": {"test": ["CMD-SHELL", "curl -u me:$PASSWORD http://x"]}}, True),
        ({"healthcheck": {"test": ["CMD", "/usr/local/bin/healthcheck", "live"]}}, False),
        ({"healthcheck": {"disable": True}}, False),
    ],
)
def test_what_a_service_shows(service: dict[str, Any], found: bool) -> None:
    files = {"compose.yaml": {"services": {"one": service, "two": None}}}
    assert bool(in_words(of_services(files))) is found


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("curl -u someone:something https://example.org", True),
        ("curl -sSu someone:something https://example.org", True),
        ("curl -usomeone:something https://example.org", True),
        ("curl --user=someone:something https://example.org", True),
        ("curl --proxy-user someone:something https://example.org", True),
        ("wget --password=something https://example.org", True),
        ("curl -u : --negotiate https://example.org", False),
        ("curl -u someone https://example.org:8080", False),
        ("curl -XPUT https://example.org", False),
        ("docker run -u 1000:1000 IMAGE", False),
    ],
)
def test_a_password_behind_a_name_is_told_whatever_it_looks_like(command: str, told: bool) -> None:
    assert bool(in_words({"page.md": command})) is told
