"""Who the box runs as."""

from __future__ import annotations

from functools import partial
from typing import Any

from boxproof.core.session import ImageInfo, Session
from boxproof.deployment.box import Box, workload_of
from boxproof.deployment.deploy import COMPONENTS, rendered
from boxproof.fixtures.box_fixtures import MakeBox, Tier
from boxproof.fixtures.factories import Twins
from boxproof.kube.client import Kube
from boxproof.probes.pods import helper_pods
from boxproof.probes.pods.helper_pods import start_of
from boxproof.probes.pods.node_view import Inside
from boxproof.probes.pods.probe_pods import CONTAINER, INSIDE
from boxproof.probes.processes import confinement, uids
from boxproof.subject.image.bad_images import config_of, configured
from boxproof.subject.image.image_files import reader
from boxproof.subject.manifests.pod_specs import asks_for_root, pod_spec
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope
from suites.image import image_user

SOMEBODY = require("the user is known, and it is not root", lambda uid: uid not in (0, None))
BY_NUMBER = require("the user is given as a number", image_user.is_numeric)
STARTS = require("the kubelet lets it start", lambda start: start.state == "running")
NO_ROOT = require("none of the uids is root's", lambda found: bool(found) and 0 not in found)
NO_WAY_UP = require("no program makes its caller another user", lambda found: not found)
NOT_ASKED = require("no container may run as root", lambda found: not found)
ROOTS: tuple[list[str], ...] = (["USER root"], [], ["USER 0:1000"], ["USER 00"])
ESCALATES = "cp /bin/true /tmp/up && chmod 4755 /tmp/up"


@claim("image-user-nonroot")
@scope("image")
def test_the_image_names_a_user_that_is_not_root(
    session: Session, docker: Any, image: ImageInfo, image_config: dict[str, Any]
) -> None:
    with control("an image with USER root, in any spelling, and one without USER are root's"):
        for lines in ROOTS:
            with configured(docker, lines, run=session.run) as made:
                SOMEBODY.fails(
                    observe("image uid", str(lines), image_user.uid(config_of(docker, made)["User"], None))
                )
        SOMEBODY.fails(observe("image uid", "a second root", image_user.uid("toor", "toor:x:0:0::/:/bin/sh")))
    with reader(docker, image.reference, run=session.run) as read:
        uid = image_user.uid(image_config.get("User", ""), read("/etc/passwd"))
    SOMEBODY(observe("image uid", image.reference, uid))


@claim("nonroot-user-numeric")
@scope("image")
def test_the_image_names_its_user_by_number(
    session: Session, docker: Any, image: ImageInfo, image_config: dict[str, Any]
) -> None:
    with (
        control("an image whose USER is a name"),
        configured(docker, ["USER claude"], run=session.run) as made,
    ):
        BY_NUMBER.fails(observe("user", made, config_of(docker, made)["User"]))
    BY_NUMBER(observe("user", image.reference, image_config.get("User", "")))


@claim("nonroot-user-numeric")
def test_the_kubelet_verifies_the_user_by_the_image_alone(
    make_box: MakeBox, twin: Twins, kube: Kube, subject: Subject
) -> None:
    with control("the kubelet refuses a pod that must not be root and is"):
        root = twin(security={"runAsUser": 0, "runAsNonRoot": True}, fresh=True, ready=False)
        refused = STARTS.fails(start_of(kube, root.namespace, root.name))
        assert refused.state == "CreateContainerConfigError"
    box = make_box(edit=partial(leave_the_user_to_the_image, subject), ready=False)
    STARTS(start_of(kube, box.namespace, box.pod))


def leave_the_user_to_the_image(subject: Subject, objects: list[dict[str, Any]]) -> None:
    """Ask for another user than root without saying which."""
    spec = pod_spec(workload_of(objects, subject)) or {}
    for each in (spec, *spec["containers"], *spec.get("initContainers", [])):
        for key in ("runAsUser", "runAsGroup"):
            each.setdefault("securityContext", {}).pop(key, None)
    spec.setdefault("securityContext", {})["runAsNonRoot"] = True


@claim("runtime-uid-nonroot")
def test_no_process_in_the_pod_is_roots(box: Box, twin: Twins) -> None:
    with control("a pod that runs as root shows it, to exec as well"):
        root = twin(security={"runAsUser": 0, "runAsNonRoot": False})
        NO_ROOT.fails(uids(root))
        NO_ROOT.fails(image_user.of_command(root.exec, root.name))
    NO_ROOT(uids(box.beside(box.container)))
    NO_ROOT(observe("uids", f"every process of {box.pod}", {each.uid for each in box.processes()}))
    told = image_user.of_command(box.exec, box.pod)
    if told:  # else there is no command that could be run
        NO_ROOT(told)


def heeded(where: str, files: dict[str, str], inside: Inside) -> dict[str, str]:
    """Return those of a container's ``files`` with another's rights that its kernel heeds; an observation."""
    held_back = confinement(inside, where).no_new_privileges
    return observe("files with another's rights that the kernel heeds", where, {} if held_back else files)


def may_gain(session: Session, subject: Subject) -> list[tuple[str, ...]]:
    """Return the components of each tier whose agent may come by more rights than it started with."""
    found = []
    for components in subject.tiers.values():
        pod = (
            pod_spec(workload_of(rendered(session, components=(*COMPONENTS, *components))[0], subject)) or {}
        )
        agent = next(each for each in pod["containers"] if each["name"] == subject.container)
        if (agent.get("securityContext") or {}).get("allowPrivilegeEscalation") is not False:
            found.append(tuple(components))
    return found


@claim("runtime-uid-nonroot")
def test_no_program_of_the_pod_makes_its_caller_root(
    box: Box, tier: Tier, twin: Twins, docker: Any, session: Session, subject: Subject
) -> None:
    def of(where: Box) -> dict[str, str]:
        files = image_user.escalating(where.as_its_user().exec, where.pod, INSIDE)
        return heeded(where.label, files, Inside(docker, where.pod_object(), where.container))

    with control("a program that is root's and has the set-user-id bit is found"):
        rights = {"runAsUser": 0, "runAsNonRoot": False, "allowPrivilegeEscalation": True}
        root = twin(security=rights, fresh=True)
        assert root.exec(["sh", "-c", ESCALATES]).ok
        files = image_user.escalating(root.exec, root.name, "/")
        inside = Inside(docker, root.kube.get("Pod", root.name, root.namespace), CONTAINER)
        NO_WAY_UP.fails(heeded(root.name, files, inside))
    NO_WAY_UP(of(box))
    for components in may_gain(session, subject):
        NO_WAY_UP(of(tier(*components)))


@claim("runtime-uid-nonroot")
@scope("image")
@needs("components")
def test_no_container_of_any_tier_asks_for_root(session: Session, subject: Subject) -> None:
    with control("a container that asks for uid 0, and one that leaves it open, are seen"):
        asked = [{"runAsUser": 0}, {"runAsNonRoot": False}, {}]
        pods = [
            helper_pods.pod(f"p{number}", "any", "any", [], securityContext=each)
            for number, each in enumerate(asked)
        ]
        for each in pods:
            each["spec"].pop("securityContext", None)
            NOT_ASKED.fails(observe("root asked for", str(each["metadata"]["name"]), asks_for_root([each])))
    parent = subject.path(subject.manifests.components)
    names = sorted(each.name for each in parent.iterdir()) if parent else []
    for name in ("", *names):
        objects, _ = rendered(session, components=tuple(dict.fromkeys((*COMPONENTS, *filter(None, [name])))))
        NOT_ASKED(observe("root asked for", name or "the base", asks_for_root(objects)))
