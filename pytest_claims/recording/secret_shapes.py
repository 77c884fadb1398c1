"""The shapes by which a secret is known that nobody told us of: one kept list, by who issues them."""

from __future__ import annotations

import base64
import binascii
import re
from functools import lru_cache, partial

MARK = "[redacted]"
SHORT = 200  # characters: keys and names come again and again, and are looked at once
OUTCOMES = frozenset(
    ("killed", "survived", "proven", "refuted", "blocked", "unproven", "planned", "waived", "accepted")
)  # what our reports say of an id

# What an issuer begins its tokens with, so that scanners find them. Before each pattern stand the texts of
# which it needs one, in small letters: to look for those first takes a fiftieth of the time.
ISSUED: tuple[tuple[tuple[str, ...], str], ...] = (
    (("sk-ant-",), r"\bsk-ant-[\w-]{6,}"),  # Anthropic
    (("sk-",), r"\bsk-(?:proj-|svcacct-)?[A-Za-z0-9_-]{20,}"),  # OpenAI
    (("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), r"\bgh[pousr]_\w{20,}"),  # GitHub
    (("github_pat_",), r"\bgithub_pat_\w{20,}"),
    (("gl",), r"\bgl(?:pat|dt|rt|rtr|cbt|ptt|ft|imt|agent|oas|soat|ffct)-[\w.-]{10,}"),  # GitLab
    (("gr1348941",), r"\bGR1348941[\w-]{16,}"),
    (("xox",), r"\bxox[abceoprs](?:\.xox[abp])?-[\w-]{8,}"),  # Slack
    (("xapp-",), r"\bxapp-[\w-]{8,}"),
    (("hooks.slack.com/services/",), r"(?<=hooks\.slack\.com/services/)[\w/]{16,}"),
    (("npm_",), r"\bnpm_[A-Za-z0-9]{16,}"),
    (("pypi-",), r"\bpypi-[\w-]{16,}"),
    (("rubygems_",), r"\brubygems_[0-9a-f]{16,}"),
    (("dckr_",), r"\bdckr_(?:pat|oat)_[\w-]{16,}"),  # Docker Hub
    (("akia", "asia", "abia", "acca"), r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b"),  # AWS
    (("aiza",), r"\bAIza[\w-]{20,}"),  # Google
    (("ya29.",), r"\bya29\.[\w-]{10,}"),
    (("gocspx-",), r"\bGOCSPX-[\w-]{10,}"),
    (("hf_",), r"\bhf_[A-Za-z0-9]{16,}"),  # Hugging Face
    (("hvs.", "hvb.", "hvr."), r"\bhv[sbr]\.[\w-]{16,}"),  # Vault
    ((".atlasv1.",), r"\b\w{8,40}\.atlasv1\.[\w-]{16,}"),  # Terraform
    (("_v1_",), r"\bdo[opr]_v1_[0-9a-f]{16,}"),  # DigitalOcean
    (("glsa_",), r"\bglsa_\w{16,}"),  # Grafana
    (("glc_",), r"\bglc_[\w=]{16,}"),
    (("shp",), r"\bshp(?:at|ca|pa|ss)_[0-9a-fA-F]{16,}"),  # Shopify
    (("k_live_", "k_test_"), r"\b[sr]k_(?:live|test)_[A-Za-z0-9]{10,}"),  # Stripe
    (("whsec_",), r"\bwhsec_[A-Za-z0-9+/=]{16,}"),
    (("sg.",), r"\bSG\.[\w-]{10,}\.[\w-]{10,}"),  # SendGrid
    (("sk",), r"\bSK[0-9a-f]{32}\b"),  # Twilio
    (("key-",), r"\bkey-[0-9a-f]{32}\b"),  # Mailgun
    ((":aa",), r"\b\d{8,10}:AA[\w-]{30,}"),  # Telegram
    (("lin_api_",), r"\blin_api_\w{16,}"),  # Linear
    (("ntn_",), r"\bntn_\w{16,}"),  # Notion
    (("pat",), r"\bpat[A-Za-z0-9]{14}\.[0-9a-f]{32,}"),  # Airtable
    (("age-secret-key-1",), r"\bAGE-SECRET-KEY-1[0-9A-Z]{10,}"),
    (("tskey-",), r"\btskey-[a-z]+-[\w-]{10,}"),  # Tailscale
    (("sntry",), r"\bsntry[su]_[\w=+/-]{16,}"),  # Sentry
    (("atatt3",), r"\bATATT3[\w=-]{16,}"),  # Atlassian
    (("pul-",), r"\bpul-[0-9a-f]{32,}"),  # Pulumi
    (("dapi",), r"\bdapi[0-9a-f]{32}"),  # Databricks
    (("eyj",), r"\beyJ[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]*)?"),  # JSON web tokens (RFC 7519)
    (("$",), r"\$(?:2[aby]|5|6|y|apr1|argon2id?)\$[^\s:'\"]{16,}"),  # password hashes (crypt(5))
)
NAMED = (  # names whose value is a secret, whatever it looks like
    r"password|passwd|passphrase|api[_-]?key|apikey|access[_-]?token|refresh[_-]?token|id[_-]?token"
    r"|auth[_-]?token|identity[_-]?token|session[_-]?token|private[_-]?token|bearer[_-]?token|oauth[_-]?token"
    r"|registry[_-]?token|bot[_-]?token|token|client[_-]?secret|app[_-]?secret|secret[_-]?key"
    r"|secret[_-]?access[_-]?key|shared[_-]?access[_-]?key|account[_-]?key|private[_-]?key|encryption[_-]?key"
    r"|signing[_-]?key|client-key-data|credentials?|_auth|auth"
)
ASSIGNED = rf"(?<![a-z0-9])(?:{NAMED})[\"']?"
NO_VALUE = r"(?!\[redacted)(?![{\[$</.~]|(?:true|false|null|none|yes|no|required|default)\b|[\w.]+\()"
HEADERS = (
    r"(?:proxy-)?authorization|(?:set-)?cookie|x-api-key|api-key|x-auth-token|x-vault-token|private-token"
    r"|job-token|x-registry-auth|x-amz-security-token|x-goog-api-key|x-csrf-token|ocp-apim-subscription-key"
)
KEY = r"-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----|\Z)"
WORDS = ("pass", "key", "token", "secret", "credent", "auth")  # one is in each of NAMED
PATTERNS = tuple(
    (needs, re.compile(pattern, flags), shown)
    for needs, pattern, flags, shown in (
        (("private key",), KEY, re.DOTALL, MARK),
        *((needs, pattern, 0, MARK) for needs, pattern in ISSUED),
        # RFC 7235, RFC 6265 and the usual headers of API keys, also as curl -v and JSON have them
        (("auth", "cook", "key", "token"),
         rf"(?im)(\b(?:{HEADERS})[\"']?\s*[:=]\s*+[\"']?+)(?!\[redacted)[^\r\n\"']+", 0, rf"\g<1>{MARK}"),
        (("bearer", "bas"), r"(?i)(\b(?:bearer|basic)\s++)(?!\[redacted)[\w.~+/=-]{6,}", 0, rf"\g<1>{MARK}"),
        # RFC 3986, userinfo
        (("://",), r"(?<=://)[^\s/@:'\"<>]*:[^\s/'\"<>]+(?=@)", 0, MARK),
        (("://",), r"(?<=://)(?!\[redacted)[^\s/@:'\"<>]{8,}(?=@)", 0, MARK),
        # signed addresses
        (
            ("?", "&"),
            r"(?i)([?&](?:sig|signature|x-amz-signature|x-goog-signature|access_token|token|api_key|key)=)"
            r"[\w%.~+/=-]{6,}",
            0,
            rf"\g<1>{MARK}",
        ),
        # options of commands, and netrc(5)
        (WORDS, rf"(?i)(--?(?:{NAMED})(?:\s+|=)[\"']?){NO_VALUE}[^\s\"']{{4,}}", 0, rf"\g<1>{MARK}"),
        (("curl",),
         r"(\bcurl\b[^\n]{0,500}?\s(?:-u|--user|--proxy-user)[\s=][\"']?)[^\s\"':]+:[^\s\"']+",
         0, rf"\g<1>{MARK}"),
        (("password",), r"(?i)(\bmachine\s+\S+\s+login\s+\S+\s+password\s+)\S+", 0, rf"\g<1>{MARK}"),
        ((":_",), r"(//[^\s=]{1,200}:_(?:authToken|auth|password)[ \t]*=[ \t]*)\S+",
         0, rf"\g<1>{MARK}"),  # .npmrc
        # assignments in JSON, YAML, TOML, INI and the environment
        (WORDS, rf"(?i)({ASSIGNED}\s*[:=]\s*\"){NO_VALUE}(?:[^\"\\]|\\.){{6,}}",
         0, rf"\g<1>{MARK}"),
        (WORDS, rf"(?i)({ASSIGNED}\s*[:=]\s*'){NO_VALUE}[^'\n]{{6,}}",
         0, rf"\g<1>{MARK}"),
        (WORDS, rf"(?i)({ASSIGNED}(?:[ \t]*=[ \t]*|:[ \t]+)){NO_VALUE}[^\s\"',;&)}}\]]{{6,}}",
         0, rf"\g<1>{MARK}"),
        # a variable of a container: its name, and beside it its value
        (WORDS,
         rf"(?i)(\bname[\"']?:\s*[\"']?[\w.-]{{0,100}}(?:{NAMED})[\"']?,?\s*[\"']?\bvalue[\"']?:\s*[\"']?)"
         rf"{NO_VALUE}[^\s\"',}}]{{6,}}", 0, rf"\g<1>{MARK}"),
        # camel case, as programs write it
        (WORDS,
         r"([a-z](?:Token|Password|Passphrase|ApiKey|SecretKey|ClientSecret|AccessKey|PrivateKey)[\"']\s*:\s*[\"'])"
         r"(?!\[redacted)[^\"']{4,}", 0, rf"\g<1>{MARK}"),
        (("pass", "pwd"), r"(?i)((?:pass|password|pwd)=)(?!\[redacted)[^\s;&\"']{4,}", 0, rf"\g<1>{MARK}"),
    )
)  # fmt: skip
SEPARATORS = " \t\"':="  # between a name and its value
ID_START = re.compile(r"[\w/-]+")
ID_END = re.compile(r"[\w/-]+\Z")
ENCODED_KEY = re.compile(r"LS0tLS1CRUdJT[A-Za-z0-9+/_-]{20,}={0,2}")  # "-----BEGIN " in base64
SECRET_JSON = re.compile(r"\"kind\"\s*:\s*\"Secret\"")
SECRET_YAML = re.compile(r"(?m)^[ \t-]*kind: *[\"']?Secret[\"']? *$")
MAPPING = re.compile(r"(\"(?:data|stringData)\"\s*:\s*)\{[^{}]*\}")
PAIR = re.compile(r"(\"(?:[^\"\\]|\\.)*\"\s*:\s*)\"(?:[^\"\\]|\\.)*\"")
BLOCK = re.compile(r"^([ \t]*)(?:- )?(?:data|stringData):[ \t]*$")
LINE = re.compile(r"^([ \t]*)([^\s:#][^:]*:)[ \t]+\S.*$")


def without_shapes(value: str, own: frozenset[str] = frozenset()) -> str:
    """Return ``value`` without what has the shape of a secret.

    ``own`` are words that are none, such as the ids of claims, and name none by what stands behind them.
    """
    return _short(value, own) if len(value) <= SHORT else _taken_out(value, own)


@lru_cache(maxsize=20_000)
def _short(value: str, own: frozenset[str]) -> str:
    return _taken_out(value, own)


def _taken_out(value: str, own: frozenset[str]) -> str:
    value = _without_secret_objects(value)
    value = ENCODED_KEY.sub(_encoded, value)
    folded = value.casefold()
    for needs, pattern, shown in PATTERNS:
        if any(each in folded for each in needs):
            value = pattern.sub(partial(_shown, shown, own), value)
    return value


def _shown(shown: str, own: frozenset[str], found: re.Match[str]) -> str:
    """Return what stands in the place of a find; ``a-claim/literal-token: killed`` is none."""
    name = found[1] if found.re.groups else ""
    value = found[0][len(name) :].rstrip(".:")
    first, last = found.span()
    if name:
        last = first + len(name.rstrip(SEPARATORS))
    ours = value in OUTCOMES or value in own or _word(found.string, first, last) in own
    return found[0] if ours else found.expand(shown)


def _word(text: str, first: int, last: int) -> str:
    """Return the word that a part of ``text`` belongs to, with dashes and slashes as ids have them."""
    before = ID_END.search(text[max(0, first - SHORT) : first])
    after = ID_START.match(text, last)
    return f"{before[0] if before else ''}{text[first:last]}{after[0] if after else ''}"


def _encoded(found: re.Match[str]) -> str:
    """Return the mark for a private key in base64; a certificate is no secret."""
    core = found[0].rstrip("=")
    try:
        clear = base64.b64decode(core[: len(core) - len(core) % 4], altchars=b"-_" if "-" in core else None)
    except binascii.Error:
        return MARK
    return MARK if b"PRIVATE KEY" in clear else found[0]


def _without_secret_objects(value: str) -> str:
    """Empty the Secrets of Kubernetes in a text, be it JSON or YAML."""
    if SECRET_JSON.search(value):
        value = MAPPING.sub(_emptied_mapping, value)
    if SECRET_YAML.search(value):
        value = "\n---".join(
            _emptied_blocks(each) if SECRET_YAML.search(each) else each for each in value.split("\n---")
        )
    return value


def _emptied_mapping(found: re.Match[str]) -> str:
    return found[1] + PAIR.sub(rf'\g<1>"{MARK}"', found[0][len(found[1]) :])


def _emptied_blocks(document: str) -> str:
    """Return a YAML document with the values below ``data`` and ``stringData`` taken out."""
    made: list[str] = []
    inside: int | None = None  # the indentation of the key
    deeper: int | None = None  # that of its pairs
    for line in document.split("\n"):
        indent = len(line) - len(line.lstrip())
        if inside is not None and line.strip() and indent <= inside:
            inside = deeper = None
        if inside is None:
            found = BLOCK.match(line)
            inside = len(found[1]) if found else None
            made.append(line)
            continue
        deeper = indent if deeper is None and line.strip() else deeper
        pair = LINE.match(line)
        if line.strip() and indent != deeper:
            continue  # of a value of several lines
        made.append(f"{pair[1]}{pair[2]} '{MARK}'" if pair else line)
    return "\n".join(made)
