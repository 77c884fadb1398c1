"""What measures share: the run they belong to, a session brought up when it is first needed, turns."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from boxproof.cluster import cells
from boxproof.cluster.kind import components
from boxproof.core.process import run as command
from boxproof.core.session import ClusterInfo, EngineInfo, ImageInfo, Session
from boxproof.core.settings import Settings
from boxproof.deployment import deploy
from boxproof.host.engine import engine_choice
from boxproof.runs import bringup
from boxproof.runs.run_life import Run
from boxproof.subject.model import Subject
from pytest_claims import progress
from pytest_claims.faults import BoxproofError, EnvironmentFault

KIND_TIMEOUT = 900.0
T = TypeVar("T")
Turn = Callable[[], float]  # does a thing once and returns the seconds it took


@dataclass
class Bench:
    """A run of measurements."""

    run: Run
    subject: Subject
    rounds: int
    fault: str = ""

    @property
    def settings(self) -> Settings:
        """What was asked for."""
        return self.run.settings

    @cached_property
    def engine(self) -> EngineInfo:
        """The engine in use."""
        return self.run.session.engine or engine_choice.ensure(self.settings)

    @cached_property
    def session(self) -> Session:
        """Cluster, images and the first instance, brought up now; what cannot come is not tried again."""
        if self.fault:
            raise EnvironmentFault(self.fault)
        try:
            return bringup.session(self.run, self.subject)
        except BoxproofError as fault:
            self.fault = fault.message
            raise

    @property
    def cluster(self) -> ClusterInfo:
        """The cluster of the session."""
        return deploy.cluster_of(self.session)

    @property
    def image(self) -> ImageInfo:
        """The box's image."""
        assert self.session.image is not None
        return self.session.image

    def kind(self, *words: str) -> None:
        """Run the cell's own kind; raises EnvironmentFault if it fails."""
        program = components.kind(self.settings, cells.check(self.settings).kind)
        command([program, *words], env=self.engine.env, timeout=KIND_TIMEOUT)

    def turns(self, *ways: Turn) -> list[tuple[float, ...]]:
        """Take each of ``ways`` in turn, as many times as was asked, and return the seconds of each."""
        taken: list[list[float]] = [[] for _ in ways]
        for number in range(self.rounds):
            for way, seconds in zip(ways, taken, strict=True):
                seconds.append(round(way(), 3))
            said = " against ".join(f"{each[-1]:.2f} s" for each in taken)
            progress.say(f"{number + 1} of {self.rounds}: {said}")
        return [tuple(each) for each in taken]


def timed(work: Callable[[], object]) -> float:
    """Return the seconds ``work`` takes."""
    started = time.monotonic()
    work()
    return time.monotonic() - started


def spread(values: Sequence[T], count: int) -> list[T]:
    """Return ``count`` of ``values``, evenly from the first to the last; all where there are fewer."""
    return [values[number * len(values) // count] for number in range(min(count, len(values)))]
