"""The pipeline: build, scan, test, sabotage, then publish, and nothing published before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from boxproof.core.session import Session
from boxproof.fixtures.subject_steps import Ended, Nested
from boxproof.probes.local_registry import Registry
from boxproof.subject.copies import BAD, PROVABLE, SKIPPED, Miniature
from boxproof.subject.model import Subject
from boxproof.subject.supply_chain import vulnerability_db
from pytest_claims import claim, control, observe, require, scope
from suites.ci import other_pipelines, told_actions, workflow_gates

STEPS = ["build", "scan", "test", "sabotage", "publish"]
DEFECTS: dict[str, dict[str, Any]] = {
    "build": {"builds": False},
    "scan": {"version": BAD},
    "test": {"user": "0:0"},
}
NOTHING = require("nothing is published", lambda held: held == {})
ENDS = require("it ends with {}", lambda code, wanted: code == wanted)
STOPS_AT = require(
    "all steps are told, and {} is the first that refuses",
    lambda told, step: (
        [name for name, _ in told] == STEPS
        and next((name for name, verdict in told if verdict == "refuted"), "") == step
    ),
)
NO_WAY = require("nothing goes around the release", lambda found: found == [])
RELEASES = require("a workflow runs the release", lambda releasing: releasing != [])
PINNED = require("every action is fixed by its commit, every image by a tag", lambda loose: loose == [])
KEPT = require("no step has credentials that it does not need", lambda exposed: exposed == [])
LOOSE = """
jobs:
  build:
    container: debian:latest
    steps:
      - uses: actions/checkout@v4
      - uses: docker://alpine:3
      - uses: docker/login-action@v3
      - run: helm registry login ghcr.io
      - run: sh log-in.sh
"""
AUTHORS_OWN = """
jobs:
  build:
    steps:
      - uses: docker/build-push-action@v6
        with: {push: true, tags: box}
      - uses: aquasecurity/trivy-action@v0
        with: {exit-code: "0"}
      - run: ./publish.sh
      - run: the release of the subject, its failure ignored
        if: always()
"""
BY_ACTIONS = """
jobs:
  build:
    steps:
      - uses: nick-fields/retry@v3
        with: {max_attempts: 3, command: docker push box}
      - uses: actions/github-script@v7
        with:
          script: await exec.exec('docker', ['push', 'box'])
"""
BESIDE = """
publish:
  image: docker:latest
  script:
    - docker build -t box image
    - docker push box
"""
NO_FLOATING = require(
    "every image that a script of theirs runs has a tag that is not latest", lambda found: found == []
)
STOPS_SHORT = require(
    "{} is the first that is not accepted, and nothing is begun after it",
    lambda told, step: (
        [name for name, verdict in told if verdict not in ("accepted", "not run")] == [step]
        and all(verdict == "not run" for name, verdict in told if STEPS.index(name) > STEPS.index(step))
    ),
)
UNPROVEN = 4


@claim("ci-build-scan-test-block")
@scope("host")
def test_a_defect_in_any_step_keeps_everything_from_the_registry(
    nested: Nested,
    command: Callable[[str], Sequence[str]],
    mini: Callable[..., Miniature],
    served: Registry,
    database: Path,
    tmp_path: Path,
) -> None:
    def release(label: str, subject: Miniature) -> Ended:
        options = ["--claims", PROVABLE, "--narrowed", "--vulnerability-db", str(database)]
        about = subject.write(tmp_path)
        return nested(
            command("release"), *options, label=label, about=about, registry=f"{served.address}/{label}"
        )

    for step, defect in DEFECTS.items():
        ended = release(step, mini(**defect))
        NOTHING(observe("published", f"with a defect in {step}", served.holds(step)))
        ENDS(observe("exit code of a release", f"with a defect in {step}", ended.code), 1)
        STOPS_AT(told(f"with a defect in {step}", ended), step)
    with control("without a defect the same command publishes the image and the report"):
        ended = release("clean", mini())
        assert ended.code == 0, ended.said[-800:]
        there = NOTHING.fails(observe("published", "without a defect", served.holds("clean")))
        tags = [tag for each in there.values() for tag in each]
        assert [each.endswith("-report") for each in tags].count(True) == 1 < len(tags), tags
        ENDS.fails(observe("exit code of a release", "without a defect", ended.code), 1)
        STOPS_AT.fails(told("without a defect", ended), "build")


def told(asked: str, ended: Ended) -> list[tuple[str, str]]:
    """Return the steps of a release with their verdicts; an observation."""
    steps = ended.json("releases/*/release.json")["steps"]
    return observe("steps of a release", asked, [(each["name"], each["verdict"]) for each in steps])


@claim("ci-build-scan-test-block")
@scope("image")
def test_no_workflow_goes_around_the_release(subject: Subject, tmp_path: Path) -> None:
    if not subject.commands.release:
        pytest.skip("subject.toml documents no release: commands.release")
    command = subject.commands.release

    def publishing(asked: str, directory: Path) -> list[str]:
        found = other_pipelines.publishing(directory, command)
        return observe("pipelines that publish by themselves", asked, found)

    with control(
        "a push before the scan, one in a script, a scan without consequences and an ignored failure are seen"
    ):
        (tmp_path / "publish.sh").write_text("docker push box\n")
        example = yaml.safe_load(AUTHORS_OWN)
        example["jobs"]["build"]["steps"][-1]["run"] = f"{' '.join(workflow_gates.fixed(command))} || true"
        found = workflow_gates.around(example, command, tmp_path)
        assert len(NO_WAY.fails(observe("ways around the release", "a workflow of that kind", found))) == 5
        told = told_actions.spoken(yaml.safe_load(BY_ACTIONS))
        found = workflow_gates.around(told, command, tmp_path)
        assert len(NO_WAY.fails(observe("ways around the release", "actions that carry out", found))) == 2
        (tmp_path / ".gitlab-ci.yml").write_text(BESIDE)
        assert NO_WAY.fails(publishing("a pipeline of that kind", tmp_path)) == [".gitlab-ci.yml"]
        RELEASES.fails(observe("releasing", "no workflow", []))
    files = workflow_gates.load(subject.directory)
    for name, each in files.items():
        NO_WAY(
            observe("ways around the release", name, workflow_gates.around(each, command, subject.directory))
        )
    NO_WAY(publishing("the subject's other pipelines", subject.directory))
    releasing = [name for name, each in files.items() if workflow_gates.releases(each, command)]
    RELEASES(observe("releasing", "the subject's workflows", releasing))


@claim("ci-workflows-pinned")
@scope("image")
def test_every_action_is_fixed_and_sees_no_credentials_it_does_not_need(
    subject: Subject, tmp_path: Path
) -> None:
    """Nor does a script or a task of theirs leave a token, or log in."""
    files, command = workflow_gates.load(subject.directory), subject.commands.release
    if not files:
        pytest.skip("the subject has no workflows")
    example = yaml.safe_load(LOOSE)
    with control("actions by a tag, an image that is latest, a token left behind and a stray login are seen"):
        found = PINNED.fails(observe("loose", "a workflow of that kind", workflow_gates.loose(example)))
        assert len(found) == 4
        (tmp_path / "log-in.sh").write_text("docker login ghcr.io\n")
        shown = KEPT.fails(
            observe("exposed", "a workflow of that kind", workflow_gates.exposed(example, command, tmp_path))
        )
        assert len(shown) == 5
    for name, each in {**files, **workflow_gates.actions(subject.directory)}.items():
        PINNED(observe("loose", name, workflow_gates.loose(each)))
        KEPT(observe("exposed", name, workflow_gates.exposed(each, command, subject.directory)))


@claim("ci-workflows-pinned")
@scope("image")
def test_the_scripts_of_workflows_run_no_floating_image(subject: Subject, tmp_path: Path) -> None:
    """Nor does a pipeline beside them, of a service that has no workflows."""
    files = {**workflow_gates.load(subject.directory), **workflow_gates.actions(subject.directory)}
    if not files:
        pytest.skip("the subject has no workflows")

    def floating(asked: str, workflow: dict[str, Any], directory: Path) -> list[str]:
        return observe("floating images", asked, workflow_gates.floating_in_scripts(workflow, directory))

    def beside(asked: str, directory: Path) -> list[str]:
        return observe("floating images", asked, other_pipelines.floating(directory))

    with control("a script that runs what is latest is seen, by whatever name it has, and so is a pipeline"):
        (tmp_path / "ci").mkdir()
        (tmp_path / "ci" / "scan").write_text("docker run --rm -v /var/lib:/scan aquasec/trivy fs /scan\n")
        example = {"jobs": {"scan": {"steps": [{"run": "sh ci/scan"}]}}}
        assert NO_FLOATING.fails(floating("a script", example, tmp_path)) == ["scan: aquasec/trivy"]
        (tmp_path / ".gitlab-ci.yml").write_text(BESIDE)
        latest = [".gitlab-ci.yml: docker:latest"]
        assert NO_FLOATING.fails(beside("a pipeline of another service", tmp_path)) == latest
    for name, each in files.items():
        NO_FLOATING(floating(name, dict(each), subject.directory))
    NO_FLOATING(beside("the subject's other pipelines", subject.directory))


@claim("ci-build-scan-test-block")
@scope("host")
def test_a_step_that_proves_nothing_stops_the_release_too(
    nested: Nested,
    command: Callable[[str], Sequence[str]],
    mini: Callable[..., Miniature],
    served: Registry,
    session: Session,
    grype: Path,
    database: Path,
    tmp_path: Path,
) -> None:
    """A scan without a database that knows anything, and a check that is skipped: no failure, and no pass."""
    empty = vulnerability_db.archive(grype, tmp_path / "empty", [])

    def release(label: str, known: Path, claims: str) -> Ended:
        options = ["--claims", claims, "--narrowed", "--vulnerability-db", str(known)]
        about = mini().write(tmp_path)
        return nested(
            command("release"), *options, label=label, about=about, registry=f"{served.address}/{label}"
        )

    with control("what is pushed is seen, and so are a release that ends well and one that goes on"):
        served.push(session.probe_image, "pushed", "1")
        NOTHING.fails(observe("published", "by hand", served.holds("pushed")))
        ENDS.fails(observe("exit code of a release", "one that ends well", 0), UNPROVEN)
        went_on = [(name, "unproven" if name == "scan" else "accepted") for name in STEPS]
        STOPS_SHORT.fails(observe("steps of a release", "one that goes on", went_on), "scan")
    for step, known, claims in (("scan", empty, PROVABLE), ("test", database, f"{PROVABLE},{SKIPPED}")):
        ended = release(f"unproven-{step}", known, claims)
        NOTHING(observe("published", f"{step} is unproven", served.holds(f"unproven-{step}")))
        ENDS(observe("exit code of a release", f"{step} is unproven", ended.code), UNPROVEN)
        STOPS_SHORT(told(f"{step} is unproven", ended), step)
