"""A check that is skipped is no pass, and nothing in the box goes around a check."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from boxproof.deployment.box import Box
from boxproof.fixtures.factories import Twins
from boxproof.fixtures.nested_runs import Ended, Nested
from boxproof.probes.pods.node_view import Inside
from boxproof.subject.minimal_subject import PROVABLE, UNRECORDED, Miniature
from pytest_claims import claim, control, observe, scope

UNPROVEN = 4
TEST_MODE = re.compile(r"TEST_?MODE|SKIP_?(TEST|CHECK)|DRY_?RUN", re.IGNORECASE)


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
    both = f"{PROVABLE},{UNRECORDED}"
    ended = prove("one check skipped", mini(), both)
    assert ended.code == UNPROVEN, ended.said[-800:]
    assert ended.json("*/results.json")["counts"]["unproven"] == 1
    until = datetime.now(UTC).date() + timedelta(days=30)
    waiver = f'claim = "{UNRECORDED}"\nreason = "it records no size"\nowner = "us"\nexpires = {until}\n'
    ended = prove("that check listed", mini(waivers=f"[[waiver]]\n{waiver}"), both)
    assert (ended.code, ended.json("*/results.json")["counts"]["waived"]) == (0, 1), ended.said[-800:]


@claim("ci-no-silent-skips")
def test_no_test_mode_is_set_where_the_agent_runs(box: Box, docker: Any, twin: Twins) -> None:
    def modes(pod: dict[str, Any], container: str) -> set[str]:
        found = {each for each in Inside(docker, pod, container).variables if TEST_MODE.search(each)}
        return observe("test modes", str(pod["metadata"]["name"]), found)

    with control("a variable of that kind is seen in a pod that has it"):
        words = ["sh", "-c", "CLAUDE_TEST_MODE=true exec sleep 600"]
        other = twin(command=words, fresh=True)
        pod = other.kube.get("Pod", other.name, other.namespace)
        assert modes(pod, pod["spec"]["containers"][0]["name"]) == {"CLAUDE_TEST_MODE"}
    assert modes(box.pod_object(), box.container) == set()
