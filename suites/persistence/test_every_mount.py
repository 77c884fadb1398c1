"""What is mounted however the agent is started: what it keeps, what it hides, and who may write there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from boxproof.agent.login import DONE, Saves, saves
from boxproof.core.session import ImageInfo, Session
from boxproof.fixtures.factories import Containers
from boxproof.kube.client import Object
from boxproof.subject.image import image_files as files
from boxproof.subject.manifests.pod_specs import agent, agent_container
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope
from suites import agent_starts
from suites.agent_starts import FIXED, Mount, Start
from suites.persistence.lasting_places import passing
from suites.persistence.test_mounts import HAS_FILES

FOUND_AGAIN = require(
    "the next pod finds the CLI's directory on the same claim, at the same place", lambda found: found == []
)
NONE_COVERED = require(
    "nothing is mounted over files of the image, however it is started", lambda found: found == []
)
SAVED = require(
    "files are made, written beside and renamed there", lambda found: found == Saves(DONE, DONE, DONE)
)
WRONG: Sequence[dict[str, Any]] = ({"emptyDir": {}}, {"hostPath": {"path": "/srv/claude"}})
CALLER = "54321:54321"  # whoever a command takes for itself: none that an image knows
SHUT = "/sys/boxproof"  # where nobody makes a file


def kept_at(top: str, volume: dict[str, Any], **mount: Any) -> tuple[Object, Object]:
    """Return a workload with a volume, and its container with that mounted at a place of the node's name."""
    node = {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}
    agent = {"name": "a", "env": [node], "volumeMounts": [{"name": "home", "mountPath": top} | mount]}
    spec = {"containers": [agent], "volumes": [{"name": "home", **volume}]}
    meta = {"name": "doctored"}
    return {"kind": "StatefulSet", "metadata": meta, "spec": {"template": {"spec": spec}}}, agent


@claim("pvc-survives-pod-deletion")
@needs("default-tier")
def test_the_next_pod_of_every_tier_finds_the_same_place(session: Session, subject: Subject) -> None:
    """On another node as well, where the tests' own cluster would bring it back to the same."""

    def lost(asked: str, item: Object, container: Object, top: str) -> list[str]:
        return observe("why it may find nothing", asked, sorted(passing(item, container, top)))

    top = subject.config_dir
    with control("a volume that is no claim, and a directory of each node, are seen"):
        for volume in WRONG:
            FOUND_AGAIN.fails(lost(f"doctored {volume}", *kept_at(top, volume), top))
        claimed = {"persistentVolumeClaim": {"claimName": "a"}}
        FOUND_AGAIN.fails(lost("of each node", *kept_at(top, claimed, subPathExpr="$(NODE)"), top))
    for name, objects in agent_starts.tiers(session, subject):
        place = agent_starts.of_objects(name, objects, subject).config_dir(subject)
        FOUND_AGAIN(lost(f"tier {name}", agent(objects, subject), agent_container(objects, subject), place))


def covered(start: Start, below: Callable[[str], list[str]]) -> Iterator[str]:
    """Give the places where a start mounts over a directory of the image's that has files.

    A file that is mounted over one is to replace it, and so are files of a ConfigMap that are called as the
    image's are: these are left out.
    """
    for mount in start.mounts:
        if mount.target.startswith("/") and (mount.kind not in FIXED or mount.brought is not None):
            top = mount.target.rstrip("/")
            replaced = {f"{top}/{each}" for each in mount.brought or ()} | {top}
            hidden = [each for each in below(mount.target) if each not in replaced]
            if hidden:
                yield f"{start.name}: {mount.target} hides {hidden[0]}"


@claim("no-volume-shadowing")
@needs("box")
@scope("image")
def test_no_way_of_starting_it_mounts_over_the_images_files(
    docker: Any, image: ImageInfo, session: Session, subject: Subject
) -> None:
    """An engine fills a volume from the image once: what a newer image has never comes there."""

    def over(asked: str, starts: Sequence[Start]) -> list[str]:
        return observe("places mounted over", asked, [one for each in starts for one in covered(each, below)])

    with files.lister(docker, image.reference, run=session.run) as below:
        place = next(each for each in HAS_FILES if below(each))
        with control("a volume, a directory of the host's, memory, and a ConfigMap, over files, are seen"):
            for kind in ("volume", "bind", "emptyDir"):
                NONE_COVERED.fails(over(f"doctored {kind}", [Start(kind, (Mount(place, kind),))]))
            few = Mount(place, "configMap", brought=frozenset({"boxproof.json"}))
            NONE_COVERED.fails(over("doctored configMap", [Start("configMap", (few,))]))
        NONE_COVERED(over("what ships", agent_starts.every(session, subject)))


def users(subject: Subject) -> Iterator[tuple[Start, str]]:
    """Give each start without a cluster, and the user it names: "" for the image's own."""
    for name, service in agent_starts.services(subject):
        yield agent_starts.of_service(name, service), agent_starts.user_of_service(service)
    for run in agent_starts.commands(subject):
        yield agent_starts.of_run(run), agent_starts.user_of_run(run)


@claim("home-and-workdir-writable")
@needs("box")
@scope("image")
def test_whoever_is_named_to_run_it_may_write_there(container: Containers, subject: Subject) -> None:
    """By Compose, by a command of the documents; memory that is mounted there anybody may write to."""

    def saved(user: str, place: str) -> Saves:
        box = container(entrypoint=["sleep", "3600"], user=user or None)
        return observe("saved", f"as {user or 'its own user'}: {place}", saves(box.exec, place, box.label))

    with control("where nobody makes a file none is made"):
        SAVED.fails(saved("", SHUT))
    tried = {(user, top) for start, user in users(subject) for top in _unlent(start, subject)}
    for user, top in sorted({*tried, ("", subject.home), ("", subject.workdir)}):
        SAVED(saved(user if "$" not in user else CALLER, f"{top}/boxproof"))


def _unlent(start: Start, subject: Subject) -> Iterator[str]:
    for top in (subject.home, subject.workdir):
        mount = start.carrier(top)
        if mount is None or mount.kind != "tmpfs":
            yield top
