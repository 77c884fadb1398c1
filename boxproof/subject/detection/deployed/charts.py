"""What a chart shows of a box, whatever its values are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from boxproof.subject.detection.deployed import custom_kinds, workload
from boxproof.subject.detection.deployed.custom_kinds import CustomKind
from boxproof.subject.detection.directory import CLAUDE, Directory, parsed
from boxproof.subject.detection.findings import HELPERS, Detected
from boxproof.subject.manifests import plain_yaml, sources
from boxproof.subject.manifests.pod_specs import KINDS, is_filled_in, pod_spec
from boxproof.subject.manifests.sources import KIND
from boxproof.subject.manifests.starting import repository

ACTION, FILLING = re.compile(r"\{\{.*\}\}"), re.compile(r"\"?\{\{.*?\}\}\"?")  # lines and words of a template
FILLED_IN = "filled-in"
# words of directories that say nothing of what is built there
PLACES = frozenset(
    {
        "", "app", "apps", "build", "container", "containers", "deploy", "docker", "image", "images",
        "package", "packages", "services", "src",
    }
)  # fmt: skip


def chart(here: Directory, found: Detected, *, alone: bool) -> None:
    """Note the chart that is called as the box, else the first; what it says where there is nothing else."""
    operated = {each: _operated(here, each) for each in here.charts}
    own = [each for each in here.charts if not operated[each] and not _only_defines(here, each)]
    every = own or [each for each in here.charts if operated[each]] or here.charts
    if not every:
        return
    chosen = min(every, key=lambda each: _rank(here, each, str(found.get("name"))))
    others = [str(each) for each in here.charts if each != chosen]
    if others:
        found.remarks.append(f"chart.directory: other charts are {', '.join(others[:5])}")
    if operated[chosen] and not alone:
        found.remarks.append(f"chart.directory: {chosen} makes the operator, not what is deployed: left out")
        return
    found.add("chart.directory", str(chosen), f"{chosen}/Chart.yaml")
    wanted = sources.not_fetched(here.root / chosen)
    if wanted:
        told = f"{chosen} takes templates of charts that are not here: {', '.join(wanted[:5])}"
        found.remarks.append(f"chart.directory: {told} (helm dependency build {chosen})")
    if operated[chosen]:
        custom_kinds.note(found, operated[chosen], str(chosen))
    elif alone:
        _workload(here, found, chosen)
        _user(here, found, chosen)
        _image(here, found, chosen)


def _workload(here: Directory, found: Detected, chart: Path) -> None:
    """Note which workload of a chart is the agent, and what it says whatever its values are."""
    every = [(kind, path) for kind, path in _kinds(here, chart) if kind in KINDS[:3]]
    workloads = [each for each in every if not _is_helper(each[1].relative_to(chart))] or every
    if len({kind for kind, _ in workloads}) == 1:
        names = {chart.name, _said_name(here, chart), str(found.get("name"))}
        kind, path = min(workloads, key=lambda each: not names & _containers(here.text(each[1]), each[0]))
        found.add("kind", kind, str(path))
        template = _untemplated(here.text(path), kind)
        if template:
            _of_template(found, template, str(path))


def _kinds(here: Directory, chart: Path) -> list[tuple[str, Path]]:
    """Return the kinds that the templates of a chart make, with their files."""
    templates = [
        path
        for path in here.files
        if chart in path.parents and "templates" in path.parts and path.parent.name != "tests"
    ]
    return [(kind, path) for path in templates for kind in KIND.findall(here.text(path))]


def _operated(here: Directory, chart: Path) -> list[CustomKind]:
    """Return the kinds whose operator a chart makes and no other workload, what it makes of them first.

    It has a role over their API group. A workload alone is the operator, however it is called.
    """
    made = _kinds(here, chart)
    workloads = {path for kind, path in made if kind in KINDS[:3]}
    operators = {
        path for path in workloads if custom_kinds.is_operators(str(path.relative_to(chart)), here.text(path))
    }
    if not workloads or (workloads - operators and (operators or len(workloads) > 1)):
        return []
    ruled = custom_kinds.ruled_by_chart(here, chart)
    return sorted(ruled, key=lambda each: each.kind not in {kind for kind, _ in made})


def _only_defines(here: Directory, chart: Path) -> bool:
    """Return whether a chart makes nothing but definitions of kinds."""
    made = {kind for kind, _ in _kinds(here, chart)}
    crds = any(chart in path.parents and "crds" in path.parts for path in here.files)
    return made == {custom_kinds.DEFINITION} or (crds and not made)


def _rank(here: Directory, chart: Path, name: str) -> tuple[bool, bool, bool]:
    """Return what makes a chart the box's before others: it can be installed, its name, no helper's."""
    library = _said(here, chart).get("type") == "library"
    return library, chart.name != name, _is_helper(Path(chart.name))


def _said(here: Directory, chart: Path) -> dict[str, Any]:
    return plain_yaml.mapping(parsed(here.text(chart / "Chart.yaml")))


def _said_name(here: Directory, chart: Path) -> str:
    return str(_said(here, chart).get("name") or "")


def _containers(text: str, kind: str) -> set[str]:
    """Return the names of the containers of a chart's workload that stand there whatever its values are."""
    spec = pod_spec(_untemplated(text, kind)) or {}
    return {str(each.get("name")) for each in spec.get("containers") or () if isinstance(each, dict)}


def _is_helper(path: Path) -> bool:
    return any(HELPERS.search(each.lower()) for each in path.parts)


def _user(here: Directory, found: Detected, chart: Path) -> None:
    """Note whom a chart's values have it run as, where they say one number."""
    path = chart / "values.yaml"
    numbers = set(_numbers(parsed(here.text(path)))) if path in here.files else set()
    if len(numbers) == 1:
        found.drop("uid")
        found.add("uid", numbers.pop(), f"{path}, runAsUser")


def _image(here: Directory, found: Detected, chart: Path) -> None:
    """Note the image that a chart's values name, where no recipe here builds it."""
    path = chart / "values.yaml"
    values = plain_yaml.mapping(parsed(here.text(path))) if path in here.files else {}
    image = _named(values.get("image"), _said(here, chart))
    recipe = str(found.get("image.dockerfile") or "")
    if not image or is_filled_in(image) or (recipe and found.get("compose.file")):
        return
    if recipe and not _is_of_a_part(here, Path(recipe), image, {chart.name, _said_name(here, chart)}):
        return
    if recipe:
        found.forget(recipe)
        told = f"{path} runs {image}, and {recipe} builds a part beside it by its name"
        found.remarks.append(f"image: {told}: where it builds the box, name it as image.dockerfile")
    found.add("image.reference", image, f"{path}, image")


def _named(image: object, said: dict[str, Any]) -> str:
    """Return the image that a chart's value is, with the tag that it has by default; "" for none."""
    if isinstance(image, str):
        return image
    told = plain_yaml.mapping(image)
    name = "/".join(str(told[key]) for key in ("registry", "repository") if told.get(key))
    tag = str(told.get("tag") or said.get("appVersion") or "")
    digest = str(told.get("digest") or "")
    if not told.get("repository") or not (tag or digest):
        return ""
    return f"{name}@{digest}" if digest.startswith("sha256:") else f"{name}:{tag}"


def _is_of_a_part(here: Directory, recipe: Path, image: str, names: set[str]) -> bool:
    """Return whether a recipe lies in a directory of something else than the chart's image and the agent.

    That image is of a registry then: one without an account was made by hand, of whatever is here.
    """
    parts = set(re.split(r"[^a-z0-9]+", str(recipe.parent).lower())) - PLACES
    called = "-".join([repository(image).rpartition("/")[2], *names]).lower()
    ours = parts & set(re.split(r"[^a-z0-9]+", called)) or CLAUDE.search(here.text(recipe))
    return bool(parts) and "/" in repository(image) and not ours


def _numbers(values: object) -> Iterator[int]:
    if isinstance(values, dict):
        if isinstance(values.get("runAsUser"), int):
            yield values["runAsUser"]
        for each in values.values():
            yield from _numbers(each)


def _untemplated(text: str, kind: str) -> dict[str, Any]:
    """Return a chart's workload with ``FILLED_IN`` where values go, {} where no YAML is left."""
    lines = [each for each in text.splitlines() if not ACTION.fullmatch(each.strip())]
    for part in re.split(r"(?m)^---.*$", FILLING.sub(FILLED_IN, "\n".join(lines))):
        found = parsed(part)
        if isinstance(found, dict) and found.get("kind") == kind and pod_spec(found):
            return found
    return {}


def _of_template(found: Detected, item: dict[str, Any], where: str) -> None:
    """Note what a chart's workload says whatever its values are."""
    spec = pod_spec(item) or {}
    container = workload.agents_container(spec)
    said = Detected(list(found.facts))
    said.add("workload", (item.get("metadata") or {}).get("name", ""), where)
    said.add("container", container.get("name", ""), where)
    said.add("service_account", spec.get("serviceAccountName", ""), where)
    workload.config_dir(said, item, spec, container, where)
    workload.needed(said, spec, container, set(), where)
    for each in said.facts:
        if each not in found.facts and FILLED_IN not in str(each.value):
            found.drop(f"{each.table}.{each.key}".lstrip("."))
            found.facts.append(each)
