"""What the box's own programs write elsewhere than in the agent's container: as lines of JSON too."""

from __future__ import annotations

from collections.abc import Iterator

from boxproof.core.session import Session
from boxproof.deployment.box import Box
from boxproof.deployment.deploy import COMPONENTS
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.fixtures.factories import Containers
from boxproof.kube.client import Invalid, Kube, NotFound, Object
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs
from pytest_claims.waiting import until
from suites.auth import cron_jobs
from suites.entrypoint.test_logs import STRUCTURED, lines

OWN = "/usr/local/lib/box/"  # where the box's own programs are
REFUSED = ["curl", "-sS", "-o", "/dev/null", "--max-time", "30"]
ASKED = ("https://boxproof.invalid/", "http://boxproof.invalid/")


def own(pods: list[Object]) -> Iterator[tuple[str, str]]:
    """Give pod and name of each container that runs a program of the box's own."""
    for pod in pods:
        for group in ("initContainers", "containers"):
            for each in pod["spec"].get(group) or ():
                if any(str(word).startswith(OWN) for word in each.get("command") or ()):
                    yield str(pod["metadata"]["name"]), str(each["name"])


def tracing(container: Containers, session: Session) -> str:
    """Return the log of a shell of ours that traces what it does: whatever is wrong with the box."""
    made = container("-xc", "true", image=session.probe_image, entrypoint=["sh"], start=False)
    made.run()
    return made.logs()


@claim("structured-leveled-logs")
@needs("proxy")
def test_every_line_of_the_way_out_is_json(
    box: Box, kube: Kube, container: Containers, session: Session
) -> None:
    """Once it has refused something: that is what it has to say."""
    with control("a shell that traces writes other lines"):
        STRUCTURED.fails(lines(tracing(container, session), "sh -x"))
    for each in ASKED:
        assert not box.exec([*REFUSED, "--proxy", box.proxy, "--fail", each]).ok, f"{each} is answered"
    beside = [each for each in kube.list("Pod", box.namespace) if each["metadata"]["name"] != box.pod]
    found = list(own(beside))
    assert found, "no pod beside the agent's runs a program of the box's own"
    for pod, name in found:
        STRUCTURED(lines(kube.logs(box.namespace, pod, name), f"{pod}/{name}"))


@claim("structured-leveled-logs")
@needs("tier:watch")
def test_every_line_of_the_watch_is_json(
    make_box: MakeBox, kube: Kube, container: Containers, session: Session, subject: Subject
) -> None:
    with control("a shell that traces writes other lines"):
        STRUCTURED.fails(lines(tracing(container, session), "sh -x"))
    box = make_box(components=(*COMPONENTS, *subject.tiers["watch"]))
    with cron_jobs.ended(kube, box.object("CronJob")) as (_, pods):
        found = list(own(pods))
        assert found, "the watch has no program of the box's own"
        for pod, name in found:
            STRUCTURED(lines(kube.logs(box.namespace, pod, name), name))


@claim("structured-leveled-logs")
@needs("clone")
def test_every_line_of_what_clones_is_json(
    make_box: MakeBox, kube: Kube, container: Containers, session: Session, subject: Subject
) -> None:
    """Without its Secret it has something to say: what to do."""
    with control("a shell that traces writes other lines"):
        STRUCTURED.fails(lines(tracing(container, session), "sh -x"))
    box = make_box(components=(*COMPONENTS, subject.config_clone.component), ready=False)
    name = subject.config_clone.container

    def said() -> str:
        return kube.logs(box.namespace, box.pod, name)

    log = until(said, timeout=180, what=f"{name} says something", transient=(NotFound, Invalid))
    STRUCTURED(lines(log, name))
