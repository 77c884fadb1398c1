"""What the suites share: the box in its modes, and its tools on a node."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from boxproof.agent import login
from boxproof.agent.agent_tools import Exec
from boxproof.core.session import RUN_LABEL, ClusterInfo, EngineInfo, ImageInfo, Session
from boxproof.deployment import cluster_requirements
from boxproof.deployment.box import Box, workload_of
from boxproof.deployment.deploy import COMPONENTS, Objects, Rendered, probes_namespace, rendered
from boxproof.fixtures.agent_modes import Headless, Modes
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.fixtures.compose_project import Composed, Documented
from boxproof.fixtures.factories import Containers
from boxproof.fixtures.helm_release import Charts
from boxproof.kube import pod_status
from boxproof.kube.client import Kube, Object
from boxproof.kube.exec import exec_in
from boxproof.probes.pods import helper_pods
from boxproof.stubs.anthropic import Stub
from boxproof.subject.manifests import compose_file
from boxproof.subject.model import Subject
from pytest_claims.faults import SubjectFault
from suites import shipped_box, values_files
from suites.shipped_box import Shipped


@pytest.hookimpl(trylast=True)  # after the plugin has said what a claim is
def pytest_configure(config: pytest.Config) -> None:
    """Tell whoever calls pytest by hand how the suites are run."""
    if not any(str(each).startswith("claim(") for each in config.getini("markers")):
        raise pytest.UsageError("suites are run by `nox -s e2e -- --claims ID` or `inv test --claims ID`")


@pytest.fixture
def charts(session: Session, subject: Subject, tmp_path: Path) -> Charts:
    """The subject's chart and its kustomize files, to be rendered."""
    if not subject.chart.directory:
        pytest.skip("subject.toml names no chart")
    return Charts(session, subject, tmp_path)


@pytest.fixture
def by_values(charts: Charts, subject: Subject) -> Mapping[str, Objects]:
    """What the chart renders by its own values, and by each other file of them that ships."""
    return values_files.rendered(charts, subject)


@pytest.fixture
def compose_services(subject: Subject) -> dict[str, Any]:
    """The services of the subject's Compose file, with what they extend."""
    path = subject.path(subject.compose.file)
    return dict(compose_file.services(path)) if path else {}


@pytest.fixture
def composed(
    session: Session, engine: EngineInfo, docker: Any, subject: Subject, tmp_path: Path
) -> Iterator[Composed]:
    """``composed(…)``: a project of the subject's Compose file."""
    if not subject.compose.file:
        pytest.skip("subject.toml names no Compose file")
    made = Composed(session, engine, docker, subject, tmp_path)
    yield made
    made.close()


@pytest.fixture
def own_documents(subject: Subject) -> str:
    """The text of the box's documents."""
    paths = sorted((subject.directory / "docs").glob("*.md"))
    return "\n\n".join(each.read_text(errors="replace") for each in paths)


@pytest.fixture
def modes(subject: Subject, container: Containers) -> Modes:
    """``modes(mode, *words, stays=…)``: the box on the engine in a mode, with a stand-in for the CLI."""
    return Modes(subject, container)


@pytest.fixture(scope="session")
def shipped_image(
    engine: EngineInfo, cluster: ClusterInfo, docker: Any, image: ImageInfo, subject: Subject
) -> Iterator[ImageInfo]:
    """The image with a stand-in in the place of the CLI, on every node."""
    with shipped_box.image_as_shipped(engine, cluster, docker, image, subject) as made:
        yield made


@pytest.fixture
def shipped(make_box: MakeBox, shipped_image: ImageInfo, docker: Any, subject: Subject) -> Shipped:
    """``shipped(logged_in=…, edit=…)``: the default tier in its default mode, a login on its volume."""
    return Shipped(make_box, shipped_image, docker, subject)


@pytest.fixture(scope="session")
def shipped_once(session: Session, shipped_image: ImageInfo, docker: Any, subject: Subject) -> Iterator[Box]:
    """One such instance, logged in, for all checks of a worker that only look at it."""
    make_box = MakeBox(session)
    try:
        yield Shipped(make_box, shipped_image, docker, subject)()
    finally:
        make_box.close()


@pytest.fixture(scope="session")
def default_tier(session: Session) -> Iterator[Box]:
    """One instance of the default tier alone, its agent's container started, for checks that only look."""
    make_box = MakeBox(session)
    try:
        box = make_box(components=(), ready=False)
        helper_pods.start_of(box.kube, box.namespace, box.pod, timeout=180)
        yield box
    finally:
        make_box.close()


@pytest.fixture(scope="session")
def tiers_as_rendered(session: Session, subject: Subject, kube: Kube) -> Mapping[str, Box]:
    """Each tier by its name, and by its own each component that is in none; rendered, and not applied."""
    below = subject.path(subject.manifests.components)
    named = sorted(each.name for each in below.iterdir()) if below is not None else []
    every = {"default": (), **subject.tiers}
    used = {each for components in every.values() for each in components} | set(COMPONENTS)
    every |= {name: (name,) for name in named if name not in used}
    return {name: as_rendered(session, subject, kube, components) for name, components in every.items()}


def as_rendered(session: Session, subject: Subject, kube: Kube, components: tuple[str, ...]) -> Box:
    """Return what the objects with some components would make, for looks at the objects."""
    objects = rendered(session, components=(*COMPONENTS, *components))[0]
    space = str(workload_of(objects, subject)["metadata"]["namespace"])
    return Box(
        session=session, kube=kube, namespace=space, suffix="", components=components, objects=objects,
        token="",
    )  # fmt: skip


@pytest.fixture
def headless(subject: Subject, container: Containers) -> Headless:
    """``headless(env=…, file=…, volume=…)``: the box with its own CLI and one prompt, not started."""
    return Headless(subject, container)


@pytest.fixture
def token() -> str:
    """A token of the check's own; what begins with it and a dot is of its family."""
    return helper_pods.unique("stub-token")


@pytest.fixture
def mine(stub: Stub, token: str) -> Stub:
    """The stub, about ``token`` alone."""
    return stub.of(token)


@pytest.fixture
def volume(docker: Any, session: Session) -> Iterator[str]:
    """The name of a volume of the check's own."""
    with login.named_volume(docker, session.run) as name:
        yield name


@pytest.fixture
def on_node(
    session: Session, kube: Kube, subject: Subject, box: Box, image: ImageInfo
) -> Iterator[Callable[[], Exec]]:
    """Start the subject's own debug pod on the node of the box (which has its image), to run commands in."""
    cluster_requirements.demand_node(session)
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
        pod_status.ready(kube, namespace, name, 90, reference_image=session.probe_image)
        return partial(exec_in, kube, namespace, name, container["name"])

    yield start
    kube.delete(made, grace=0)


@pytest.fixture
def documented(session: Session, engine: EngineInfo, subject: Subject) -> Iterator[Documented]:
    """``documented(*words, env=…, options=…)``: the box as its documents say to run it on an engine."""
    if not subject.commands.run:
        pytest.skip("subject.toml does not say how to run the box without a cluster")
    made = Documented(session, engine, subject)
    yield made
    made.close()


@pytest.fixture
def every(session: Session, subject: Subject) -> Rendered:
    """The objects of every tier, and of each component that is in none, with nothing of the harness's."""
    below = subject.path(subject.manifests.components)
    names = sorted(each.name for each in below.iterdir()) if below is not None else []
    made = {"default": (), **subject.tiers}
    used = {each for components in made.values() for each in components} | set(COMPONENTS)
    made |= {f"component {name}": (name,) for name in names if name not in used}
    return {name: rendered(session, components=components)[0] for name, components in made.items()}
