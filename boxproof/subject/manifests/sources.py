"""The files that a subject's objects stand in: what can be said of them without rendering anything."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from boxproof.subject.manifests import plain_yaml
from pytest_claims.faults import SubjectFault

if TYPE_CHECKING:
    from boxproof.subject.model import Subject

Objects = list[dict[str, Any]]
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same by ten times the speed, where it was built
WORKLOADS = ("StatefulSet", "Deployment", "DaemonSet", "ReplicaSet", "Job", "CronJob", "Pod")
KUSTOMIZATION = ("kustomization.yaml", "kustomization.yml", "Kustomization")
LISTS = ("resources", "bases", "components")
GENERATED = {"configMapGenerator": "ConfigMap", "secretGenerator": "Secret"}
PATCHES = ("patches", "patchesJson6902")  # each with its text, or the path of it
FILES = ("patchesStrategicMerge", "configurations", "crds", "transformers", "generators", "validators")
LISTING = (*LISTS, *GENERATED, *PATCHES, *FILES, "images", "helmCharts")
BUILDERS = frozenset({"Kustomization", "Component"})
# what a chart may make by the templates of charts that it depends on: it stands in none of its own files
OF_OTHERS = frozenset({"Deployment", "PersistentVolumeClaim", "ServiceAccount"})
KIND = re.compile(r"^kind:\s*[\"']?(\w+)", re.MULTILINE)  # in a template, which is no YAML yet


def literal(subject: Subject) -> Objects:
    """Return every object in the subject's files as it stands there; raises SubjectFault for a broken one."""
    objects = [each for path in paths(subject) for each in read(path)]
    return [each for each in objects if each.get("kind") not in BUILDERS and named(each)]


def named(item: Mapping[str, Any]) -> bool:
    """Return whether an object is a cluster's: the settings of kind, skaffold and the like have no name."""
    meta = item.get("metadata")
    return isinstance(meta, dict) and bool(meta.get("name"))


def paths(subject: Subject) -> list[Path]:
    """Return the files of the subject's objects, in the order of their names; a chart's are none."""
    ways = {
        "files": lambda: _matched(subject.directory, subject.manifests.files),
        "kustomize": lambda: list(dict.fromkeys(followed(subject.directory / subject.manifests.kustomize))),
        "base": lambda: of_directory(subject.directory / subject.manifests.base),
    }
    return ways[subject.source]() if subject.source in ways else []


def _plain(paths: Iterable[Path]) -> list[Path]:
    """Return paths, all of files; raises SubjectFault for another but an editor's lock, a link to nowhere."""
    found = sorted(path for path in paths if path.is_file() or not path.name.startswith(".#"))
    odd = next((path for path in found if not path.is_file()), None)
    if odd:
        raise SubjectFault(f"{odd} is no plain file", hint="put a file in its place, or take it away")
    return found


def of_directory(directory: Path) -> list[Path]:
    """Return the files of objects in a directory and below; errors as ``paths``."""
    return _plain(_below(directory))


def _below(directory: Path) -> Iterator[Path]:
    """Give the files of YAML, and those of JSON that have objects in them."""
    yield from directory.rglob("*.y*ml")
    every = (each for each in directory.rglob("*.json") if each.is_file())
    yield from (each for each in every if '"apiVersion"' in each.read_text(errors="replace"))


def _matched(directory: Path, patterns: Iterable[str]) -> list[Path]:
    """Return the files that paths and globs name; raises SubjectFault for one that names none."""
    found: list[Path] = []
    for pattern in patterns:
        literal = directory / pattern  # a name may have brackets in it
        every = [literal] if literal.is_file() else directory.glob(pattern)
        matched = sorted(path for path in every if path.is_file())
        if not matched:
            raise SubjectFault(f"manifests.files: {pattern!r} names no file of {directory}")
        found += matched
    return list(dict.fromkeys(found))


def kustomization(directory: Path) -> dict[str, Any]:
    """Return what a directory tells kustomize, {} for nothing; raises ValueError for another form."""
    file = next((directory / name for name in KUSTOMIZATION if (directory / name).is_file()), None)
    documents = list(plain_yaml.load_all(file.read_text(), LOADER, once=False)) if file else []
    built = documents[0] or {} if documents else {}
    if len(documents) > 1 or not isinstance(built, dict):
        raise ValueError(f"{file} is no mapping")
    odd = [key for key in LISTING if not isinstance(built.get(key) or [], list)]
    if odd:
        raise ValueError(f"{file}: {odd[0]} is no list")
    return built


def listed(built: Mapping[str, Any], *keys: str) -> list[Any]:
    """Return what a kustomization lists under these keys."""
    every = (built.get(key) for key in keys)
    return [one for each in every if isinstance(each, list) for one in each]


def generated(directory: Path, above: tuple[Path, ...] = ()) -> Iterator[str]:
    """Give the kinds of what a kustomize directory, and those that it refers to, generate."""
    built, here = kustomization(directory), (*above, directory.resolve())
    yield from (kind for key, kind in GENERATED.items() if built.get(key))
    for each in map(str, listed(built, *LISTS)):
        if (directory / each).is_dir() and (directory / each).resolve() not in here:
            yield from generated(directory / each, here)


def followed(directory: Path, above: tuple[Path, ...] = ()) -> Iterator[Path]:
    """Give the files that a kustomize directory refers to, of this machine alone; ``above`` refers to it."""
    built = kustomization(directory)
    here = (*above, directory.resolve())
    for each in map(str, listed(built, *LISTS)):
        target = (directory / each).resolve()
        if target.is_dir() and target not in here:
            yield from followed(target, here)
        elif target.is_file():
            yield target


def read(path: Path) -> Objects:
    """Return the objects of one file, those of a List one by one; raises SubjectFault for no YAML or JSON."""
    try:
        text = path.read_text()
        told = plain_yaml.of_json(text) if path.suffix == ".json" else plain_yaml.load_all(text, LOADER)
        documents = [each for each in told if each]
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        form = "JSON" if path.suffix == ".json" else "YAML"
        raise SubjectFault(f"{path} is no {form}: {' '.join(str(error).split())}") from error
    found = flat(each for each in documents if isinstance(each, dict) and each.get("kind"))
    nameless = next((each["kind"] for each in found if each["kind"] in WORKLOADS and not named(each)), "")
    if nameless:
        raise SubjectFault(f"{path} has a {nameless} without a name", hint="the API server takes none")
    return found


def flat(objects: Iterable[dict[str, Any]]) -> Objects:
    """Return the objects with each List in the place of what it lists.

    One whose name the API server would make up has a name: ``kubectl apply`` takes none without.
    """
    return [
        _with_name(item)
        for each in objects
        for item in (each.get("items") or () if each["kind"] == "List" else [each])
    ]


def _with_name(item: dict[str, Any]) -> dict[str, Any]:
    meta = item.get("metadata")
    if not isinstance(meta, dict) or not meta.get("generateName") or meta.get("name"):
        return item
    return {**item, "metadata": {**meta, "name": f"{meta['generateName']}0"}}


def templates(subject: Subject) -> list[Path]:
    """Return the templates of the subject's chart and of the charts within it, but those of its tests."""
    every = (subject.directory / subject.chart.directory).rglob("templates/**/*.y*ml")
    return _plain(path for path in every if path.parent.name != "tests")


def depends_on(chart: Path) -> list[str]:
    """Return the names of the charts that a chart depends on, as they are called within it."""
    path = chart / "Chart.yaml"
    try:
        told = plain_yaml.mapping(next(iter(plain_yaml.load_all(path.read_text(), LOADER)), None))
    except (OSError, UnicodeDecodeError, RecursionError, yaml.YAMLError):
        return []
    every = [each for each in listed(told, "dependencies") if isinstance(each, dict)]
    return [str(each.get("alias") or each["name"]) for each in every if each.get("name")]


def not_fetched(chart: Path) -> list[str]:
    """Return those of ``depends_on`` that are not beside the chart's templates: nothing can render it so."""
    below = chart / "charts"
    return [] if any(below.glob("*")) else depends_on(chart)


def kinds(subject: Subject, objects: Sequence[Mapping[str, Any]] | None = None) -> frozenset[str]:
    """Return the kinds among the rendered objects, else those that stand in the subject's files."""
    if objects is not None:
        return frozenset(str(each["kind"]) for each in objects)
    if subject.source == "chart":
        texts = (path.read_text(errors="replace") for path in templates(subject))
        found = frozenset(kind for text in texts for kind in KIND.findall(text))
        by_others = not found & set(WORKLOADS) and depends_on(subject.directory / subject.chart.directory)
        return found | OF_OTHERS if by_others else found
    made = {str(each["kind"]) for each in literal(subject)}
    if subject.source == "kustomize":
        made |= set(generated(subject.directory / subject.manifests.kustomize))
    return frozenset(made)
