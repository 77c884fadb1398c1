"""Which object is the agent, and which files come with it."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml

from boxproof.subject.detection.deployed import charts, custom_kinds, kustomize, workload
from boxproof.subject.detection.directory import Directory, Placed
from boxproof.subject.detection.findings import HELPERS, Detected
from boxproof.subject.manifests.overlays import EXAMPLES
from boxproof.subject.manifests.pod_specs import KINDS, pod_spec
from boxproof.subject.manifests.sources import BUILDERS
from boxproof.subject.manifests.starting import repository

APART = EXAMPLES | {"overlays"}
MAGIC = re.compile(r"[*?\[]")  # of globs
BUILT_IN = re.compile(r"^(v1|apps/v1|batch/v1|policy/v1|autoscaling/.*|[\w-]+(\.[\w-]+)*\.k8s\.io/.*)$")


def manifests(here: Directory, found: Detected) -> None:
    """Note the agent's workload and the files of its objects, else the chart that makes them."""
    laid_over = kustomize.patches(here)
    every = [each for each in here.objects if each.item["kind"] not in BUILDERS]
    placed = [each for each in every if each.path not in laid_over]
    pods = [each for each in placed if pod_spec(each.item) and each.item["kind"] in KINDS]
    defined = custom_kinds.defined(here)
    custom = _custom(placed, {each.kind for each in defined}, alone=not pods)
    chosen = custom or _agent(pods, found)
    if chosen is None:
        if placed and not here.charts:
            kinds = ", ".join(sorted({str(each.item["kind"]) for each in placed})[:5])
            found.remarks.append(f"kind, workload: there are objects ({kinds}), and no workload among them")
        charts.chart(here, found, alone=True)
        return
    others = [each for each in placed if each.item["kind"] == chosen.item["kind"] or each in pods]
    names = dict.fromkeys(f"{each.item['kind']} {each.item['metadata']['name']}" for each in others)
    names.pop(f"{chosen.item['kind']} {chosen.item['metadata']['name']}", None)
    if names:
        found.remarks.append(f"kind, workload: others are {', '.join([*names][:5])}")
    image = str(workload.agents_container(pod_spec(chosen.item) or {}).get("image", ""))
    way = kustomize.way(here, chosen, "" if chosen is custom else image)
    _sources(here, found, chosen, placed, way)
    operated = custom_kinds.ruled_by(placed, defined) if _operates(chosen, pods) else []
    if operated and chosen is not custom:
        custom_kinds.note(found, operated, f"{chosen.path}:{chosen.line}")
        charts.chart(here, found, alone=False)
        return
    workload.workload(found, chosen, placed, custom=chosen is custom, way=way)
    if chosen is not custom and found.get("image.dockerfile") and not _runs(chosen.item, found):
        what = (
            f"{chosen.path}:{chosen.line} runs {image}: is that what {found.get('image.dockerfile')} builds?"
        )
        found.remarks.append(f"image: {what}")
    charts.chart(here, found, alone=False)


def _operates(chosen: Placed, pods: list[Placed]) -> bool:
    """Return whether a workload may be an operator's: it is alone, or called so and each other one is too."""
    own = [each for each in pods if not _is_operators(each)]
    return chosen in pods and (not own or len(pods) == 1)


def _is_operators(each: Placed) -> bool:
    return custom_kinds.is_operators(str(each.item["metadata"]["name"]), yaml.safe_dump(each.item))


def _custom(placed: list[Placed], kinds: Collection[str], *, alone: bool) -> Placed | None:
    """Return the custom resource of ``kinds``, those defined here; ``alone``, one that holds containers."""
    every = [each for each in placed if not BUILT_IN.match(str(each.item["apiVersion"]))]
    defined = [each for each in every if each.item["kind"] in kinds]
    holding = [each for each in every if alone and _holds_containers(each.item.get("spec"))]
    return next(iter([*defined, *holding]), None)


def _holds_containers(value: object) -> bool:
    """Return whether a pod's containers stand anywhere below."""
    if isinstance(value, list):
        return any(map(_holds_containers, value))
    if not isinstance(value, dict):
        return False
    listed = value.get("containers")
    return (isinstance(listed, list) and bool(listed)) or any(map(_holds_containers, value.values()))


def _agent(pods: list[Placed], found: Detected) -> Placed | None:
    """Return the workload that runs what is built here, else one whose name is no helper's, by its kind.

    Where each is called as a helper, it is one that runs no helper's image.
    """
    named = [each for each in pods if not HELPERS.search(str(each.item["metadata"]["name"]))]
    own = [each for each in pods if _runs(each.item, found)]
    others = [each for each in pods if not all(map(HELPERS.search, _called(each.item)))]
    agents = [each for each in own if each in named] or own or named or others or pods
    return min(agents, key=_rank, default=None)


def _rank(each: Placed) -> tuple[bool, int]:
    """Return what makes a workload the agent before others: no example, then its kind."""
    return bool(EXAMPLES.intersection(each.path.parts)), KINDS.index(each.item["kind"])


def _runs(item: dict[str, Any], found: Detected) -> bool:
    """Return whether a workload's image is called as the box or its Compose service, or by words of these."""
    names = {str(found.get(key) or "").lower() for key in ("name", "image.name", "compose.service")} - {""}
    words = set("-".join(names).split("-"))
    return any(each in names or ("-" in each and set(each.split("-")) <= words) for each in _called(item))


def _called(item: dict[str, Any]) -> list[str]:
    """Return what the images of a workload's containers are called."""
    images = [str(each.get("image", "")) for each in (pod_spec(item) or {}).get("containers") or ()]
    return [repository(each).rpartition("/")[2] for each in images]


def _sources(
    here: Directory, found: Detected, chosen: Placed, placed: list[Placed], way: kustomize.Way | None
) -> None:
    """Note where the objects come from: a kustomize directory that leads to the workload, else files."""
    place = chosen.path.parent
    if way is not None:
        found.add("manifests.kustomize", str(way.start), f"{way.start}/kustomization.yaml")
        others = {str(each) for each in here.kustomized} - {str(way.start)}
        if others:
            told = f"{', '.join(sorted(others)[:5])} can be built too (names may differ)"
            found.remarks.append(f"manifests.kustomize: {told}")
        return
    taken = [place, *_beside(here, place, placed)]
    files = [each for directory in taken for each in _patterns(here, directory, placed, chosen.path.suffix)]
    found.add("manifests.files", files, ", ".join(map(str, taken)))
    away = sorted({str(each.path.parent) for each in placed} - set(map(str, taken)))
    if away:
        found.remarks.append(f"objects elsewhere were left out: {', '.join(away)} (manifests.files)")


def _beside(here: Directory, place: Path, placed: list[Placed]) -> list[Path]:
    """Return the directories above, beside and below the workload's with objects and no other workload."""
    above = place.parent if place.parent.parts else place
    every = sorted({each.path.parent for each in placed if above in each.path.parents} - {place})
    working = {each.path.parent for each in placed if pod_spec(each.item) or _holds_containers(each.item)}
    return [
        each
        for each in every
        if each not in working and each not in here.kustomized and not APART.intersection(each.parts)
    ]


def _patterns(here: Directory, place: Path, placed: list[Placed], suffix: str) -> list[str]:
    """Return a glob for a directory whose files all hold objects, else those of them that do."""
    holding = sorted({each.path for each in placed if each.path.parent == place})
    every = sorted(path for path in here.files if path.parent == place and path.suffix == suffix)
    whole = holding == every and not MAGIC.search(str(place))
    return [str(place / f"*{suffix}")] if whole else [str(each) for each in holding]
