"""The fixtures suites use: the session's parts, instances of the box, and the probes."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import docker as docker_sdk
import pytest
from docker.errors import DockerException

from boxproof import settings as settings_module
from boxproof.cluster import canary
from boxproof.errors import EnvironmentFault
from boxproof.kube import exec as commands
from boxproof.kube.access import Answer, Question, review
from boxproof.kube.client import Kube
from boxproof.probes.local import LocalContainer
from boxproof.probes.names import Names
from boxproof.probes.names import lookup as lookup_probe
from boxproof.probes.outside import Outside
from boxproof.probes.pods import Twin
from boxproof.probes.program import Prober
from boxproof.probes.reach import Listener, Reach
from boxproof.probes.reach import reach as reach_probe
from boxproof.proof import box as boxes
from boxproof.proof import owncluster, plugin, scopes
from boxproof.proof.box import Edit
from boxproof.proof.collect import collector
from boxproof.proof.evidence import on_failure
from boxproof.proof.factories import Containers, Listeners, Twins
from boxproof.proof.instance import Box
from boxproof.proof.liveness import liveness
from boxproof.proof.sharing import instances
from boxproof.session import ClusterInfo, EngineInfo, ImageInfo, Session
from boxproof.stubs.anthropic import Stub

if TYPE_CHECKING:
    from boxproof.subject.layers import Layer
    from boxproof.subject.model import Subject


SILENT = 1200  # seconds a command in a container may say nothing: no end within them is a dead engine


@pytest.fixture(scope="session")
def session() -> Session:
    """The run, as its owner wrote it down."""
    return Session.read(Path(settings_module.session_file()))


@pytest.fixture(scope="session", autouse=True)
def _environment(session: Session) -> None:
    """Tell the plugin how to see whether the environment lives, and what evidence a failure leaves."""
    plugin.set_liveness(lambda: liveness(session))
    commands.guard(instances.entered)
    if session.cluster is not None:
        on_failure(collector(session))
        scopes.after_exclusive(lambda: _shown_again(session))


def _shown_again(session: Session) -> None:
    """Show that the pod network still enforces policies."""
    api = Kube(boxes.cluster_of(session).kubeconfig)
    canary.enforced(api, session.probe_image, session.run)
    api.close()


@pytest.fixture(scope="session")
def subject(session: Session) -> Subject:
    """The subject under test."""
    from boxproof.subject import model

    return model.load(Path(session.subject))


@pytest.fixture(scope="session")
def cluster(session: Session) -> ClusterInfo:
    """The cluster, as it says it is."""
    return boxes.cluster_of(session)


@pytest.fixture(scope="session")
def kube(cluster: ClusterInfo) -> Iterator[Kube]:
    """The API server, as its administrator."""
    made = Kube(cluster.kubeconfig)
    yield made
    made.close()


@pytest.fixture(scope="session")
def engine(session: Session) -> EngineInfo:
    """Where the engine is."""
    if session.engine is None:
        raise EnvironmentFault("this run has no engine")
    return session.engine


@pytest.fixture(scope="session")
def docker(engine: EngineInfo) -> Iterator[docker_sdk.DockerClient]:
    """The engine, through its API; without the nodes of a cluster that is not ours."""
    try:
        client = docker_sdk.DockerClient(base_url=engine.host, timeout=SILENT, max_pool_size=16)
    except DockerException as error:
        raise EnvironmentFault(f"the engine does not answer: {error}") from error
    yield owncluster.guarded(client, engine)
    client.close()


@pytest.fixture(scope="session")
def image(session: Session) -> ImageInfo:
    """The box's image; under an image sabotage the sabotaged one."""
    if session.image is None:
        raise EnvironmentFault("this run has no image of the box")
    return session.image


@pytest.fixture(scope="session")
def image_config(image: ImageInfo, docker: docker_sdk.DockerClient) -> dict[str, Any]:
    """The image's configuration, as the engine has it."""
    try:
        found: dict[str, Any] = docker.images.get(image.reference).attrs["Config"]
    except DockerException as error:
        raise EnvironmentFault(f"no image {image.reference}: {error}") from error
    return found


@pytest.fixture(scope="session")
def image_layers(image: ImageInfo, session: Session) -> Sequence[Layer]:
    """The image's layers, read from the image itself."""
    from boxproof.subject import layers

    if session.engine is None:
        raise EnvironmentFault("this run has no engine")
    return layers.layers(session.engine, image.reference)


@pytest.fixture(scope="session")
def rendered(session: Session) -> list[dict[str, Any]]:
    """The objects as applied (base and test-api, with the sabotage), not derived for an instance."""
    return boxes.rendered(session)[0]


@pytest.fixture(scope="session")
def box_applied(session: Session, kube: Kube) -> Box:
    """The instance under test, applied and not waited for."""
    return boxes.instance(session, session.suffix, kube=kube, wait=False)


@pytest.fixture
def box(box_applied: Box) -> Box:
    """The instance under test, Ready; do not break it: ``make_box`` gives one to break.

    Other checks run commands in it meanwhile: ``with box.alone()`` keeps them out.
    """
    return box_applied.wait_ready()


class MakeBox:
    """``make_box(components=…, edit=…, image=…, ready=…)``: a fresh instance, removed after the check."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.made: list[Box] = []

    def __call__(
        self,
        *,
        components: Sequence[str] = boxes.COMPONENTS,
        edit: Edit | None = None,
        image: str | None = None,
        files: Mapping[str, bytes] | None = None,
        ready: bool = True,
    ) -> Box:
        """Deploy it; ``edit`` changes the rendered objects in place, ``files`` lie beside the components.

        Errors as ``deploy``.
        """
        suffix = f"x{secrets.token_hex(3)}"
        deployed = boxes.deploy(
            self.session,
            components=components,
            suffix=suffix,
            edit=edit,
            image=image,
            files=files,
            wait=False,
        )
        self.made.append(deployed)
        return deployed.wait_ready(boxes.START) if ready else deployed

    def close(self) -> None:
        """Delete what was made, without waiting."""
        for each in self.made:
            boxes.remove(each)


@pytest.fixture
def make_box(session: Session) -> Iterator[MakeBox]:
    """Make instances of one's own, with the sabotage in them."""
    made = MakeBox(session)
    yield made
    made.close()


class Tier:
    """``tier("netraw")``: an instance with one more component, shared by the session's workers."""

    def __init__(self, session: Session, kube: Kube) -> None:
        self.session = session
        self.kube = kube

    def __call__(self, *components: str, ready: bool = True) -> Box:
        """Return the instance with test-api and ``components``; errors as ``deploy``."""
        run = hashlib.sha256(self.session.run.encode()).hexdigest()[:4]
        own = f"{self.session.suffix}-" if self.session.suffix else ""
        suffix = "-".join([own + "-".join(components), run])
        wanted = (*boxes.COMPONENTS, *components)
        return boxes.instance(self.session, suffix, components=wanted, kube=self.kube, wait=ready)


@pytest.fixture(scope="session")
def tier(session: Session, kube: Kube) -> Tier:
    """Further tiers of the box, shared as ``box`` is; do not break them."""
    return Tier(session, kube)


@pytest.fixture(scope="session")
def twin(session: Session, kube: Kube) -> Iterator[Twins]:
    """``twin(namespace=…, labels=…, node=…)``: a Ready pod of the probe image, shared where equal."""
    twins = Twins(session, kube)
    yield twins
    twins.close()


@pytest.fixture
def aside(session: Session, kube: Kube) -> str:
    """The name of the run's own namespace, for objects that are no part of the box."""
    return boxes.probes_namespace(session, kube)


@pytest.fixture(scope="session")
def outside(session: Session, docker: docker_sdk.DockerClient) -> Iterator[Outside]:
    """A container of the probe image on the cluster's network, outside the cluster."""
    owncluster.demand_beside(session)
    made = Outside(docker, session.probe_image, session.run)
    yield made
    made.remove()


@pytest.fixture
def listener(request: pytest.FixtureRequest) -> Iterator[Listeners]:
    """``listener(port=…, on=…)``, ``listener.on(twin)``: something that listens and says who it is."""
    made = Listeners(request.getfixturevalue)
    yield made
    made.close()


@pytest.fixture(scope="session", name="reach")
def reach_fixture() -> Any:
    """``reach(source, address, port)`` or ``reach(source, listener)``: see ``boxproof.probes.reach``."""
    return reach_probe


@pytest.fixture(scope="session", name="lookup")
def lookup_fixture() -> Any:
    """``lookup(source, name, tcp=False)``: see ``boxproof.probes.names``."""
    return lookup_probe


class Access:
    """``access(user, questions)``: what an account may do."""

    def __init__(self, kube: Kube) -> None:
        self.kube = kube

    def __call__(
        self, user: str, questions: Iterable[Question], groups: Sequence[str] | None = None
    ) -> dict[Question, Answer]:
        """Return an answer for each question; see ``boxproof.kube.access.review``."""
        return review(self.kube, user, groups, questions)


@pytest.fixture(scope="session")
def access(kube: Kube) -> Access:
    """Access reviews, in parallel."""
    return Access(kube)


@pytest.fixture
def container(session: Session, docker: docker_sdk.DockerClient) -> Iterator[Containers]:
    """``container(*cmd, files=…, start=True, stub="", **options)``: the box on the engine."""
    made = Containers(session, docker)
    yield made
    made.close()


@pytest.fixture(scope="session")
def stub(session: Session) -> Iterator[Stub]:
    """The stub of the Anthropic API; ``stub.of(box.token)`` is about one instance alone."""
    made = Stub(boxes.stub_of(session))
    yield made
    made.close()


__all__ = ["Answer", "Box", "Listener", "LocalContainer", "Names", "Prober", "Question", "Reach", "Twin"]
