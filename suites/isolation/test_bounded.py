"""Nothing the agent does takes all of a node or a machine: disk, memory and processes have an upper size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from boxproof.core.session import Session
from boxproof.deployment.deploy import Objects, rendered
from boxproof.fixtures.compose_project import Documented
from boxproof.subject.manifests import shipped
from boxproof.subject.manifests.pod_specs import GROUPS, containers, pod_spec
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope
from suites.isolation.open_places import MOST_DISK, open_places

BOUNDED = require("whatever it writes has an upper size of {} bytes", lambda found, _: found == [])
FEW = require("it may have at most {} processes", lambda count, most: 0 < count <= most)
KUBELET = "podPidsLimit"
DOCUMENTED = require("the documents say what bounds processes in a cluster", lambda named: named)
MOST_PROCESSES = 4096  # in one container: a loop of forks ends long before a machine's own limit
PIDS = ("/sys/fs/cgroup/pids.max", "/sys/fs/cgroup/pids/pids.max")


def unbounded(asked: str, objects: Objects) -> list[str]:
    """Return where containers may write without an upper size; an observation."""
    found = [
        f"{where}: {place}"
        for each in objects
        for where, container in containers([each], GROUPS[:2])
        for place in open_places(pod_spec(each) or {}, container)
    ]
    return observe("unbounded", asked, sorted(found))


@claim("iso-pod-is-bounded")
@needs("default-tier")
def test_no_container_of_any_tier_writes_without_a_bound(session: Session, subject: Subject) -> None:
    with control("a layer, a directory, a memory without a limit, and a limit beyond any disk, are seen"):
        memory, closed = {"limits": {"memory": "1Gi"}}, {"readOnlyRootFilesystem": True}
        mounts = [{"name": "a", "mountPath": "/a"}]
        beyond = {"limits": {"memory": "1Gi", "ephemeral-storage": "100Ti"}}
        for container in (
            {"resources": memory},
            {"resources": memory, "securityContext": closed, "volumeMounts": mounts},
            {"securityContext": closed},
            {"resources": beyond},
        ):
            spec = {"containers": [{"name": "one"} | container], "volumes": [{"name": "a", "emptyDir": {}}]}
            pod = {"kind": "Pod", "metadata": {"name": "doctored"}, "spec": spec}
            BOUNDED.fails(unbounded(f"doctored: {sorted(container)}", [pod]), MOST_DISK)
    for name, components in (subject.tiers or {"default": ()}).items():
        objects, _ = rendered(session, components=components)
        assert any(pod_spec(each) for each in objects), f"no pod in tier {name}"
        BOUNDED(unbounded(f"tier {name}", objects), MOST_DISK)


@claim("iso-pod-is-bounded")
@scope("image")
def test_the_documented_container_has_few_processes(documented: Documented, docker: Any) -> None:
    def most(asked: str, name: str) -> int:
        """Return how many processes the kernel lets a container have, 0 for any number; an observation."""
        made = docker.containers.get(name)
        texts = [made.exec_run(["cat", each]) for each in PIDS]
        words = [each.output.decode().strip() for each in texts if each.exit_code == 0]
        return observe("processes it may have", asked, int(words[0]) if words and words[0].isdigit() else 0)

    with control("without the options it may have any number"):
        FEW.fails(most("no options", documented("3600", entrypoint="sleep", bare=())), MOST_PROCESSES)
    FEW(most("documented", documented("3600", entrypoint="sleep")), MOST_PROCESSES)


@claim("iso-pod-is-bounded")
@needs("box")
@scope("image")
def test_the_documents_say_what_bounds_processes_in_a_cluster(own_documents: str) -> None:
    """No manifest can: the number of a pod's processes is a setting of the kubelet's."""

    def named(asked: str, text: str) -> bool:
        return observe("the setting is named", asked, KUBELET in text)

    with control("a text that speaks of processes alone does not name it"):
        DOCUMENTED.fails(named("another text", "The number of processes is the kubelet's."))
    DOCUMENTED(named("the documents", own_documents))


@claim("iso-pod-is-bounded")
@scope("image")
def test_so_has_the_service_of_the_compose_file(compose_services: dict[str, Any], subject: Subject) -> None:
    def most(asked: str, service: Mapping[str, Any]) -> int:
        return observe("processes it may have", asked, int(service.get("pids_limit") or 0))

    with control("a service that says nothing may have any number"):
        FEW.fails(most("doctored", {"image": "a"}), MOST_PROCESSES)
    assert subject.compose.service in compose_services, "the Compose file has no service of that name"
    FEW(most(subject.compose.service, compose_services[subject.compose.service]), MOST_PROCESSES)


@claim("iso-pod-is-bounded")
@needs("compose")
@scope("image")
def test_no_other_compose_file_lets_it_have_more(subject: Subject) -> None:
    """What a file says that users lay over the first counts in its place."""
    name, files = subject.compose.service, shipped.compose(subject)

    def most(asked: str, *services: Mapping[str, Any]) -> int:
        said = [each["pids_limit"] for each in services if "pids_limit" in each]
        return observe("processes it may have", asked, int(said[-1] or 0) if said else 0)

    first = (files.get(subject.compose.file, {}).get("services") or {}).get(name) or {}
    with control("a file that says any number, one that resets it, and no file that bounds it, are seen"):
        for over in ({"pids_limit": -1}, {"pids_limit": None}):
            FEW.fails(most(f"doctored {over}", {"pids_limit": 1}, over), MOST_PROCESSES)
        FEW.fails(most("doctored", {"image": "a"}), MOST_PROCESSES)
    for path, content in files.items():
        FEW(most(path, first, (content.get("services") or {}).get(name) or {}), MOST_PROCESSES)
