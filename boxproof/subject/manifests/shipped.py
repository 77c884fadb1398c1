"""All that a subject ships beside what is rendered: objects in any of its files, Compose files, texts."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from boxproof.subject.manifests import (
    compose_file,
    helm_values,
    page_code,
    plain_yaml,
    pod_specs,
    sources,
    starting,
)
from boxproof.subject.model import Subject
from boxproof.subject.variables import filled

LEFT_OUT = frozenset({"node_modules", "reports", "tests", "templates"})  # tests hold mistakes on purpose
TASKS = ("Makefile", "makefile", "justfile", "Justfile", "Taskfile.yml", "*.mk")
SCRIPTS = ("*.sh", *TASKS)
BY_A_SHELL = re.compile(r"#!\s*\S*?(?:/env\s+(?:-S\s+)?)?(?:\S*/)?(?:ba|da|z|k|a)?sh\b")
LARGEST = 256 << 10  # bytes: what is larger is no script that somebody wrote
PAGES = ("*.[mM][dD]", "*.mdx", "*.markdown", "*.rst", "*.adoc", "*.asciidoc")
REFERENCE = r"(?P<image>[a-z0-9][\w.-]*(?::\d+)?(?:/[\w.-]+)*(?::[\w.-]+)?(?:@sha256:[0-9a-f]+)?)"
WHOLE = re.compile(REFERENCE)
VALUES = "values"  # how the files begin that Helm takes values of
DEFECTS = "defects.toml"  # lists what is wrong on purpose with the box of its directory
NAMED = re.compile(rf"(?:--image[= ]|^\s*-?\s*image:\s*[\"']?){REFERENCE}(?=[\"'\s]|$)", re.MULTILINE)
# names images, and starts none: what removes them, keeps the cache of builds, or makes machines
REMOVES = re.compile(
    r"\b(?:rmi|image\s+rm)\b[^\n;&|]*|--cache-(?:from|to)[= ]\S+"
    r"|\b(?:hcloud|doctl|gcloud compute|az vm|aws ec2|openstack|multipass|linode-cli|incus|lxc)\b[^\n;&|]*"
)
AN_IMAGE = "docker-image://"  # before the image that a build takes files of
LATEST = re.compile(r"(?P<image>\b[a-z0-9][\w./-]*:latest\b)")
DEVELOPMENT = (".devcontainer.json", ".devcontainer/devcontainer.json", ".devcontainer/*/devcontainer.json")
MADE_OF = re.compile(r"\"(?:dockerfile|dockerComposeFile)\"\s*:\s*\[?\s*\"([^\"]+)\"", re.IGNORECASE)
CHART = "Chart.yaml"  # beside the templates of a chart
TEMPLATES = frozenset({".yaml", ".yml", ".tpl", ".txt"})
# what a template says where the values say nothing, or after the name that they say
FALLEN_BACK = re.compile(r"(?:[iI]mage|[tT]ag)\b[^\n]*\bdefault\s+[\"']latest[\"']|\}\}:latest\b")
GIVEN = re.compile(r"\$\{?\w+")

Object = Mapping[str, Any]


def files(subject: Subject, *patterns: str) -> list[Path]:
    """Return the subject's files of these names; hidden directories, tests and example boxes are left out."""
    return _own(
        subject, (path for each in patterns for path in subject.directory.rglob(each) if path.is_file())
    )


def _own(subject: Subject, found: Iterable[Path]) -> list[Path]:
    """Return of files those that are none of an example box, nor left out."""
    examples = {path.parent for path in subject.directory.rglob(DEFECTS)}
    return sorted(
        each
        for each in set(found)
        if not _left_out(each.relative_to(subject.directory)) and examples.isdisjoint(each.parents)
    )


def scripts(subject: Subject) -> list[Path]:
    """Return the subject's scripts and task files, those without an ending by their first line."""
    plain = []
    for top, names, found in os.walk(subject.directory):
        inside = Path(top).relative_to(subject.directory)
        names[:] = [each for each in names if not _left_out(inside / each)]
        plain += [Path(top, each) for each in found if "." not in each]
    shells = [each for each in plain if each.is_file() and is_script(each)]
    return sorted({*files(subject, *SCRIPTS), *_own(subject, shells)})


def is_script(path: Path) -> bool:
    """Return whether a file is a script or a task file: by its name, without an ending by its first line."""
    if any(map(path.match, SCRIPTS)):
        return True
    if path.suffix or path.stat().st_size > LARGEST:
        return False
    with path.open("rb") as content:
        return BY_A_SHELL.match(content.read(64).decode(errors="replace")) is not None


def applied_by_hand(subject: Subject) -> list[Path]:
    """Return the files of the objects with what lies beside them, of the chart, and of Compose.

    Patches and what a generator reads lie beside the objects; hidden files are a user's own.
    """
    places = {path.parent for path in sources.paths(subject)}
    places |= {subject.directory / each for each in (subject.manifests.kustomize,) if each}
    chart = subject.path(subject.chart.directory)
    found = [each for place in places for each in place.iterdir() if not each.name.startswith(".")]
    found += chart.rglob("*") if chart else ()
    found += [subject.directory / each for each in (*subject.chart.values, subject.compose.file) if each]
    return sorted({each for each in found if each.is_file()})


def objects(subject: Subject) -> dict[str, list[dict[str, Any]]]:
    """Return the objects of every file of YAML or JSON with some, as they stand there, by the file's path."""
    found = {}
    for path in files(subject, "*.yaml", "*.yml", "*.json"):
        every = [each for each in _documents(path) if "apiVersion" in each and "kind" in each]
        made = [each for each in sources.flat(every) if sources.named(each)]
        if made:
            found[_shown(subject, path)] = made
    return found


def _documents(path: Path) -> Iterator[dict[str, Any]]:
    """Give the mappings in a file of YAML, or in one of JSON that may have objects."""
    if path.suffix != ".json":
        yield from compose_file.documents(path)
        return
    try:
        text = path.read_text()
        if '"apiVersion"' in text:
            yield from (each for each in plain_yaml.of_json(text, once=False) if isinstance(each, dict))
    except (ValueError, RecursionError, OSError):
        return


def compose(subject: Subject) -> dict[str, dict[str, Any]]:
    """Return every Compose file of the subject, by its path, its services as Compose reads them."""
    every = [path for path in files(subject, "*.yaml", "*.yml") if compose_file.NAMES.fullmatch(path.name)]
    named = (subject.compose.file, subject.compose.socket)  # may have any name, and be in a hidden directory
    every += [path for each in named if (path := subject.path(each)) and path.is_file() and path not in every]
    read = {path: next(compose_file.documents(path), {}) for path in every}
    return {
        _shown(subject, path): {**content, "services": compose_file.services(path)}
        for path, content in read.items()
        if isinstance(content.get("services"), dict) or isinstance(content.get("include"), list)
    }


def development(subject: Subject) -> dict[str, str]:
    """Return the descriptions by which editors make a container of the box for development."""
    own = {subject.directory / each for each in (subject.image.dockerfile, subject.compose.file) if each}
    image = subject.image.reference or f"{subject.image.name}:"
    found = {}
    for path in sorted({each for one in DEVELOPMENT for each in subject.directory.glob(one)}):
        text = path.read_text(errors="replace")
        named = {(path.parent / each).resolve() for each in MADE_OF.findall(text)}
        if named & {each.resolve() for each in own} or image in text:
            found[str(path.relative_to(subject.directory))] = text
    return found


def commands(subject: Subject) -> dict[str, str]:
    """Return what the subject tells its users to run: its scripts, and the code in its documents, by path."""
    found = {_shown(subject, path): path.read_text(errors="replace") for path in scripts(subject)}
    for path in files(subject, *PAGES):
        blocks = page_code.code(path.read_text(errors="replace"), path.suffix)
        if blocks:
            found[_shown(subject, path)] = "\n".join(blocks)
    return found


def images(subject: Subject) -> dict[str, str]:
    """Return every image that files, Compose files, scripts and documents name, by where they do.

    What the user fills in, a variable without a default or a word in capitals, names none.
    """
    found = dict(_of_objects(subject))
    for path in files(subject, "*.yaml", "*.yml"):
        for each in compose_file.documents(path):
            if "apiVersion" not in each:  # values of a chart
                found |= {f"{_shown(subject, path)}: {where}": image for where, image in _valued(each)}
                if path.name.startswith(VALUES):
                    whole = _plain_valued(each)
                    found |= {f"{_shown(subject, path)}: {where}": image for where, image in whole}
    found |= dict(_of_templates(subject)) | dict(_of_kustomizations(subject))
    for name, content in compose(subject).items():
        for service, each in content["services"].items():
            image = str(each.get("image", ""))
            if image and not GIVEN.search(image):
                found[f"{name}: {service}"] = image
            found |= {f"{name}: {service}: {one}": one for one in _beside(each) if not GIVEN.search(one)}
    found |= dict(_of_commands(subject))
    return found


def _of_commands(subject: Subject) -> Iterator[tuple[str, str]]:
    """Give the images that commands name, or by the values that they give the chart, and where."""
    for name, text in commands(subject).items():
        kept = REMOVES.sub("", text.replace("\\\n", " "))
        yield from ((f"{name}: {image}", image) for image in _written(kept))
        for values in helm_values.given(text):
            for where, image in (*_valued(values), *_plain_valued(values)):
                if not GIVEN.search(image):
                    yield f"{name}: helm {where}", image
    for words in _words(subject.commands.model_dump()):
        line = " ".join(words)
        yield from ((f"subject.toml: {line}", image) for image in _written(line))


def _written(text: str) -> list[str]:
    """Return the images that a text names."""
    return [each["image"] for pattern in (NAMED, LATEST) for each in pattern.finditer(text)]


def _beside(service: Mapping[str, Any]) -> Iterator[str]:
    """Give the images that a service of Compose has as a volume, or is built from."""
    for each in service.get("volumes") or ():
        if isinstance(each, Mapping) and each.get("type") == "image":
            yield str(each.get("source", ""))
    build = service.get("build")
    told = build.get("additional_contexts") if isinstance(build, Mapping) else None
    values = told.values() if isinstance(told, Mapping) else told if isinstance(told, list) else ()
    for each in values:
        _, mark, image = str(each).partition(AN_IMAGE)
        if mark:
            yield image


def _of_objects(subject: Subject) -> Iterator[tuple[str, str]]:
    """Give the images that objects name and no kustomization puts others in the place of, and where."""
    given = list(_given(subject))
    for name, made in objects(subject).items():
        path = (subject.directory / name).resolve()
        chosen = {one for paths, images in given if path in paths for one in images}
        specified = [each for each in made if isinstance(each.get("spec"), dict)]
        named = {**pod_specs.images(specified), **pod_specs.image_volumes(specified)}
        for each in specified:
            if pod_specs.pod_spec(each) is None:
                named |= dict(_nested(each["spec"], f"{each['kind']}/{each['metadata']['name']}"))
        for where, image in named.items():
            whole = filled(image)
            if whole and not pod_specs.is_filled_in(whole) and starting.repository(whole) not in chosen:
                yield f"{name}: {where}", whole


def _nested(value: Any, at: str) -> Iterator[tuple[str, str]]:
    """Give the images of containers in a kind of others' making, wherever it has its pod, and where.

    What a policy compares images with is no image.
    """
    if isinstance(value, list):
        for each in value:
            yield from _nested(each, at)
    for key, each in value.items() if isinstance(value, Mapping) else ():
        if key in pod_specs.GROUPS and isinstance(each, list):
            told = [one for one in each if isinstance(one, Mapping)]
            named = ((one.get("name", "?"), str(one.get("image", ""))) for one in told)
            yield from ((f"{at}/{name}", image) for name, image in named if WHOLE.fullmatch(image))
        else:
            yield from _nested(each, at)


def _of_templates(subject: Subject) -> Iterator[tuple[str, str]]:
    """Give the images that templates of charts name by themselves, also those that values have to ask for."""
    for chart in files(subject, CHART):
        for path in sorted((chart.parent / "templates").rglob("*")):
            if path.suffix not in TEMPLATES or not path.is_file():
                continue
            text = path.read_text(errors="replace")
            for pattern in (NAMED, LATEST):
                yield from (
                    (f"{_shown(subject, path)}: {one['image']}", one["image"])
                    for one in pattern.finditer(text)
                )
            if FALLEN_BACK.search(text):
                yield f"{_shown(subject, path)}: without a tag", "the-box:latest"


def _of_kustomizations(subject: Subject) -> Iterator[tuple[str, str]]:
    """Give the images that kustomizations put in the place of others, by a tag and by no digest."""
    for path in files(subject, *sources.KUSTOMIZATION):
        told = [one for made in compose_file.documents(path) for one in sources.listed(made, "images")]
        for each in told:
            if isinstance(each, dict) and each.get("newTag") and not each.get("digest"):
                name = each.get("newName") or each.get("name")
                yield f"{_shown(subject, path)}: {each.get('name')}", f"{name}:{each['newTag']}"


def _given(subject: Subject) -> Iterator[tuple[set[Path], set[str]]]:
    """Give the files of each kustomization, and the images to which it gives a tag or a digest."""
    for each in files(subject, *sources.KUSTOMIZATION):
        told = [one for made in compose_file.documents(each) for one in sources.listed(made, "images")]
        images = [one for one in told if isinstance(one, dict)]
        given = [one for one in images if one.get("digest") or one.get("newTag") not in (None, "", "latest")]
        if given:
            yield set(sources.followed(each.parent)), {str(one.get("name")) for one in given}


def floating(named: Mapping[str, str]) -> dict[str, str]:
    """Return the images of ``images`` that can come to mean other content."""
    return {where: each for where, each in named.items() if pod_specs.is_floating(each)}


def _valued(values: Mapping[str, Any], at: str = "") -> Iterator[tuple[str, str]]:
    """Give the images that values of a chart name by a tag, and where they do."""
    for key, each in values.items():
        if not isinstance(each, Mapping):
            continue
        if key == "image" and isinstance(each.get("tag"), str) and each["tag"]:
            yield f"{at}{key}", f"{each.get('repository') or 'the-box'}:{each['tag']}"
        yield from _valued(each, f"{at}{key}.")


def _plain_valued(values: Any, at: str = "") -> Iterator[tuple[str, str]]:
    """Give the images that values of a chart name whole, with a tag, and where they do."""
    if isinstance(values, list):
        for number, each in enumerate(values):
            yield from _plain_valued(each, f"{at}{number}.")
    for key, each in values.items() if isinstance(values, Mapping) else ():
        if str(key).lower().endswith("image") and isinstance(each, str):
            if ":" in each.rpartition("/")[2] and WHOLE.fullmatch(each):
                yield f"{at}{key}", each
        else:
            yield from _plain_valued(each, f"{at}{key}.")


def _left_out(path: Path) -> bool:
    return any(each in LEFT_OUT or each.startswith(".") or each == "__pycache__" for each in path.parts)


def _shown(subject: Subject, path: Path) -> str:
    return str(path.relative_to(subject.directory))


def _words(value: Any) -> Iterator[list[str]]:
    """Give each list of words in ``value``."""
    if isinstance(value, Mapping):
        for each in value.values():
            yield from _words(each)
    elif isinstance(value, list | tuple) and value and all(isinstance(each, str) for each in value):
        yield list(value)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _words(each)
