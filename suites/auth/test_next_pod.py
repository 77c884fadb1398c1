"""What the CLI remembers is there in the next pod."""

from __future__ import annotations

import json
from typing import Any

from boxproof.agent.login import PROMPT
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.probes.pods import helper_pods
from boxproof.probes.pods.node_view import Inside
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe
from suites.auth.test_renewal import KNOWN, REMEMBERS


@claim("claude-json-persists")
def test_the_cli_of_the_next_pod_remembers_its_first_start(
    make_box: MakeBox, docker: Any, subject: Subject
) -> None:
    box = make_box()

    def first_start(asked: str, config_dir: str = "") -> str:
        """Have the CLI answer a prompt and return when it says it was started first; an observation."""
        other = ["env", f"CLAUDE_CONFIG_DIR={config_dir}"] if config_dir else []
        ended = box.exec([*other, subject.image.cli, *PROMPT], timeout=120)
        assert ended.ok, ended.stdout or ended.stderr
        inside = Inside(docker, box.pod_object(), box.container)
        places = [config_dir] if config_dir else [subject.config_dir, subject.home]
        texts = [inside.read(f"{each}/{KNOWN}") for each in places]
        found = next((str(json.loads(each).get("firstStartTime")) for each in texts if each), "")
        return observe("first start", asked, found)

    first = first_start("the first pod")
    assert first, "the CLI writes down no first start"
    with control("with another directory it starts for the first time"):
        REMEMBERS.fails(first_start("elsewhere", f"/dev/shm/{helper_pods.unique('config')}"), first)
    box.delete_pod()
    REMEMBERS(first_start("the next pod"), first)
