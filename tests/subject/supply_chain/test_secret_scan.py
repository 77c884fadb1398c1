"""What looks like a secret in an image, and what only talks of one."""

from __future__ import annotations

import base64
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

MORE = {
    "github pat": (b"github_" + b"pat_" + b"a" * 22 + b"_" + b"b" * 59, "GitHub token"),
    "glpat": (b"x: glpat" + b"-" + b"a" * 20, "GitLab token"),
    "slack": (b"xoxb" + b"-123456789012-" + b"a" * 24, "Slack token"),
    "npm": (b"npm" + b"_" + b"a" * 36, "npm token"),
    "aws": (b"aws_secret_access_key = " + b"a" * 40, "AWS secret"),
    "gitlab runner": (b"x: glrt" + b"-" + b"a" * 20, "GitLab token"),
    "docker hub": (b"dckr_" + b"pat_" + b"a" * 27, "Docker Hub token"),
    "pypi": (b"password = pypi" + b"-AgEIcHlwaS5vcmc" + b"a" * 60, "PyPI token"),
    "hugging face": (b"HF=hf" + b"_" + b"a" * 34, "Hugging Face token"),
    "vault": (b"hvs" + b"." + b"a" * 90, "Vault token"),
    "digital ocean": (b"dop_" + b"v1_" + b"a" * 64, "DigitalOcean token"),
    "stripe": (b"sk_" + b"live_" + b"a" * 24, "Stripe key"),
    "slack app": (b"xapp" + b"-1-A0123-1234567890-" + b"a" * 32, "Slack token"),
    "slack hook": (
        b"hooks.slack.com/" + b"services/T" + b"A" * 8 + b"/B" + b"A" * 8 + b"/" + b"a" * 24,
        "Slack hook",
    ),
    "age": (b"AGE-SECRET-" + b"KEY-1" + b"Q" * 58, "private key"),
    "pgp": (b"-----BEGIN PGP PRIVATE " + b"KEY BLOCK-----\n\n" + b"a" * 64, "private key"),
    "cloud account": (b'{"private_key": "-----BEGIN PRIVATE ' + b"KEY-----\\n" + b"a" * 64, "private key"),
    "slack rotated": (b"xoxe." + b"xoxp-1-" + b"a" * 40, "Slack token"),
    "slack cookie": (b"d=xoxd" + b"-" + b"a" * 40, "Slack token"),
    "grafana": (b"glsa" + b"_" + b"a" * 32 + b"_" + b"0" * 8, "Grafana token"),
    "sendgrid": (b"SG" + b"." + b"a" * 22 + b"." + b"b" * 43, "SendGrid key"),
    "tailscale": (b"tskey" + b"-auth-k" + b"a" * 10 + b"-" + b"b" * 24, "Tailscale key"),
    "atlassian": (b"ATATT3" + b"x" * 180, "Atlassian token"),
    "shopify": (b"shpat" + b"_" + b"0" * 32, "Shopify token"),
    "terraform": (b"a" * 14 + b".atlasv1" + b"." + b"b" * 67, "Terraform token"),
    "databricks": (b"token = dapi" + b"0" * 32, "Databricks token"),
    "linear": (b"lin_" + b"api_" + b"a" * 40, "Linear key"),
    "sentry": (b"sntrys" + b"_" + b"a" * 100, "Sentry token"),
    "rubygems": (b"rubygems" + b"_" + b"0" * 48, "RubyGems key"),
    "docker hub of an organisation": (b"dckr_" + b"oat_" + b"a" * 32, "Docker Hub token"),
    "azure": (b"AccountName=x;AccountKey" + b"=" + b"a" * 86 + b"==", "Azure storage key"),
    "docker identity": (b'{"identitytoken": "' + b"a" * 24 + b'"}', "login at a registry"),
    "google": (b"key=AIza" + b"a" * 35, "Google key"),
    "docker": (b'{"auths": {"h": {"auth": "' + b"a" * 24 + b'"}}}', "login at a registry"),
    **{
        f"base64 {at}": (base64.b64encode(b"x" * at + b"sk-" + b"ant-oat01-" + LONG), "token in base64")
        for at in range(3)
    },
}


@pytest.mark.parametrize("name", MORE)
def test_every_ordinary_form_of_a_secret_is_found(name: str) -> None:
    data, kind = MORE[name]
    assert kind in secret_scan.in_bytes(data)


def test_in_a_file_of_variables_a_value_is_a_secret_by_its_name() -> None:
    data = b"DATABASE_PASSWORD=hunter2hunter2\n"
    assert secret_scan.in_file(io.BytesIO(data), "app/prod.env")
    assert secret_scan.in_file(io.BytesIO(data), "app/notes.txt") == []
    assert secret_scan.in_file(io.BytesIO(b"API_TOKEN=${TOKEN}\n"), "etc/environment") == []
    example = b"ANTHROPIC_API_KEY=your-api-key-here\nGH_TOKEN=replace_me_please\nOTHER_TOKEN=change-me-now\n"
    assert secret_scan.in_file(io.BytesIO(example), "examples/.env.example") == []
    assert secret_scan.in_file(io.BytesIO(example + data), "examples/.env.example")
    assert secret_scan.in_bytes(b"sk-" + b"ant-api03-your-own-key-goes-just-in-here") == []


NETRC = b"machine h.example login me password " + LONG
ADDRESS = b"index-url = https://build:hunt3r2hunt3r@pypi.example.com/simple\n"
PART = base64.urlsafe_b64encode(b'{"alg": "none", "typ": "JWT"}').rstrip(b"=")
WEB = PART + b"." + PART + b"." + b"a" * 24


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (ADDRESS, "password in an address"),
        (b"Cookie: session=" + WEB, "JSON web token"),
        (b"x: " + base64.b64encode(NETRC), "password of a netrc in base64"),
        (base64.encodebytes(b"#" * 41 + b"\n" + NETRC), "password of a netrc in base64"),
        (b"path/" + base64.b64encode(b"x npm" + b"_" + b"a" * 36), "npm token in base64"),
        (base64.urlsafe_b64encode(b"???>>>glpat" + b"-" + b"a" * 20), "GitLab token in base64"),
    ],
)
def test_a_text_may_hold_a_secret_in_more_forms(data: bytes, kind: str) -> None:
    assert kind in secret_scan.in_file(io.BytesIO(data), "opt/any")


@pytest.mark.parametrize(
    "text",
    [
        b"postgres://user:password@host/db and https://name:${TOKEN}@host and http://me:secret1234@host",
        b"https://user:%s@host, git+ssh://git@host:22/path, http://[::1]:8080/a@b, s3://a:b@c",
        b"an identifier/of/a/long/path/that/could/be/base64 and eyJhbGciOiJub25lIn0 alone",
    ],
)
def test_an_example_is_no_secret(text: bytes) -> None:
    assert secret_scan.in_file(io.BytesIO(text), "usr/share/doc/any") == []


def test_a_document_shows_how_a_login_looks_and_yet_may_not_hold_a_token() -> None:
    said = ADDRESS + NETRC + b"\n" + WEB
    assert secret_scan.in_file(io.BytesIO(said), "usr/lib/x/README.md") == []
    assert secret_scan.in_file(io.BytesIO(said + HELD["Anthropic token"]), "usr/lib/x/README.md")


@pytest.mark.parametrize(
    ("said", "kinds"),
    [
        ({"Config": {"Env": ["DATABASE_PASSWORD=hunter2hunter2"]}}, ["value of a secret variable"]),
        ([{"CreatedBy": "|1 NPM_TOKEN=hunter2hunter2 /bin/sh -c true"}], ["value of a secret variable"]),
        ({"Labels": {"com.example.api-key": "hunter2hunter2"}}, ["value of a secret variable"]),
        ({"Env": ["A=" + base64.b64encode(NETRC).decode()]}, ["password of a netrc in base64"]),
        ({"Env": ["TOKEN_FILE=/run/secrets/token", "MAX_TOKENS=32000", "SECRET_NAME=claude-token"]}, []),
        ([{"CreatedBy": "RUN TOKEN=$(cat /run/secrets/token) make"}], []),
    ],
)
def test_settings_are_judged_by_their_names_too(said: object, kinds: list[str]) -> None:
    assert secret_scan.in_settings(said) == kinds


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
