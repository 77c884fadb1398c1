"""Who the box runs as."""

from __future__ import annotations

from typing import Any

from boxproof.core.session import ImageInfo, Session
from boxproof.deployment.box import Box, workload_of
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.fixtures.factories import Twins
from boxproof.kube.client import Kube
from boxproof.probes.pods.helper_pods import start_of
from boxproof.probes.process.processes import uids
from boxproof.subject.image.bad_images import config_of, configured
from boxproof.subject.image.image_files import reader
from pytest_claims import claim, control, observe, scope
from suites.image import image_user


@claim("image-user-nonroot")
@scope("image")
def test_the_image_names_a_user_that_is_not_root(
    session: Session, docker: Any, image: ImageInfo, image_config: dict[str, Any]
) -> None:
    with control("an image with USER root, and one without USER, are root's"):
        for lines in (["USER root"], []):
            with configured(docker, lines, run=session.run) as made:
                assert (
                    observe("image uid", str(lines), image_user.uid(config_of(docker, made)["User"], None))
                    == 0
                )
    with reader(docker, image.reference, run=session.run) as read:
        uid = image_user.uid(image_config.get("User", ""), read("/etc/passwd"))
    assert observe("image uid", image.reference, uid) not in (0, None)


@claim("nonroot-user-numeric")
@scope("image")
def test_the_image_names_its_user_by_number(
    session: Session, docker: Any, image: ImageInfo, image_config: dict[str, Any]
) -> None:
    with (
        control("an image whose USER is a name"),
        configured(docker, ["USER claude"], run=session.run) as made,
    ):
        assert not observe("numeric user", made, image_user.is_numeric(config_of(docker, made)["User"]))
    assert observe("numeric user", image.reference, image_user.is_numeric(image_config.get("User", "")))


@claim("nonroot-user-numeric")
def test_the_kubelet_verifies_the_user_by_the_image_alone(make_box: MakeBox, twin: Twins, kube: Kube) -> None:
    with control("the kubelet refuses a pod that must not be root and is"):
        root = twin(security={"runAsUser": 0, "runAsNonRoot": True}, fresh=True, ready=False)
        assert start_of(kube, root.namespace, root.name).state == "CreateContainerConfigError"
    box = make_box(edit=leave_the_user_to_the_image, ready=False)
    assert start_of(kube, box.namespace, box.pod).state == "running"


def leave_the_user_to_the_image(objects: list[dict[str, Any]]) -> None:
    """Ask for another user than root without saying which."""
    spec = workload_of(objects)["spec"]["template"]["spec"]
    for each in (spec, *spec["containers"], *spec.get("initContainers", [])):
        for key in ("runAsUser", "runAsGroup"):
            each.setdefault("securityContext", {}).pop(key, None)
    spec["securityContext"]["runAsNonRoot"] = True


@claim("runtime-uid-nonroot")
def test_no_process_in_the_pod_is_roots(box: Box, twin: Twins) -> None:
    with control("a pod that runs as root shows it, to exec as well"):
        root = twin(security={"runAsUser": 0, "runAsNonRoot": False})
        assert uids(root) == {0}
        assert observe("uid of a command", root.name, root.exec(["id", "-u"]).stdout.strip()) == "0"
    beside = box.beside(box.container)
    assert 0 not in uids(beside)
    assert 0 not in {each.uid for each in box.processes()}
    assert observe("uid of a command", box.pod, box.exec(["id", "-u"]).stdout.strip()) not in ("", "0")
