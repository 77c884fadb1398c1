"""What is left when the claim is lost, and the way back from a backup."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from boxproof.agent import login
from boxproof.agent.login import FILE, Login, credentials
from boxproof.core.session import ClusterInfo, Session
from boxproof.deployment.box import Box
from boxproof.deployment.deploy import COMPONENTS
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.kube.client import Kube, Object
from boxproof.operations import backups
from boxproof.probes.pods import helper_pods, volumes
from boxproof.probes.pods.node_view import Inside
from boxproof.stubs.anthropic import Stub
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, require
from suites.persistence.roots_box import lasting

OUTLIVES = require("the volume stays, Released, when its claim goes", lambda seen: seen == "Released")
DECLARED = require("a size, a named class, and the policy Retain of that class are declared", all)
READ_AGAIN = require("the file is read again", lambda found: found)
RESTORED = require(
    "the login is back, in the {} s that are documented",
    lambda found, seconds: found.login == Login(True, (found.wanted,)) and found.seconds <= seconds,
)
COUNTED = {"one": 1, "two": 2, "three": 3, "five": 5, "ten": 10, "fifteen": 15, "twenty": 20, "thirty": 30}
PLAN = re.compile(r"restore.{0,300}?plan for (\w+) minutes", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True)
class Back:
    """The login after a loss, the one that is wanted, and the seconds since the restore began."""

    login: Login
    wanted: str
    seconds: float


def documented_seconds(subject: Subject) -> float:
    """Return the time that the documents give a restore, 0 if they give none."""
    for each in sorted((subject.directory / "docs").glob("*.md")):
        found = PLAN.search(each.read_text())
        if found:
            return 60.0 * (COUNTED.get(found[1]) or float(found[1]))
    return 0.0


@pytest.fixture
def kept(make_box: MakeBox, subject: Subject) -> Box:
    """An instance as for production: its volume outlives its claim."""
    if not subject.storage.component:
        pytest.skip("the subject names no component with which the volume outlives its claim")
    return make_box(components=(*COMPONENTS, subject.storage.component))


@claim("pv-reclaim-retain-and-class")
def test_the_volume_outlives_its_claim(
    kept: Box, aside: str, kube: Kube, docker: Any, subject: Subject, session: Session
) -> None:
    name, text = helper_pods.unique("boxproof-default"), helper_pods.unique("marker")
    path = f"{subject.config_dir}/{text}"
    Inside(docker, kept.pod_object(), kept.container).write(path, text)

    def declared(asked: str, claim_spec: Object) -> tuple[bool, bool, bool]:
        """Return whether a claim has a size and names a class, and whether that retains; an observation."""
        named = str(claim_spec.get("storageClassName") or "")
        found = kube.find("StorageClass", named) if named else None
        size = bool(claim_spec["resources"]["requests"].get("storage"))
        return observe("declared", asked, (size, bool(named), (found or {}).get("reclaimPolicy") == "Retain"))

    helper = volumes.claiming_pod(name, aside, session.probe_image, storage_class="")
    del helper[0]["spec"]["storageClassName"]  # the cluster's default
    with (
        control("a claim of the cluster's own class names none, and takes its volume and its files with it"),
        helper_pods.applied(kube, *helper),
    ):
        DECLARED.fails(declared("the cluster's own class", helper[0]["spec"]))
        volumes.binding(kube, aside, name, name)
        OUTLIVES.fails(volumes.after_loss(kube, aside, name, name))
        READ_AGAIN.fails(
            observe("read again", "beside the volume", inside(kept, docker).read(f"/tmp/{text}") == text)
        )
    own = lasting(kept.objects, subject)  # there may be others beside it
    templates = {each["metadata"]["name"]: each for each in kept.workload["spec"]["volumeClaimTemplates"]}
    DECLARED(declared("the box", templates[own]["spec"]))
    mine = f"{own}-{kept.pod}"
    volume = volumes.volume_of(kube, kept.namespace, mine)
    kube.delete([kept.workload])
    OUTLIVES(volumes.after_loss(kube, kept.namespace, mine, kept.pod))
    volumes.offer_again(kube, volume, kept.namespace, mine)
    kube.apply([kept.workload])
    kept.wait_ready()
    READ_AGAIN(observe("read again", "on the volume", inside(kept, docker).read(path) == text))


def inside(box: Box, docker: Any) -> Inside:
    """Return a look into the agent's container from its node."""
    return Inside(docker, box.pod_object(), box.container)


def show_restore(
    kept: Box, kube: Kube, docker: Any, cluster: ClusterInfo, token: str, mine: Stub, subject: Subject,
    file: Path,
) -> None:  # fmt: skip
    """Back up, lose claim and volume, restore: the login is back in the documented time."""
    documented = documented_seconds(subject)
    claimed = volumes.mounted_claim(kube, kept.namespace, kept.pod)
    inside(kept, docker).write(f"{subject.config_dir}/{FILE}", credentials(token))
    drill = backups.volume(
        kube, cluster.kubectl, subject.path(subject.storage.pod), kept.namespace, kept.name
    )
    drill.backup(file)
    drill.scale(0)
    volumes.lose(kube, kept.namespace, claimed)
    drill.scale(1)

    def back(began: float) -> Back:
        found = login.of_pod(kept, mine, subject.image.cli)
        return observe("back after the loss", kept.label, Back(found, token, time.monotonic() - began))

    with control("on a new volume there is no login"):
        RESTORED.fails(back(time.monotonic()), documented)
    began = time.monotonic()
    drill.restore(file, replace=True)
    found = RESTORED(back(began), documented)
    with control("in a second it is not done"):
        RESTORED.fails(observe("back after the loss", "judged by a second", found), 1.0)


@claim("rec-backup-restore-drill")
def test_a_lost_volume_comes_back_from_its_backup(
    kept: Box, kube: Kube, docker: Any, cluster: ClusterInfo, token: str, mine: Stub, subject: Subject,
    tmp_path: Path,
) -> None:  # fmt: skip
    show_restore(kept, kube, docker, cluster, token, mine, subject, tmp_path / "backup.tar.gz")


@claim("pv-reclaim-retain-and-class")
def test_a_backup_of_the_production_volume_can_be_restored(
    kept: Box, kube: Kube, docker: Any, cluster: ClusterInfo, token: str, mine: Stub, subject: Subject,
    tmp_path: Path,
) -> None:  # fmt: skip
    show_restore(kept, kube, docker, cluster, token, mine, subject, tmp_path / "backup.tar.gz")
