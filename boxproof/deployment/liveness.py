"""Whether what a check leaned on is still there: engine, API server, DNS, the stub, and its own listeners.

A box that is judged while one of them is dead, or by one that died and came back meanwhile, is not judged.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from functools import partial

from docker.errors import DockerException
from requests.exceptions import RequestException

from boxproof.core.session import ROLE_LABEL, Session, StubInfo
from boxproof.host.engine import docker_cli, engine_client
from boxproof.kube.client import Kube, Object
from boxproof.kube.pod_status import is_ready
from boxproof.probes import reach
from boxproof.stubs import anthropic
from pytest_claims import pace
from pytest_claims.faults import BoxproofError, DeadlineExceeded, EnvironmentFault
from pytest_claims.waiting import NotYet, until

TRIES = 2  # one dropped connection is not a dead server
SYSTEM, RESOLVER = "kube-system", {"k8s-app": "kube-dns"}
RECOVERS = 10.0  # seconds in which what is late on a busy machine says that it is well
TLS_PORT = 443
HEALTH = 8080  # where CoreDNS says that it lives, as kubeadm sets it up
LIVES = 5.0  # seconds it has for that
SILENT = 124  # what timeout(1) ends with
ASK = 'exec 3<>"/dev/tcp/$0/$1" && printf "GET /health HTTP/1.0\\r\\n\\r\\n" >&3 && head -c 1 <&3'


def liveness(session: Session, since: datetime | None = None) -> str | None:
    """Return None while everything of ours answers, else what does not.

    ``since`` is when the check began: what was started anew after that was dead meanwhile.
    """
    return (
        _engine(session)
        or _cluster(session)
        or _stub(session, since)
        or _system(session, since)
        or reach.dead()
        or None
    )


def _engine(session: Session) -> str | None:
    if session.engine is None:
        return None
    try:
        client = engine_client.connect(
            session.engine.host, timeout=pace.stretched(5), certs=session.engine.certs
        )
        try:
            client.ping()
        finally:
            client.close()
    except (DockerException, RequestException) as error:
        return f"the engine does not answer: {error}"
    return None


def _cluster(session: Session) -> str | None:
    if session.cluster is None:
        return None
    try:
        kube = Kube(session.cluster.kubeconfig)
    except EnvironmentFault as fault:
        return fault.message
    alive = any(kube.alive() for _ in range(TRIES))
    kube.close()
    if alive:
        return None
    return f"the API server of {session.cluster.name} does not answer"


def _stub(session: Session, since: datetime | None) -> str | None:
    """Return what is wrong with the stub of the Anthropic API."""
    info = session.stub
    if info is None:
        return None
    if not any(anthropic.answers(info) for _ in range(TRIES)):
        return "the stub of the Anthropic API does not answer"
    if not any(_listens(info) for _ in range(TRIES)):
        return f"the stub of the Anthropic API takes no connection at {info.address}"
    if since is not None and session.engine is not None:
        return _stub_started_anew(session.engine.host, session.engine.certs, info, since)
    return None


def _listens(info: StubInfo) -> bool:
    """Return whether its other side, the one the box talks to, greets over TLS."""
    host, _, port = info.address.partition(":")
    trust = ssl.create_default_context(cadata=info.ca)
    trust.check_hostname = False  # it has those of the real API, not this address
    with (
        suppress(OSError),
        socket.create_connection((host, int(port or TLS_PORT)), pace.stretched(2)) as plain,
        trust.wrap_socket(plain),
    ):
        return True
    return False


def _stub_started_anew(host: str, certs: str, info: StubInfo, since: datetime) -> str | None:
    client = engine_client.connect(host, timeout=pace.stretched(5), certs=certs)
    try:
        for each in client.containers.list(filters={"label": f"{ROLE_LABEL}=stub"}):
            networks = each.attrs["NetworkSettings"]["Networks"].values()
            started = datetime.fromisoformat(each.attrs["State"]["StartedAt"])
            if started > since and info.address in [one["IPAddress"] for one in networks]:
                return f"the stub of the Anthropic API was started anew at {started:%H:%M:%S}"
    except (DockerException, RequestException) as error:
        return f"the engine does not tell of the stub: {error}"
    finally:
        client.close()
    return None


def _system(session: Session, since: datetime | None) -> str | None:
    """Return what is wrong with the DNS and the control plane of a cluster of ours; of another's, the DNS."""
    if session.cluster is None:
        return None
    kube, other = Kube(session.cluster.kubeconfig), bool(session.cluster.context)

    def look() -> list[Object]:
        pods = kept_running(kube.list("Pod", SYSTEM))
        if wrong := dns_unwell(pods) if other else unwell(pods) or silent(pods, partial(_code, session)):
            raise NotYet(wrong)
        return [each for each in pods if not other or resolves(each)]

    try:
        pods = until(look, timeout=RECOVERS, what="DNS and control plane are well", every=1)
        return next(started_anew(pods, since), None) if since else None
    except DeadlineExceeded as late:
        return late.message
    except BoxproofError as fault:
        return None if other else fault.message  # there one may not be allowed to look
    finally:
        kube.close()


def kept_running(pods: list[Object]) -> list[Object]:
    """Return the pods that something keeps running; somebody's look into a node is none of the system's."""
    return [each for each in pods if each["metadata"].get("ownerReferences")]


def resolves(pod: Object) -> bool:
    """Return whether a pod is one of the cluster's DNS."""
    return RESOLVER.items() <= (pod["metadata"].get("labels") or {}).items()


def dns_unwell(pods: list[Object]) -> str:
    """Return what is wrong with the DNS of a cluster that is not ours, "" where it is well or elsewhere."""
    found = [each for each in pods if resolves(each)]
    return unwell(found) if found and not any(is_ready(each) for each in found) else ""


def silent(pods: list[Object], code: Callable[[Object], int]) -> str:
    """Return that all pods of the DNS take a connection and say nothing, "" where one speaks.

    The kubelet takes half a minute to call them unready. ``code`` is how ``asking`` one of them ended.
    """
    found = [each for each in pods if resolves(each)]
    deaf = bool(found) and all(code(each) == SILENT for each in found)
    return "no pod of the cluster's DNS says anything" if deaf else ""


def asking(address: str, port: int = HEALTH) -> list[str]:
    """Return a command that asks a server whether it lives: it ends with SILENT where there is no word."""
    return ["timeout", f"{pace.stretched(LIVES):.0f}", "bash", "-c", ASK, address, str(port)]


def _code(session: Session, pod: Object) -> int:
    """Return how it ends to ask a pod where the kubelet asks it, on its node; 0 where that cannot be done."""
    if session.engine is None:
        return 0
    node, words = str(pod["spec"].get("nodeName", "")), asking(str(pod.get("status", {}).get("podIP", "")))
    try:
        return docker_cli.inside(session.engine, node, words, check=False).code
    except BoxproofError:
        return 0


def unwell(pods: list[Object]) -> str:
    """Return what is wrong with the system's pods, "" where nothing is."""
    if not any(resolves(each) for each in pods):
        return "the cluster's DNS has no pod"
    return ", ".join(f"{each['metadata']['name']} is not Ready" for each in pods if not is_ready(each))


def started_anew(pods: list[Object], since: datetime) -> Iterator[str]:
    """Yield which of the system's containers began after ``since``: what they do was not done meanwhile."""
    for pod in pods:
        for each in pod.get("status", {}).get("containerStatuses") or []:
            began = each.get("state", {}).get("running", {}).get("startedAt")
            if began and datetime.fromisoformat(began) > since:
                yield f"{pod['metadata']['name']} was started anew at {began}"
