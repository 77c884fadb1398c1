"""What an image starts, whatever it is: no shell in between, words handed on, secrets out of sight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from signal import Signals
from typing import Any

from boxproof.core.session import ImageInfo, Session
from boxproof.fixtures.factories import Containers
from boxproof.probes.containers import LocalContainer
from boxproof.probes.pods import helper_pods
from boxproof.probes.processes import Process, descended, kill, processes
from boxproof.probes.signals import stop
from boxproof.subject.image.entrypoint import INITS, Form, form, is_shell, leaves_shell, scripts
from boxproof.subject.image.image_files import reader
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope
from pytest_claims.faults import Unprovable
from pytest_claims.waiting import holds, until
from suites.entrypoint.conftest import STAYS, Plain
from suites.entrypoint.test_form import BACKGROUND, WORDS, with_child
from suites.entrypoint.test_logs import OUT_OF_SIGHT, in_log, places
from suites.entrypoint.test_processes import ENDS_WITH_IT
from suites.image.test_offline import CARRIES, fetching

pytestmark = [scope("image"), needs("plain-start")]

NONE_STAYS = require("no shell with a string stays above what it starts", lambda stays: not stays)
NONE_WAITS = require("no shell waits above a program that it has started", lambda found: found == [])
HANDED_ON = require("a program that it starts has the words {}", lambda found, words: words in found)

WAITS = ["sh", "-c", "sleep 3600; true"]
BESIDE = ["sh", "-c", "sleep 1000 & sleep 3600"]


def started_by(config: Mapping[str, Any]) -> list[str]:
    """Return the words that an image starts: its ENTRYPOINT, or where it has none its CMD."""
    return list(config.get("Entrypoint") or config.get("Cmd") or [])


@claim("no-shell-wrapper-inside-exec-form")
def test_what_it_starts_is_no_shell_that_stays(image: ImageInfo, image_config: dict[str, Any]) -> None:
    def stays(asked: str, words: Sequence[str]) -> bool:
        return observe("a shell stays", asked, leaves_shell(words))

    with control("a shell with a string, behind an init too, and what the shell's form leaves, are seen"):
        for wrapped in (["sh", "-c", BACKGROUND], ["tini", "--", "sh", "-c", BACKGROUND]):
            NONE_STAYS.fails(stays(str(wrapped), wrapped))
        NONE_STAYS.fails(stays("in shell form", ["/bin/sh", "-c", "/start"]))
    NONE_STAYS(stays(image.reference, started_by(image_config)))


def waiting(box: LocalContainer) -> list[str]:
    """Return the shells that stand above one program all the time and hand no TERM on; an observation."""

    def above() -> dict[int, tuple[int, ...]]:
        every = descended(processes(box))
        shells = [each for each in every if each.cmdline and is_shell(each.cmdline[0])]
        deaf = [each for each in shells if Signals.SIGTERM not in each.signals_caught]
        return {each.pid: tuple(one.pid for one in every if one.ppid == each.pid) for each in deaf}

    first = above()
    holds(lambda: True, seconds=STAYS, every=STAYS / 2)
    last = above()
    kept = [pid for pid, below in first.items() if len(below) == 1 and last.get(pid) == below]
    names = {each.pid: " ".join(each.cmdline) for each in processes(box)}
    return observe("shells that wait", box.label, sorted(names.get(each, "") for each in kept))


@claim("final-process-exec")
def test_no_shell_waits_above_its_program(plain: Plain, container: Containers, session: Session) -> None:
    with control("a script that ends without exec leaves its shell above the program"):
        NONE_WAITS.fails(waiting(with_child(container(image=session.probe_image, entrypoint=WAITS))))
    NONE_WAITS(waiting(plain()))


def app_of(box: LocalContainer) -> Process:
    """Return a container's program: its first process, or what an init or a waiting shell keeps below it."""
    before = {each.pid for each in processes(box)}
    holds(lambda: True, seconds=STAYS, every=STAYS / 2)
    every = descended(processes(box))
    app = every[0]
    while app.comm in INITS or (app.cmdline and is_shell(app.cmdline[0])):
        below = [each for each in every if each.ppid == app.pid]
        if not below or (app.comm not in INITS and [each.pid in before for each in below] != [True]):
            break
        app = below[0]
    return app


def without_app(box: LocalContainer, app: Process) -> LocalContainer:
    """KILL a container's program; the first process of all can be killed from outside alone."""
    if app.pid == 1:
        box.made.kill()
    else:
        kill(box, [app])
    return box


@claim("container-exits-with-app")
def test_the_container_ends_with_its_program(plain: Plain, container: Containers, session: Session) -> None:
    with control("a program beside a sleep: the container outlives it"):
        left = container(image=session.probe_image, entrypoint=BESIDE)
        looked = lambda: [each for each in processes(left) if "1000" in each.cmdline]  # noqa: E731
        (beside,) = until(looked, timeout=30, every=0.2, what="the program beside")
        ENDS_WITH_IT.fails(without_app(left, beside).ends(within=2))
    box = plain()
    ENDS_WITH_IT(without_app(box, app_of(box)).ends(within=20))


def handed(box: LocalContainer) -> list[tuple[str, ...]]:
    """Return the last words of each program of a container, inits and shells with a string left out."""
    every = [each for each in descended(processes(box)) if each.comm not in INITS and each.cmdline]
    programs = [each.cmdline for each in every if form(each.cmdline) is Form.EXEC]
    return observe("last words", box.label, [each[-len(WORDS) :] for each in programs])


@claim("args-pass-through")
def test_words_after_its_name_reach_its_program(
    plain: Plain, container: Containers, session: Session, image_config: dict[str, Any]
) -> None:
    if not image_config.get("Entrypoint"):
        raise Unprovable("it has no ENTRYPOINT: words after its name are the program")
    with control("behind a shell's string they are lost"):
        lost = container(*WORDS, image=session.probe_image, entrypoint=["sh", "-c", "exec sleep 3600"])
        HANDED_ON.fails(handed(lost), WORDS)
    HANDED_ON(handed(plain(*WORDS)), WORDS)


@claim("secret-not-in-logs-or-argv")
def test_no_secret_of_its_environment_is_in_sight(
    plain: Plain, container: Containers, session: Session, subject: Subject
) -> None:
    secret = helper_pods.unique("stub-token")
    with control("what a shell is told and says is found"):
        words = ["sh", "-c", f"echo {secret}; sleep 3600"]
        loud = container(image=session.probe_image, entrypoint=words).wait_log(secret)
        assert OUT_OF_SIGHT.fails(places(loud, [secret], log=loud.logs())) == ["log", "arguments"]
    box = plain(environment={subject.start.token_env or "AGENT_TOKEN": secret})
    OUT_OF_SIGHT(places(box, [secret], log=box.logs()))
    stop(box.made, timeout=10)
    OUT_OF_SIGHT(in_log(box, secret))


@claim("image-self-sufficient-offline")
def test_nothing_on_its_way_fetches_programs(
    session: Session, docker: Any, image: ImageInfo, image_config: dict[str, Any]
) -> None:
    def seen(asked: str, texts: Mapping[str, str]) -> dict[str, str]:
        return observe("scripts that fetch", asked, fetching(texts))

    with control("a start that fetches, by a script or by its own words, is seen"):
        CARRIES.fails(seen("npx -y", {"start": "exec npx -y server@latest"}))
        CARRIES.fails(seen("pip install", {"ENTRYPOINT": "sh -c pip install -U agent && agent"}))
    with reader(docker, image.reference, run=session.run) as read:
        texts = scripts(image_config, read)
    CARRIES(seen(image.reference, texts | {"ENTRYPOINT": " ".join(started_by(image_config))}))
