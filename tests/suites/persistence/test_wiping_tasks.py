"""What tasks delete of what the agent keeps."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxproof.subject.model import Subject
from suites.persistence import wiping_tasks

COMPOSE = """
services:
  box:
    image: box:1
    volumes: ["home:/home/claude/.claude", "./state:/home/claude/.claude/projects", "cache:/var/cache"]
volumes: {home: {}, cache: {}}
"""


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    (tmp_path / "compose.yaml").write_text(COMPOSE)
    (tmp_path / "compose.test.yaml").write_text("services: {one: {image: 'postgres:16'}}\n")
    (tmp_path / "k8s").mkdir()
    meta = "metadata: {name: home}\n"
    (tmp_path / "k8s" / "claim.yaml").write_text(f"apiVersion: v1\nkind: PersistentVolumeClaim\n{meta}")
    (tmp_path / "service.yaml").write_text(f"apiVersion: v1\nkind: Service\n{meta}")
    told = {"directory": tmp_path, "compose": {"file": "compose.yaml", "service": "box"}}
    return Subject.model_validate(
        {**told, "name": "box", "home": "/home/claude", "config_dir": "/home/claude/.claude"}
    )


@pytest.mark.parametrize(
    "command",
    [
        "kubectl delete pvc home",
        "kubectl -n a delete --wait=false persistentvolumeclaim/home-a-0",
        "kubectl delete deploy,pvc -l app=a",
        "$KUBECTL delete ns a",
        "oc delete project a",
        "kubectl delete -f k8s/",
        "kubectl delete -f k8s/claim.yaml",
    ],
)
def test_the_loss_of_a_claim_is_seen(subject: Subject, command: str) -> None:
    assert wiping_tasks.of_claims(subject)(command) != []


@pytest.mark.parametrize(
    "command",
    [
        "kubectl delete pod a-0",
        "kubectl delete statefulset a --cascade=orphan",
        "kubectl get pvc && kubectl delete pod a-0 -n ns",
        "kubectl delete -f service.yaml",
        "helm uninstall a",  # there is no chart with a claim
    ],
)
def test_what_leaves_the_claim_is_none(subject: Subject, command: str) -> None:
    assert wiping_tasks.of_claims(subject)(command) == []


@pytest.mark.parametrize("stays", [True, False])
def test_a_release_takes_the_claims_that_its_chart_does_not_keep(subject: Subject, stays: bool) -> None:
    (subject.directory / "chart" / "templates").mkdir(parents=True)
    (subject.directory / "chart" / "Chart.yaml").write_text("name: a\nversion: 1.0.0\n")
    note = "\n  annotations: {helm.sh/resource-policy: keep}" if stays else ""
    text = f"apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata:\n  name: a{note}\n"
    (subject.directory / "chart" / "templates" / "claim.yaml").write_text(text)
    assert bool(wiping_tasks.of_claims(subject)("helm uninstall a")) is not stays


@pytest.mark.parametrize(
    "command",
    [
        "docker compose down -v",
        "docker-compose -f compose.yaml down --volumes --remove-orphans",
        "$COMPOSE down -v",
        "docker volume rm box_home",
        "docker volume rm -f home",
        "docker volume prune --all --force",
        "podman volume prune -f",
        "docker volume rm $(docker volume ls -q)",
        "docker volume ls -q | xargs docker volume rm",
        "rm -rf ./state",
        "rm -rf state/*",
        "rm -rf state && mkdir state",
    ],
)
def test_the_loss_of_a_volume_is_seen(subject: Subject, command: str) -> None:
    assert wiping_tasks.of_engines(subject)(command) != []


@pytest.mark.parametrize(
    "command",
    [
        "docker compose down",
        "docker compose -p trial down -v",
        "docker compose -f compose.test.yaml down -v",
        "docker volume rm box_cache",
        "docker volume prune -f",
        "docker compose rm -fsv box",
        "rm -rf state/tmp dist",
        "rm state.txt",
        "docker compose down; docker run -v home:/x box",
    ],
)
def test_what_leaves_the_volume_is_none(subject: Subject, command: str) -> None:
    assert wiping_tasks.of_engines(subject)(command) == []
