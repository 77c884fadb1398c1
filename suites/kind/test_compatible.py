"""Which versions go together: what the preflight lets through, does load, and is documented."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from boxproof.cluster.cells import Combination, impossible
from boxproof.cluster.images import load
from boxproof.cluster.kind import decoy_cluster
from boxproof.core.session import ClusterInfo, EngineInfo
from boxproof.fixtures.subject_steps import Steps
from boxproof.subject.copies import carry_out
from pytest_claims import claim, control, needs, observe, require
from pytest_claims.faults import SubjectFault
from suites.kind import markdown_tables

REFUSED = require("the preflight does not let it through", lambda code: code != 0)
PASSES = require("the preflight lets it through", lambda code: code == 0)
HAVE_IT = require("every node has the new content", lambda there: there)
LISTED = require("the pair is in a table of the documents", lambda listed: listed)
TOO_OLD = ("0.26.0", "0.21.0", "0.20.0")
NOBODYS = "0.1.0"  # no kind that anybody has, or writes about
NEVER = "boxproof-never:loaded"
AS_LISTED = require(
    "of the pairs asked for it lets through {}, as documented", lambda let, pairs: let == pairs
)


def saying(directory: Path, version: str, path: str) -> dict[str, str]:
    """Return the variables under which ``kind`` is a program that says it is of ``version``."""
    program = directory / f"kind-{version}" / "kind"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho kind v{version} go1.23.4 linux/amd64\n")
    program.chmod(0o755)
    return {"PATH": f"{program.parent}:{path}"}


@claim("kind-containerd-compatible")
def test_the_preflight_lets_through_what_loads_and_nothing_else(
    steps: Steps, cluster: ClusterInfo, engine: EngineInfo, docker: Any, tmp_path: Path
) -> None:
    path = steps.variables()["PATH"]

    def plainly(word: str) -> int:
        return observe("exit code", f"the command {word}", carry_out([word], {}, steps.variables()).code)

    with control("a command that succeeds, one that fails, and what was never loaded, are told apart"):
        REFUSED.fails(plainly("true"))
        PASSES.fails(plainly("false"))
        HAVE_IT.fails(observe("on every node", "never loaded", not load.preloaded(engine, cluster, [NEVER])))
    for version in TOO_OLD:
        said = steps("preflight", env=saying(tmp_path, version, path))
        REFUSED(observe("exit code", f"kind {version}", said.code))
    PASSES(observe("exit code", "the versions of this run", steps("preflight").code))
    with decoy_cluster.new_image(docker) as image:
        loaded = carry_out(steps.subject.commands.load, steps.values | {"image": image}, steps.variables())
        try:
            nodes = dict.fromkeys(cluster.nodes, cluster.name)
            if decoy_cluster.holders(docker, nodes, image) != [cluster.name]:
                raise SubjectFault(f"the documented load brings it nowhere: {loaded.describe()}")
            HAVE_IT(observe("on every node", image, not load.preloaded(engine, cluster, [image])))
        finally:
            load.remove(engine, cluster, [image])


@claim("kind-containerd-compatible")
def test_the_documents_list_the_pairs(steps: Steps, cluster: ClusterInfo) -> None:
    documented = markdown_tables.rows(steps.subject.directory)
    with control("a pair that was never shown is in no table"):
        LISTED.fails(observe("in a table", f"kind {NOBODYS}", any(NOBODYS in each for each in documented)))
    pair = Combination(kind=cluster.kind, containerd=cluster.containerd, kubernetes=cluster.kubernetes)
    known = impossible(pair)  # it stands in the table of what cannot work, with what it ends in
    words = set(markdown_tables.WORDS.findall(known.symptom)) if known else {pair.kind, pair.containerd}
    LISTED(observe("in a table", " ".join(sorted(words)), any(words <= each for each in documented)))


@claim("kind-containerd-compatible")
@needs("box")
def test_the_preflight_goes_by_both_versions(steps: Steps, cluster: ClusterInfo, tmp_path: Path) -> None:
    """A kind that loads into one containerd need not load into another: both kinds of pairs are asked for."""
    listed = markdown_tables.pairs(steps.subject.directory)
    kinds = {kind for kind, _ in listed}
    asked = {(kind, cluster.containerd) for kind in kinds | {NOBODYS}} | listed
    asked |= {(cluster.kind, containerd) for _, containerd in listed}
    path = steps.variables()["PATH"]
    programs = {kind: saying(tmp_path, kind, path) for kind in kinds | {cluster.kind, NOBODYS}}

    def passes(kind: str, containerd: str) -> bool:
        return steps("preflight", env={**programs[kind], "BOXPROOF_CONTAINERD": containerd}).code == 0

    wanted = sorted(asked & listed)
    with control("a preflight that goes by the kind alone lets through more"):
        AS_LISTED.fails(observe("pairs let through", "by the kind alone", sorted(asked)), wanted)
    let = [each for each in sorted(asked) if passes(*each)]
    AS_LISTED(observe("pairs let through", f"{len(asked)} pairs", let), wanted)
