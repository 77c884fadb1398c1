"""Renders the subject's manifests with kustomize; sets only image and the API server's addresses."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from boxproof.core.process import run
from boxproof.subject.manifests import pod_specs
from boxproof.subject.model import Subject
from pytest_claims.faults import SubjectFault, nearest

Objects = list[dict[str, Any]]
SERVICE = "10.96.0.1:443"  # the first address of kubeadm's default service subnet
SERVICE_PLACE, ENDPOINT_PLACE = "192.0.2.1/32", "192.0.2.2/32"  # RFC 5737: addresses for documentation


def render(
    subject: Subject,
    *,
    components: Sequence[str],
    image: str,
    apiserver: str,
    kubectl: str,
    files: Mapping[str, bytes],
    service: str = SERVICE,
) -> Objects:
    """Return base plus ``components`` as objects, with ``image`` and the API server's addresses set.

    ``apiserver`` and ``service`` are "IP:PORT"; else as ``untouched``.
    """
    objects = untouched(subject, components=components, kubectl=kubectl, files=files)
    _set_image(objects, subject.image.name, image)
    _set_addresses(objects, {SERVICE_PLACE: service, ENDPOINT_PLACE: apiserver})
    return objects


def untouched(
    subject: Subject, *, components: Sequence[str], kubectl: str, files: Mapping[str, bytes]
) -> Objects:
    """Return base plus ``components`` as kustomize gives them, with nothing set.

    ``files`` are written beside each component that has no file of that name. Raises SubjectFault if there
    are no manifests or kustomize refuses them.
    """
    base = subject.path(subject.manifests.base)
    if base is None:
        raise SubjectFault(f"no manifests at {subject.manifests.base}")
    with tempfile.TemporaryDirectory(prefix="boxproof-render-") as below:
        root = Path(below)
        shutil.copytree(base, root / "base", symlinks=True)
        chosen = [_component(subject, each, root, files) for each in components]
        overlay = root / "overlay"
        overlay.mkdir()
        (overlay / "kustomization.yaml").write_text(
            yaml.safe_dump({"resources": ["../base"], "components": chosen})
        )
        result = run([kubectl, "kustomize", overlay], timeout=60, check=False)
    if not result.ok:
        raise SubjectFault(f"kustomize refuses the manifests: {result.stderr.strip().splitlines()[-1:]}")
    return [each for each in yaml.safe_load_all(result.stdout) if each]


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


def _set_image(objects: Objects, name: str, image: str) -> None:
    for manifest in objects:
        spec = pod_specs.pod_spec(manifest) or {}
        for container in [*spec.get("initContainers", []), *spec.get("containers", [])]:
            if container.get("image", "").rpartition(":")[0] == name:
                container["image"] = image


def _set_addresses(objects: Objects, addresses: Mapping[str, str]) -> None:
    for manifest in objects:
        if manifest["kind"] != "NetworkPolicy":
            continue
        for rule, block in _blocks(manifest):
            if block["cidr"] in addresses:
                address, _, port = addresses[block["cidr"]].rpartition(":")
                block["cidr"] = f"{address}/32"
                for each in rule.get("ports", []):
                    each["port"] = int(port)


def _blocks(policy: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for rule in policy["spec"].get("egress") or []:
        for peer in rule.get("to") or []:
            if "ipBlock" in peer:
                yield rule, peer["ipBlock"]
