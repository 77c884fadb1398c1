"""A check that is skipped is no pass, and nothing in the box goes around a check."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from boxproof.core.session import Session
from boxproof.deployment.box import Box
from boxproof.fixtures.factories import Twins
from boxproof.fixtures.subject_steps import Ended, Nested
from boxproof.probes.pods.node_view import Inside
from boxproof.subject.copies import PROVABLE, SKIPPED, Miniature
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, require, scope
from suites.ci import asked_modes, set_variables

UNPROVEN = 4
TEST_MODE = re.compile(
    r"(?<![A-Z0-9])(TEST_?MODE|IN_?TESTS?|UNDER_?TEST|SKIP_?[A-Z]*|NO_?VERIFY|DRY_?RUN|MOCK[A-Z]*|FAKE[A-Z]*)(?![A-Z0-9])"
)
# what a CLI has to be told where a gateway logs in for it
KNOWN = re.compile(r"CLAUDE_CODE_SKIP_(?:BEDROCK|VERTEX|FOUNDRY|MANTLE)_AUTH")
NO = ("", "0", "false", "no", "off")
SET = (
    "{kind: Pod, spec: {containers: [{name: a, env: [{name: SKIP_GATE, value: '1'}]}]}}",
    "{kind: ConfigMap, data: {BOX_TEST_MODE: 'true'}}",
    "{services: {a: {environment: [SKIP_PREFLIGHT=1]}}}",
    "{services: {a: {environment: {NO_VERIFY: 1}}}}",
    "{agents: {a: {env: {DRY_RUN: 'yes'}}}}",
)
ENDS = require("the run ends with {}", lambda code, wanted: code == wanted)
COUNTS = require("{} of its claims are {}", lambda counts, number, word: counts[word] == number)
NO_MODE = require("no variable puts it into a test mode", lambda modes: modes == set())
NO_WAY = require("nothing in the image looks for a test mode", lambda found: found == {})


@claim("ci-no-silent-skips")
@scope("host")
def test_a_skipped_check_turns_the_run_red_unless_it_is_listed(
    nested: Nested,
    command: Callable[[str], Sequence[str]],
    mini: Callable[..., Miniature],
    tmp_path: Path,
) -> None:
    def prove(label: str, subject: Miniature, claims: str) -> Ended:
        about = subject.write(tmp_path)
        return nested(command("test"), "--claims", claims, label=label, about=about)

    with control("a run without a skipped check is accepted"):
        ended = prove("nothing skipped", mini(), PROVABLE)
        assert ended.code == 0, ended.said[-800:]
        ENDS.fails(observe("exit code of a run", "nothing skipped", ended.code), UNPROVEN)
        counts = ended.json("*/results.json")["counts"]
        COUNTS.fails(observe("counts", "nothing skipped", counts), 1, "unproven")
    both = f"{PROVABLE},{SKIPPED}"
    ended = prove("one check skipped", mini(), both)
    ENDS(observe("exit code of a run", "one check skipped", ended.code), UNPROVEN)
    COUNTS(observe("counts", "one check skipped", ended.json("*/results.json")["counts"]), 1, "unproven")
    with control("a skipped check that is not listed ends the run with another code than 0"):
        ENDS.fails(observe("exit code of a run", "not listed", ended.code), 0)
        COUNTS.fails(observe("counts", "not listed", ended.json("*/results.json")["counts"]), 1, "waived")
    until = datetime.now(UTC).date() + timedelta(days=30)
    waiver = f'claim = "{SKIPPED}"\nreason = "it lists one tool"\nowner = "us"\nexpires = {until}\n'
    ended = prove("that check listed", mini(waivers=f"[[waiver]]\n{waiver}"), both)
    ENDS(observe("exit code of a run", "that check listed", ended.code), 0)
    COUNTS(observe("counts", "that check listed", ended.json("*/results.json")["counts"]), 1, "waived")


@claim("ci-no-silent-skips")
def test_no_test_mode_is_set_where_the_agent_runs(box: Box, docker: Any, twin: Twins) -> None:
    def modes(pod: dict[str, Any], container: str) -> set[str]:
        found = {each for each in Inside(docker, pod, container).variables if TEST_MODE.search(each)}
        return observe("test modes", str(pod["metadata"]["name"]), found)

    with control("a variable of that kind is seen in a pod that has it"):
        words = ["sh", "-c", "CLAUDE_TEST_MODE=true exec sleep 600"]
        other = twin(command=words, fresh=True)
        pod = other.kube.get("Pod", other.name, other.namespace)
        seen = NO_MODE.fails(modes(pod, pod["spec"]["containers"][0]["name"]))
        assert seen == {"CLAUDE_TEST_MODE"}
    pods = [
        each for each in box.kube.list("Pod", box.namespace) if "deletionTimestamp" not in each["metadata"]
    ]
    for pod in pods:
        for each in pod["spec"]["containers"]:
            NO_MODE(modes(pod, each["name"]))


@claim("ci-no-silent-skips")
@scope("image")
def test_nothing_that_is_shipped_sets_a_test_mode(session: Session, subject: Subject) -> None:
    """In whatever tier, file or value: the pods that are looked at are those of one of them."""

    def modes(asked: str, found: Mapping[str, str]) -> set[str]:
        set_there = {name for name, value in found.items() if TEST_MODE.search(name)}
        named = {each for each in set_there if not KNOWN.fullmatch(each) and found[each].lower() not in NO}
        return observe("test modes", asked, named)

    with control("a variable of that kind is seen, of a container, of settings, of a service and in values"):
        for text in SET:
            NO_MODE.fails(modes(text, set_variables.of_tree(yaml.safe_load(text))))
    for where, found in set_variables.shipped_by(session, subject).items():
        NO_MODE(modes(where, found))


@claim("ci-no-silent-skips")
@scope("image")
def test_no_program_of_the_image_has_a_test_mode(subject: Subject) -> None:
    with control("a script that goes on without its check where a variable says so is seen"):
        for each in ('[ -n "$SKIP_HEALTH" ] && exit 0', 'if os.environ.get("CI"):'):
            NO_WAY.fails(observe("test modes in texts", each, in_texts({"start": f"{each}\n"})))
    context = subject.directory / subject.image.context
    given = {subject.directory / each for each in (*subject.image.entrypoints, subject.image.dockerfile)}
    places = ["rootfs", *(["src"] if "box" in subject.profiles else [])]  # what our own build compiles
    files = {each for place in places for each in context.glob(f"{place}/**/*") if each.is_file()} | given
    texts = {
        str(each.relative_to(subject.directory)): each.read_text(errors="replace") for each in sorted(files)
    }
    NO_WAY(observe("test modes in texts", f"{len(texts)} files of the image", in_texts(texts)))


def in_texts(texts: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the variables of a test mode that texts speak of, by path."""
    found = {
        path: sorted({each[0] for each in TEST_MODE.finditer(text)} | asked_modes.asked(path, text))
        for path, text in texts.items()
    }
    return {path: each for path, each in found.items() if each}
