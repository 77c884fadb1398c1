"""The image as it starts by itself, without options: who gets TERM, who reaps, what it finds."""

from __future__ import annotations

from functools import partial
from signal import Signals
from typing import Any

from boxproof.core.session import Session
from boxproof.deployment.box import Box
from boxproof.fixtures.agent_modes import handles_term
from boxproof.fixtures.factories import Containers, Twins
from boxproof.probes.containers import LocalContainer
from boxproof.probes.pressure import judged
from boxproof.probes.processes import orphans
from boxproof.probes.signals import Stop, stop
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope
from pytest_claims.faults import Unprovable
from suites.auth.environment import Surroundings, of_shell
from suites.entrypoint.conftest import DEAF, Plain
from suites.entrypoint.test_processes import HANDLES_TERM, REAPED, REAPED_ALL
from suites.entrypoint.test_signals import BOUND, STOPS

THE_SAME = require("home, uid, gid and host name are the same: {}", lambda found, wanted: found == [wanted])


@claim("sigterm-graceful-5s")
@scope("image")
@needs("plain-start")
def test_term_ends_the_container(plain: Plain, deaf: LocalContainer) -> None:
    with control("a first process without a handler has to be killed"):
        STOPS.fails(stop(deaf.made, timeout=1))

    def stopped() -> Stop:
        box = plain()
        box.takes(Signals.SIGTERM, within=1)
        return stop(box.made, timeout=BOUND, exact=True)

    STOPS(judged(stopped))


@claim("pid1-handles-sigterm")
@scope("image")
@needs("plain-start")
def test_the_first_process_handles_term(plain: Plain, deaf: LocalContainer) -> None:
    with control("a program without a handler, although nothing stands before it"):
        HANDLES_TERM.fails(handles_term(deaf))
    HANDLES_TERM(handles_term(plain()))


@claim("pid1-handles-sigterm")
@needs("plain-start")
def test_that_of_the_pod_handles_term(box_applied: Box, twin: Twins) -> None:
    with control("a pod whose program has no handler"):
        HANDLES_TERM.fails(handles_term(twin(fresh=True, command=["sleep", "infinity"])))
    HANDLES_TERM(handles_term(box_applied.beside(box_applied.container)))


@claim("zombies-reaped")
@scope("image")
@needs("plain-start")
def test_orphans_do_not_become_zombies(plain: Plain, deaf: LocalContainer) -> None:
    with control("a first process that does not reap keeps every one"):
        REAPED_ALL.fails(orphans(deaf))
    REAPED_ALL(orphans(plain(), within=REAPED))


@claim("home-uid-host-stable")
@scope("image")
@needs("plain-start")
def test_a_restart_finds_the_same_home_uid_and_host(
    plain: Plain, container: Containers, session: Session, subject: Subject
) -> None:
    def seen(found: set[Surroundings], asked: str) -> list[Surroundings]:
        return observe("surroundings of all", asked, sorted(found, key=str))

    def of(made: LocalContainer, **options: Any) -> set[Surroundings]:
        told = of_shell(partial(made.exec, **options), made.label)
        if told is None:
            raise Unprovable("there is no shell in the image to ask")
        return {told}

    box = plain()
    first = of(box)
    (told,) = first
    home = subject.home if "home" in subject.model_fields_set else told.home
    wanted = Surroundings(home, subject.uid, told.gid, str(box.made.attrs["Config"]["Hostname"]))
    with control("a container of ours, of another user, finds something else"):
        other = container(image=session.probe_image, entrypoint=DEAF, user="54321:54321")
        THE_SAME.fails(seen(of(other), "another container"), wanted)
    box.made.restart(timeout=1)
    THE_SAME(seen(first | of(box), "before and after a restart"), wanted)
