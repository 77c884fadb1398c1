"""What the harness makes or reads is known to the redaction before it can be written."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from boxproof.core import secret_values
from pytest_claims.recording import redaction

VALUE = "Zq8Xk2Lm9" + "Pw4Rt6"


def encoded(text: str) -> str:
    """Return base64."""
    return base64.b64encode(text.encode()).decode()


def test_variables_named_as_secrets_and_passwords_in_addresses() -> None:
    variables = {
        "ANTHROPIC_API_KEY": "one-value", "MY_TOKEN": "two-value", "PIP_INDEX_URL": "https://u:three@host/x",
        "AWS_SECRET_ACCESS_KEY": "four-value", "GOOGLE_APPLICATION_CREDENTIALS": "/home/a/key.json",
        "PATH": "/usr/bin", "DB_PASSWORD": "five-value",
    }  # fmt: skip
    assert set(secret_values.environment(variables)) == {
        "one-value", "two-value", "three", "four-value", "five-value",
    }  # fmt: skip


def test_logins_of_registries_in_clear_and_encoded(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"auths": {"host": {"auth": encoded(f"bob:{VALUE}")}}}))
    assert set(secret_values.logins(path)) == {encoded(f"bob:{VALUE}"), f"bob:{VALUE}", VALUE}
    path.write_text("no json")
    assert list(secret_values.logins(path)) == []


def test_users_of_a_kubeconfig(tmp_path: Path) -> None:
    path = tmp_path / "config"
    key = encoded("the key itself")
    path.write_text(
        f"users:\n- user:\n    token: {VALUE}\n- user: {{client-key-data: {key}}}\n- user:\n    exec:\n"
        f"      env: [{{name: X_TOKEN, value: of-a-plugin}}]\n"
    )
    assert set(secret_values.users(path)) == {VALUE, key, "the key itself", "of-a-plugin"}
    assert list(secret_values.users(tmp_path / "none")) == []


@pytest.mark.parametrize(
    "text",
    [
        "users: 5", "users: [5]", "users: [{user: x}]", "users: [{user: {auth-provider: x}}]",
        "users: [{user: {exec: x}}]",
        "users: [{user: {exec: {env: [x]}}}]", "users: [{user: {exec: {env: 5}}}]",
        "users: [{user: {auth-provider: {config: 5}}}]", "[" * 5000, "\0", "",
    ],
)  # fmt: skip
def test_a_file_of_the_users_own_that_says_nothing_is_no_fault(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    assert list(secret_values.users(path)) == []
    assert list(secret_values.logins(path)) == []


@pytest.mark.parametrize("put", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_no_file_of_the_users_is_not_read(tmp_path: Path, put: Callable[[Path], object]) -> None:
    put(tmp_path / "config")
    assert list(secret_values.users(tmp_path / "config")) == []
    assert list(secret_values.logins(tmp_path / "config")) == []


def test_what_is_no_base64_is_a_secret_as_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"auths": {"host": {"auth": "ü" + VALUE}}}))
    assert list(secret_values.logins(path)) == ["ü" + VALUE]
    path.write_text(f"users:\n- user: {{client-key-data: ü{VALUE}}}\n")
    assert list(secret_values.users(path)) == ["ü" + VALUE]


def test_a_secret_that_is_not_utf_8_is_known_as_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = b"\xff" + VALUE.encode() + b"\xfe\xfd"
    redactor = redaction.Redactor(secret_values.environment({"X_TOKEN": os.fsdecode(raw)}))
    assert VALUE not in redactor.text(f"it is {raw.decode(errors='replace')}.")
    redaction.Redactor(["\ud800 of JSON, which no file can hold"])


def test_secrets_of_the_api_in_every_form_but_what_is_none() -> None:
    value = VALUE + "-of-an-object"
    item = {
        "kind": "Secret",
        "data": {
            "token": encoded(value),
            "namespace": encoded("claude-agent"),
            "ca.crt": encoded("a certificate"),
        },
    }  # fmt: skip
    secret_values.learn_object({"kind": "SecretList", "items": [item]})
    assert redaction.text(f"{value} {encoded(value)}") == "[redacted] [redacted]"
    assert redaction.text("in claude-agent, a certificate") == "in claude-agent, a certificate"


def test_a_requested_token() -> None:
    value = VALUE + "-requested"
    secret_values.learn_object({"kind": "TokenRequest", "status": {"token": value}})
    assert redaction.text(value) == "[redacted]"
