"""Secrets never reach a file; what is no secret stays."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from boxproof.core.own_project import OURS
from pytest_claims.recording import redaction
from pytest_claims.recording.secret_shapes import PATTERNS

LETTERS = "abcdefghijklmnopqrstuvwx"
JWT = ".".join(["eyJ" + LETTERS, LETTERS, LETTERS])
KEY = f"-----BEGIN RSA PRIVATE KEY-----\n{LETTERS}\n{LETTERS}\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    "secret",
    [
        JWT,
        KEY,
        KEY[:60],
        "sk-" + "ant-" + LETTERS,
        "ghp_" + LETTERS,
        "github_pat_" + LETTERS,
        "AKIA" + "A" * 16,
    ],
)
def test_what_looks_like_a_secret_is_taken_out(secret: str) -> None:
    shown = redaction.text(f"before {secret} after")
    assert LETTERS not in shown and "A" * 16 not in shown
    assert shown.startswith("before [redacted]")


@pytest.mark.parametrize(
    "line",
    [
        f"Authorization: Bearer {LETTERS}",
        f"authorization: basic {LETTERS}",
        f"x-api-key: {LETTERS}",
        f"    client-key-data: {LETTERS}",
        f'{{"accessToken": "{LETTERS}"}}',
        f"{{'refresh_token': '{LETTERS}'}}",
    ],
)
def test_headers_and_fields_lose_their_value_only(line: str) -> None:
    shown = redaction.text(line)
    assert LETTERS not in shown
    assert shown.split(LETTERS[:3])[0][:8] == line[:8]


def test_added_values_go_in_every_form() -> None:
    redactor = redaction.Redactor(["p@ss word/1"])
    encoded = base64.b64encode(b"p@ss word/1").decode()
    shown = redactor.text(f"p@ss word/1 {encoded} p%40ss%20word%2F1")
    assert shown == "[redacted] [redacted] [redacted]"


def test_data_is_redacted_at_every_depth() -> None:
    redactor = redaction.Redactor(["canary-value"])
    found = redactor.data({"canary-value": ["x canary-value", {"n": 1, "t": ("canary-value",)}]})
    assert "canary" not in str(found)
    assert found["[redacted]"][1]["n"] == 1


@pytest.mark.parametrize(
    "harmless",
    ["sha256:" + "0f" * 32, "the bearer of news", "system:serviceaccount:claude:claude-agent", "10.96.0.1"],
)
def test_what_is_no_secret_stays(harmless: str) -> None:
    redactor = redaction.Redactor(["abc"])
    assert redactor.text(harmless) == harmless


VALUE = "Zq8Xk2Lm9" + "Pw4Rt6Yv1Bn3Cd5"  # put together, so that no scanner takes this file for a leak
SHAPES = [
    "https://user:{}@host/path",
    "postgres://user:{}@db/name",
    "https://{}@host/path",
    "password: {}",
    "  db_password: '{}'",
    'password = "{}"',
    "DB_PASSWORD={}",
    "export GITHUB_" + "TOKEN={}",
    "users:\n- user:\n    token: {}",
    "aws_secret_access_" + "key = {}",
    "Server=db;User=sa;Pwd={};",
    '{{"auths": {{"registry": {{"auth": "{}"}}}}}}',
    '{{"identitytoken": "{}"}}',
    "Cookie: session={}",
    "< Set-Cookie: sid={}; Path=/",
    "X-Vault-Token: {}",
    "Authorization: token {}",
    "'Authorization': 'Bearer {}'",
    "kind: Secret\napiVersion: v1\ndata:\n  any: {}\nmetadata:\n  name: kept",
    "apiVersion: v1\nstringData:\n  any: |\n    first\n    {}\nkind: Secret",
    '{{"kind": "Secret", "data": {{"any": "{}"}}}}',
    "--password {}",
    "--api-key={}",
    "curl -sS -u bob:{} https://host",
    "machine host login bob password {}",
    "//registry.example/:_auth" + "Token={}",
    "https://bucket/x?X-Amz-Signature={}",
    "AccountName=x;Account" + "Key={};Endpoint=y",
    '"clientSecret": "{}"',
    '"refreshToken": "{}"',
    *(
        start + "{}"
        for start in (
            "glpat" + "-", "xoxb" + "-", "npm" + "_", "AIza", "ghp" + "_", "github" + "_pat_", "gho" + "_",
            "sk-" + "ant-", "sk-" + "proj-", "dckr" + "_pat_", "hf" + "_", "hvs" + ".", "ya29" + ".",
            "pypi" + "-", "glsa" + "_", "sk" + "_live_", "xapp" + "-", "GOCSPX" + "-", "lin" + "_api_",
            "$2b$" + "12$", "$6$" + "salt$",
        )
    ),
]  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_the_kept_list_loses_its_value(shape: str) -> None:
    shown = redaction.Redactor().text(shape.format(VALUE))
    assert VALUE not in shown and VALUE[4:] not in shown
    assert "[redacted]" in shown
    assert redaction.Redactor().text(shown) == shown


@pytest.mark.parametrize(
    "line",
    [
        "automountServiceAccountToken: false",
        "secretName: claude-agent-token",
        "secretKeyRef:\n  key: token\n  name: claude-agent",
        "imagePullSecrets: []",
        "token: /var/run/secrets/token",
        "suites/auth/test_token.py::test_secret[token]",
        "the pod gets its token from a file",
        "token = rotation.checked(text)",
        "password: $PASSWORD",
        "https://github.com/owner/name",
        "ssh://git@host/path",
        "sha256:" + "0123456789abcdef" * 4,
        "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----",
        'kind: ConfigMap\ndata:\n  mode: "api"\n',
    ],
)
def test_a_line_without_a_secret_stays(line: str) -> None:
    assert redaction.Redactor().text(line) == line


OWN = "pod-spec-holds-no-literal-token"


@pytest.mark.parametrize(
    "line",
    [
        f"{OWN}/literal-token: killed, 30 s",
        f"{OWN}/another-token: killed.",
        f"{OWN}: everything the pod was given is in its environment",
        f"proven   {OWN}  everything",
        f'{{"{OWN}/literal-token": "fd297fdb3a6e144d"}}',
        f"token: {OWN}",
        "till-sk-ant-lers-are-whole: proven",
        "token: killed",
        "'password': 'refuted'",
    ],
)
def test_words_of_ours_stay(line: str) -> None:
    redactor = redaction.Redactor()
    redactor.keep(OWN, f"{OWN}/literal-token", f"{OWN}/another-token", "till-sk-ant-lers-are-whole")
    assert redactor.text(line) == line


@pytest.mark.parametrize(
    "line",
    [
        f"token: {VALUE}",
        "token: killed-" + VALUE,
        f"literal-token: {VALUE}",
        f"x-{OWN}: {VALUE}",
        f"{OWN}/other-token: {VALUE}",
        f"{OWN}/literal-token: killed, but token: {VALUE}",
        f"--token {VALUE}",
    ],
)
def test_words_of_ours_hide_no_secret_beside_them(line: str) -> None:
    redactor = redaction.Redactor()
    redactor.keep(OWN, f"{OWN}/literal-token")
    assert VALUE not in redactor.text(line)
    assert "[redacted]" in redactor.text(line)


def test_a_known_value_goes_behind_an_id_too() -> None:
    redactor = redaction.Redactor([VALUE])
    redactor.keep(OWN)
    assert redactor.text(f"{OWN}: {VALUE}") == f"{OWN}: [redacted]"


def test_the_ids_of_claims_and_sabotages_are_words_of_ours() -> None:
    ids = [*OURS.claims(), *OURS.sabotages()]
    lines = [f"{each}: everything" for each in ids] + [f"{each}: killed, 3 s" for each in ids]
    assert [each for each in lines if redaction.text(each) != each] == []


@pytest.mark.parametrize("before", ["", "a", "ab", "user:"])
@pytest.mark.parametrize("after", ["", "z", "zz"])
def test_a_value_within_base64_goes_wherever_it_begins(before: str, after: str) -> None:
    encoded = base64.b64encode(f"{before}{VALUE}{after}".encode()).decode()
    shown = redaction.Redactor([VALUE]).text(f"x {encoded} y")
    assert encoded[6:-6] not in shown
    assert "[redacted]" in shown


def test_a_value_goes_as_json_html_shell_and_hex_have_it() -> None:
    value = "s\"p'a\\c e<ü>" + VALUE[:8]
    redactor = redaction.Redactor([value])
    for form in redaction.forms_of(value):
        assert redactor.text(f"({form})") == "([redacted])", form


def test_an_encoded_key_goes_and_an_encoded_certificate_stays() -> None:
    key, certificate = (
        base64.b64encode(f"-----BEGIN {kind}-----\n{LETTERS * 4}".encode()).decode()
        for kind in ("PRIVATE " + "KEY", "CERTIFICATE")
    )
    assert redaction.Redactor().text(f"a: {key}") == "a: [redacted]"
    assert redaction.Redactor().text(f"a: {certificate}") == f"a: {certificate}"


def test_data_of_a_secret_object_is_emptied_whatever_its_keys() -> None:
    found = redaction.Redactor().data({"kind": "Secret", "data": {"a": "YQ=="}, "metadata": {"name": "n"}})
    assert found == {"kind": "Secret", "data": {"a": "[redacted]"}, "metadata": {"name": "n"}}


def test_the_key_of_a_field_tells_what_its_value_is() -> None:
    found = redaction.Redactor().data({"db_password": VALUE, "name": VALUE})
    assert found == {"db_password": "[redacted]", "name": VALUE}


@pytest.mark.parametrize(
    ("needs", "pattern"),
    [(needs, pattern) for needs, pattern, _ in PATTERNS],
    ids=lambda value: str(value)[:30],
)
@given(data=st.data())
@settings(max_examples=4, database=None, suppress_health_check=list(HealthCheck))
def test_what_a_shape_needs_is_in_all_that_has_it(needs: tuple[str, ...], pattern: Any, data: Any) -> None:
    found = data.draw(st.from_regex(pattern))
    assert any(each in found.casefold() for each in needs)


AWKWARD = "pa<ss>&w/ord=" + VALUE[:8]


@pytest.mark.parametrize(
    "form",
    [
        AWKWARD.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"),  # Go, so kubectl
        AWKWARD.replace("/", "\\/"),
        "pa%3css%3e%26w%2ford%3d" + VALUE[:8],
        AWKWARD.encode().hex().upper(),
        base64.b32encode(AWKWARD.encode()).decode().rstrip("="),
        base64.encodebytes((AWKWARD * 6).encode()).decode(),
    ],
)
def test_a_value_goes_as_other_programs_write_it(form: str) -> None:
    shown = redaction.Redactor([AWKWARD, AWKWARD * 6]).text(f"before\n{form}\nafter")
    assert shown.split() == ["before", "[redacted]", "after"]


@pytest.mark.parametrize("between", ["\n", "\n    ", "\r\n", "\n\n"])
def test_a_value_that_is_broken_over_lines_goes(between: str) -> None:
    broken = between.join((VALUE[:9], VALUE[9:20], VALUE[20:]))
    assert redaction.Redactor([VALUE]).text(f"it is\n{broken} here") == "it is\n[redacted] here"


def test_a_line_of_a_value_goes_whatever_stands_before_it() -> None:
    lines = [VALUE, VALUE[::-1], "/a/path/of/no/secret/1"]
    shown = redaction.Redactor(["\n".join(["first", *lines])]).text(
        "".join(f"E   {each}\n" for each in lines)
    )
    assert shown == "E   [redacted]\nE   [redacted]\nE   /a/path/of/no/secret/1\n"


@pytest.mark.parametrize(
    "text",
    [
        f"- name: API_TOKEN\n  value: {VALUE}\n",
        f'{{"name": "DB_PASSWORD", "value": "{VALUE}"}}',
        f'{{"name":"api-key","value":"{VALUE}"}}',
    ],
)
def test_the_value_of_a_variable_that_is_named_as_secrets_are_goes(text: str) -> None:
    shown = redaction.Redactor().text(text)
    assert (VALUE in shown, "[redacted]" in shown) == (False, True)


@pytest.mark.parametrize(
    "text",
    [
        "- name: MODE\n  value: remote-control\n",
        "- name: API_TOKEN_FILE\n  value: mounted-file\n",
        "- name: TOKEN\n  value: /run/secrets/token\n",
        "- name: token\n  valueFrom:\n    secretKeyRef: {}\n",
    ],
)
def test_the_value_of_another_variable_stays(text: str) -> None:
    assert redaction.Redactor().text(text) == text


def test_a_variable_and_a_number_go_from_data_too() -> None:
    redactor = redaction.Redactor(["31415926"])
    found = redactor.data(
        [{"name": "API_TOKEN", "value": VALUE}, {"name": "MODE", "value": "api"}, 31415926, 7]
    )
    assert found == [
        {"name": "API_TOKEN", "value": "[redacted]"},
        {"name": "MODE", "value": "api"},
        "[redacted]",
        7,
    ]
