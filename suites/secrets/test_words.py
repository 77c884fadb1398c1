"""What users are told to type puts no secret into an argument list."""

from __future__ import annotations

from collections.abc import Mapping

from boxproof.subject.manifests import shipped
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope
from suites.secrets.given_words import in_words

NOT_AMONG_WORDS = require("no command that is given has a secret among its words", lambda found: found == [])
FORMS = (
    'curl -H "Authorization: Bearer $TOKEN" http://claude-api:8080/v1/prompt',
    "docker run -e CLAUDE_CODE_OAUTH_TOKEN=$(cat token) claude-in-a-box:TAG",
    "docker run --env=CLAUDE_CODE_OAUTH_TOKEN=${CLAUDE_CODE_OAUTH_TOKEN} claude-in-a-box:TAG",
    "kubectl create secret generic claude-token --from-literal=token=$(cat token)",
)


@claim("secret-not-in-logs-or-argv")
@needs("box")
@scope("image")
def test_no_command_of_the_documents_has_a_secret_among_its_words(subject: Subject) -> None:
    def shown(asked: str, texts: Mapping[str, str]) -> list[str]:
        return observe("commands with a secret", asked, in_words(texts))

    with control("a header, variables and a Secret's content are seen"):
        for each in FORMS:
            NOT_AMONG_WORDS.fails(shown(each, {"doctored.md": each}))
    texts = shipped.commands(subject)
    assert texts, "no document tells of a command"
    NOT_AMONG_WORDS(shown("documents and scripts", texts))
