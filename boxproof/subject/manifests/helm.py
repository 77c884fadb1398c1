"""The subject's Helm chart: rendered by the real Helm, or its templates written from the kustomize files."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from boxproof.core.process import Result, run
from boxproof.core.settings import Settings
from boxproof.subject.manifests.derive import CLUSTER_SCOPED
from boxproof.subject.model import Subject
from boxproof.subject.supply_chain import scan
from pytest_claims.faults import SubjectFault, UsageError
from pytest_claims.selection import read_toml

Objects = list[dict[str, Any]]
TIMEOUT = 60.0
RELEASE = "claude"
START = '{{- range include "box.agents" $ | fromYamlArray }}\n'
END = "{{- end }}\n"
SUFFIX, NAMESPACE = "{{ .suffix }}", "{{ .namespace }}"
BRACES = re.compile(r"\{\{")
DOCUMENTS = re.compile(r"^---\n", re.MULTILINE)
NAME = re.compile(r"(?<=^metadata:\n  name: )(\S+)\n", re.MULTILINE)
TEMPLATES = (".yaml", ".yml", ".tpl")
HOOK = "helm.sh/hook"  # of what Helm makes anew each time
AS_AN_UPGRADE = "--is-upgrade"
# what a template asks of the cluster: whether it is an upgrade, which kinds are served, what is there
UPGRADES = re.compile(r"\.Release\.Is(?:Upgrade|Install)\b")
SERVED = re.compile(r"\.APIVersions\.Has\s+\(?\s*[\"`]([\w-]+(?:\.[\w-]+)+/[\w./-]+)[\"`]")
LOOKED_UP = re.compile(r"\(\s*lookup\s[^()]*\)|\blookup(?:\s+(?:\"[^\"]*\"|[$.][\w.$]*)){4}")
THERE = '(dict "metadata" (dict "name" "there") "data" dict "spec" dict)'
ROLE = re.compile(r"(?<=^  kind: ClusterRole\n  name: )(\S+)$", re.MULTILINE)


def program(settings: Settings, subject: Subject) -> Path:
    """Return Helm, as the subject pins it or as we do; raises EnvironmentFault if it cannot be had."""
    return scan.programs(settings, subject, "helm")["helm"]


def chart_of(subject: Subject) -> Path:
    """Return the chart's directory; raises SubjectFault if there is none."""
    found = subject.path(subject.chart.directory)
    if found is None:
        raise SubjectFault("the subject has no chart", hint="subject.toml names it: [chart] directory")
    return found


def helm(program: Path, *words: str, kubeconfig: str = os.devnull, timeout: float = TIMEOUT) -> Result:
    """Run Helm; its failure is an answer. Its own files go to a directory that ends with it."""
    with tempfile.TemporaryDirectory(prefix="boxproof-helm-") as home:
        places = {f"HELM_{each}_HOME": f"{home}/{each.lower()}" for each in ("CACHE", "CONFIG", "DATA")}
        env = places | {"KUBECONFIG": kubeconfig}
        return run([program, *words], env=env, timeout=timeout, check=False)


def rendered(
    program: Path, chart: Path, *words: str, release: str = RELEASE, here_alone: bool = False
) -> Objects:
    """Return the objects of ``helm template`` with ``words``; raises SubjectFault if Helm refuses.

    Unless it is ``here_alone``, what the chart adds elsewhere is among them: in an upgrade, where other kinds
    are served, where an object is there already.
    """
    objects = _templated(program, chart, *words, release=release)
    texts = {} if here_alone else {each: each.read_text(errors="replace") for each in _templates(chart)}
    served, asked = _asked("\n".join(texts.values()))
    if not asked:
        return objects
    options = [AS_AN_UPGRADE, *(f"--api-versions={each}" for each in served)]
    with tempfile.TemporaryDirectory(prefix="boxproof-chart-") as below:
        full = Path(shutil.copytree(chart, Path(below) / chart.name))
        for path in _templates(full):
            path.write_text(LOOKED_UP.sub(THERE, path.read_text(errors="replace")))
        for place in (chart, full):
            with suppress(SubjectFault):  # of what is looked up it may need more than that it is there
                more = _templated(program, place, *words, *options, release=release)
                objects += _added(objects, more, [each.partition("/")[0] for each in served])
    return objects


def _templated(program: Path, chart: Path, *words: str, release: str) -> Objects:
    done = helm(program, "template", release, str(chart), *words)
    if not done.ok:
        raise SubjectFault(f"helm refuses the chart: {done.stderr.strip()[-600:]}")
    return [each for each in yaml.safe_load_all(done.stdout) if each]


def _templates(chart: Path) -> list[Path]:
    return [each for each in sorted(chart.rglob("templates/**/*")) if each.suffix in TEMPLATES]


def _asked(text: str) -> tuple[list[str], bool]:
    """Return the kinds that templates want to be served, and whether they ask the cluster for anything.

    What they have for OpenShift is not for others.
    """
    served = [each for each in dict.fromkeys(SERVED.findall(text)) if "openshift" not in each]
    return served, bool(served or UPGRADES.search(text) or LOOKED_UP.search(text))


def _added(objects: Objects, more: Objects, groups: Sequence[str]) -> Objects:
    """Return the objects that another render has more, but for hooks and for kinds that are asked for."""
    known = {_called(each) for each in objects}
    return [
        each
        for each in more
        if _called(each) not in known
        and str(each.get("apiVersion")).partition("/")[0] not in groups
        and HOOK not in ((each.get("metadata") or {}).get("annotations") or {})
    ]


def _called(item: Mapping[str, Any]) -> tuple[str, ...]:
    meta = item.get("metadata") or {}
    return str(item.get("kind")), str(meta.get("namespace", "")), str(meta.get("name", ""))


def instead_of(subject: Subject, components: Sequence[str], files: Path) -> list[str]:
    """Return Helm's options in the place of kustomize components.

    ``files`` is the directory with what users put beside them. Raises SubjectFault for one that has none.
    """
    unknown = [each for each in components if each not in subject.chart.components]
    if unknown:
        raise SubjectFault(f"the chart has nothing in the place of the component {unknown[0]!r}")
    places = {"files": str(files), "subject": str(subject.directory)}
    return [word.format_map(places) for each in components for word in subject.chart.components[each]]


class Rule(BaseModel):
    """``find`` in a manifest becomes ``put`` in the template: in the template ``into``, or wherever it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    into: str = ""
    find: str = Field(min_length=1)
    put: str
    default: str | None = None  # where in values.yaml, "a.b", the content of ``find`` stands; "" is the top


class Template(BaseModel):
    """When a manifest's objects are rendered: all of a file, or those of one kind, in one file or in any."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    of: str = ""
    kind: str = ""
    when: str


class Rules(BaseModel):
    """The whole file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    template: tuple[Template, ...] = ()
    rule: tuple[Rule, ...] = ()


def load(path: Path) -> Rules:
    """Read the rules; raises UsageError that names the file and the first mistake."""
    try:
        return Rules.model_validate(read_toml(path, str(path)))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(each) for each in first["loc"])
        raise UsageError(f"{path}: {where}: {first['msg']}") from error


def templates(subject: Subject) -> dict[str, str]:
    """Return the text of each template that is made of a manifest, by its name.

    Raises UsageError for a rule or a condition that meets nothing: the manifest it is about has changed.
    """
    rules = load(subject.directory / subject.chart.rules)
    made, met = {}, set[int]()
    for name, (shown, text) in _sources(subject, rules).items():
        documents = []
        for each in DOCUMENTS.split(text):
            kind = (yaml.safe_load(each) or {}).get("kind", "")
            when = tuple(
                one.when for one in rules.template if one.of in ("", shown) and one.kind in ("", kind)
            )
            put = _ruled(parametrised(each, subject.namespace), name, rules.rule, met)
            documents.append((when, put))
        made[name] = wrapped(documents)
    for at, each in enumerate(rules.rule):
        if at not in met:
            first = each.find.strip().splitlines()[0]
            said = f"{subject.chart.rules}: no {each.into or 'manifest'} says {first!r}"
            raise UsageError(said, hint="adapt the rule")
    return made


def _ruled(text: str, name: str, rules: Sequence[Rule], met: set[int]) -> str:
    for at, each in enumerate(rules):
        if each.into in ("", name) and each.find in text:
            text = text.replace(each.find, each.put)
            met.add(at)
    return text


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


def parametrised(document: str, namespace: str) -> str:
    """Return an object with an agent's namespace and, on a name outside namespaces, its suffix."""
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


def wrapped(documents: Iterable[tuple[tuple[str, ...], str]]) -> str:
    """Return a template's text for every agent: objects, each where all its conditions hold."""
    text = START
    for when, group in itertools.groupby(documents, key=lambda each: each[0]):
        every = list(dict.fromkeys(when))
        condition = " ".join(["and", *(f"({each})" for each in every)]) if len(every) > 1 else "".join(every)
        objects = "".join(f"---\n{each}" for _, each in group)
        text += f"{{{{- if {condition} }}}}\n{objects}{END}" if condition else objects
    return text + END


def _sources(subject: Subject, rules: Rules) -> dict[str, tuple[str, str]]:
    """Return path and text of the manifests that become templates, by the template's name."""
    base = subject.directory / subject.manifests.base
    listed = [
        f"base/{each}" for each in yaml.safe_load((base / "kustomization.yaml").read_text())["resources"]
    ]
    named = [each.of for each in rules.template if each.of and each.of not in listed]
    found = {}
    for each in dict.fromkeys([*listed, *named]):
        path = base.parent / each
        if not path.is_file():
            raise UsageError(f"{subject.chart.rules}: there is no {each}", hint="adapt the template's `of`")
        found[_name(path)] = (each, path.read_text())
    return found


def _name(path: Path) -> str:
    """Return the name of a manifest's template: a component's says which it is of."""
    component = path.parent.name
    own = component == "base" or component in path.name
    return path.name if own else f"{component}-{path.name}"
