"""The chart's templates are made of the manifests by rules; what the rules do not name is taken over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from boxproof.core.settings import ROOT
from boxproof.subject import model
from boxproof.subject.manifests import helm
from pytest_claims.faults import UsageError

ROLE = """\
# kept
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: reader
roleRef:
  kind: ClusterRole
  name: reader
subjects:
  - kind: ServiceAccount
    name: agent
    namespace: box
"""
SETTINGS = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
data:
  size: 1Gi
  template: "{{ .Name }}"
"""


def subject(directory: Path, rules: str) -> model.Subject:
    base = directory / "manifests/base"
    base.mkdir(parents=True)
    (base / "role.yaml").write_text(ROLE)
    (base / "settings.yaml").write_text(SETTINGS)
    (base / "kustomization.yaml").write_text("resources: [role.yaml, settings.yaml]\n")
    (directory / "chart/templates").mkdir(parents=True)
    (directory / "rules.toml").write_text(rules)
    (directory / "subject.toml").write_text(
        'name = "box"\nnamespace = "box"\n[chart]\ndirectory = "chart"\nrules = "rules.toml"\n'
    )
    return model.load(directory)


def test_names_outside_namespaces_get_the_suffix_and_all_else_the_namespace(tmp_path: Path) -> None:
    made = helm.templates(subject(tmp_path, ""))

    assert "# kept\n" in made["role.yaml"]
    assert made["role.yaml"].count("name: reader{{ .suffix }}\n") == 2
    assert "    namespace: {{ .namespace }}\n" in made["role.yaml"]
    assert "  name: settings\n  namespace: {{ .namespace }}\n" in made["settings.yaml"]
    assert 'template: "{{ "{{" }} .Name }}"' in made["settings.yaml"]


def test_a_rule_makes_a_value_of_what_it_finds(tmp_path: Path) -> None:
    rules = """
[[template]]
of = "base/settings.yaml"
when = ".values.settings"
[[rule]]
into = "settings.yaml"
find = "size: 1Gi"
put = "size: {{ .values.size }}"
"""
    text = helm.templates(subject(tmp_path, rules))["settings.yaml"]

    assert "size: {{ .values.size }}\n" in text
    assert text.startswith(f"{helm.START}{{{{- if .values.settings }}}}\n---\n")
    assert text.endswith(helm.END * 2)


def test_a_rule_that_finds_nothing_says_so(tmp_path: Path) -> None:
    wrong = subject(tmp_path, '[[rule]]\ninto = "settings.yaml"\nfind = "size: 2Gi"\nput = ""\n')

    with pytest.raises(UsageError, match=r"rules.toml: no settings.yaml says 'size: 2Gi' \(adapt the rule\)"):
        helm.templates(wrong)


def test_writing_twice_changes_nothing(tmp_path: Path) -> None:
    made = subject(tmp_path, "")

    assert sorted(helm.write(made)) == ["role.yaml", "settings.yaml"]
    assert helm.write(made) == []


def test_the_defaults_in_values_are_what_the_manifests_say() -> None:
    """Where a rule says ``default``, the text it replaces is the default in values.yaml."""
    values = yaml.safe_load((ROOT / "chart/values.yaml").read_text())
    rules = [each for each in helm.load(ROOT / "manifests/chart.toml").rule if each.default is not None]

    assert rules
    for each in rules:
        there: Any = values
        for key in filter(None, (each.default or "").split(".")):
            there = there[key]
        said = yaml.safe_load(each.find)
        assert {key: there.get(key) for key in said} == said
