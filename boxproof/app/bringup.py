"""From a bare machine to a session: engine, cluster, images, stub, first instance. Every step can be repeated."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from boxproof import log
from boxproof.cluster import canary, kind, load, names, nodeimage
from boxproof.errors import BoxproofError, SubjectFault
from boxproof.host import engine as engines
from boxproof.kube.client import Kube
from boxproof.proof.box import deploy
from boxproof.session import ClusterInfo, EngineInfo, ImageInfo, Session, StubInfo
from boxproof.settings import Settings
from boxproof.stubs import anthropic
from boxproof.subject import build, model

T = TypeVar("T")


@dataclass
class Timings:
    """Seconds per step, in the order the steps ended."""

    steps: dict[str, float] = field(default_factory=dict)

    def add(self, name: str, seconds: float) -> None:
        """Add ``seconds`` to the step ``name``."""
        self.steps[name] = round(self.steps.get(name, 0.0) + seconds, 2)


def cluster(settings: Settings, engine: EngineInfo, directory: Path) -> ClusterInfo:
    """Return the cluster of the asked-for cell at "all nodes Ready", made if need be."""
    with log.step("node image"):
        node_image = nodeimage.ensure(settings, engine)
    with log.step("cluster"):
        return kind.up(settings, engine, node_image, directory)


def box_image(settings: Settings, engine: EngineInfo, subject: model.Subject) -> ImageInfo:
    """Return the box's image, built if its inputs changed; raises SubjectFault if it cannot be built."""
    with log.step("box image"):
        return build.build(settings, engine, subject)


def helper_image(settings: Settings, engine: EngineInfo) -> str:
    """Return the reference of the probe image, built if need be."""
    with log.step("probe and stub images"):
        return anthropic.ensure_images(settings, engine)


def together(*jobs: Callable[[], T]) -> list[T]:
    """Run ``jobs`` side by side and return their results; the first fault is raised after all ended."""
    with ThreadPoolExecutor(len(jobs)) as pool:
        futures: list[Future[T]] = [pool.submit(job) for job in jobs]
    return [future.result() for future in futures]
