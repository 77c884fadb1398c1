"""Writes a Helm chart's templates from the kustomize files, so that the two cannot drift apart.

The rules (a TOML file) say what of a manifest is a value of the chart; all else is taken over as it stands,
comments too. In a template ``.`` is one agent: its values, its namespace, and a suffix for what is outside
namespaces.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from boxproof.errors import UsageError
from boxproof.subject.instances import CLUSTER_SCOPED
from boxproof.subject.model import Subject

START = '{{- range include "box.agents" $ | fromYamlArray }}\n'
END = "{{- end }}\n"
SUFFIX, NAMESPACE = "{{ .suffix }}", "{{ .namespace }}"
BRACES = re.compile(r"\{\{")
DOCUMENTS = re.compile(r"^---\n", re.MULTILINE)
NAME = re.compile(r"(?<=^metadata:\n  name: )(\S+)\n", re.MULTILINE)
ROLE = re.compile(r"(?<=^  kind: ClusterRole\n  name: )(\S+)$", re.MULTILINE)


class Rule(BaseModel):
    """``find`` in a manifest becomes ``put`` in the template: in the template ``into``, or wherever it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    into: str = ""
    find: str = Field(min_length=1)
    put: str
    default: str | None = None  # where in values.yaml, "a.b", the content of ``find`` stands; "" is the top


class Template(BaseModel):
    """A template made of a manifest of a component, or of the base under a condition."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    of: str
    when: str


class Rules(BaseModel):
    """The whole file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    template: tuple[Template, ...] = ()
    rule: tuple[Rule, ...] = ()


def load(path: Path) -> Rules:
    """Read the rules; raises UsageError that names the file and the first mistake."""
    try:
        return Rules.model_validate(tomllib.loads(path.read_text()))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path}: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(each) for each in first["loc"])
        raise UsageError(f"{path}: {where}: {first['msg']}") from error


def templates(subject: Subject) -> dict[str, str]:
    """Return the text of each template that is made of a manifest, by its name.

    Raises UsageError for a rule or a condition that meets nothing: the manifest it is about has changed.
    """
    rules = load(subject.directory / subject.chart.rules)
    conditions = {each.of: each.when for each in rules.template}
    made, met = {}, set[int]()
    for name, path in _sources(subject, conditions).items():
        text = parametrised(path.read_text(), subject.namespace)
        for at, each in enumerate(rules.rule):
            if each.into in ("", name) and each.find in text:
                text = text.replace(each.find, each.put)
                met.add(at)
        made[name] = wrapped(text, conditions.get(_shown(subject, path), ""))
    for at, each in enumerate(rules.rule):
        if at not in met:
            first = each.find.strip().splitlines()[0]
            raise UsageError(
                f"{subject.chart.rules}: no {each.into or 'manifest'} says {first!r}", hint="adapt the rule"
            )
    return made


def write(subject: Subject) -> list[str]:
    """Write the templates into the chart and return the names of those that changed."""
    into = subject.directory / subject.chart.directory / "templates"
    changed = []
    for name, text in templates(subject).items():
        path = into / name
        if not path.is_file() or path.read_text() != text:
            path.write_text(text)
            changed.append(name)
    return changed


def parametrised(text: str, namespace: str) -> str:
    """Return a manifest with an agent's namespace and, on names outside namespaces, its suffix."""
    return "---\n".join(_placed(each, namespace) for each in DOCUMENTS.split(text))


def _placed(document: str, namespace: str) -> str:
    found = yaml.safe_load(document)
    document = BRACES.sub('{{ "{{" }}', document)
    if not found:
        return document
    own = re.compile(rf"^( +(?:- )?(?:kubernetes.io/metadata.name|namespace): ){namespace}$", re.MULTILINE)
    document = own.sub(rf"\1{NAMESPACE}", ROLE.sub(rf"\1{SUFFIX}", document))
    if found["kind"] == "Namespace":
        return NAME.sub(f"{NAMESPACE}\n", document)
    if found["kind"] in CLUSTER_SCOPED:
        return NAME.sub(rf"\1{SUFFIX}\n", document)
    if "namespace" in found["metadata"]:
        return document
    return NAME.sub(rf"\1\n  namespace: {NAMESPACE}\n", document)


def wrapped(text: str, condition: str) -> str:
    """Return a template's text for every agent, where ``condition`` holds for it."""
    start, end = START, END
    if condition:
        start, end = f"{START}{{{{- if {condition} }}}}\n", f"{END}{END}"
    return f"{start}---\n{text}{end}"


def _sources(subject: Subject, conditions: dict[str, str]) -> dict[str, Path]:
    """Return the manifests that become templates, by the template's name."""
    base = subject.directory / subject.manifests.base
    listed = yaml.safe_load((base / "kustomization.yaml").read_text())["resources"]
    found = {str(name): base / name for name in listed}
    for each in conditions:
        path = subject.directory / subject.manifests.base / ".." / each
        if not path.is_file():
            raise UsageError(f"{subject.chart.rules}: there is no {each}", hint="adapt the template's `of`")
        if not each.startswith("base/"):
            found[_name(path.resolve())] = path.resolve()
    return found


def _name(path: Path) -> str:
    """Return the name of the template of a component's manifest: it says which component's it is."""
    component = path.parent.name
    return path.name if component in path.name else f"{component}-{path.name}"


def _shown(subject: Subject, path: Path) -> str:
    """Return a manifest's path from the directory that holds base and components."""
    return str(path.resolve().relative_to((subject.directory / subject.manifests.base).resolve().parent))
