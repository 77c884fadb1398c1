"""What the fixtures ``twin``, ``listener`` and ``container`` give: each remembers what it made."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from boxproof.errors import EnvironmentFault
from boxproof.kube.client import Kube, Object
from boxproof.probes import local, pods
from boxproof.probes.pods import RUN_LABEL, Twin
from boxproof.probes.program import Prober
from boxproof.probes.reach import Listener, listen
from boxproof.proof import existing
from boxproof.proof.box import probes_namespace
from boxproof.session import Session

CA_PATH = "/etc/boxproof/ca.crt"


class Twins:
    """Makes twins; equal ones are made once and shared within a worker."""

    def __init__(self, session: Session, kube: Kube) -> None:
        self.session = session
        self.kube = kube
        self._shared: dict[str, Twin] = {}
        self._made: list[Twin] = []

    def __call__(
        self,
        namespace: str | None = None,
        labels: Mapping[str, str] | None = None,
        node: str | None = None,
        *,
        command: Sequence[str] = (),
        security: Mapping[str, Any] | None = None,
        spec: Mapping[str, Any] | None = None,
        fresh: bool = False,
        ready: bool = True,
    ) -> Twin:
        """Return a Ready pod of the probe image; the default namespace is one of the run's own.

        ``command`` replaces the idling probe, which ends on TERM; ``security`` and ``spec`` are merged
        over the container's security context and the pod's spec; ``fresh`` makes one that is not shared.
        Raises EnvironmentFault if it does not come.
        """
        where = namespace or probes_namespace(self.session, self.kube)
        asked = [where, labels or {}, node, list(command), security or {}, spec or {}, ready]
        key = json.dumps(asked, sort_keys=True)
        if not fresh and key in self._shared and self._alive(self._shared[key]):
            return self._shared[key]
        pod = self._manifest(where, labels or {}, node or "", security, spec)
        if command:
            pod["spec"]["containers"][0]["command"] = list(command)
        self._made.append(Twin(self.kube, where, pod["metadata"]["name"]))
        made = pods.start(self.kube, pod, wait=ready)
        if not fresh:
            self._shared[key] = made
        return made

    def _manifest(
        self,
        namespace: str,
        labels: Mapping[str, str],
        node: str,
        security: Mapping[str, Any] | None,
        spec: Mapping[str, Any] | None,
    ) -> Object:
        name = f"twin-{secrets.token_hex(4)}"
        marked = {**labels, RUN_LABEL: self.session.run}
        image, hosts = self.session.probe_image, existing.aliases(self.session.stub)
        given = ({"hostAliases": hosts} if hosts else {}) | dict(spec or {})
        return pods.manifest(name, namespace, image, labels=marked, node=node, security=security, spec=given)

    def _alive(self, twin: Twin) -> bool:
        found = self.kube.find("Pod", twin.name, twin.namespace)
        return found is not None and "deletionTimestamp" not in found["metadata"]

    def close(self) -> None:
        """Delete what was made, without waiting."""
        for each in self._made:
            each.remove()


class Listeners:
    """Starts listeners in twins, in the box's network, or outside the cluster."""

    def __init__(self, fixture: Callable[[str], Any]) -> None:
        self._fixture = fixture
        self._made: list[Listener] = []

    def __call__(
        self,
        port: int = 0,
        on: Prober | Literal["twin", "outside", "box"] = "twin",
        *,
        udp: bool = False,
        address: str | None = None,
    ) -> Listener:
        """Start one (port 0 takes a free one) and return it; ``on`` is a place, or the name of a fixture's.

        ``address`` is what to connect to, if not the place's own (a service). Raises EnvironmentFault.
        """
        place: Prober = self._place(on) if isinstance(on, str) else on
        made = listen(place, port, token=secrets.token_hex(8), udp=udp, address=address)
        self._made.append(made)
        return made

    def on(self, place: Prober, port: int = 0, *, udp: bool = False) -> Listener:
        """Start one on ``place``."""
        return self(port, place, udp=udp)

    def _place(self, name: str) -> Prober:
        found = self._fixture(name)
        made: Prober = found() if name == "twin" else found
        return made

    def close(self) -> None:
        """Stop what was started; a place that is gone took its listeners along."""
        for each in self._made:
            try:
                each.stop()
            except EnvironmentFault:
                continue


class Containers:
    """Makes containers of the box on the engine; ``docker`` is a docker client."""

    def __init__(self, session: Session, docker: Any) -> None:
        self.session = session
        self.docker = docker
        self._made: list[local.LocalContainer] = []

    def __call__(
        self,
        *command: str,
        image: str | None = None,
        files: local.Files | None = None,
        start: bool = True,
        stub: str = "",
        **options: Any,
    ) -> local.LocalContainer:
        """Make one (``options`` are the docker SDK's) and, with ``start``, start it; raises EnvironmentFault.

        ``stub`` is a token: the container reaches the stub under its real names and logs in with it.
        """
        reference = image or (self.session.image.reference if self.session.image else "")
        if not reference:
            raise EnvironmentFault("this run has no image of the box")
        if stub:
            files, options = self._with_stub(stub, dict(files or {}), options)
        if command:
            options["command"] = list(command)
        made = local.create(
            self.docker, reference, probe_image=self.session.probe_image, run=self.session.run,
            files=files, **options,
        )  # fmt: skip
        self._made.append(made)
        return made.start() if start else made

    def _with_stub(
        self, token: str, files: dict[str, tuple[bytes, int]], options: dict[str, Any]
    ) -> tuple[local.Files, dict[str, Any]]:
        info = self.session.stub
        if info is None:
            raise EnvironmentFault("this run has no stub of the Anthropic API")
        login = {"CLAUDE_CODE_OAUTH_TOKEN": token, "NODE_EXTRA_CA_CERTS": CA_PATH}
        given = options.get("environment") or {}
        hosts = dict.fromkeys(info.names, info.address)
        extra = {"environment": login | given, "network": self.session.network, "extra_hosts": hosts}
        return files | {CA_PATH: (info.ca.encode(), 0o644)}, options | extra

    def close(self) -> None:
        """Remove what was made."""
        for each in self._made:
            each.remove()
