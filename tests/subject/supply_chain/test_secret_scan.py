"""What looks like a secret in an image, and what only talks of one."""

from __future__ import annotations

import io

import pytest

from boxproof.subject.supply_chain import secret_scan

LONG = b"a1B2" * 20
HELD = {
    "Anthropic token": b"x=sk-ant-" + b"oat01-" + LONG,
    "private key": b"-----BEGIN RSA " + b"PRIVATE KEY-----\n" + LONG,
    "client key of a kubeconfig": b"client-key-data: LS0t" + LONG,
    "login of the CLI": b'{"accessToken": "' + LONG + b'"}',
    "password of a netrc": b"machine h login me password " + LONG,
}


@pytest.mark.parametrize("kind", HELD)
def test_a_secret_is_found_wherever_it_stands(kind: str) -> None:
    far = bytes(secret_scan.CHUNK - 40) + HELD[kind]

    assert secret_scan.in_bytes(HELD[kind]) == [kind]
    assert secret_scan.in_file(io.BytesIO(far)) == [kind]


@pytest.mark.parametrize(
    "said",
    [
        b"tokens begin with sk-ant-oat01-",
        b"-----BEGIN PRIVATE KEY-----",
        b'json:"client-key-data,omitempty"',
        b'{"accessToken": ""}',
        b"machine NAME login",
    ],
)
def test_talk_of_secrets_is_none(said: bytes) -> None:
    assert secret_scan.in_bytes(said) == []


def test_a_program_may_hold_the_keys_of_its_self_tests() -> None:
    key = HELD["private key"]
    assert secret_scan.in_file(io.BytesIO(secret_scan.ELF + key)) == []
    assert secret_scan.in_file(io.BytesIO(secret_scan.ELF + HELD["Anthropic token"])) == ["Anthropic token"]


def test_files_are_known_by_their_names_too() -> None:
    assert secret_scan.by_name("root/.kube/config")
    assert secret_scan.by_name("home/claude/.claude/.credentials.json")
    assert not secret_scan.by_name("root/.kube/.wh.config")
    assert not secret_scan.by_name("etc/kube/config")
