"""What the checks of the tools share."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from functools import partial

import pytest
import yaml

from boxproof.errors import SubjectFault
from boxproof.kube import states
from boxproof.kube.client import Kube, Object
from boxproof.kube.exec import exec_in
from boxproof.probes.pods import RUN_LABEL
from boxproof.probes.toolbox import Exec
from boxproof.proof.box import probes_namespace
from boxproof.proof.instance import Box
from boxproof.session import ImageInfo, Session
from boxproof.subject.model import Subject


@pytest.fixture
def on_node(
    session: Session, kube: Kube, subject: Subject, box: Box, image: ImageInfo
) -> Iterator[Callable[[], Exec]]:
    """Start the subject's own debug pod on the node of the box (which has its image), to run commands in."""
    made: list[Object] = []

    def start() -> Exec:
        path = subject.path(subject.manifests.node_tools)
        if path is None:
            raise SubjectFault("subject.toml names no manifest for the tools of a node")
        pod = yaml.safe_load(path.read_text())
        name, namespace = f"node-tools-{secrets.token_hex(3)}", probes_namespace(session, kube)
        pod["metadata"] |= {"name": name, "namespace": namespace, "labels": {RUN_LABEL: session.run}}
        pod["spec"]["nodeName"] = box.node
        container = pod["spec"]["containers"][0]
        container["image"] = image.reference
        kube.create(pod)
        made.append(pod)
        states.ready(kube, namespace, name, 90, reference_image=session.probe_image)
        return partial(exec_in, kube, namespace, name, container["name"])

    yield start
    kube.delete(made, grace=0)
