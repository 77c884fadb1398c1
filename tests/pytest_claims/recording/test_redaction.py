"""Secrets never reach a file; what is no secret stays."""

from __future__ import annotations

import base64

import pytest

from pytest_claims.recording import redaction

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
