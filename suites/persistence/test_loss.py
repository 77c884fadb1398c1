"""What is left when the claim is lost, and the way back from a backup."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from boxproof.agent import login
from boxproof.agent.login import FILE, Login, credentials
from boxproof.core.session import ClusterInfo, Session
from boxproof.deployment.box import Box
from boxproof.deployment.deploy import COMPONENTS
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.kube.client import Kube
from boxproof.operations import backups
from boxproof.probes.pods import helper_pods, volumes
from boxproof.probes.pods.node_view import Inside
from boxproof.stubs.anthropic import Stub
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe


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
    declared = kept.workload["spec"]["volumeClaimTemplates"][0]["spec"]
    assert declared.get("storageClassName"), "no class is named"
    assert declared["resources"]["requests"].get("storage"), "no size is declared"
    helper = volumes.claiming_pod(name, aside, session.probe_image, storage_class="")
    del helper[0]["spec"]["storageClassName"]  # the cluster's default
    with (
        control("a claim of the cluster's own class takes its volume with it"),
        helper_pods.applied(kube, *helper),
    ):
        volumes.binding(kube, aside, name, name)
        assert volumes.after_loss(kube, aside, name, name) == "gone"
    mine = volumes.mounted_claim(kube, kept.namespace, kept.pod)
    volume = volumes.volume_of(kube, kept.namespace, mine)
    kube.delete([kept.workload])
    assert volumes.after_loss(kube, kept.namespace, mine, kept.pod) == "Released"
    volumes.offer_again(kube, volume, kept.namespace, mine)
    kube.apply([kept.workload])
    kept.wait_ready()
    assert Inside(docker, kept.pod_object(), kept.container).read(path) == text


@claim("rec-backup-restore-drill", "pv-reclaim-retain-and-class")
def test_a_lost_volume_comes_back_from_its_backup(
    kept: Box, kube: Kube, docker: Any, cluster: ClusterInfo, token: str, mine: Stub, subject: Subject,
    tmp_path: Path,
) -> None:  # fmt: skip
    file, claimed = tmp_path / "backup.tar.gz", volumes.mounted_claim(kube, kept.namespace, kept.pod)
    Inside(docker, kept.pod_object(), kept.container).write(
        f"{subject.config_dir}/{FILE}", credentials(token)
    )
    drill = backups.volume(
        kube, cluster.kubectl, subject.path(subject.storage.pod), kept.namespace, kept.name
    )
    assert drill.backup(file)
    drill.scale(0)
    volumes.lose(kube, kept.namespace, claimed)
    drill.scale(1)
    with control("on a new volume there is no login"):
        assert login.of_pod(kept, mine, subject.image.cli) == Login(False, ())
    assert observe("files", "the backup", drill.restore(file, replace=True))
    assert login.of_pod(kept, mine, subject.image.cli) == Login(True, (token,))
