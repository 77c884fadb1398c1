"""HTTPS to names: the allowed ones are reached through the proxy, nothing else is, however it is tried."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from boxproof.agent import login
from boxproof.core.process import Result as ExecResult
from boxproof.core.session import ClusterInfo, EngineInfo
from boxproof.deployment.box import Box
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.fixtures.factories import Listeners, Twins
from boxproof.kube.owed import in_node
from boxproof.probes.connectivity import beside
from boxproof.probes.pods.helper_pods import unique
from boxproof.probes.pods.probe_pods import Twin
from boxproof.probes.probe_program import Prober
from boxproof.probes.reach import DENIED, Listener, Outside, reach, reached
from boxproof.stubs import certificates
from boxproof.stubs.anthropic import MESSAGES, Stub
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope
from suites.netpol import login_hosts
from suites.netpol.https_requests import FORBIDDEN, Https, answered, https, named, proxied, right
from suites.netpol.meant import lists
from suites.netpol.owners import NAMED, built_in, of_others
from suites.netpol.test_traffic import NOBODY

API = "api.anthropic.com"
LOOKALIKES = ("exfil.example", "api.anthropic.com.exfil.example", "xapi.anthropic.com")
METADATA = "169.254.169.254"
PROGRAMS = "/usr/local/lib/box"  # the proxy's own among them
ROOT = {
    "runAsUser": 0, "runAsNonRoot": False, "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
}  # fmt: skip


RIGHT_ONE = require("the right one answers", lambda found: found.ok)
BY_OUR_AUTHORITY = require(
    "the certificate is of the authority that vouches for it", lambda found: found.verified
)
GOES_THERE = require("{} gets there", lambda said, _, sign: sign in said)
DENIED_DIRECTLY = require("past the proxy it is denied", lambda found: found.reach in DENIED)
FORBIDDEN_NAME = require("the proxy forbids the name", lambda found: found.proxy == FORBIDDEN)
SHUT = require("the address is not reached", lambda answer: answer in DENIED)
RENEWED = require("the login is renewed", lambda found: found is True)
ASKED = require("the API is asked with the token of the prompt", lambda number: number > 0)


@claim("netpol-https-to-anthropic")
def test_https_reaches_the_api_and_nobody_else_answers(
    agent: Box, twin: Twins, muted: Twin, authority: str
) -> None:
    free, other = twin(), certificates.issue([API]).ca
    with control("another authority's certificate is told apart, and a denied pod gets no answer"):
        assert answered(free, API, authority=authority).ok, "the destination does not answer anyone"
        BY_OUR_AUTHORITY.fails(https(free, API, authority=other))
        RIGHT_ONE.fails(https(muted, API, authority=authority, within=2))
    found = heard(agent, free, API, authority, path=MESSAGES)
    RIGHT_ONE(found)
    BY_OUR_AUTHORITY(found)
    assert found.issuer == certificates.NAME
    assert 400 <= found.status < 500  # a GET of what takes POST


def heard(agent: Box, free: Twin, name: str, authority: str, *, path: str = "/") -> Https:
    """Return what the agent hears of a name that is allowed, judged beside a pod that no policy selects."""

    def look(each: Prober) -> Https:
        via = agent.proxy if each is agent else ""
        return https(each, name, authority=authority, via=via, path=path)

    return beside(agent, free, look, right, f"{agent.label} hears of {name}")


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
    git = ("git", "ls-remote", f"https://{API}/nobody/nothing")
    gone = "not found"  # the stub has no repositories, and says so
    if not box.proxy:
        pytest.skip("the subject has no proxy to go past")
    with control("past the proxy the same programs do not connect, nor does kubectl without its API server"):
        GOES_THERE.fails(program(box, *curl, f"https://{API}/", direct=True), "curl", "0 200 0")
        GOES_THERE.fails(program(box, *git, direct=True), "git", gone)
        GOES_THERE.fails(program(box, "kubectl", *NOBODY, "get", "--raw", "/readyz"), "kubectl", "0 ok")
    GOES_THERE(program(box, *curl, f"https://{API}/"), "curl", "0 200 0")
    GOES_THERE(program(box, *git), "git", gone)
    GOES_THERE(program(box, "kubectl", "get", "--raw", "/readyz"), "kubectl", "0 ok")


@claim("netpol-https-to-anthropic")
def test_a_prompt_of_the_cli_reaches_the_api(box: Box, stub: Stub, subject: Subject) -> None:
    def asked(*settings: str) -> int:
        token = unique("stub-token")
        limit = ["timeout", "20"] if settings else []  # where nothing answers it goes on trying for minutes
        words = [
            *limit,
            "env",
            f"CLAUDE_CODE_OAUTH_TOKEN={token}",
            *settings,
            subject.image.cli,
            *login.PROMPT,
        ]
        box.exec(words, timeout=120)
        return observe("asked", " ".join(settings) or "as it is", len(stub.of(token).requests(MESSAGES)))

    with control("with an address of the API where nothing answers it asks nobody"):
        ASKED.fails(asked("ANTHROPIC_BASE_URL=http://127.0.0.1:9"))
    ASKED(asked())


@claim("netpol-unlisted-hosts-blocked")
@pytest.mark.parametrize("name", LOOKALIKES)
def test_names_that_are_not_listed_are_refused(agent: Box, twin: Twins, authority: str, name: str) -> None:
    with control(
        "a pod that no policy selects gets an answer under that name, the proxy lets another name by"
    ):
        DENIED_DIRECTLY.fails(answered(twin(), name, authority=authority))
        if agent.proxy:
            FORBIDDEN_NAME.fails(answered(agent, API, authority=authority, via=agent.proxy))
    if agent.proxy:
        require.expected(FORBIDDEN_NAME)
        FORBIDDEN_NAME(answered(agent, name, once=proxied, authority=authority, via=agent.proxy))
    DENIED_DIRECTLY(answered(agent, name, once=named, authority=authority))


def near(name: str) -> Iterator[str]:
    """Yield names that may be taken for a listed one: longer, shorter, above, below, a dot that is none."""
    yield from (f"x{name}", f"x-{name}", f"x.{name}", f"{name}x", f"{name}.exfil.example")
    yield from (name[1:], name[:-1])
    for at in (at for at, letter in enumerate(name) if letter == "."):
        yield name[at + 1 :]
        yield from (f"{name[:at]}{other}{name[at + 1 :]}" for other in "x-")


@claim("netpol-unlisted-hosts-blocked")
@needs("box", "proxy")
def test_no_name_that_looks_like_a_listed_one_is_let_by(agent: Box, authority: str) -> None:
    """The proxy answers before it looks for an address: the names need not be anybody's.

    Nor is one let by that is on no list, and in the proxy itself.
    """
    lines = lists(agent)
    said = agent.wait_ready().exec(["grep", "-rIhoE", NAMED, PROGRAMS], timeout=120)
    names = [each for each in lines if "*" not in each]
    below = tuple(each.removeprefix("*") for each in lines if each.startswith("*."))
    alike = {one for each in lines for one in near(each.lstrip("*."))}
    alike = {*alike, *of_others(), *built_in(said.stdout)} - set(names)

    def proxy_said(name: str) -> Https:
        return answered(agent, name, once=proxied, authority=authority, via=agent.proxy)

    for each in names:
        with control(f"{each}, which is listed, is let by"):
            assert FORBIDDEN_NAME.fails(proxy_said(each)).proxy, "the proxy does not answer"
    for each in sorted(alike):
        if not each.endswith(below):
            FORBIDDEN_NAME(proxy_said(each))


@claim("netpol-unlisted-hosts-blocked")
def test_an_address_outside_is_refused(
    agent: Box, twin: Twins, outside: Outside, everywhere: Callable[..., list[Listener]], authority: str
) -> None:
    targets = everywhere(443)
    with control("a pod that no policy selects gets to the same listeners; the proxy lets a listed name by"):
        for each in targets:
            SHUT.fails(reached(twin(), each))
        if agent.proxy:
            FORBIDDEN_NAME.fails(answered(agent, API, authority=authority, via=agent.proxy))
    for each in targets:
        SHUT(reach(agent, each, within=1))
    if agent.proxy:
        require.expected(FORBIDDEN_NAME)
        for each in targets:
            FORBIDDEN_NAME(answered(agent, each.address, once=proxied, authority=authority, via=agent.proxy))


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
    how = {"port": port, "authority": authority, "via": agent.proxy}
    with in_node(engine, cluster.name, node, f"the address {METADATA} on {node}", add, delete):
        target = listener(port, on_node, address=METADATA)
        with control(
            "a pod that no policy selects gets to the listener there; the proxy lets a listed name by"
        ):
            SHUT.fails(reached(twin(node=node), target))
            if agent.proxy:
                FORBIDDEN_NAME.fails(answered(agent, API, authority=authority, via=agent.proxy))
        SHUT(reach(agent, target, within=1))
        if agent.proxy:
            require.expected(FORBIDDEN_NAME)
            FORBIDDEN_NAME(answered(agent, METADATA, once=proxied, **how))


@claim("netpol-oauth-hosts-reachable")
def test_every_host_of_the_login_is_reached(
    agent: Box, twin: Twins, authority: str, subject: Subject
) -> None:
    said = agent.wait_ready().exec(["grep", "-aoE", login_hosts.PATTERN, subject.image.cli], timeout=120)
    wanted = observe("hosts of the login", subject.image.cli, login_hosts.login_hosts(said.stdout))
    assert {API} < set(wanted), "the program's own hosts are not found in it"
    free = twin()
    with control("a name that is not listed is refused in the same way"):
        RIGHT_ONE.fails(https(agent, LOOKALIKES[0], authority=authority, via=agent.proxy))
        for name in wanted:
            assert answered(free, name, authority=authority).ok, f"{name} does not answer anyone"
    for name in wanted:
        RIGHT_ONE(heard(agent, free, name, authority))


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
        RENEWED.fails(renewed(8 * 3600))
    RENEWED(renewed(-3600))
