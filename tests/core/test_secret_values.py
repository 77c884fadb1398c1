"""What the harness makes or reads is known to the redaction before it can be written."""

from __future__ import annotations

import base64
import json
from pathlib import Path

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
