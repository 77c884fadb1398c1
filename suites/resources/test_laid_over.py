"""What users lay over the first Compose file, and what they apply by hand: bounded as well."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from boxproof.subject.manifests import compose_file, shipped
from boxproof.subject.manifests.pod_specs import GROUPS, containers, pod_spec
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope
from suites.resources.option_bounds import compose_bound, loose_tmp
from suites.resources.test_bounds import tmp_is_bounded

Services = Mapping[str, dict[str, Any]]
LOGS_BOUNDED = require(
    "no service of any Compose file has logs without an upper size", lambda found: found == []
)
TMP_BOUNDED = require("no Compose file takes the bounds of /tmp away", lambda found: found == [])
BY_HAND = require("no pod that users apply may fill a /tmp without a bound", lambda found: found == [])


def laid(subject: Subject) -> Iterator[tuple[str, Services]]:
    """Give each Compose file that ships, but the first, and the services there are with it over the first."""
    files = shipped.compose(subject)
    first = files.get(subject.compose.file, {}).get("services") or {}
    for name, content in files.items():
        if name != subject.compose.file:
            yield name, compose_file.laid_over(first, content["services"])


def first_of(subject: Subject) -> Services:
    """Return the services of the first Compose file."""
    path = subject.path(subject.compose.file)
    return compose_file.services(path) if path else {}


@claim("logs-bounded-in-crash-loop")
@needs("compose")
@scope("image")
def test_no_compose_file_has_a_service_whose_logs_have_no_bound(subject: Subject) -> None:
    """A second service that comes with the engine's socket, say."""
    first = first_of(subject)

    def unbounded(asked: str, services: Services) -> list[str]:
        found = [name for name, each in services.items() if not compose_bound(each.get("logging") or {})]
        return observe("services", asked, found)

    with control("a service more without a driver, and another driver without options, are seen"):
        more = compose_file.laid_over(first, {"more": {"image": "a"}})
        LOGS_BOUNDED.fails(unbounded("a service more", more))
        name = subject.compose.service
        other = compose_file.laid_over(first, {name: {"logging": {"driver": "journald"}}})
        LOGS_BOUNDED.fails(unbounded("another driver", other))
    LOGS_BOUNDED(unbounded(subject.compose.file, first))
    for name, services in laid(subject):
        LOGS_BOUNDED(unbounded(name, services))


@claim("tmp-bounded")
@needs("compose")
@scope("image")
def test_no_compose_file_takes_the_bounds_of_tmp_away(subject: Subject) -> None:
    name, first = subject.compose.service, first_of(subject)

    def loose(asked: str, services: Services) -> list[str]:
        return observe("ways of /tmp", asked, loose_tmp(services.get(name) or {}))

    with control("the host's /tmp, one that programs are run from, and none at all, are seen"):
        for over in ({"volumes": ["/tmp:/tmp"]}, {"tmpfs": ["/tmp:rw,exec,size=1g"]}):
            TMP_BOUNDED.fails(loose(f"doctored {over}", compose_file.laid_over(first, {name: over})))
        TMP_BOUNDED.fails(loose("doctored, none at all", {name: {"image": "a"}}))
    TMP_BOUNDED(loose(subject.compose.file, first))
    for path, services in laid(subject):
        TMP_BOUNDED(loose(path, services))


@claim("tmp-bounded")
@needs("node-scripts")
@scope("image")
def test_so_is_that_of_the_pods_that_users_apply(subject: Subject) -> None:
    """The pod of a backup, and the one with a node's tools."""

    def unbounded(asked: str, objects: list[dict[str, Any]]) -> list[str]:
        found = [
            where
            for each in objects
            for where, one in containers([each], GROUPS[:2])
            if not tmp_is_bounded(pod_spec(each) or {}, one)
        ]
        return observe("unbounded /tmp", asked, found)

    with control("a directory of the node's disk is seen"):
        mount = {"name": "tmp", "mountPath": "/tmp"}
        spec = {
            "containers": [{"name": "a", "volumeMounts": [mount]}],
            "volumes": [{"name": "tmp", "emptyDir": {}}],
        }
        BY_HAND.fails(unbounded("doctored", [{"kind": "Pod", "metadata": {"name": "p"}, "spec": spec}]))
    paths = [subject.path(each) for each in (subject.storage.pod, subject.manifests.node_tools) if each]
    for path in paths:
        objects = [each for each in yaml.safe_load_all(path.read_text()) if each] if path else []
        assert any(pod_spec(each) for each in objects), f"no pod in {path}"
        BY_HAND(unbounded(str(path and path.name), objects))
