"""Settings that say a secret are told from those that name where it is."""

from __future__ import annotations

from typing import Any

import pytest

from suites.secrets.plain_settings import of_objects, of_services, of_values


@pytest.mark.parametrize(
    ("fields", "number"),
    [
        ({"env": [{"name": "ANTHROPIC_API_KEY", "value": "abc"}]}, 1),
        ({"env": [{"name": "ANTHROPIC_API_KEY", "valueFrom": {"secretKeyRef": {"key": "b"}}}]}, 0),
        ({"env": [{"name": "GITHUB_PAT", "value": "abc"}, {"name": "MAX_TOKEN", "value": "4096"}]}, 1),
        ({"env": [{"name": "BOX_API_TOKEN", "value": "sha256:a"}, {"name": "TOKEN", "value": "$(OF)"}]}, 0),
        ({"env": [{"name": "API_TOKEN_FILE", "value": "/a"}, {"name": "API_TOKEN", "value": "/a"}]}, 0),
        ({"env": [{"name": "TLS_SECRET", "value": "claude-tls"}, {"name": "COMPAT", "value": "abc"}]}, 0),
        ({"readinessProbe": {"httpGet": {"httpHeaders": [{"name": "X-Api-Key", "value": "abc"}]}}}, 1),
        ({"readinessProbe": {"httpGet": {"httpHeaders": [{"name": "Host", "value": "abc"}]}}}, 0),
        ({"args": ["--api-token=abc", "--token", "abc", "--use-token", "serve"]}, 2),
        ({"args": ["--token-file=/a", "--token=$(TOKEN)", "--password", "--verbose", "--token"]}, 0),
    ],
)
def test_variables_and_headers_of_a_container(fields: dict[str, Any], number: int) -> None:
    pod = {"kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [{"name": "one", **fields}]}}
    assert len(of_objects([pod])) == number


@pytest.mark.parametrize(
    ("data", "number"),
    [
        ({"TOKEN": "abc", "MODE": "api"}, 1),
        ({"env": "MODE=api\nexport NPM_TOKEN='abc'\n"}, 1),
        ({"token": "abc", "api-key": "abc", "tokens": "abc"}, 2),
        ({"mcp.json": '{\n"env": {"NPM_TOKEN": "abc"}, "headers": {"Authorization": "Bearer abc"}}'}, 2),
        ({"mcp.json": '{\n"env": {"NPM_TOKEN": "$(A)"}, "headers": {"Authorization": "Bearer ${A}"}}'}, 0),
        ({"run.sh": "set -e\nif [ a: ]; then: {\n"}, 0),
        ({"env": "MODE=api\nNPM_TOKEN=\nNPM_TOKEN=$OTHER\nNPM_TOKEN_FILE=/a\n"}, 0),
    ],
)
def test_settings_of_a_configmap(data: dict[str, str], number: int) -> None:
    assert len(of_objects([{"kind": "ConfigMap", "metadata": {"name": "c"}, "data": data}])) == number


@pytest.mark.parametrize(
    ("fields", "number"),
    [
        ({"stringData": {"token": "changeme"}}, 1),
        ({"data": {"token": "Y2hhbmdlbWU="}}, 1),
        ({"data": {"token": "Z2l2ZW4=", "password": "UkVQTEFDRS1JVA==", "tls.crt": "Y2hhbmdlbWU="}}, 0),
        ({"stringData": {"token": "<your token>"}, "data": {"token": ""}}, 0),
    ],
)
def test_a_secret_that_ships(fields: dict[str, Any], number: int) -> None:
    assert (
        len(of_objects([{"kind": "Secret", "metadata": {"name": "s"}, **fields}], given=("given",))) == number
    )


@pytest.mark.parametrize(
    ("environment", "number"),
    [
        (["TOKEN=abc", "OTHER_TOKEN"], 1),
        ({"TOKEN": "${TOKEN:?say it}", "PASSWORD": None}, 0),
        ({"PASSWORD": "abc"}, 1),
        (None, 0),
    ],
)
def test_variables_of_a_service(environment: Any, number: int) -> None:
    assert len(of_services({"one": {"environment": environment}})) == number


@pytest.mark.parametrize(
    ("values", "number"),
    [
        ({"auth": {"apiKey": "abc"}, "token": ""}, 1),
        ({"auth": {"existingSecret": "a", "token": "key-of-it"}}, 0),
        ({"auth": {"token": {"secretName": "a", "key": "token"}}}, 0),
        ({"env": [{"name": "ANTHROPIC_API_KEY", "value": "abc"}]}, 1),
        ({"env": {"ANTHROPIC_API_KEY": "abc"}, "maxTokens": "many"}, 1),
        ({"redis": {"password": "abc"}, "tokenWatch": {"enabled": True}}, 1),
    ],
)
def test_values_of_a_chart(values: dict[str, Any], number: int) -> None:
    assert len(of_values(values)) == number
