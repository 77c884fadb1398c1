"""Secrets in the files and the texts of an image, told by what they look like."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, Any

from boxproof.subject.supply_chain import compressed_files, published_files

CHUNK = 4 << 20
OVERLAP = 8192  # bytes; a sign is searched across the border of two chunks
WHITEOUT = ".wh."
ELF = b"\x7fELF"
WIDE = (b"\xff\xfe", b"\xfe\xff")  # UTF-16 with its mark, as PowerShell writes a file
KEY, NETRC, BY_NAME = "private key", "password of a netrc", "value of a secret variable"


@dataclass(frozen=True)
class Shape:
    """How one kind of secret looks: some fixed bytes that are quick to find, and the whole around them."""

    kind: str
    anchor: bytes
    whole: re.Pattern[bytes]


def _shape(kind: str, anchor: bytes, whole: bytes) -> Shape:
    return Shape(kind, anchor, re.compile(whole))


# what stands in an example where a secret goes
NO_EXAMPLE = rb"(?![\"']?[\w.+-]*(?i:your[-_]|example|change[-_]?me|replace[-_]|placeholder))"
# Programs hold the words around a secret (patterns, field names, help); only with a value is it one.
SHAPES = (
    _shape("Anthropic token", b"sk-ant-", rb"sk-ant-[a-z]{3,5}\d\d-" + NO_EXAMPLE + rb"[\w-]{24,}"),
    # an end of line may be written as JSON has it: a cloud's account in one file
    _shape(KEY, b"PRIVATE KEY-----", rb"PRIVATE KEY-----(?:\s|\\[nr])+(?:[\w-]+: .*\s+)*[A-Za-z0-9+/]{60,}"),
    _shape(KEY, b"PRIVATE KEY BLOCK-----", rb"PRIVATE KEY BLOCK-----\s+(?:\w+: .*\s+)*[A-Za-z0-9+/]{60,}"),
    _shape(KEY, b"AGE-SECRET-KEY-1", rb"\bAGE-SECRET-KEY-1[0-9A-Z]{58}\b"),
    _shape(
        "client key of a kubeconfig", b"client-key-data", rb"client-key-data\W{1,4}LS0t[A-Za-z0-9+/=]{40,}"
    ),
    _shape("token of a kubeconfig", b"token: eyJ", rb"token: eyJ[\w-]{16,}\.[\w-]{16,}"),
    _shape("login of the CLI", b'"accessToken"', rb'"accessToken"\s*:\s*"[^"\s]{12,}"'),
    _shape("registry token", b"_authToken", rb"_authToken\s*=\s*" + NO_EXAMPLE + rb"[\w.-]{12,}"),
    _shape(NETRC, b"machine ", rb"machine \S+\s+login \S+\s+password " + NO_EXAMPLE + rb"[^\s<$]\S*"),
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
    _shape("Slack token", b"xoxe.xox", rb"\bxoxe\.xox[bp]-[\w-]{20,}"),
    _shape("Slack token", b"xoxd-", rb"\bxoxd-[\w%-]{20,}"),
    _shape("Grafana token", b"glsa_", rb"\bglsa_[A-Za-z0-9]{32}_[0-9a-f]{8}\b"),
    _shape("SendGrid key", b"SG.", rb"\bSG\.[\w-]{22}\.[\w-]{43}\b"),
    _shape("Tailscale key", b"tskey-", rb"\btskey-(?:auth|api|client|webhook)-\w{8,}-\w{16,}"),
    _shape("Atlassian token", b"ATATT3", rb"\bATATT3[\w=-]{100,}"),
    _shape("Shopify token", b"shpat_", rb"\bshpat_[0-9a-fA-F]{32}\b"),
    _shape("Terraform token", b".atlasv1.", rb"\b\w{14}\.atlasv1\.[\w-]{60,}"),
    _shape("Databricks token", b"dapi", rb"\bdapi[0-9a-f]{32}\b"),
    _shape("Linear key", b"lin_api_", rb"\blin_api_[A-Za-z0-9]{32,}"),
    _shape("Sentry token", b"sntrys_", rb"\bsntrys_[\w=+/-]{80,}"),
    _shape("RubyGems key", b"rubygems_", rb"\brubygems_[0-9a-f]{48}\b"),
    _shape("Docker Hub token", b"dckr_oat_", rb"\bdckr_oat_[\w-]{27,}"),
    _shape("Azure storage key", b"AccountKey=", rb"\bAccountKey=[A-Za-z0-9+/]{80,}={0,2}"),
    _shape("login at a registry", b'"identitytoken"', rb'"identitytoken"\s*:\s*"[^"\s]{16,}"'),
    _shape("Google key", b"AIza", rb"\bAIza[\w-]{35}\b"),
    _shape("OpenAI token", b"sk-proj-", rb"\bsk-proj-[\w-]{40,}"),
    _shape("token in hexadecimal", b"736b2d616e742d", rb"736b2d616e742d[0-9a-f]{48,}"),
    _shape("token in hexadecimal", b"6769746875625f7061745f", rb"6769746875625f7061745f[0-9a-f]{48,}"),
    # beginnings of "sk-ant-" and "github_pat_" in base64, wherever in a group of three bytes they stand:
    # those are looked for in programs and in large files too
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
# In text alone: programs hold all of these as well, in their examples and in their tests.
IN_TEXT = (
    # RFC 7519: header and claims are JSON, so both parts begin alike
    _shape("JSON web token", b"eyJ", rb"\beyJ[\w-]{12,}\.eyJ[\w-]{12,}\.[\w-]{20,}"),
    # RFC 3986, userinfo; what stands for a password in an example is a word, or the place of one
    _shape(
        "password in an address",
        b"://",
        rb"\b[a-z][a-z0-9+.-]*://[^\s/:@\"'<>{}$]*:"
        rb"(?!(?i:pass|pwd|secret|token|my|your|foo|bar|xxx|example|changeme))"
        rb"(?=[^\s/@]*\d)(?=[^\s/@]*[A-Za-z])[^\s/:@\"'<>{}$*%\[\]()]{8,}@(?!sha256:)[\w-]",
    ),
    _shape(
        "registry token", b"npmAuthToken", rb"npmAuthToken[\"']?\s*:\s*" + NO_EXAMPLE + rb"[\"']?[\w.-]{12,}"
    ),
    *(
        _shape("login of npm", each, each + rb"\s*=\s*" + NO_EXAMPLE + rb"[\"']?[A-Za-z0-9+/]{12,}={0,2}")
        for each in (b":_auth", b":_password")
    ),
)
# In a file of variables a value behind such a name is a secret, whatever it looks like.
SECRET_NAME = (
    rb"[A-Z0-9_]*(?:TOKEN|SECRET|PASSWORD|PASSWD|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY)[A-Z0-9_]*"
    rb"(?<!_FILE)(?<!_PATH)(?<!_DIR)(?<!_URL)(?<!_NAME)"
)
VALUE = rb"[\"']?[^\s\"'$<{(/][^\s\"'$<{(]{7,}"
ASSIGNED = SECRET_NAME + rb"\s*=\s*" + NO_EXAMPLE + VALUE
VARIABLE = re.compile(rb"^\s*(?:export\s+|declare -x\s+)?" + ASSIGNED, re.MULTILINE)
VARIABLES = re.compile(
    r"(^|/)(\.env(\.\w+)?|\w[\w.-]*\.env|environment|\.(bash|zsh)(rc|env|_profile|_aliases|_history)|\.z?profile"
    r"|etc/(profile|default/[\w.-]+|(profile|environment)\.d/[\w.-]+))$"
)
DOCUMENTS = re.compile(
    r"\.(md|rst|adoc|html?|[1-8])$|(^|/)(PKG-INFO|METADATA|README[\w.-]*)$|(^|/)usr/(local/)?share/(doc|man|vim)/"
)
# As Docker tells a build argument or a variable: "NAME=value", or |1 NAME=value /bin/sh -c …
SETTING = re.compile(rb"(?:^|[\s\"'|])" + SECRET_NAME + rb"=" + VALUE)
LABEL = re.compile(
    r"(?:^|[._-])(?:token|password|passwd|secret|api[_-]?key|private[_-]?key|access[_-]?key)$", re.IGNORECASE
)
STANDARD = bytes.maketrans(b"-_", b"+/")
WHOLE = 1 << 20  # bytes; a longer text is no file of settings
ENCODED = re.compile(rb"[A-Za-z0-9+/_-]{24,}(?:\r?\n[ \t]*[A-Za-z0-9+/_-]{4,})*")
NAMES = frozenset(
    {
        ".credentials.json", ".netrc", ".npmrc", ".pypirc", ".git-credentials", ".dockerconfigjson",
        "kubeconfig", "id_rsa", "id_ecdsa", "id_ed25519", "id_dsa", ".env", ".pgpass", ".vault-token",
        ".my.cnf", "application_default_credentials.json", ".s3cfg", ".boto",
        "credentials.tfrc.json",
    }
)  # fmt: skip
PATHS = (
    ".kube/config",
    ".docker/config.json",
    ".aws/credentials",
    ".config/gh/hosts.yml",
    ".azure/accessTokens.json",
    ".azure/msal_token_cache.json",
    ".config/containers/auth.json",
    ".config/helm/registry/config.json",
    ".config/gcloud/credentials.db",
    ".config/rclone/rclone.conf",
    ".config/glab-cli/config.yml",
    ".cargo/credentials",
    ".cargo/credentials.toml",
    ".gem/credentials",
    ".composer/auth.json",
)
KNOWN = (
    SHAPES,
    IN_TEXT,
    sorted(NAMES),
    PATHS,
    ELF,
    VARIABLE,
    VARIABLES,
    DOCUMENTS,
    SETTING,
    LABEL,
    ENCODED,
    WHOLE,
    compressed_files.MOST,
    compressed_files.SIGNS,
    WIDE,
    published_files.FORM,
)
VERSION = hashlib.sha256(repr(KNOWN).encode()).hexdigest()[:8]


def by_name(path: str) -> list[str]:
    """Return what a file in a layer that is not empty is by its name: [] or one kind."""
    name = PurePosixPath(path).name
    if name.startswith(WHITEOUT):
        return []
    return (
        ["file of secrets"] if name in NAMES or any(f"/{path}".endswith(f"/{each}") for each in PATHS) else []
    )


def in_bytes(data: bytes, shapes: Sequence[Shape] = SHAPES) -> list[str]:
    """Return the kinds of secrets in ``data``, each once."""
    found = (each.kind for each in shapes if each.anchor in data and each.whole.search(data))
    return list(dict.fromkeys(found))


def in_text(data: bytes) -> list[str]:
    """Return the kinds of secrets in a whole text, each once: also of what stands there in base64."""
    encoded = (f"{kind} in base64" for kind in in_bytes(_decoded(data)))
    return list(dict.fromkeys((*in_bytes(data, (*SHAPES, *IN_TEXT)), *encoded)))


def _decoded(data: bytes) -> bytes:
    """Return what the runs of base64 in ``data`` may stand for, begun at each of four places.

    RFC 4648: both alphabets, in one line or several.
    """
    made = []
    for run in ENCODED.finditer(data):
        letters = b"".join(run[0].split()).translate(STANDARD)
        for start in range(4):
            whole = letters[start:]
            whole = whole[:-1] if len(whole) % 4 == 1 else whole  # six bits are no byte
            made.append(base64.b64decode(whole + b"=" * (-len(whole) % 4)))
    return b"\n".join(made)


def in_settings(said: Any) -> list[str]:
    """Return the kinds of secrets in what an engine tells of an image (inspect and history, as JSON has it).

    A value behind the name of a secret is one, whatever it looks like.
    """
    found = dict.fromkeys(in_text(json.dumps(said).encode()))
    if any(SETTING.search(each.encode()) for each in _texts(said)) or _labelled(said):
        found[BY_NAME] = None
    return list(found)


def _texts(said: Any) -> Iterator[str]:
    if isinstance(said, str):
        yield said
    elif isinstance(said, dict | list):
        for each in said.values() if isinstance(said, dict) else said:
            yield from _texts(each)


def _labelled(said: Any) -> bool:
    """Return whether a mapping somewhere in ``said`` has a value behind the name of a secret."""
    if isinstance(said, list):
        return any(_labelled(each) for each in said)
    if not isinstance(said, dict):
        return False
    named = any(
        LABEL.search(key) and isinstance(each, str) and re.fullmatch(VALUE, each.encode())
        for key, each in said.items()
    )
    return named or any(_labelled(each) for each in said.values())


def in_file(content: IO[bytes], name: str = "") -> list[str]:
    """Return the kinds of secrets in a file of any size, each once.

    ``name`` tells a file of variables, and a document, which shows how a login looks. What may be compressed
    is looked at as it is and into.
    """
    data = content.read(CHUNK)
    if not compressed_files.is_compressed(data, name):
        return _in_plain(data, content, name)
    data += content.read(compressed_files.MOST)
    return [*_inside(data, name), *_in_plain(data, content, name)]


def _in_plain(data: bytes, content: IO[bytes], name: str) -> list[str]:
    """Return the kinds of secrets in a file that begins with ``data`` and goes on with ``content``."""
    document = DOCUMENTS.search(name) is not None
    if data.startswith(WIDE):
        data = data.decode("utf-16", errors="replace").encode()
    if len(data) < WHOLE and b"\0" not in data and not data.startswith(ELF) and not document:
        return [*in_text(data), *_variables(data, name)]
    # a crypto library holds the well-known keys of its self-tests
    untold = {KEY} if data.startswith(ELF) else {NETRC} if document else set()
    shapes = tuple(each for each in SHAPES if each.kind not in untold)
    found: dict[str, None] = {}
    before = b""
    while data:
        found |= dict.fromkeys((*in_bytes(before + data, shapes), *_variables(before + data, name)))
        before, data = data[-OVERLAP:], content.read(CHUNK)
    return list(found)


def _inside(data: bytes, name: str) -> list[str]:
    """Return the kinds of secrets in what a compressed file holds, one level deep."""
    found: dict[str, None] = {}
    for inner, held in compressed_files.unpacked(data, name):
        found |= dict.fromkeys((*by_name(inner), *_in_plain(held[:CHUNK], io.BytesIO(held[CHUNK:]), inner)))
    return [f"{kind} in a compressed file" for kind in found]


def _variables(data: bytes, name: str) -> list[str]:
    return [BY_NAME] if VARIABLES.search(name) and VARIABLE.search(data) else []
