"""No task of a box deletes what has to last unasked: the claim in a cluster, the volume on an engine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from boxproof.subject.model import ComposePart, Subject
from pytest_claims import claim, control, needs, observe, require, scope
from suites import box_tasks, scaled_tasks
from suites.packaging import task_commands
from suites.persistence import wiping_tasks

CLAIM_STAYS = require("no task deletes the agent's claim unasked", lambda found: found == {})
VOLUME_STAYS = require("no task removes the agent's volume unasked", lambda found: found == {})
STAYS_ONE = require("no task brings the workload to more than one pod unasked", lambda found: found == {})
DOCTORED = {
    "Makefile": "restart: clean\n\tkubectl apply -k .\nclean:\n\tkubectl delete pvc --all\n",
    "tasks.py": '@task\ndef deploy(ctx):\n    run(["kubectl", "delete", "namespace", "a"])\n',
    "bin/up": "#!/bin/sh\nkubectl -n a delete persistentvolumeclaim/home-a-0\n",
}
ON_AN_ENGINE = {
    "Makefile": "down:\n\tdocker compose down -v\n",
    "package.json": '{"scripts": {"prestart": "docker volume rm box_home", "start": "docker compose up"}}',
    "Taskfile.yml": "tasks:\n  up:\n    deps: [fresh]\n  fresh:\n    cmds:\n      - rm -rf ./state\n",
}


@claim("pvc-survives-pod-deletion")
@scope("image")
def test_no_task_deletes_the_claim(subject: Subject) -> None:
    """What restarts the agent by a task has its files afterwards, as after any deletion of its pod."""

    def lost(asked: str, texts: Mapping[str, str]) -> dict[str, list[str]]:
        every, acts = box_tasks.tasks(texts), wiping_tasks.of_claims(subject)
        found = box_tasks.doing(every, acts, wiping_tasks.ASKED_IN_CLUSTERS)
        return observe("claims deleted by tasks", asked, found)

    with control("a target's, a list of words', and a script's are seen"):
        for path, text in DOCTORED.items():
            CLAIM_STAYS.fails(lost(path, {path: text}))
    CLAIM_STAYS(lost("scripts and task runners", task_commands.tasks(subject)))


@claim("auth-survives-restart-and-recreate")
@needs("config-dir")
@scope("image")
def test_no_task_removes_the_volume(subject: Subject, tmp_path: Path) -> None:
    """A new container by a task has the login of the one before."""

    def lost(asked: str, texts: Mapping[str, str], of: Subject) -> dict[str, list[str]]:
        acts = wiping_tasks.of_engines(of)
        found = box_tasks.doing(box_tasks.tasks(texts), acts, wiping_tasks.ASKED)
        return observe("volumes removed by tasks", asked, found)

    made = subject.model_copy(
        update={"directory": tmp_path, "compose": ComposePart(file="compose.yaml", service="box")}
    )
    kept = subject.config_dir
    volumes = f"volumes: ['home:{kept}', './state:{kept}/projects']"
    (tmp_path / "compose.yaml").write_text(f"services: {{box: {{image: 'box:1', {volumes}}}}}\n")
    with control("one by a target, by a script of a package, and a directory's, are seen"):
        for path, text in ON_AN_ENGINE.items():
            VOLUME_STAYS.fails(lost(path, {path: text}, made))
    VOLUME_STAYS(lost("scripts and task runners", task_commands.tasks(subject), subject))


@claim("statefulset-stable-identity")
@scope("image")
def test_no_task_makes_more_of_it(subject: Subject) -> None:
    """Whatever its number of replicas is in the manifests."""

    def more(asked: str, texts: Mapping[str, str]) -> dict[str, int]:
        return observe("pods by tasks", asked, scaled_tasks.of_texts(texts, subject))

    name = f"statefulset/{subject.workload}"
    with control("two by a target, and three by a patch of a script's, are seen"):
        STAYS_ONE.fails(more("a target", {"Makefile": f"up:\n\tkubectl scale {name} --replicas=2\n"}))
        patch = """-p '{"spec": {"replicas": 3}}'"""
        STAYS_ONE.fails(more("a script", {"up.sh": f"kubectl patch {name} {patch}\n"}))
    STAYS_ONE(more("scripts and task runners", task_commands.tasks(subject)))
