"""The chart in the cluster: installed, changed, taken back, and removed, each by Helm's own commands."""

from __future__ import annotations

import copy
from typing import Any

from boxproof.core.session import Session
from boxproof.deployment.box import workload_of
from boxproof.fixtures.helm_release import Release, diff, installed
from boxproof.subject.manifests.object_diff import called, in_order_of
from pytest_claims import claim, control, needs, require
from suites.packaging import config_change

Objects = list[dict[str, Any]]
MORE = "320Mi"  # of memory, for an agent that asked for less
NOTHING_TO_CHANGE = require("applying the manifests would change nothing", lambda said: said == "")
STANDS = require(
    "the agent is Ready, asks for {} of memory, and has the volume {}",
    lambda found, memory, claims: (found.ready, found.memory, found.claims) == (True, memory, claims),
)
ALL_THERE = require(
    "all that the chart renders is there, in {} revisions",
    lambda found, revisions, objects: set(found.objects) == set(objects) and found.revisions == revisions,
)
ANOTHER = require("the pod is another one than {}", lambda found, before: found.pod not in ("", before))
GONE = require(
    "nothing is left but the namespace and the volume",
    lambda found, left, claims: (
        (found.objects, found.revisions, found.pod, found.claims) == (left, 0, "", claims)
    ),
)
READS = require("it runs with what was set: {}", lambda seen, wanted: seen == wanted)
REPLACED = require("every pod that reads it is another one", lambda kept: kept == [])
UNTOUCHED = require("an upgrade that changes nothing leaves every pod", lambda renewed: renewed == [])


def asking_for(objects: Objects, memory: str) -> Objects:
    """Return the objects with an agent that asks for so much memory."""
    made = copy.deepcopy(objects)
    workload_of(made)["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"]["memory"] = memory
    return made


@claim("helm-default-equals-raw-manifests")
@needs("box")
def test_what_helm_installs_is_what_the_manifests_say(release: Release, session: Session) -> None:
    release.install(wait=False)
    meant = in_order_of(release.objects, release.rendered)
    with control("an agent that asks for more memory differs from what is installed"):
        NOTHING_TO_CHANGE.fails(diff(session, "the manifests, with more memory", asking_for(meant, MORE)))
    NOTHING_TO_CHANGE(diff(session, "the manifests", meant))


# One check for all of it: an installation takes a minute, and each step is about what the one before left.
@claim("helm-toggles-honoured")
@needs("box")
def test_a_release_comes_changes_goes_back_and_leaves_the_volume(release: Release) -> None:
    every = tuple(called(each) for each in release.rendered)
    with control("before it is installed nothing of it is there, and no agent stands"):
        nothing = ALL_THERE.fails(installed(release, "before"), 1, every)
        STANDS.fails(nothing, MORE, ())
        ANOTHER.fails(nothing, "")
    release.install()
    first = installed(release, "at first")
    STANDS(first, first.memory, first.claims)
    ALL_THERE(first, 1, every)
    with control("what has been installed is not gone"):
        GONE.fails(installed(release, "before it is removed"), (), first.claims)

    release.upgrade(f"--set=resources.requests.memory={MORE}")
    more = installed(release, f"upgraded to {MORE}")
    STANDS(more, MORE, first.claims)
    ANOTHER(more, first.pod)

    release.rollback(1)
    back = installed(release, "rolled back")
    STANDS(back, first.memory, first.claims)
    ALL_THERE(back, 3, every)

    release.uninstall()
    GONE(installed(release, "uninstalled"), (f"Namespace {release.namespace}",), first.claims)


@claim("helm-config-restarts-its-readers")
@needs("box")
def test_what_reads_a_setting_is_restarted_when_an_upgrade_changes_it(release: Release, token: str) -> None:
    release.install()
    before = config_change.pods(release)
    settings = {"BOX_LOG_LEVEL": "debug", "servers": token, "names": f"{token}.example.org"}
    with control("before, none of it is there"):
        READS.fails(config_change.in_force(release, settings), settings)
    release.upgrade()
    UNTOUCHED(config_change.renewed(release, before))
    with control("where an upgrade has changed nothing, the pods are those of before"):
        REPLACED.fails(config_change.kept(release, before))
    release.upgrade(*config_change.words(settings))
    REPLACED(config_change.kept(release, before))
    READS(config_change.in_force(release, settings), settings)
    with control("after an upgrade that changes something, the pods are others"):
        UNTOUCHED.fails(config_change.renewed(release, before))
