"""Of all claims those count that the agent has its state on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from boxproof.subject.model import Subject
from suites.auth.kept_claims import of_the_login

STATE = {"metadata": {"name": "state"}, "spec": {"accessModes": ["ReadWriteOnce"]}}
MODELS = {"metadata": {"name": "models"}, "spec": {"accessModes": ["ReadWriteMany"]}}


def agent(*volumes: dict[str, Any], templates: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    """Return a StatefulSet whose agent has "home" at its home, and "models" beside it."""
    mounts = [{"name": "home", "mountPath": "/home/me/"}, {"name": "models", "mountPath": "/models"}]
    pod = {"containers": [{"name": "agent", "volumeMounts": mounts}], "volumes": [*volumes]}
    spec = {"template": {"spec": pod}, "volumeClaimTemplates": [*templates]}
    return {"kind": "StatefulSet", "metadata": {"name": "agent"}, "spec": spec}


def named(name: str) -> dict[str, Any]:
    """Return a volume of "home" that a claim of that name is."""
    return {"name": "home", "persistentVolumeClaim": {"claimName": name}}


@pytest.mark.parametrize(
    ("objects", "found"),
    [
        ([agent(named("state")), {"kind": "PersistentVolumeClaim", **STATE}], ["state"]),
        ([agent(named("elsewhere")), {"kind": "PersistentVolumeClaim", **MODELS}], []),
        ([agent(templates=({**STATE, "metadata": {"name": "home"}}, MODELS))], ["home"]),
        ([agent({"name": "home", "ephemeral": {"volumeClaimTemplate": {"spec": STATE["spec"]}}})], ["home"]),
        ([agent({"name": "home", "emptyDir": {}})], []),
    ],
)
def test_a_claim_of_something_else_is_none_of_them(
    tmp_path: Path, objects: list[dict[str, Any]], found: list[str]
) -> None:
    about = Subject(directory=tmp_path, name="x", config_dir="/home/me/.agent")
    assert [each["metadata"]["name"] for each in of_the_login(objects, about)] == found
