"""The stub Anthropic API and the git host beside it: its container, and what checks tell its control side."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal
from urllib.parse import urlencode

import docker
import httpx
from docker.errors import DockerException

from boxproof.core.session import ROLE_LABEL, RUN_LABEL, EngineInfo, StubInfo
from boxproof.core.settings import Settings
from boxproof.host.engine import engine_client
from boxproof.kube import pod_status
from boxproof.kube.client import Kube, Object
from boxproof.probes.pods import probe_pods
from boxproof.probes.probe_program import ensure as ensure_probe_image
from boxproof.stubs import certificates
from boxproof.stubs.certificates import DIRECTORY, Authority
from pytest_claims import pace, progress
from pytest_claims.faults import EnvironmentFault
from pytest_claims.recording.observations import record
from pytest_claims.waiting import until

FORGE = "github.com"  # it has private repositories too
NAMES = (
    "api.anthropic.com", "platform.claude.com", "claude.ai", "claude.com", "console.anthropic.com", FORGE,
    # names that nobody should be let out to, two of them made to look like an allowed one
    "exfil.example", "api.anthropic.com.exfil.example", "xapi.anthropic.com",
)  # fmt: skip
CONTROL_PORT = 8081
MESSAGES = "/v1/messages"
GIT = "/git/"
START = 30.0  # seconds
LATE = 120.0  # seconds until an answer of the stub or of the engine is given up on
Mode = Literal["ok", "401", "slow", "refresh"]
Files = Mapping[str, str | int | None]


@dataclass(frozen=True)
class Received:
    """One request the stub got; ``token`` was sent as Bearer or API key, ``at`` is seconds since 1970."""

    at: float
    method: str
    host: str
    path: str
    token: str
    status: int
    prompt: str = ""
    refresh_token: str = ""
    source: str = ""
    model: str = ""
    skills: tuple[str, ...] = ()  # what the program told the model it can make use of


class Stub:
    """The control side of the stub; ``of`` narrows it to one token, so that parallel checks do not mix.

    Where there is a second stub, in a cluster, both are told the same, and what either got is told. A token
    is one check's, whose box is in the cluster or on the engine. Repositories are in the cluster's alone.
    """

    def __init__(
        self,
        info: StubInfo,
        token: str = "",
        client: httpx.Client | None = None,
        side: Side | None = None,
    ) -> None:
        self.info = info
        self.token = token
        self._client = client or httpx.Client(base_url=info.control, timeout=LATE, trust_env=False)
        self._side = side or side_of(info)

    def of(self, token: str) -> Stub:
        """Return the stub as seen by one token's owner (its refreshed tokens included)."""
        return Stub(self.info, token, self._client, self._side)

    def requests(self, path: str = "") -> list[Received]:
        """Return what was received, oldest first, only of ``path`` if given; raises EnvironmentFault."""
        found = [Received(**each) for each in self.ask("GET", "/requests")["requests"]]
        shown = [each for each in found if not path or each.path == path]
        record("stub", f"requests {path}".rstrip(), [(each.path, each.token, each.status) for each in shown])
        return shown

    def behave(self, mode: Mode, **options: Any) -> None:
        """Have the token (or, without one, every token) answered in ``mode``; options: seconds, text.

        "refresh" answers 401 to the token given out first and 200 to its successor. ``after`` answers are
        given before the mode comes; ``turns`` calls of the shell ``command`` are asked for before the text;
        ``expires_in`` is how many seconds a renewed token is said to last.
        """
        self.ask("POST", "/behaviour", {"mode": mode, "token": self.token, **options})

    def reset(self) -> None:
        """Forget the requests and the behaviour of the token (or of all)."""
        self.ask("POST", "/reset", {"token": self.token})

    def close(self) -> None:
        """Close the connection."""
        self._client.close()
        if self._side is not None:
            self._side.close()

    def ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """Return what the control side answers; raises EnvironmentFault."""
        query = {"token": self.token} if method == "GET" and self.token else None
        if self._side is None:
            return self._ask(method, path, body, query)
        there = self._side.ask(method, path, body, query)
        if path.startswith(GIT):
            return there
        here = self._ask(method, path, body, query)
        if "requests" not in here:
            return here
        return {"requests": sorted([*here["requests"], *there["requests"]], key=lambda each: each["at"])}

    def _ask(self, method: str, path: str, body: object, query: dict[str, str] | None) -> dict[str, Any]:
        try:
            answer = self._client.request(method, path, json=body, params=query)
            answer.raise_for_status()
            data: dict[str, Any] = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise EnvironmentFault(f"the stub's control side does not answer: {error!r}") from error
        return data


def ensure_images(settings: Settings, engine: EngineInfo) -> str:
    """Return the reference of the image probes and stub share, built if need be."""
    return ensure_probe_image(settings, engine)


def start(
    engine: EngineInfo,
    run: str,
    network: str = "kind",
    *,
    image: str = "",
    authority: Authority | None = None,
) -> StubInfo:
    """Start a stub for ``run`` on a network of the engine, made if need be; raises EnvironmentFault.

    ``image`` defaults to the newest probe image the engine has, ``authority`` is a new one.
    """
    client = engine_client.connect(engine.host, timeout=LATE, certs=engine.certs)
    try:
        with progress.step("stub Anthropic API"):
            return _start(client, run, network, image, authority or certificates.issue(NAMES))
    except DockerException as error:
        raise EnvironmentFault(f"the stub does not start: {error}") from error
    finally:
        client.close()


def _start(client: docker.DockerClient, run: str, network: str, image: str, authority: Authority) -> StubInfo:
    from boxproof.probes.probe_program import newest

    if not client.networks.list(names=[network]):
        client.networks.create(network, driver="bridge", labels={RUN_LABEL: run})
    made = client.containers.create(
        image or newest(client),
        ["stub"],
        name=f"boxproof-stub-{secrets.token_hex(4)}",
        labels={RUN_LABEL: run, ROLE_LABEL: "stub"},
        network=network,
        restart_policy={"Name": "unless-stopped"},
        user="0:0",
    )
    made.put_archive("/", certificates.archive(authority))
    made.start()
    made.reload()
    address = made.attrs["NetworkSettings"]["Networks"][network]["IPAddress"]
    info = StubInfo(address=address, ca=authority.ca, control=f"http://{address}:{CONTROL_PORT}", names=NAMES)
    stub = Stub(info)
    until(
        lambda: stub.ask("GET", "/requests") is not None,
        timeout=START,
        what="the stub answers",
        transient=(EnvironmentFault,),
        every=0.2,
    )
    stub.close()
    return replace(info)


def answers(info: StubInfo) -> bool:
    """Return whether a stub that was started before still answers."""
    stub = Stub(info, client=httpx.Client(base_url=info.control, timeout=pace.stretched(2), trust_env=False))
    try:
        stub.ask("GET", "/requests")
    except EnvironmentFault:
        return False
    finally:
        stub.close()
    return True


def stop(engine: EngineInfo, run: str) -> None:
    """Remove the stubs of ``run``; raises EnvironmentFault."""
    client = engine_client.connect(engine.host, timeout=LATE, certs=engine.certs)
    try:
        labels = [f"{RUN_LABEL}={run}", f"{ROLE_LABEL}=stub"]
        for each in client.containers.list(all=True, filters={"label": labels}):
            each.remove(force=True)
    except DockerException as error:
        raise EnvironmentFault(f"cannot remove the stub: {error}") from error
    finally:
        client.close()


NAME = "boxproof-stub"
LABELS = {"app.kubernetes.io/name": NAME}
TLS_PORT, CONTROL_PORT = 443, 8081
MAY_BIND = {  # a policy speaks of the port of the pod: it has to be that of the real API
    "runAsUser": 0, "runAsNonRoot": False, "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
}  # fmt: skip
START_IN_CLUSTER = 60.0  # seconds; the nodes have the image
ANSWERS = 30.0


class Side:
    """The control side of that stub, asked through the API server, which reaches its Service."""

    def __init__(self, kubeconfig: str, service: str) -> None:
        self.kube = Kube(kubeconfig)
        namespace, _, name = service.partition("/")
        self.path = f"/api/v1/namespaces/{namespace}/services/{name}:{CONTROL_PORT}/proxy"

    def ask(self, method: str, path: str, body: object, query: dict[str, str] | None) -> dict[str, Any]:
        """Return what the control side answers; raises EnvironmentFault."""
        if method == "POST":
            return self.kube.post(f"{self.path}{path}", body if isinstance(body, dict) else {})
        return self.kube.raw(f"{self.path}{path}" + (f"?{urlencode(query)}" if query else ""))

    def close(self) -> None:
        """Close the connections."""
        self.kube.close()


def objects(namespace: str, image: str, authority: Authority, labels: dict[str, str]) -> list[Object]:
    """Return the pod, its certificate and its Service; ``labels`` are those of the run."""
    meta = {"name": NAME, "namespace": namespace, "labels": LABELS | labels}
    files = {"tls.crt": authority.chain, "tls.key": authority.key}
    data = {name: base64.b64encode(content).decode() for name, content in files.items()}
    pod = probe_pods.manifest(NAME, namespace, image, labels=meta["labels"], security=MAY_BIND)  # type: ignore[arg-type]
    container = pod["spec"]["containers"][0]
    container["command"] = [probe_pods.PROGRAM, "stub"]
    container["readinessProbe"] = {"tcpSocket": {"port": CONTROL_PORT}, "periodSeconds": 1}
    container["volumeMounts"] = [{"name": "certificate", "mountPath": f"/{DIRECTORY}", "readOnly": True}]
    pod["spec"]["volumes"] = [{"name": "certificate", "secret": {"secretName": NAME}}]
    pod["spec"]["restartPolicy"] = "Always"
    del pod["spec"]["tolerations"]
    ports = [{"name": "tls", "port": TLS_PORT}, {"name": "control", "port": CONTROL_PORT}]
    service = {"selector": LABELS, "ports": ports}
    return [
        {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": data},
        {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": service},
        pod,
    ]


def start_in_cluster(
    kube: Kube, namespace: str, image: str, authority: Authority, run: str
) -> tuple[str, str]:
    """Start the stub in ``namespace`` and return its Service, "NAMESPACE/NAME", and that one's address.

    Raises EnvironmentFault when it does not start, or does not answer.
    """
    with progress.step("stub Anthropic API in the cluster"):
        kube.apply(objects(namespace, image, authority, {RUN_LABEL: run}))
        pod_status.ready(kube, namespace, NAME, START_IN_CLUSTER)
        side = Side(kube.kubeconfig, f"{namespace}/{NAME}")
        until(
            lambda: side.ask("GET", "/requests", None, None) is not None,
            timeout=ANSWERS,
            what="the stub in the cluster answers through the API server",
            transient=(EnvironmentFault,),
            every=0.5,
        )
        side.close()
    address = str(kube.get("Service", NAME, namespace)["spec"]["clusterIP"])
    return f"{namespace}/{NAME}", address


def side_of(info: StubInfo) -> Side | None:
    """Return the control side of the stub in the cluster, None where there is none."""
    return Side(info.kubeconfig, info.service) if info.service else None


@dataclass(frozen=True)
class Asked:
    """One request for a repository, and how many commits the client wanted and said it had already."""

    at: float
    method: str
    path: str
    known: bool  # whether it came with the token
    status: int
    wants: int
    haves: int


@dataclass(frozen=True)
class Repository:
    """A private repository: its name on the forge, and the token that opens it."""

    stub: Stub
    name: str
    token: str
    host: str = FORGE

    @property
    def url(self) -> str:
        """Where it is cloned from."""
        return f"https://{self.host}/boxproof/{self.name}.git"

    def create(self) -> Repository:
        """Make it, empty; raises EnvironmentFault."""
        self._do("create", token=self.token)
        return self

    def commit(self, files: Files, *, anew: bool = False) -> str:
        """Commit files and return the commit's id; None removes one, a number is that many random bytes.

        ``anew``: in the place of the last commit, as a push does that is forced.
        """
        return str(self._do("commit", files=dict(files), anew=anew)["commit"])

    def stall(self, after: float) -> None:
        """From now on send only this share of a pack, until ``flow``."""
        self._do("stall", after=after)

    def flow(self) -> None:
        """Send what was held back, and from now on everything."""
        self._do("flow")

    def asked(self) -> list[Asked]:
        """Return what was asked of it, oldest first."""
        return [Asked(**each) for each in self.stub.ask("GET", f"/git/{self.name}")["requests"]]

    def transfers(self) -> list[str]:
        """Return what each transfer was, "clone" or "update" of what the client had; an observation."""
        found = self.sent()
        record("transfers", self.name, found)
        return found

    def sent(self) -> list[str]:
        """Return the same, as long as it is only waited for."""
        return [
            "update" if each.haves else "clone" for each in self.asked() if each.wants and each.status == 200
        ]

    def _do(self, what: str, **body: object) -> dict[str, object]:
        return self.stub.ask("POST", f"/git/{what}", {"name": self.name, **body})
