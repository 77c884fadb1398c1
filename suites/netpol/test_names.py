"""HTTPS to names: the allowed ones are reached through the proxy, nothing else is, however it is tried."""

from __future__ import annotations

import pytest

from boxproof.agent import login
from boxproof.core.session import ClusterInfo, EngineInfo
from boxproof.deployment.box import Box
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.fixtures.factories import Listeners, Twins
from boxproof.kube.exec import ExecResult
from boxproof.kube.owed import in_node
from boxproof.probes.network.enforcement import becomes, stays_denied
from boxproof.probes.network.outside import Outside
from boxproof.probes.network.reach import DENIED, Reach, reached
from boxproof.probes.pods.helper_pods import unique
from boxproof.probes.pods.probe_pods import Twin
from boxproof.stubs import certificates
from boxproof.stubs.anthropic import MESSAGES, Stub
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, scope
from suites.netpol import login_hosts
from suites.netpol.https_requests import FORBIDDEN, answered, https, named, proxied

API = "api.anthropic.com"
GIT = "github.com"
LOOKALIKES = ("exfil.example", "api.anthropic.com.exfil.example", "xapi.anthropic.com")
METADATA = "169.254.169.254"
ROOT = {
    "runAsUser": 0, "runAsNonRoot": False, "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
}  # fmt: skip


@claim("netpol-https-to-anthropic")
def test_https_reaches_the_api_and_nobody_else_answers(
    agent: Box, twin: Twins, muted: Twin, authority: str
) -> None:
    assert answered(twin(), API, authority=authority).ok, "the destination does not answer anyone"
    with control("another authority's certificate is told apart, and a denied pod gets no answer"):
        other = certificates.issue([API]).ca
        assert not https(twin(), API, authority=other).verified
        assert not https(muted, API, authority=authority, within=2).ok
    found = answered(agent, API, authority=authority, via=agent.proxy, path=MESSAGES)
    assert found.ok, found
    assert found.issuer == certificates.NAME
    assert 400 <= found.status < 500  # a GET of what takes POST


def program(box: Box, *words: str, direct: bool = False) -> str:
    """Run one of the box's programs, with the test authority, and return how it went; an observation."""
    trust = 'export CURL_CA_BUNDLE="$NODE_EXTRA_CA_CERTS" GIT_SSL_CAINFO="$NODE_EXTRA_CA_CERTS"'
    ways = "; unset HTTPS_PROXY https_proxy" if direct else ""
    done: ExecResult = box.exec(["sh", "-c", f'{trust}{ways}; exec "$@"', "sh", *words], timeout=120)
    said = done.stdout.strip() if done.ok else done.stderr.strip()
    asked = f"{' '.join(words)}{', past the proxy' if direct else ''}"
    return observe("program", asked, f"{done.code} {said[-200:]}")


@claim("netpol-https-to-anthropic")
def test_the_boxs_own_programs_get_there(box: Box, stub: Stub, subject: Subject) -> None:
    limits = ("--connect-timeout", "10", "--max-time", "120")
    curl = ("curl", "-sSI", *limits, "-o", "/dev/null", "-w", "%{http_code} %{ssl_verify_result}")
    git = ("git", "ls-remote", f"https://{GIT}/nobody/nothing")
    with control("past the proxy the same programs do not connect"):
        assert not program(box, *curl, f"https://{API}/", direct=True).startswith("0 ")
        assert "not found" not in program(box, *git, direct=True)
    assert program(box, *curl, f"https://{API}/") == "0 200 0"
    assert "not found" in program(box, *git)  # the stub has no repositories, and said so
    assert program(box, "kubectl", "get", "--raw", "/readyz") == "0 ok"
    token = unique("stub-token")
    assert box.exec(
        ["env", f"CLAUDE_CODE_OAUTH_TOKEN={token}", subject.image.cli, *login.PROMPT], timeout=120
    ).ok
    assert stub.of(token).requests(MESSAGES)


@claim("netpol-unlisted-hosts-blocked")
@pytest.mark.parametrize("name", LOOKALIKES)
def test_names_that_are_not_listed_are_refused(agent: Box, twin: Twins, authority: str, name: str) -> None:
    with control("a pod that no policy selects gets an answer under that name"):
        assert answered(twin(namespace=agent.namespace), name, authority=authority).ok
    if agent.proxy:
        assert answered(agent, API, authority=authority, via=agent.proxy).ok
        found = answered(agent, name, once=proxied, authority=authority, via=agent.proxy)
        assert found.proxy == FORBIDDEN
    assert answered(agent, name, once=named, authority=authority).reach in DENIED


@claim("netpol-unlisted-hosts-blocked")
def test_an_address_outside_is_refused(
    agent: Box, twin: Twins, outside: Outside, listener: Listeners, authority: str
) -> None:
    target = listener.on(outside, 443)
    with control("a pod that no policy selects gets to the same listener"):
        assert reached(twin(namespace=agent.namespace), target) is Reach.OPEN
    assert becomes(agent, target, DENIED) in DENIED
    assert stays_denied(agent, target)
    if agent.proxy:
        found = answered(agent, outside.address, once=proxied, authority=authority, via=agent.proxy)
        assert found.proxy == FORBIDDEN


@claim("netpol-unlisted-hosts-blocked")
@scope("cluster")
@pytest.mark.parametrize("port", [80, 443])
def test_the_metadata_address_is_refused(
    agent: Box, twin: Twins, listener: Listeners, engine: EngineInfo, cluster: ClusterInfo, authority: str,
    port: int,
) -> None:  # fmt: skip
    node = agent.node
    on_node = twin(node=node, spec={"hostNetwork": True, "nodeName": node}, security=ROOT, fresh=True)
    add, delete = (["ip", "address", each, f"{METADATA}/32", "dev", "lo"] for each in ("replace", "delete"))
    with in_node(engine, cluster.name, node, f"the address {METADATA} on {node}", add, delete):
        target = listener(port, on_node, address=METADATA)
        with control("a pod that no policy selects gets to the listener on that address"):
            assert reached(twin(namespace=agent.namespace, node=node), target) is Reach.OPEN
        assert becomes(agent, target, DENIED) in DENIED
        assert stays_denied(agent, target)
        if agent.proxy:
            how = {"port": port, "authority": authority, "via": agent.proxy}
            assert answered(agent, METADATA, once=proxied, **how).proxy == FORBIDDEN


@claim("netpol-oauth-hosts-reachable")
def test_every_host_of_the_login_is_reached(
    agent: Box, twin: Twins, authority: str, subject: Subject
) -> None:
    cli = (
        agent.wait_ready().exec(["grep", "-aoE", login_hosts.PATTERN, subject.image.cli], timeout=120).stdout
    )
    wanted = observe("hosts of the login", subject.image.cli, login_hosts.login_hosts(cli))
    assert {API} < set(wanted)
    with control("a name that is not listed is refused in the same way"):
        assert not https(agent, LOOKALIKES[0], authority=authority, via=agent.proxy).ok
    for name in (*wanted, GIT):
        assert answered(twin(), name, authority=authority).ok, f"{name} does not answer anyone"
        assert answered(agent, name, authority=authority, via=agent.proxy).ok, f"{name} is not reached"


@claim("netpol-oauth-hosts-reachable")
def test_a_login_is_renewed_under_the_policy(make_box: MakeBox, stub: Stub, subject: Subject) -> None:
    box = make_box()
    mine, path = stub.of(box.token), f"{subject.config_dir}/{login.FILE}"

    def renewed(expires_in: float) -> bool:
        text = login.credentials(box.token, expires_in=expires_in)
        assert box.exec(["sh", "-c", f"cat >{path}"], stdin=text).ok
        login.of_pod(box, mine, subject.image.cli)
        return observe("renewed", f"expires in {expires_in} s", bool(mine.requests("/v1/oauth/token")))

    with control("a login that lasts is not renewed"):
        assert not renewed(8 * 3600)
    assert renewed(-3600)
