"""What the checks of the configuration's init container share."""

from __future__ import annotations

from typing import Any

import pytest

from boxproof.core.session import Session
from boxproof.deployment.deploy import Edit, Objects
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.kube.client import Kube
from boxproof.probes.pods import helper_pods
from boxproof.stubs.anthropic import Repository, Stub
from boxproof.subject.model import Subject
from suites.init.private_config import FILES, Clones, initial


@pytest.fixture
def repository(subject: Subject, stub: Stub) -> Repository:
    """A private repository of the check's own with a skill, a memory and settings."""
    if not subject.config_clone.component:
        pytest.skip("the subject names no component that clones its configuration")
    made = Repository(stub, helper_pods.unique("config"), helper_pods.unique("canary-token")).create()
    made.commit(FILES)
    return made


@pytest.fixture
def clones(make_box: MakeBox, subject: Subject, session: Session, kube: Kube, docker: Any) -> Clones:
    """Instances with their configuration from a repository."""
    return Clones(make_box, subject, session, kube, docker)


@pytest.fixture
def terminal(subject: Subject) -> Edit:
    """An edit that gives the init container a terminal, on which a program could ask."""

    def edit(objects: Objects) -> None:
        initial(objects, subject).update(tty=True, stdin=True)

    return edit
