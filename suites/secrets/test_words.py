"""What users are told to type, and what containers run, puts no secret into an argument list."""

from __future__ import annotations

from collections.abc import Mapping

from boxproof.core.session import Session
from boxproof.subject.manifests import shipped
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope
from suites.agent_starts import tiers
from suites.secrets.given_words import in_words, of_containers, of_services

NOT_AMONG_WORDS = require("no command that is given has a secret among its words", lambda found: found == [])
FORMS = (
    'curl -H "Authorization: Bearer $TOKEN" http://claude-api:8080/v1/prompt',
    "docker run -e CLAUDE_CODE_OAUTH_TOKEN=$(cat token) claude-in-a-box:TAG",
    "docker run --env=CLAUDE_CODE_OAUTH_TOKEN=${CLAUDE_CODE_OAUTH_TOKEN} claude-in-a-box:TAG",
    "kubectl create secret generic claude-token --from-literal=token=$(cat token)",
    'curl -H "Authorization: Bearer $(cat token)" http://claude-api:8080/v1/prompt',
    "git clone https://x-access-token:$GITHUB_PAT@git.example.org/you/configuration.git",
    'docker login --username you --password "$password" registry.example.org',
)
PROBE = {"exec": {"command": ["curl", "--oauth2-bearer", "$(BOX_API_TOKEN)", "http://localhost:8080"]}}
POD = {"containers": [{"name": "one", "readinessProbe": PROBE}]}
ASKED = {"test": ["CMD-SHELL", 'curl -H "Authorization: Bearer $$BOX_API_TOKEN" http://localhost:8080']}


@claim("secret-not-in-logs-or-argv")
@needs("box")
@scope("image")
def test_no_command_of_the_documents_has_a_secret_among_its_words(session: Session, subject: Subject) -> None:
    """Nor has one of a container's, of its probes', of a service's of Compose."""

    def shown(asked: str, texts: Mapping[str, str]) -> list[str]:
        return observe("commands with a secret", asked, in_words(texts))

    with control("a header, variables and a Secret's content are seen"):
        for each in FORMS:
            NOT_AMONG_WORDS.fails(shown(each, {"doctored.md": each}))
        pod = {"kind": "Pod", "metadata": {"name": "p"}, "spec": POD}
        NOT_AMONG_WORDS.fails(shown("a probe", of_containers("doctored", [pod])))
        composed = {"compose.yaml": {"services": {"one": {"healthcheck": ASKED}}}}
        NOT_AMONG_WORDS.fails(shown("a health check", of_services(composed)))
    texts = shipped.commands(subject)
    assert texts, "no document tells of a command"
    NOT_AMONG_WORDS(shown("documents and scripts", texts))
    NOT_AMONG_WORDS(shown("Compose files", of_services(shipped.compose(subject))))
    for name, objects in tiers(session, subject):
        NOT_AMONG_WORDS(shown(f"tier {name}", of_containers(name, objects)))
