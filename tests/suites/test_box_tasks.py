"""The tasks of a box one by one: what each does, by itself and by those that it calls."""

from __future__ import annotations

import re

import pytest

from suites import box_tasks

DOES = re.compile(r"\bwipe it\b")
ASKED = re.compile("reset")


def done(texts: dict[str, str]) -> dict[str, list[str]]:
    return box_tasks.doing(box_tasks.tasks(texts), DOES.findall, ASKED)


@pytest.mark.parametrize(
    ("texts", "tasks"),
    [
        ({"Makefile": "up:\n\twipe it\n"}, ["Makefile: up"]),
        ({"Makefile": "up: reset build\n\trun it\nreset:\n\twipe it\n"}, ["Makefile: up"]),
        ({"Makefile": "up:\n\t$(MAKE) reset\nreset:\n\t@wipe it\n"}, ["Makefile: up"]),
        ({"Makefile": "W = docker wipe it\nup:\n\t$(W)\n"}, ["Makefile: up"]),
        ({"Makefile": "up:\n\t./bin/reset\n", "bin/reset": "#!/bin/sh\nwipe it\n"}, ["Makefile: up"]),
        ({"justfile": "up: reset\n  run it\nreset:\n  wipe it\n"}, ["justfile: up"]),
        ({"Taskfile.yml": "tasks:\n  up:\n    deps: [reset]\n  reset:\n    cmds:\n      - wipe it\n"},
         ["Taskfile.yml: up"]),
        ({"Taskfile.yml": "tasks:\n  up:\n    cmds:\n    - task: reset\n  reset:\n    cmds: [wipe it]\n"},
         ["Taskfile.yml: up"]),
        ({"package.json": '{"scripts": {"preup": "npm run reset", "up": "x", "reset": "wipe it"}}'},
         ["package.json: preup", "package.json: up"]),
        ({"package.json": '{"scripts": {"up": "node scripts/up.js"}}',
          "scripts/up.js": 'spawnSync("wipe", ["it"]);\n'}, ["package.json: up", "scripts/up.js"]),
        ({"tasks.py": 'def _all(c):\n    c.run("wipe it")\n\ndef up(c):\n    _all(c)\n'}, ["tasks.py: up"]),
        ({"tasks.py": "@task(pre=[reset])\ndef up(c):\n    pass\n\ndef reset(c):\n    run(['wipe', 'it'])\n"},
         ["tasks.py: up"]),
        ({"a.sh": "#!/bin/sh\nall() {\n  wipe it\n}\ncase $1 in\n  up) all ;;\n  reset) all ;;\nesac\n"},
         ["a.sh: up"]),
        ({"Makefile": "up:\n\tbin/a.sh begin\nstop:\n\tbin/a.sh stop\n",
          "bin/a.sh": "case $1 in\n  begin)\n    wipe it\n    ;;\n  stop) x ;;\nesac\n"},
         ["Makefile: up", "bin/a.sh: begin"]),
        ({"mise.toml": '[tasks.up]\nrun = "wipe it"\n'}, ["mise.toml: up"]),
        ({"up.sh": 'if [ "$KEEP" != 1 ]; then\n  wipe it\nfi\n'}, ["up.sh"]),
        ({"up.sh": "wipe \\\n  it\n"}, ["up.sh"]),
    ],
)  # fmt: skip
def test_what_a_task_does_unasked_is_seen(texts: dict[str, str], tasks: list[str]) -> None:
    assert sorted(done(texts)) == sorted(tasks)


@pytest.mark.parametrize(
    "texts",
    [
        {"Makefile": "reset:\n\twipe it\nup:\n\trun it\n"},
        {"Makefile": "up: ## never wipe it\n\t@echo 'to begin anew: wipe it'\n\t# wipe it\n"},
        {"Makefile": "up:\n\t@read -p 'sure? ' x && wipe it\n"},
        {"Makefile": "up:\n\trun it\nifdef ALL\n\twipe it\nendif\n"},
        {"reset.sh": "all() {\n  wipe it\n}\nall\n"},
        {"up.sh": '[ "$1" = --all ] && wipe it\n'},
        {"up.sh": 'if [ "$1" = --all ]; then\n  wipe it\nelse\n  keep it\nfi\n'},
        {"up.sh": "cat <<EOF\n  wipe it\nEOF\nrun it\n"},
        {"tasks.py": 'def up(c, all=0):\n    """Never wipe it."""\n    if all:\n        c.run("wipe it")\n'},
        {"tasks.py": 'def up(c):\n    print("now wipe it")\n'},
        {"justfile": "[confirm]\nreset:\n  wipe it\n"},
        {"package.json": '{"scripts": {"reset": "wipe it", "up": "x"}}'},
    ],
)
def test_what_is_asked_for_or_only_said_is_none(texts: dict[str, str]) -> None:
    assert done(texts) == {}
