"""Secrets at rest, read back from etcd."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from textwrap import dedent
from typing import Any

import yaml

from boxproof.deployment.box import Box
from boxproof.kube.client import Kube
from boxproof.probes.pods.helper_pods import applied, unique
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, own_cluster, require, scope
from suites.secrets.etcd import stored

OTHERS = ("configmaps", "statefulsets", "controllerrevisions", "pods")


UNREADABLE = require("etcd has nothing that can be read", lambda keys: keys == [])


def readable(kube: Kube, resources: Sequence[str], namespace: str, wanted: str) -> list[str]:
    """Return what in etcd ``wanted`` can be read in, and Secrets that are not encrypted; an observation."""
    found = [(name, each) for name in resources for each in stored(kube, name, namespace, wanted)]
    keys = [each.key for name, each in found if each.holds or (name == "secrets" and not each.encrypted)]
    return observe("readable in etcd", f"{', '.join(resources)} of {namespace}", sorted(keys))


@claim("secret-encrypted-at-rest")
@own_cluster()
def test_etcd_has_the_secret_in_no_readable_form(box_applied: Box, kube: Kube, aside: str) -> None:
    box, canary = box_applied, unique("stub-token")
    meta = {"name": unique("canary"), "namespace": aside}
    plain = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"token": canary}}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": {"token": canary}}
    with applied(kube, plain, secret):
        with control("the same words in a ConfigMap, which nothing encrypts, are read back from etcd"):
            UNREADABLE.fails(readable(kube, OTHERS, aside, canary))
        UNREADABLE(readable(kube, ("secrets",), aside, canary))
    assert stored(kube, "secrets", box.namespace, box.token), "the box has no Secret"
    UNREADABLE(readable(kube, ("secrets", *OTHERS), box.namespace, box.token))


# Kubernetes' own, but for identity, which encrypts nothing
PROVIDERS = ("kms", "secretbox", "aesgcm", "aescbc")
ENCRYPTS = require(
    "each documented configuration encrypts Secrets first of all",
    lambda firsts: bool(firsts) and set(firsts) <= set(PROVIDERS),
)
KIND = "EncryptionConfiguration"
BLOCKS = re.compile(r"^[ \t]*```ya?ml\n(.*?)^[ \t]*```", re.DOTALL | re.MULTILINE)
EVERY = {"secrets", "*.", "*.*"}  # what a rule calls Secrets
RULES = "resources: [{resources: [secrets], providers: [{identity: {}}, {secretbox: {}}]}]"
AS_IT_IS = f"```yaml\nkind: {KIND}\n{RULES}\n```\n"
WITH_A_KEY = f"{{secretbox: {{keys: [{{name: first, secret: {base64.b64encode(bytes(32)).decode()}}}]}}}}"
ENCRYPTED_FIRST = AS_IT_IS.replace("{identity: {}}, {secretbox: {}}", "{secretbox: {}}, {identity: {}}")


NO_KEY = require(
    "no documented configuration has a key that its readers would share", lambda keys: keys == []
)
SIZES = (16, 24, 32)  # bytes, of what Kubernetes' own providers take for a key


def configurations(text: str) -> Iterator[dict[str, Any]]:
    """Give the configurations in pages."""
    blocks = (dedent(each) for each in BLOCKS.findall(text) if KIND in each)
    yield from (
        each for one in blocks for each in yaml.safe_load_all(one) if each and each.get("kind") == KIND
    )


def first_providers(text: str, asked: str) -> list[str]:
    """Return what each configuration in pages writes Secrets with; an observation.

    Of a configuration the first rule about them counts.
    """
    made = configurations(text)
    rules = ([rule for rule in each["resources"] if EVERY & set(rule["resources"])] for each in made)
    firsts = [str(next(iter(each[0]["providers"][0]))) for each in rules if each]
    return observe("first providers", asked, firsts)


def keys(text: str, asked: str) -> list[str]:
    """Return the names of the keys that stand in configurations in pages; an observation."""
    rules = (rule for each in configurations(text) for rule in each["resources"])
    providers = (one for rule in rules for each in rule["providers"] for one in each.values())
    told = (key for each in providers for key in (each or {}).get("keys") or ())
    return observe("keys", asked, [str(each["name"]) for each in told if is_key(str(each.get("secret")))])


def is_key(text: str) -> bool:
    """Return whether a text is a key that a provider would take, in base64."""
    try:
        return len(base64.b64decode(text, validate=True)) in SIZES
    except binascii.Error:
        return False


@claim("secret-encrypted-at-rest")
@scope("image")
@needs("facts")
def test_the_documents_say_how_secrets_are_encrypted(subject: Subject) -> None:
    """Encryption at rest is a setting of the cluster, so that whoever installs the box has to be told."""
    with control("a configuration that writes them as they are is seen, behind another one too"):
        ENCRYPTS.fails(first_providers(AS_IT_IS, "a decoy"))
        ENCRYPTS.fails(first_providers(ENCRYPTED_FIRST + AS_IT_IS, "two"))
    with control("a key that stands there is seen"):
        NO_KEY.fails(keys(ENCRYPTED_FIRST.replace("{secretbox: {}}", WITH_A_KEY), "a decoy"))
    pages = "\n".join(each.read_text() for each in sorted((subject.directory / "docs").rglob("*.md")))
    ENCRYPTS(first_providers(pages, "the documents"))
    NO_KEY(keys(pages, "the documents"))
