"""A login that stands in the manifests is seen, though the harness puts one of its own in its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxproof.core.session import Session
from boxproof.subject import model
from suites.secrets import plain_settings
from suites.secrets.written_tiers import tiers

TOLD = 'name = "x"\n[manifests]\nfiles = ["a.yaml"]\n[start]\ntoken_env = "ANTHROPIC_API_KEY"\n'
LITERAL = "{name: ANTHROPIC_API_KEY, value: paste-yours-here}"
OF_A_SECRET = "{name: ANTHROPIC_API_KEY, valueFrom: {secretKeyRef: {name: keys, key: api}}}"


@pytest.mark.parametrize(
    ("variable", "found"), [(LITERAL, ["Deployment/a/c: ANTHROPIC_API_KEY"]), (OF_A_SECRET, [])]
)
def test_the_variable_of_its_login_is_read_as_it_is_written(
    tmp_path: Path, variable: str, found: list[str]
) -> None:
    (tmp_path / "subject.toml").write_text(TOLD)
    (tmp_path / "a.yaml").write_text(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n"
        f"spec: {{template: {{spec: {{containers: [{{name: c, image: 'a:1', env: [{variable}]}}]}}}}}}\n"
    )
    here = str(tmp_path)
    session = Session(run="r", directory=here, subject=here, cache=here, state=here, stage="static")
    made = dict(tiers(session, model.load(tmp_path)))
    assert list(made) == ["default", "of what is written"]
    given = ["stub-token-first"]
    assert [each for one in made.values() for each in plain_settings.of_objects(one, given=given)] == found
