"""The API server is no way past the policies: it forwards nothing of the agent's to a pod or a Service."""

from __future__ import annotations

from collections.abc import Iterable

from boxproof.deployment.box import Box
from boxproof.kube.access_reviews import Question
from boxproof.kube.client import Kube, Object
from boxproof.kube.rules import about
from pytest_claims import claim, control, require
from suites.rbac.conftest import Bound
from suites.rbac.rights import allowed, from_rules, spaces

FORWARDED = ("pods/proxy", "services/proxy", "nodes/proxy")
VERBS = ("get", "create", "update", "patch", "delete")  # of requests with GET, POST, PUT, PATCH and DELETE
NOT_FORWARDED = require("the API server forwards nothing for it", lambda yes: yes == [])


def forwarded(kube: Kube, user: str, objects: Iterable[Object] = ()) -> list[str]:
    """Return which requests the API server forwards for an account, to anybody or to one by its name."""
    where = spaces(kube)
    asked = [Question.of(verb, each, place) for each in FORWARDED for verb in VERBS for place in where]
    own = [each for each in from_rules(kube, user, list(objects)) if about(each, *FORWARDED)]
    return allowed(kube, user, [*asked, *own], "requests that are forwarded")


@claim("rbac-no-way-past-the-policies")
def test_the_api_server_forwards_nothing(either: Box, kube: Kube, bound: Bound) -> None:
    with control("an account that may be forwarded to one pod, by its name"):
        NOT_FORWARDED.fails(forwarded(kube, bound("", "pods/proxy", ("get",), ("one",))))
    NOT_FORWARDED(forwarded(kube, either.user, either.objects))
