"""One session a project, wherever in it the second is started and in whatever tier; and a LAN with IPv6."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from boxproof.probes.reach import Listener, Reach, reach
from pytest_claims import claim, control, observe, require, scope
from pytest_claims.faults import EnvironmentFault
from suites.sandbox.sandboxed import Inside, Sandbox
from suites.sandbox.stage import NEIGHBOUR, NEIGHBOUR_SIX, PORT, Stage
from suites.sandbox.test_projects import SETTINGS, STAY, begun, repository

DENIED = {Reach.REFUSED, Reach.FILTERED, Reach.NO_ROUTE}
NOT_BESIDE = require("it does not start beside the first", lambda started: not started)
NO_SIX = require("over IPv6 there is no connection", lambda answer: answer in DENIED)
# the kernel takes an address from the network's other end, where that gives one, in a moment
ROUTED = 'awk \'$4 == "00" && $6 != "lo" { found = 1 } END { exit !found }\' /proc/net/if_inet6'
A_MOMENT = f"for each in $(seq 20); do {ROUTED} && break; sleep 0.2; done"


def gitted(stage: Stage, directory: Path, *words: str) -> None:
    """Run git on the stage; raises EnvironmentFault."""
    ended = stage.as_user(["git", *SETTINGS, *words], cwd=directory)
    if not ended.ok:
        raise EnvironmentFault(ended.describe())


@claim("sbx-concurrent-session-coordinated")
@scope("host")
def test_a_second_session_is_refused_anywhere_in_a_project(sandbox: Sandbox, stage: Stage) -> None:
    """In a subdirectory or a worktree, and in any tier: all write the histories of one instance."""
    repo = repository(partial(gitted, stage), stage.home / "repo")
    places = [repo, repo / "sub", stage.home / "wt", repo / ".worktrees/f"]
    for each in places[2:]:
        gitted(stage, repo, "worktree", "add", "-q", str(each))
    for place in places:
        with control(f"where no other session runs one starts: {place.name}"):
            alone = sandbox.run(["true"], "offline", cwd=place)
            NOT_BESIDE.fails(observe("starts", f"alone, {place.name}", alone.ok))
    with sandbox.background(STAY, "internet", cwd=repo) as first:
        begun(first)
        with control("one of another project runs beside it"):
            beside = sandbox.run(["true"], "offline")
            NOT_BESIDE.fails(observe("starts", "another project", beside.ok))
        for place in places:
            for tier in sandbox.part.tiers:
                second = sandbox.run(["true"], tier, cwd=place)
                NOT_BESIDE(observe("starts", f"{place.name}, {tier}", second.ok))
        first.write("\n")
        first.wait(30)


@claim("sbx-lan-blocked-internet-works")
@scope("host")
def test_no_address_of_the_lan_is_reached_over_ipv6(sandbox: Sandbox, stage: Stage) -> None:
    """Rules for IPv4 say nothing of it. On a machine without it the LAN is reached by its other addresses."""
    addresses = stage.widen_six()
    ends = [Listener(each, PORT, each, udp) for each in addresses for udp in (False, True)]
    known = ends or [Listener(NEIGHBOUR, PORT, NEIGHBOUR)]
    with control("in the full tier each is reached"), sandbox.session("full") as full:
        for each in known:
            NO_SIX.fails(reach(full, each))
    with sandbox.session("internet") as inside:
        a_moment(inside)
        for each in ends or [Listener(NEIGHBOUR_SIX, PORT, NEIGHBOUR_SIX)]:
            NO_SIX(reach(inside, each))


def a_moment(inside: Inside) -> None:
    """Let an address come, where one does."""
    inside.sh(A_MOMENT)


REFUSED = "refused: "
ONE = require(
    "however one comes to it, it is one instance",
    lambda found: len(found) == 1 and not found[0].startswith(REFUSED),
)


def by_relative_pointers(tree: Path, admin: Path) -> None:
    """Have a worktree and what its repository keeps of it name each other as from where they are."""
    (tree / ".git").write_text(f"gitdir: {os.path.relpath(admin, tree)}\n")
    (admin / "gitdir").write_text(f"{os.path.relpath(tree / '.git', admin)}\n")


@claim("sbx-worktrees-and-subdirs-share-instance")
@scope("host")
def test_a_repository_has_one_instance_however_one_comes_to_it(sandbox: Sandbox, stage: Stage) -> None:
    """By a worktree whose pointers are relative, as git makes them on demand; by a link, as shells say it."""
    repo, tree = repository(partial(gitted, stage), stage.home / "repo"), stage.home / "trees/one"
    gitted(stage, repo, "worktree", "add", "-q", str(tree))
    by_relative_pointers(tree, repo / ".git/worktrees/one")
    link, beside = stage.home / "link", stage.home / "beside"
    link.symlink_to(repo)
    beside.mkdir()

    def instances(asked: str, *places: Path) -> list[str]:
        told = [sandbox.says(*sandbox.part.instance, cwd=each, env={"PWD": str(each)}) for each in places]
        found = {each.stdout.strip() if each.ok else f"{REFUSED}{each.stderr.strip()}" for each in told}
        return observe("instances", asked, sorted(found))

    with control("a directory beside it is a project of its own"):
        ONE.fails(instances("a repository, and a directory", repo, beside))
    ONE(instances("a repository, and a worktree of relative pointers", repo, tree, tree / "sub"))
    ONE(instances("a repository, and a link to it", repo, link, link / "sub"))
