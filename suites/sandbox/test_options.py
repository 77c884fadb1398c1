"""What options and profiles add to the tiers: another network, user namespaces, a tier that one names."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from boxproof.core.process import Result
from boxproof.probes.reach import Listener, Reach, reach
from pytest_claims import claim, control, observe, require, scope
from suites.sandbox.sandboxed import Sandbox
from suites.sandbox.stage import LOOPBACK_PORT, Stage
from suites.sandbox.test_escape import PATHS, RULES, Attempt, outcome
from suites.sandbox.test_plan import sections

Profile = Callable[[str, str], Path]
DENIED = {Reach.REFUSED, Reach.FILTERED, Reach.NO_ROUTE}
NETWORKS = {"10.9.0.0/24": ("10.9.0.2", "10.9.0.3"), "203.0.113.0/24": ("203.0.113.2", "203.0.113.3")}
FLAG = "--disable-host-loopback"
DEVICES = "tail -n +3 /proc/net/dev | cut -d: -f1"
NESTED = "user_namespaces = true\n"
TURNED_ON = "echo 0 >/proc/sys/net/ipv6/conf/all/disable_ipv6"
OWN_PROC = Attempt(
    "IPv6 turned on by a /proc of its own",
    f"unshare --user --map-root-user --pid --mount --fork bash -c 'mount -t proc proc /proc && {TURNED_ON}'",
    power=True,
    outside=TURNED_ON,
)
KEPT_OUT = require("in another network too there is no connection", lambda answer: answer in DENIED)
TOLD_SO = require("the other end of that network is told to keep the loopback out", lambda there: there)
UNDONE = require("no attempt undoes the rules", lambda seen: not seen["gets out"])
AS_ASKED = require(
    "the audit names the tier that was asked for, and the session has that one",
    lambda seen: seen["said"] == seen["has"] == seen["asked"],
)
FIRST = require("the audit comes before anything of the session", lambda order: order == ["audit", "session"])


@claim("sbx-host-loopback-blocked")
@scope("host")
def test_no_other_network_has_the_loopback_in_it(sandbox: Sandbox, stage: Stage) -> None:
    """A public one as well: rules about private ranges do not cover its first addresses."""
    here = Listener("127.0.0.1", LOOPBACK_PORT, "127.0.0.1")

    def told(asked: str, words: list[str]) -> bool:
        return observe("keeps the loopback out", asked, FLAG in words)

    with control("in the full tier the service is reached"), sandbox.session("full") as full:
        KEPT_OUT.fails(reach(full, here))
    for network, addresses in NETWORKS.items():
        with sandbox.session("internet", more=("--cidr", network)) as inside:
            for each in addresses:
                KEPT_OUT(reach(inside, each, LOOPBACK_PORT))
            [slirp] = stage.running("slirp4netns").values()
            [bwrap, *_] = stage.running("bwrap").values()
            with control("another program's command line has no such flag"):
                TOLD_SO.fails(told("bwrap", bwrap))
            TOLD_SO(told(f"slirp4netns, {network}", slirp))


def as_root_of_its_own(attempt: Attempt) -> Attempt:
    """Return the same attempt, made as root of a new user namespace."""
    inner = shlex.quote(PATHS + attempt.what)
    return replace(
        attempt,
        name=f"{attempt.name}, as root of a user namespace",
        what=f"unshare --user --map-root-user bash -c {inner}",
    )


@claim("sbx-network-rules-not-removable")
@scope("host")
def test_user_namespaces_of_a_profile_undo_no_rule(sandbox: Sandbox, stage: Stage, profile: Profile) -> None:
    """They are for browsers and the CLI's own sandbox, and give no power over the network around them."""
    profile("nested", NESTED)
    plain = (*RULES, OWN_PROC)

    def seen(asked: str, attempt: Attempt, gets_out: bool) -> dict[str, object]:
        return observe("undoes", f"{asked}: {attempt.name}", {"attempt": attempt.name, "gets out": gets_out})

    for each in plain:
        with control(f"without a sandbox it works: {each.name}"):
            UNDONE.fails(seen("outside", each, outcome(each, stage, None)))
    with sandbox.session("internet", profile="nested") as inside:
        for each in plain:
            UNDONE(seen("internet", each, outcome(each, stage, inside)))
        made = inside.sh("unshare --user --map-root-user true")
        assert made.code == 0, "the profile's user namespaces cannot be made: nothing was tried"
        for each in map(as_root_of_its_own, RULES):
            UNDONE(seen("internet", each, outcome(each, stage, inside)))


def tier_of(devices: set[str]) -> str:
    """Return the tier that has these network devices: the sandbox's own, the machine's, or neither."""
    return "internet" if "tap0" in devices else "full" if "eth0" in devices else "offline"


def asked_for(ways: tuple[str, ...]) -> dict[str, tuple[str, str, str]]:
    """Return ways to ask for a tier, by name: what a profile says, what an option says, and what counts."""
    found = {"neither": ("", "", "internet")}
    for each in ways:
        found[f"a profile that says {each}"] = (each, "", each)
        other = next(one for one in ways if one != each)
        found[f"an option {each}, a profile that says {other}"] = (other, each, each)
    return found


@claim("sbx-audit-shows-everything")
@scope("host")
def test_the_audit_names_the_tier_that_the_session_has(sandbox: Sandbox, profile: Profile) -> None:
    """Whoever says so: a profile, an option over it, or nobody."""
    tiers = sandbox.part.tiers

    def seen(asked: str, counts: str, audited: Result, ended: Result) -> dict[str, str]:
        said = sections(audited.stderr).get("network", "")
        has = tier_of(set(ended.stdout.split()))
        found = {"asked": counts, "said": said.partition(":")[0].strip(), "has": has}
        return observe("tier", asked, found)

    done: dict[str, tuple[str, Result]] = {}
    for name, (declared, option, counts) in asked_for(tiers).items():
        profile("one", f'network = "{declared}"\n' if declared else "")
        ended = sandbox.sh(DEVICES, option, profile="one")
        assert ended.ok, ended.describe()
        done[name] = (counts, ended)
    counted = dict(done.values())
    for each in tiers:
        other = next(one for one in tiers if one != each)
        with control(f"an audit that names {each} for a session of another tier is seen"):
            AS_ASKED.fails(seen(f"{each} and {other}", each, counted[each], counted[other]))
    for name, (counts, ended) in done.items():
        AS_ASKED(seen(name, counts, ended, ended))


@claim("sbx-audit-shows-everything")
@scope("host")
def test_the_audit_comes_before_the_session(sandbox: Sandbox) -> None:
    def order(asked: str, text: str) -> list[str]:
        marks = {"audit": text.find("  network "), "session": text.find("zz-begun")}
        assert min(marks.values()) >= 0, f"not both are there: {text[-300:]}"
        return observe("order", asked, sorted(marks, key=lambda each: marks[each]))

    for tier in sandbox.part.tiers:
        ended = sandbox.sh("echo zz-begun >&2", tier)
        with control("a session that began before its audit is seen"):
            FIRST.fails(order(f"{tier}, begun before", f"zz-begun\n{ended.stderr.replace('zz-begun', '')}"))
        FIRST(order(tier, ended.stderr))


HAS_ITS_MODE = require("a mount has the mode that the audit names", lambda seen: seen["said"] == seen["has"])
BOTH = """
[[mounts]]
source = "{data}"
target = "/run/data"
[[mounts]]
source = "{data}"
target = "/run/other"
write = true
"""


@claim("sbx-audit-shows-everything")
@scope("host")
def test_a_mount_has_the_mode_that_the_audit_names(sandbox: Sandbox, stage: Stage, profile: Profile) -> None:
    (stage.home / "data").mkdir()
    profile("both", BOTH.format(data=stage.home / "data"))
    marks = "touch {}/zz 2>/dev/null && echo read-write || echo read-only"
    tried = "; ".join(marks.format(each) for each in ("/run/data", "/run/other"))

    def seen(asked: str, said: list[str], has: list[str]) -> dict[str, list[str]]:
        return observe("modes of the mounts", asked, {"said": said, "has": has})

    for tier in sandbox.part.tiers:
        ended = sandbox.sh(tried, tier, profile="both")
        assert ended.ok, ended.describe()
        lines = sections(ended.stderr).get("mounts", "").splitlines()
        said = [each.rpartition("(")[2].partition(")")[0] for each in lines]
        has = ended.stdout.split()
        assert len(said) == len(has) == 2, (said, has)
        with control("the other way round they are not those"):
            HAS_ITS_MODE.fails(seen(f"{tier}, the other way round", said[::-1], has))
        HAS_ITS_MODE(seen(tier, said, has))
