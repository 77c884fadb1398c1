"""Files in a registry: one OCI artifact with a layer for each, read and written by the distribution API."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from boxproof.core import settings, typed_values
from pytest_claims.faults import EnvironmentFault, UsageError

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
KIND = "application/vnd.boxproof.programs.v1"
FILE = "application/vnd.boxproof.program.v1"
TITLE = "org.opencontainers.image.title"
EMPTY = b"{}"
EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
TAG = "latest"
TIMEOUT = httpx.Timeout(60, connect=5)  # of one read
LOOPBACK = ("127.0.0.1", "localhost")
Layer = dict[str, Any]


@dataclass(frozen=True)
class Artifact:
    """An artifact ``name`` at ``host``; where ``digest`` is set it has to have that content."""

    host: str
    name: str
    tag: str = TAG
    digest: str = ""

    @property
    def base(self) -> str:
        """The address below which its parts are: plain HTTP on this machine alone, as engines do."""
        scheme = "http" if self.host.partition(":")[0] in LOOPBACK else "https"
        return f"{scheme}://{self.host}/v2/{self.name}"

    def __str__(self) -> str:
        """Give its reference."""
        return f"oci://{self.host}/{self.name}:{self.tag}" + (f"@{self.digest}" if self.digest else "")


def parse(reference: str) -> Artifact:
    """Return the artifact of a reference; raises UsageError."""
    found = typed_values.ARTIFACT.fullmatch(reference)
    if not found:
        hint = f"give {typed_values.ARTIFACT_FORM}"
        raise UsageError(f"{reference} is no reference of an artifact", hint=hint)
    return Artifact(found["host"], found["name"], found["tag"] or TAG, found["digest"] or "")


def layers(artifact: Artifact) -> dict[str, Layer] | None:
    """Return the files of an artifact by name, None where there is none.

    Raises EnvironmentFault where its content is not that of its digest, httpx.HTTPError where the registry
    does not answer.
    """
    with _client(artifact, "pull") as client:
        reference = artifact.digest or artifact.tag
        answer = client.get(f"{artifact.base}/manifests/{reference}", headers={"Accept": MANIFEST})
    if answer.status_code == httpx.codes.NOT_FOUND:
        return None
    answer.raise_for_status()
    have = _digest(answer.content)
    if artifact.digest and have != artifact.digest:
        raise EnvironmentFault(f"{artifact}: its content is {have}", hint="the registry is not to be trusted")
    try:
        listed = answer.json()["layers"]
        return {each["annotations"][TITLE]: each for each in listed}
    except (ValueError, KeyError, TypeError) as error:
        hint = f"put programs there with `inv binaries --push {artifact}`"
        raise EnvironmentFault(f"{artifact} holds no programs", hint=hint) from error


def fetch(artifact: Artifact, layer: Mapping[str, Any], target: Path) -> str:
    """Download a file to ``target`` and return the sha256 that it is to have; raises httpx.HTTPError."""
    with (
        _client(artifact, "pull") as client,
        client.stream("GET", f"{artifact.base}/blobs/{layer['digest']}") as answer,
        target.open("wb") as sink,
    ):
        answer.raise_for_status()
        for chunk in answer.iter_bytes(1 << 20):
            sink.write(chunk)
    return str(layer["digest"]).removeprefix("sha256:")


def push(artifact: Artifact, files: Mapping[str, Path], report: Callable[[str], None]) -> str:
    """Add files to an artifact, those of the same name replaced, and return its digest.

    What is there already is not sent again. Raises EnvironmentFault.
    """
    try:
        found = dict(layers(artifact) or {})
        with _client(artifact, "pull,push") as client:
            for name, path in sorted(files.items()):
                report(name)
                found[name] = _described(FILE, path.read_bytes(), client, artifact) | {
                    "annotations": {TITLE: name}
                }
            config = _described(EMPTY_TYPE, EMPTY, client, artifact)
            made = {
                "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": KIND, "config": config,
                "layers": [found[name] for name in sorted(found)],
            }  # fmt: skip
            content = json.dumps(made, sort_keys=True).encode()
            url, headers = f"{artifact.base}/manifests/{artifact.tag}", {"Content-Type": MANIFEST}
            client.put(url, content=content, headers=headers).raise_for_status()
    except httpx.HTTPError as error:
        hint = "see that it answers, and that you are logged in there (docker login)"
        raise EnvironmentFault(f"{artifact}: {error or type(error).__name__}", hint=hint) from error
    return _digest(content)


def _described(kind: str, content: bytes, client: httpx.Client, artifact: Artifact) -> Layer:
    """Return the descriptor of a content that the registry has from now on."""
    digest = _digest(content)
    if not client.head(f"{artifact.base}/blobs/{digest}").is_success:
        begun = client.post(f"{artifact.base}/blobs/uploads/")
        begun.raise_for_status()
        place = httpx.URL(begun.url).join(begun.headers["Location"]).copy_merge_params({"digest": digest})
        headers = {"Content-Type": "application/octet-stream"}
        client.put(place, content=content, headers=headers).raise_for_status()
    return {"mediaType": kind, "digest": digest, "size": len(content)}


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@contextmanager
def _client(artifact: Artifact, actions: str) -> Iterator[httpx.Client]:
    """Give a client that is let in: with the login of the docker client's file, or anonymously."""
    scope = f"repository:{artifact.name}:{actions}"
    with httpx.Client(timeout=TIMEOUT, follow_redirects=True, auth=_Login(artifact.host, scope)) as client:
        yield client


class _Login(httpx.Auth):
    """Answers a registry's challenge, once for all requests of a client."""

    def __init__(self, host: str, scope: str) -> None:
        self.basic = _basic(host)
        self.scope = scope
        self.header = ""

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        """Ask, and once more with what the registry wants."""
        if self.header:
            request.headers["Authorization"] = self.header
        answer = yield request
        challenge = answer.headers.get("WWW-Authenticate", "")
        if answer.status_code != httpx.codes.UNAUTHORIZED or not challenge:
            return
        if challenge.lower().startswith("bearer "):
            words = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
            query = {"scope": self.scope} | ({"service": words["service"]} if "service" in words else {})
            url = httpx.URL(words.get("realm", "")).copy_merge_params(query)
            told = yield httpx.Request("GET", url, headers=self._basic_header())
            told.read()
            found = told.json() if told.is_success else {}
            token = found.get("token") or found.get("access_token")
            self.header = f"Bearer {token}" if token else ""
        else:
            self.header = self._basic_header().get("Authorization", "")
        if self.header:
            request.headers["Authorization"] = self.header
            yield request

    def _basic_header(self) -> dict[str, str]:
        return {"Authorization": f"Basic {self.basic}"} if self.basic else {}


def _basic(host: str) -> str:
    """Return the login for a host in the docker client's file, "" where it has none in plain sight."""
    try:
        logins = json.loads(settings.docker_config().read_text()).get("auths", {})
        found = str(logins.get(host, {}).get("auth", ""))
        base64.b64decode(found, validate=True)
    except (OSError, ValueError, AttributeError):
        return ""
    return found
