"""A thin client on the kubernetes package's configuration and connection pool; objects are plain dicts."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import urllib3
from urllib3.exceptions import HTTPError, NewConnectionError

from boxproof.core import secret_values
from boxproof.host.engine.engine_client import is_loopback
from boxproof.kube.discovery import PREFERRED, Resource, discover
from pytest_claims import pace
from pytest_claims.faults import EnvironmentFault
from pytest_claims.recording import redaction
from pytest_claims.waiting import until

Object = dict[str, Any]
Objects = list[Object]
MANAGER = "boxproof"
CONNECTIONS = 24  # at most, side by side
FIRST = ("Namespace", "CustomResourceDefinition", "StorageClass", "PersistentVolume", "ServiceAccount",
         "Secret", "ConfigMap", "ClusterRole", "Role", "ClusterRoleBinding", "RoleBinding",
         "NetworkPolicy", "PersistentVolumeClaim", "Service")  # fmt: skip

ACCOUNT = 30.0  # seconds until a new namespace has its account "default"
FORBIDDEN = 403
NO_ACCOUNT = re.compile(r'error looking up service account \S+/default: serviceaccount "default" not found')


class ApiError(EnvironmentFault):
    """The API server gave an answer other than success; ``status`` is the HTTP status."""

    def __init__(self, status: int, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


class Late(EnvironmentFault):
    """The API server was reached and gave no answer in time, or the connection ended before it came."""


class NotFound(ApiError):
    """There is no such object (404)."""


class Forbidden(ApiError):
    """The caller may not do this (403)."""


class AccountAwaited(Forbidden):
    """A pod came before the account that each new namespace is given a moment later."""


class Conflict(ApiError):
    """The object exists already or has changed (409)."""


class Invalid(ApiError):
    """The API server refuses the object itself (400, 422)."""


FAULTS: Mapping[int, type[ApiError]] = {
    400: Invalid, 403: Forbidden, 404: NotFound, 409: Conflict, 422: Invalid,
}  # fmt: skip


class Kube:
    """One API server, through one pool of kept-open connections; safe to use from several threads."""

    def __init__(self, kubeconfig: str) -> None:
        from kubernetes import client, config  # all its models: a third of a second

        self.kubeconfig = kubeconfig
        redaction.add(*secret_values.users(Path(kubeconfig)))
        configuration = client.Configuration()
        try:
            config.load_kube_config(kubeconfig, client_configuration=configuration, persist_config=False)
            _, active = config.list_kube_config_contexts(kubeconfig)
        except (config.ConfigException, OSError) as error:
            raise EnvironmentFault(f"cannot use the kubeconfig {kubeconfig}: {error}") from error
        configuration.connection_pool_maxsize = CONNECTIONS
        configuration.retries = False
        if is_loopback(urlsplit(str(configuration.host)).hostname or ""):
            configuration.proxy = None  # it would be asked for an address of its own machine
        self.api = client.ApiClient(configuration)
        self.host = str(configuration.host)
        self.namespace = str(active["context"].get("namespace") or "default")  # where nothing else is said
        self._pool: urllib3.PoolManager = self.api.rest_client.pool_manager
        self._resources: Sequence[Resource] = ()
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        self._pool.clear()

    def request(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        query: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 20,
        impersonate: str = "",
        groups: Iterable[str] = (),
    ) -> bytes:
        """Send one request and return the answer's body; ``timeout`` is seconds, more on a slow machine.

        Raises NotFound, Forbidden, Conflict, Invalid or ApiError by the answer's status, and Late, or where
        nothing is reached EnvironmentFault, when there is none.
        """
        sent = self._headers(headers)
        if impersonate:
            sent["Impersonate-User"] = impersonate
            for group in groups:
                sent.add("Impersonate-Group", group)
        url = self._url(path, query)
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        limit = pace.stretched(timeout)
        try:
            answer = self._pool.request(method, url, body=data, headers=sent, timeout=limit, retries=False)
        except (HTTPError, OSError) as error:
            kind = EnvironmentFault if isinstance(error, NewConnectionError) else Late
            raise kind(f"the API server does not answer {method} {path}: {error}") from error
        if answer.status >= 400:
            raise _fault(method, path, answer.status, answer.data)
        return bytes(answer.data)

    def _headers(self, further: Mapping[str, str] | None = None) -> urllib3.HTTPHeaderDict:
        sent = urllib3.HTTPHeaderDict({"Accept": "application/json", "Content-Type": "application/json"})
        for setting in self.api.configuration.auth_settings().values():
            sent[setting["key"]] = setting["value"]
        sent.update(dict(further or {}))
        return sent

    def _url(self, path: str, query: Mapping[str, object] | None) -> str:
        return self.host + path + (f"?{urlencode(query, doseq=True)}" if query else "")

    @contextmanager
    def watching(
        self, path: str, *, since: str, fields: str = "", timeout: float = 120
    ) -> Iterator[Iterator[Object]]:
        """Give the events of a list from the resource version ``since`` on, until ``timeout`` seconds.

        The stream is open when the block begins: nothing that happens from then on is missed. Raises as
        ``request``, while it is read too.
        """
        query: dict[str, object] = {"watch": "1", "resourceVersion": since, "timeoutSeconds": int(timeout)}
        query |= {"fieldSelector": fields} if fields else {}
        try:
            answer = self._pool.request(
                "GET", self._url(path, query), headers=self._headers(), retries=False, preload_content=False,
                timeout=urllib3.Timeout(connect=20, read=timeout + 5),
            )  # fmt: skip
        except (HTTPError, OSError) as error:
            raise EnvironmentFault(f"the API server does not answer the watch of {path}: {error}") from error
        try:
            if answer.status >= 400:
                raise _fault("GET", path, answer.status, answer.read())
            yield _events(answer, path)
        finally:
            answer.close()

    def raw(self, path: str, **options: Any) -> Object:
        """Return the JSON answer of GET ``path``; options and errors as ``request``."""
        return _read(self.request("GET", path, **options))

    def text(self, path: str, **options: Any) -> str:
        """Return the text answer of GET ``path``; options and errors as ``request``."""
        return self.request("GET", path, **options).decode(errors="replace")

    def post(self, path: str, body: Object, **options: Any) -> Object:
        """POST ``body`` and return the JSON answer; options and errors as ``request``."""
        secret_values.learn_object(body)
        return _read(self.request("POST", path, body=body, **options))

    def alive(self) -> bool:
        """Return whether the API server says it is ready, within 3 s or what a slow machine makes of them."""
        try:
            return self.request("GET", "/readyz", timeout=3) == b"ok"
        except EnvironmentFault:
            return False

    def resources(self, *, fresh: bool = False) -> Sequence[Resource]:
        """Return everything the API offers, subresources included; asked once per client."""
        with self._lock:
            if fresh or not self._resources:
                self._resources = discover(self)
            return self._resources

    def resource(self, kind: str, api_version: str = "") -> Resource:
        """Return what serves a kind, a plural or "plural.group"; raises EnvironmentFault if nothing does."""
        for fresh in (False, True):
            found = [each for each in self.resources(fresh=fresh) if each.answers_to(kind, api_version)]
            if found:
                return min(
                    found, key=lambda each: PREFERRED.index(each.group) if each.group in PREFERRED else 99
                )
        group, slash, version = api_version.partition("/")  # discovery lists one version of each
        for each in self.resources():
            if slash and each.group == group and each.answers_to(kind):
                return replace(each, version=version)
        raise EnvironmentFault(f"the API server serves no {kind} {api_version}".rstrip())

    def path(self, kind: str, name: str = "", namespace: str | None = None, api_version: str = "") -> str:
        """Return the URL path of an object, or of the list where ``name`` is ""."""
        return self.resource(kind, api_version).path(name, namespace)

    def get(self, kind: str, name: str, namespace: str | None = None) -> Object:
        """Return one object; raises NotFound."""
        return self.raw(self.path(kind, name, namespace))

    def find(self, kind: str, name: str, namespace: str | None = None) -> Object | None:
        """Return one object, None if there is none."""
        try:
            return self.get(kind, name, namespace)
        except NotFound:
            return None

    def list(self, kind: str, namespace: str | None = None, selector: str = "") -> Objects:
        """Return the objects of a kind in one namespace, or in all; each has its kind filled in."""
        resource = self.resource(kind)
        query = {"labelSelector": selector} if selector else None
        found = self.raw(resource.path("", namespace), query=query)
        named = {"apiVersion": found["apiVersion"], "kind": resource.kind}
        return [named | item for item in found.get("items") or []]

    def create(self, item: Object) -> Object:
        """Create one object; raises Conflict if it exists."""
        where = item["metadata"].get("namespace")
        path = self.path(item["kind"], "", where, item["apiVersion"])
        return _with_account(lambda: self.post(path, item))

    def apply(self, objects: Iterable[Object]) -> Objects:
        """Apply objects on the server's side, namespaces and accounts first; returns what is stored."""
        ordered = sorted(objects, key=lambda each: _rank(each["kind"]))
        return [self._apply(each) for each in ordered]

    def _apply(self, item: Object) -> Object:
        meta = item["metadata"]
        path = self.path(item["kind"], meta["name"], meta.get("namespace"), item["apiVersion"])
        query = {"fieldManager": MANAGER, "force": "true"}
        return _with_account(lambda: self.patch(path, item, "apply-patch+yaml", query))

    def patch(
        self,
        path: str,
        body: object,
        form: str = "merge-patch+json",
        query: Mapping[str, object] | None = None,
    ) -> Object:
        """PATCH ``path``; ``form`` is the patch's media type without "application/"."""
        headers = {"Content-Type": f"application/{form}"}
        secret_values.learn_object(body)
        return _read(self.request("PATCH", path, body=body, query=query, headers=headers))

    def delete(self, objects: Iterable[Object], *, grace: int | None = None) -> None:
        """Delete objects, the last applied first, without waiting; what is gone already is fine."""
        for item in sorted(objects, key=lambda each: _rank(each["kind"]), reverse=True):
            meta = item["metadata"]
            query: dict[str, object] = {"propagationPolicy": "Background"}
            if grace is not None:
                query["gracePeriodSeconds"] = grace
            path = self.path(item["kind"], meta["name"], meta.get("namespace"), item.get("apiVersion", ""))
            try:
                self.request("DELETE", path, query=query)
            except (NotFound, Conflict):
                continue

    def logs(self, namespace: str, pod: str, container: str = "", *, previous: bool = False) -> str:
        """Return the log of one container; raises NotFound or Invalid (no such log yet)."""
        query: dict[str, object] = {"previous": str(previous).lower()}
        if container:
            query["container"] = container
        return self.text(f"/api/v1/namespaces/{namespace}/pods/{pod}/log", query=query)


def _read(answer: bytes) -> Object:
    """Return a JSON answer; the secrets in it are known from then on."""
    data: Object = json.loads(answer)
    secret_values.learn_object(data)
    return data


def _events(answer: urllib3.BaseHTTPResponse, path: str) -> Iterator[Object]:
    """Give the events of a watch; raises ApiError for one that is an error, EnvironmentFault if it breaks."""
    try:
        for line in answer:
            event: Object = json.loads(line)
            if event["type"] == "ERROR":
                said = event["object"]
                raise ApiError(int(said.get("code", 0)), f"watch of {path}: {said.get('message', '')}")
            yield event
    except (HTTPError, OSError, ValueError) as error:
        raise EnvironmentFault(f"the watch of {path} broke: {error}") from error


def _with_account(write: Callable[[], Object]) -> Object:
    """Write an object; one of a new namespace waits for the account that the cluster gives each."""
    return until(write, timeout=ACCOUNT, what="the account of a new namespace", transient=(AccountAwaited,))


def _rank(kind: str) -> int:
    return FIRST.index(kind) if kind in FIRST else len(FIRST)


def _fault(method: str, path: str, status: int, body: bytes) -> ApiError:
    try:
        said = json.loads(body)
        message, reason = str(said.get("message", "")), str(said.get("reason", ""))
    except (ValueError, AttributeError):
        message, reason = body[:200].decode(errors="replace"), ""
    kind = (
        AccountAwaited if status == FORBIDDEN and NO_ACCOUNT.search(message) else FAULTS.get(status, ApiError)
    )
    return kind(status, f"{method} {path}: {status} {message}", reason)
