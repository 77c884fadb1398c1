"""A new token for a running agent: into its Secret, into a new pod, and seen in that pod's process."""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass

from boxproof.kube import pod_status
from boxproof.kube.client import Kube, NotFound, Object
from boxproof.kube.exec import exec_in
from pytest_claims.faults import EnvironmentFault, SubjectFault, UsageError
from pytest_claims.pace import Deadline

VARIABLE = "CLAUDE_CODE_OAUTH_TOKEN"
LEAST = 8  # characters: what is shorter is a mistake of the hand
SEEN = f"tr '\\0' '\\n' </proc/1/environ | sed -n 's/^{VARIABLE}=//p'"


@dataclass(frozen=True)
class Place:
    """The agent's container in a StatefulSet of one pod."""

    kube: Kube
    namespace: str
    workload: str
    container: str

    @property
    def pod(self) -> str:
        """The pod's name."""
        return f"{self.workload}-0"


def checked(text: str) -> str:
    """Return ``text`` as a token; raises UsageError, which never shows it, for what cannot be one."""
    token = text.strip()
    if len(token) < LEAST or len(token.split()) != 1 or not token.isprintable():
        raise UsageError(
            "this is no token", hint="allowed: one line without spaces, as claude setup-token prints"
        )
    return token


def rotate(place: Place, token: str, *, timeout: float) -> str:
    """Have the agent use ``token`` and return "namespace/pod" once its first process is seen to have it.

    ``timeout`` is seconds for the new pod. Raises UsageError if there is no such agent or it takes the
    token from no Secret, SubjectFault if the new pod has another one, EnvironmentFault if it does not come.
    """
    kube, deadline = place.kube, Deadline(timeout)
    try:
        live = kube.get("StatefulSet", place.workload, place.namespace)
    except NotFound:
        text = f"there is no StatefulSet {place.namespace}/{place.workload}"
        raise UsageError(text, hint="inv deploy") from None
    secret, key = source(live, place.container)
    data = {key: base64.b64encode(token.encode()).decode()}
    kube.patch(kube.path("Secret", secret, place.namespace), {"data": data})
    mark = {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": secrets.token_hex(8)}}}
    path = kube.path("StatefulSet", place.workload, place.namespace)
    kube.patch(path, {"spec": {"template": mark}})
    pod_status.rolled_to(kube, "StatefulSet", place.workload, place.namespace, place.pod, timeout=timeout)
    pod_status.ready(kube, place.namespace, place.pod, deadline.rest)
    _verify(place, token)
    return f"{place.namespace}/{place.pod}"


def source(workload: Object, container: str) -> tuple[str, str]:
    """Return (Secret, key) a workload's container takes the token from; raises UsageError if from none."""
    for each in workload["spec"]["template"]["spec"]["containers"]:
        for variable in each.get("env") or () if each["name"] == container else ():
            reference = (variable.get("valueFrom") or {}).get("secretKeyRef")
            if variable["name"] == VARIABLE and reference:
                return str(reference["name"]), str(reference["key"])
    text = f"{container} of {workload['metadata']['name']} takes {VARIABLE} from no Secret"
    raise UsageError(text, hint="see docs/authentication.md, Rotation")


def _verify(place: Place, token: str) -> None:
    answer = exec_in(place.kube, place.namespace, place.pod, place.container, ["sh", "-c", SEEN], timeout=30)
    if not answer.ok:
        raise EnvironmentFault(f"{place.pod} does not show its environment: {answer.stderr.strip()[-200:]}")
    if answer.stdout.strip() != token:
        raise SubjectFault(f"{place.namespace}/{place.pod} is Ready and has another token than the Secret")
