"""Renders the subject's objects from what it has; sets only image, addresses of API server and nodes."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from boxproof.core.process import run
from boxproof.kube.network_policies import block_of
from boxproof.subject.manifests import compose_file, overlays, sources, starting
from boxproof.subject.model import Subject
from pytest_claims.faults import EnvironmentFault, SubjectFault, Unprovable, nearest

Objects = list[dict[str, Any]]
RELEASE = "agent"  # of a chart that is the source of the objects
HOOK, INSTALLING = "helm.sh/hook", frozenset({"pre-install", "post-install", "crd-install"})
ELSEWHERE = "elsewhere"  # an upgrade, and a cluster that serves other kinds or has an object already
WANTS = {  # what may be missing
    "kustomize": "manifests.kustomize: a directory that needs neither Helm nor the net",
    "chart": "chart.values, chart.options, or helm dependency build",
}
SERVICE = "10.96.0.1:443"  # the first address of kubeadm's default service subnet
SERVICE_PLACE, ENDPOINT_PLACE = "192.0.2.1/32", "192.0.2.2/32"  # RFC 5737: addresses for documentation
NODES_PLACE = "192.0.2.3/32"  # likewise, where a policy leaves out the nodes


def render(
    subject: Subject,
    *,
    components: Sequence[str],
    image: str,
    apiserver: str,
    kubectl: str,
    files: Mapping[str, bytes],
    service: str = SERVICE,
    helm: Path | None = None,
) -> Objects:
    """Return the objects with ``components``, with ``image`` and the API server's addresses set.

    ``apiserver`` and ``service`` are "IP:PORT"; else as ``untouched``.
    """
    objects = untouched(subject, components=components, kubectl=kubectl, files=files, helm=helm)
    if image:
        starting.set_image(objects, subject, image)
    _set_addresses(objects, {SERVICE_PLACE: service, ENDPOINT_PLACE: apiserver})
    return objects


def untouched(
    subject: Subject,
    *,
    components: Sequence[str] = (),
    kubectl: str = "",
    files: Mapping[str, bytes] | None = None,
    helm: Path | None = None,
) -> Objects:
    """Return the objects as the subject's own tools give them, with nothing set.

    Of a base that is with ``components``; ``files`` are written beside each that has no file of that name.
    ``kubectl`` is for kustomize, ``helm`` for a chart. Raises SubjectFault if there are none, or kustomize
    refuses a base; Unprovable where a chart, or a directory built in place, wants what is not here: values,
    other charts, other directories.
    """
    if subject.source == "chart" and set(components) <= set(switches(subject)):
        return _charted(subject, helm, components)
    laid_over = overlays.named(components)
    others = [each for each in components if not each.startswith(overlays.MARK)]
    if others and subject.source != "base":
        raise SubjectFault(f"no component {others[0]!r}", hint="only manifests.base has components")
    if subject.source == "files":
        return sources.literal(subject)
    if subject.source == "kustomize":
        place = subject.directory / (*laid_over, subject.manifests.kustomize)[0]
        try:
            return _kustomized(kubectl, place, "--load-restrictor=LoadRestrictionsNone")
        except SubjectFault as fault:
            raise Unprovable(fault.message, hint=WANTS["kustomize"]) from fault
    if subject.source != "base":
        raise SubjectFault(
            "the subject has no manifests", hint="manifests.files, manifests.kustomize or chart"
        )
    base = subject.directory / (*laid_over, subject.manifests.base)[0]
    return _of_base(subject, base, others, kubectl, files or {})


def switches(subject: Subject) -> list[str]:
    """Return what changes the objects of a chart that is their source: values, another cluster.

    What scales by a number is left out: it is the user's.
    """
    path = subject.directory / subject.chart.directory / "values.yaml"
    values = next(compose_file.documents(path), {}) if path.is_file() else {}
    return [*(each for each in _off(values) if "scal" not in each.lower()), ELSEWHERE]


def _off(values: Mapping[str, Any], at: str = "") -> Iterator[str]:
    for key, each in values.items():
        if key == "enabled" and each is False:
            yield f"{at}{key}"
        elif isinstance(each, Mapping):
            yield from _off(each, f"{at}{key}.")


def _charted(subject: Subject, helm: Path | None, components: Sequence[str]) -> Objects:
    try:
        return _of_chart(subject, helm, components)
    except SubjectFault as fault:
        raise Unprovable(fault.message, hint=WANTS["chart"]) from fault


def _of_chart(subject: Subject, helm: Path | None, components: Sequence[str]) -> Objects:
    from boxproof.subject.manifests import helm as helms

    if helm is None:
        raise EnvironmentFault("there is no helm to render the chart with")
    values = [f"--values={subject.directory / each}" for each in subject.chart.values]
    words: list[str] = [*values, *subject.chart.options, f"--namespace={subject.namespace}"]
    words += [f"--set={each}=true" for each in components if each != ELSEWHERE]
    here_alone = ELSEWHERE not in components
    here = helms.rendered(helm, helms.chart_of(subject), *words, release=RELEASE, here_alone=here_alone)
    objects = sources.flat(here)
    made = [each for each in objects if _is_installed(each)]
    named = set(sources.WORKLOADS)
    if named & sources.kinds(subject) and not named & {each["kind"] for each in made}:
        raise Unprovable("by these values the chart makes no workload", hint="chart.values, chart.options")
    return made


def _is_installed(manifest: Mapping[str, Any]) -> bool:
    """Return whether an installation makes an object: no test of the chart's, and nothing for its removal."""
    notes = (manifest.get("metadata") or {}).get("annotations") or {}
    hooks = {each.strip() for each in str(notes.get(HOOK, "")).split(",")} - {""}
    return not hooks or bool(hooks & INSTALLING)


def _of_base(
    subject: Subject, base: Path, components: Sequence[str], kubectl: str, files: Mapping[str, bytes]
) -> Objects:
    with tempfile.TemporaryDirectory(prefix="boxproof-render-") as below:
        root = Path(below).resolve()
        named = [each for each in components if not _is_beside(subject, each)]
        chosen = [_component(subject, each, root, files) for each in named]
        overlay = root / "overlay"
        overlay.mkdir()
        (overlay / "kustomization.yaml").write_text(
            yaml.safe_dump({"resources": [os.path.relpath(base.resolve(), overlay)], "components": chosen})
        )
        return _kustomized(kubectl, overlay)


def _kustomized(kubectl: str, directory: Path, *options: str) -> Objects:
    if not kubectl:
        raise EnvironmentFault("there is no kubectl to build the kustomize directory with")
    result = run([kubectl, "kustomize", directory, *options], timeout=60, check=False)
    if not result.ok:
        said = [each for each in result.stderr.split("\n") if each.strip(" >`")]  # klog ends with a lone ">"
        told = " ".join(said[-1].split()) if said else result.describe()
        raise SubjectFault(f"kustomize refuses the manifests: {told}")
    return sources.flat(each for each in yaml.safe_load_all(result.stdout) if each)


def _is_beside(subject: Subject, name: str) -> bool:
    """Return whether something that only lies among the components has that name: a page, say."""
    place = subject.path(f"{subject.manifests.components}/{name}")
    return place is not None and not any((place / each).is_file() for each in sources.KUSTOMIZATION)


def _component(subject: Subject, name: str, root: Path, files: Mapping[str, bytes]) -> str:
    directory = subject.path(f"{subject.manifests.components}/{name}")
    if directory is None:
        parent = subject.path(subject.manifests.components)
        known = sorted(each.name for each in parent.iterdir()) if parent else []
        raise SubjectFault(f"no component {name!r}", hint=nearest(name, known) if known else "")
    target = root / "components" / name
    shutil.copytree(directory, target, symlinks=True)
    for file, content in files.items():
        if not (target / file).exists():
            (target / file).write_bytes(content)
    return f"../components/{name}"


def _set_addresses(objects: Objects, addresses: Mapping[str, str]) -> None:
    for manifest in objects:
        if manifest["kind"] != "NetworkPolicy":
            continue
        for rule, block in _blocks(manifest):
            if block["cidr"] in addresses:
                place = addresses[block["cidr"]]
                block["cidr"] = block_of(place)
                for each in rule.get("ports", []):
                    each["port"] = int(place.rpartition(":")[2])


def set_nodes(objects: Objects, nodes: Sequence[str]) -> None:
    """Put the addresses of nodes, as blocks, where policies leave these out; without any nothing changes.

    A policy cannot leave out addresses of another family than those that it opens.
    """
    for manifest in objects if nodes else ():
        if manifest["kind"] == "NetworkPolicy":
            for _, block in _blocks(manifest):
                if NODES_PLACE in (left := block.get("except") or []):
                    others = [each for each in left if each != NODES_PLACE]
                    block["except"] = [*others, *(each for each in nodes if ":" not in each)]


def _blocks(policy: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for rule in policy["spec"].get("egress") or []:
        for peer in rule.get("to") or []:
            if "ipBlock" in peer:
                yield rule, peer["ipBlock"]
