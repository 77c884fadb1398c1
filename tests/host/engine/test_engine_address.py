"""Where the user's engine is, by whatever names it; one behind TLS on loopback, one of another machine."""

from __future__ import annotations

import hashlib
import json
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from boxproof.core.session import EngineInfo
from boxproof.core.settings import Settings
from boxproof.host.engine import engine_choice, engine_client
from pytest_claims.faults import EnvironmentFault
from tests.support.engines import listening

REFUSES = "http://127.0.0.1:1"  # a proxy that nobody is


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A docker configuration of the test's own, and nothing in the environment."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return tmp_path


def context(home: Path, name: str, host: str, **files: bytes) -> None:
    """Write a context as the docker client does, and make it the one in use."""
    key = hashlib.sha256(name.encode()).hexdigest()
    meta, tls = home / "contexts/meta" / key, home / "contexts/tls" / key / "docker"
    meta.mkdir(parents=True)
    (meta / "meta.json").write_text(json.dumps({"Name": name, "Endpoints": {"docker": {"Host": host}}}))
    for file, content in files.items():
        tls.mkdir(parents=True, exist_ok=True)
        (tls / f"{file}.pem").write_bytes(content)
    (home / "config.json").write_text(json.dumps({"currentContext": name}))


@pytest.fixture
def secured(home: Path) -> Iterator[str]:
    """The address of an engine on loopback that asks for a certificate, which the context has."""
    authority = trustme.CA()
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(trust)
    authority.configure_trust(trust)
    trust.verify_mode = ssl.CERT_REQUIRED
    mine = authority.issue_cert("client@example.test")
    with listening() as server:
        server.socket = trust.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        host = f"tcp://127.0.0.1:{server.server_port}"
        context(home, "secured", host, ca=authority.cert_pem.bytes(), key=mine.private_key_pem.bytes(),
                cert=b"".join(each.bytes() for each in mine.cert_chain_pems))  # fmt: skip
        yield host
        server.shutdown()


def test_a_context_with_tls_over_loopback_is_used(
    home: Path, secured: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, REFUSES)
    found = engine_client.address()
    assert (found.host, found.source, found.elsewhere) == (secured, "the docker context secured", "")
    assert engine_client.server_version(found.host, certs=found.certs) == "25.0.0"
    assert engine_client.server_version(found.host) == ""  # without the certificate


def test_a_client_is_told_of_the_certificates() -> None:
    engine = EngineInfo(
        way="user", host="tcp://localhost:2376", version="28", client="docker", certs="/certs"
    )
    assert (engine.env["DOCKER_CERT_PATH"], engine.env["DOCKER_TLS_VERIFY"]) == ("/certs", "1")


def test_variables_come_before_the_context(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context(home, "other", "unix:///there.sock")
    assert engine_client.address().host == "unix:///there.sock"
    monkeypatch.setenv("DOCKER_CONTEXT", "default")
    assert engine_client.address() == engine_client.Address(engine_client.DEFAULT_HOST, "the default")
    monkeypatch.setenv("DOCKER_HOST", "tcp://localhost:2376")
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    assert engine_client.address().certs == str(home)
    monkeypatch.setenv("DOCKER_CERT_PATH", "/certs")
    assert engine_client.address().certs == "/certs"


@pytest.mark.parametrize("host", ["ssh://me@there", "tcp://192.0.2.7:2376", "tcp://engine.example:2375"])
def test_an_engine_of_another_machine_is_no_silent_fallback(
    home: Path, host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    assert host in engine_client.address().elsewhere
    with pytest.raises(EnvironmentFault, match="loopback of that") as raised:
        engine_choice.ensure(Settings(cache=tmp_path, state=tmp_path))
    assert "run boxproof on that machine" in raised.value.hint


def test_the_proxies_of_the_users_configuration_are_in_no_container(home: Path) -> None:
    proxies = {"proxies": {"default": {"httpProxy": REFUSES, "httpsProxy": REFUSES}}}
    (home / "config.json").write_text(json.dumps(proxies))
    with listening() as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        client = engine_client.connect(f"tcp://127.0.0.1:{server.server_port}", timeout=5, version="1.44")
        made = client.api._proxy_configs.inject_proxy_environment(["A=1"])
        client.close()
        server.shutdown()
    assert made == ["A=1"]
