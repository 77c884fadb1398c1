"""Secrets in the files and the texts of an image, told by what they look like."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO

CHUNK = 4 << 20
OVERLAP = 8192  # bytes; a sign is searched across the border of two chunks
WHITEOUT = ".wh."
ELF, KEY = b"\x7fELF", "private key"


@dataclass(frozen=True)
class Shape:
    """How one kind of secret looks: some fixed bytes that are quick to find, and the whole around them."""

    kind: str
    anchor: bytes
    whole: re.Pattern[bytes]


def _shape(kind: str, anchor: bytes, whole: bytes) -> Shape:
    return Shape(kind, anchor, re.compile(whole))


# Programs hold the words around a secret (patterns, field names, help); only with a value is it one.
SHAPES = (
    _shape("Anthropic token", b"sk-ant-", rb"sk-ant-[a-z]{3,5}\d\d-[\w-]{24,}"),
    # an end of line may be written as JSON has it: a cloud's account in one file
    _shape(KEY, b"PRIVATE KEY-----", rb"PRIVATE KEY-----(?:\s|\\[nr])+(?:[\w-]+: .*\s+)*[A-Za-z0-9+/]{60,}"),
    _shape(KEY, b"PRIVATE KEY BLOCK-----", rb"PRIVATE KEY BLOCK-----\s+(?:\w+: .*\s+)*[A-Za-z0-9+/]{60,}"),
    _shape(KEY, b"AGE-SECRET-KEY-1", rb"\bAGE-SECRET-KEY-1[0-9A-Z]{58}\b"),
    _shape(
        "client key of a kubeconfig", b"client-key-data", rb"client-key-data\W{1,4}LS0t[A-Za-z0-9+/=]{40,}"
    ),
    _shape("token of a kubeconfig", b"token: eyJ", rb"token: eyJ[\w-]{16,}\.[\w-]{16,}"),
    _shape("login of the CLI", b'"accessToken"', rb'"accessToken"\s*:\s*"[^"\s]{12,}"'),
    _shape("registry token", b"_authToken", rb"_authToken\s*=\s*[\w.-]{12,}"),
    _shape("password of a netrc", b"machine ", rb"machine \S+\s+login \S+\s+password \S+"),
    _shape("login at a registry", b'"auth"', rb'"auth"\s*:\s*"[A-Za-z0-9+/]{16,}={0,2}"'),
    _shape("GitHub token", b"github_pat_", rb"\bgithub_pat_\w{22}_\w{59}\b"),
    *(
        _shape("GitHub token", each, rb"\b" + each + rb"[A-Za-z0-9]{36}\b")
        for each in (b"ghp_", b"gho_", b"ghs_", b"ghu_", b"ghr_")
    ),
    *(
        _shape("GitLab token", each, rb"\b" + each + rb"[\w-]{20}\b")
        for each in (b"glpat-", b"glrt-", b"gldt-", b"glcbt-")
    ),
    _shape("Docker Hub token", b"dckr_pat_", rb"\bdckr_pat_[\w-]{27}\b"),
    _shape("PyPI token", b"pypi-AgEIcHlwaS5vcmc", rb"\bpypi-AgEIcHlwaS5vcmc[\w-]{50,}"),
    _shape("Hugging Face token", b"hf_", rb"\bhf_[A-Za-z]{34}\b"),
    _shape("Vault token", b"hvs.", rb"\bhvs\.[\w-]{90,}"),
    _shape("DigitalOcean token", b"dop_v1_", rb"\bdop_v1_[0-9a-f]{64}\b"),
    _shape("Stripe key", b"k_live_", rb"\b[rs]k_live_[A-Za-z0-9]{24,}\b"),
    _shape("Slack token", b"xapp-", rb"\bxapp-\d-\w{5,}-\d{8,}-[0-9a-f]{32,}\b"),
    _shape(
        "Slack hook",
        b"hooks.slack.com/services/",
        rb"hooks\.slack\.com/services/T\w{8,}/B\w{8,}/[A-Za-z0-9]{24}\b",
    ),
    _shape("Slack token", b"xox", rb"\bxox[abeoprs]-\d{8,}-[\w-]{20,}"),
    _shape("npm token", b"npm_", rb"\bnpm_[A-Za-z0-9]{36}\b"),
    _shape(
        "AWS secret",
        b"aws_secret_access_key",
        rb"aws_secret_access_key\W{1,5}[A-Za-z0-9/+]{40}\b(?<!EXAMPLEKEY)",
    ),
    _shape(
        "AWS secret",
        b"AWS_SECRET_ACCESS_KEY",
        rb"AWS_SECRET_ACCESS_KEY\W{1,5}[A-Za-z0-9/+]{40}\b(?<!EXAMPLEKEY)",
    ),
    _shape("Google key", b"AIza", rb"\bAIza[\w-]{35}\b"),
    _shape("OpenAI token", b"sk-proj-", rb"\bsk-proj-[\w-]{40,}"),
    # beginnings of "sk-ant-" and "github_pat_" in base64, wherever in a group of three bytes they stand
    *(
        _shape("token in base64", each, rb"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]*" + each + rb"[A-Za-z0-9+/]{24,}")
        for each in (
            b"c2stYW50L",
            b"NrLWFudC",
            b"zay1hbnQt",
            b"Z2l0aHViX3Bhd",
            b"dpdGh1Yl9wYXRf",
            b"naXRodWJfcGF0X",
        )
    ),
)
# In a file of variables a value behind such a name is a secret, whatever it looks like.
VARIABLE = re.compile(
    rb"^\s*(?:export\s+)?[A-Z0-9_]*(?:TOKEN|SECRET|PASSWORD|PASSWD|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY)[A-Z0-9_]*\s*="
    rb"\s*[\"']?[^\s\"'$<{(]{8,}",
    re.MULTILINE,
)
VARIABLES = re.compile(r"(^|/)(\.env(\.\w+)?|\w[\w.-]*\.env|environment|\.bashrc|\.profile)$")
NAMES = frozenset(
    {
        ".credentials.json", ".netrc", ".npmrc", ".pypirc", ".git-credentials", ".dockerconfigjson",
        "kubeconfig", "id_rsa", "id_ecdsa", "id_ed25519", "id_dsa", ".env", ".pgpass", ".vault-token",
        ".my.cnf", "application_default_credentials.json",
    }
)  # fmt: skip
PATHS = (
    ".kube/config",
    ".docker/config.json",
    ".aws/credentials",
    ".config/gh/hosts.yml",
    ".azure/accessTokens.json",
)
KNOWN = (SHAPES, sorted(NAMES), PATHS, ELF, VARIABLE, VARIABLES)
VERSION = hashlib.sha256(repr(KNOWN).encode()).hexdigest()[:8]


def by_name(path: str) -> list[str]:
    """Return what a file in a layer is by its name: [] or one kind."""
    name = PurePosixPath(path).name
    if name.startswith(WHITEOUT):
        return []
    return (
        ["file of secrets"] if name in NAMES or any(f"/{path}".endswith(f"/{each}") for each in PATHS) else []
    )


def in_bytes(data: bytes, shapes: Sequence[Shape] = SHAPES) -> list[str]:
    """Return the kinds of secrets in ``data``, each once."""
    return [each.kind for each in shapes if each.anchor in data and each.whole.search(data)]


def in_file(content: IO[bytes], name: str = "") -> list[str]:
    """Return the kinds of secrets in a file of any size, each once; ``name`` tells a file of variables."""
    found: dict[str, None] = {}
    named = VARIABLES.search(name) is not None
    before, shapes = b"", SHAPES
    while data := content.read(CHUNK):
        if not before and data.startswith(
            ELF
        ):  # a crypto library holds the well-known keys of its self-tests
            shapes = tuple(each for each in SHAPES if each.kind != KEY)
        found |= dict.fromkeys(in_bytes(before + data, shapes))
        if named and VARIABLE.search(before + data):
            found["value of a secret variable"] = None
        before = data[-OVERLAP:]
    return list(found)
