"""Pipelines of services that have no workflows: which publish by themselves, and in what images they run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from boxproof.subject.documented_commands import CONTINUED
from boxproof.subject.manifests.pod_specs import is_floating
from suites.ci import workflow_gates

FILES = (
    ".gitlab-ci.y*ml", ".gitlab/**/*.y*ml", ".circleci/*.y*ml", "azure-pipelines*.y*ml",
    ".azure-pipelines/**/*.y*ml", "bitbucket-pipelines.yml", ".drone.y*ml", ".woodpecker.y*ml",
    ".woodpecker/*.y*ml", ".buildkite/**/*.y*ml", ".cirrus.yml", ".travis.yml", "buildspec*.y*ml",
    "cloudbuild*.y*ml", "Jenkinsfile*", "*.jenkinsfile",
)  # fmt: skip
REMARK = re.compile(r"^\s*(?:#|//).*$|\s#\s.*$", re.MULTILINE)
ITEM = re.compile(r"^(\s*)(?:-\s+)+", re.MULTILINE)
# an image of the engine's own program, with the word beside it, and images that a build is told to push
BY_A_BUILDER = re.compile(r"/docker[\"']?\s*\n\s*args\s*:\s*\[\s*[\"']?push\b|^images\s*:", re.MULTILINE)
MACHINES = frozenset({"machine", "pool", "macos", "macos_instance"})  # have images that no registry has


class _Loader(yaml.SafeLoader):
    """Reads what has marks of a service's own, which are worth nothing here."""


_Loader.add_multi_constructor("!", lambda *_: None)


def files(directory: Path) -> list[Path]:
    """Return the files of pipelines that a directory has beside its workflows."""
    return sorted({path for each in FILES for path in directory.glob(each) if path.is_file()})


def publishing(directory: Path, command: Sequence[str]) -> list[str]:
    """Return the files that push an image otherwise than by the release; a script of theirs is read too."""
    words = r"\s+".join(map(re.escape, workflow_gates.fixed(command)))
    found = []
    for path in files(directory):
        bare = ITEM.sub(r"\1", REMARK.sub("", path.read_text(errors="replace")))
        text = CONTINUED.sub(" ", re.sub(words, "true", bare) if words else bare)
        carried_out = workflow_gates.called({"run": text}, directory)
        every = workflow_gates.LISTED.sub(" ", f"{text}\n{carried_out}")
        by_a_builder = path.name.startswith("cloudbuild") and BY_A_BUILDER.search(bare)
        if workflow_gates.PUSHES.search(every) or by_a_builder:
            found.append(str(path.relative_to(directory)))
    return found


def floating(directory: Path) -> list[str]:
    """Return the images in which pipelines run that can come to be others, by file; no variables."""
    return [
        f"{path.relative_to(directory)}: {image}"
        for path in files(directory)
        if path.suffix in (".yml", ".yaml")
        for image in dict.fromkeys(_images(_read(path)))
        if image and "$" not in image and "<<" not in image and is_floating(image)
    ]


def _read(path: Path) -> list[Any]:
    """Return the documents of a file, [] for what is a service's own language."""
    try:
        return list(yaml.load_all(path.read_bytes(), Loader=_Loader))
    except yaml.YAMLError:
        return []


def _images(item: Any) -> Iterator[str]:
    """Give the images that are named as such, and the services beside a job."""
    if isinstance(item, list):
        for each in item:
            yield from _images(each)
    for key, each in item.items() if isinstance(item, Mapping) else ():
        if key == "image":
            named = each.get("name") if isinstance(each, Mapping) else each
            yield from [named] if isinstance(named, str) else []
        elif key == "services" and isinstance(each, list):
            yield from (one for one in each if isinstance(one, str) and (":" in one or "/" in one))
            yield from (str(one.get("name", "")) for one in each if isinstance(one, Mapping))
        elif key not in MACHINES:
            yield from _images(each)
