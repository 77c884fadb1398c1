"""How an image starts and what becomes of its traps, read from configurations and scripts."""

from __future__ import annotations

import pytest

from boxproof.subject.image.entrypoint import Form, Trap, fate, form, is_script, leaves_shell, scripts
from suites.image import image_user

EXAMPLE = """#!/bin/bash
cleanup() {
  kill "$CHILD_PID"
}
trap cleanup TERM INT
%s
"""


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (None, Form.NONE),
        ([""], Form.NONE),
        (["/bin/sh", "-c", "/start"], Form.SHELL),
        (["sh", "-c", "app &"], Form.WRAPPED),
        (["/usr/bin/tini", "-g", "--", "/bin/bash", "-ec", "app"], Form.WRAPPED),
        (["tini", "--", "/start"], Form.EXEC),
        (["/bin/bash", "/start"], Form.EXEC),
    ],
)
def test_form_looks_behind_the_bracket_and_the_init(words: list[str] | None, expected: Form) -> None:
    assert form(words) is expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), False),
        (["tini", "--", "/start"], False),
        (["sh", "-c", "exec app $*"], False),
        (["bash", "-lc", "if ready; then\n  exec app\nfi"], False),
        (["sh", "-c", "exec app; echo never"], True),
        (["bash", "-lc", "app --serve $PORT"], False),
        ("bash -lc 'app --serve'", False),
        (["bash", "-lc", "app >log"], True),
        (["bash", "-c", "HOME=/work app"], True),
        (["bash", "-c", "app; clean"], True),
        (["bash", "-c", "app & wait"], True),
        (["sh", "-c", "app"], True),
        (["sh", "-c", "exec app | exec tee log"], True),
        (["sh", "-c", "exec app &"], True),
        (["sh", "-c", "ready || prepare 'a|b'; exec app 2>&1"], False),
        (["tini", "--", "sh", "-c", "app | tee log"], True),
    ],
)
def test_a_shell_that_becomes_its_program_is_none_that_stays(words: list[str] | str, expected: bool) -> None:
    assert leaves_shell(words) is expected


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (EXAMPLE % 'exec claude "$@"', Trap.DISCARDED),
        ("trap 'touch /m' TERM\nsleep infinity\n", Trap.BLOCKED),
        ("sleep 9 &\nchild=$!\ntrap 'kill $child' SIGTERM\nwait $child\n", Trap.LIVE),
        (EXAMPLE % "sleep 9 &\nwait", Trap.UNASSIGNED),
        (EXAMPLE % "sleep 9 &\nCHILD_PID=$!\nwait", Trap.LIVE),
        ("exec >/dev/null 2>&1\nexec claude\n", Trap.NONE),
        ("trap -- 'kill $child' TERM\nexec claude\n", Trap.DISCARDED),
        ("trap -- - TERM\nexec claude\n", Trap.NONE),
        ("# trap x TERM\ntrap - TERM\nexec claude\n", Trap.NONE),
        ("trap 'rm /tmp/x' EXIT\nexec 3>&1\nwork\n", Trap.LIVE),
        ("trap 'rm /tmp/x' EXIT\ncase $1 in\n  a) exec work ;;\nesac\n", Trap.DISCARDED),
    ],
)
def test_fate_of_a_trap(script: str, expected: Trap) -> None:
    assert fate(script) is expected


def test_a_script_named_by_a_script_is_on_the_start_path() -> None:
    files = {
        "/usr/local/bin/start": "#!/bin/sh\n. /etc/lib.sh\nexec helper x\n",
        "/etc/lib.sh": "#!/bin/sh\ntrue\n",
        "/usr/bin/helper": "#!/usr/bin/env bash\n",
        "/usr/bin/tini": "\x7fELF",
    }
    config = {"Entrypoint": ["tini", "--", "start"], "Cmd": None, "Env": ["PATH=/usr/local/bin:/usr/bin"]}
    found = scripts(config, files.get)
    assert set(found) == {"/usr/local/bin/start", "/etc/lib.sh", "/usr/bin/helper"}


def test_a_script_is_known_by_its_first_line() -> None:
    assert is_script("#!/usr/bin/env bash\n")
    assert not is_script("#!/usr/bin/python3\n")


@pytest.mark.parametrize(
    ("user", "uid"), [("", 0), ("root", 0), ("0:0", 0), ("1000:1000", 1000), ("claude", 1000), ("who", None)]
)
def test_the_uid_a_user_stands_for(user: str, uid: int | None) -> None:
    assert image_user.uid(user, "root:x:0:0::/:\nclaude:x:1000:1000::/home/claude:/bin/sh\n") == uid


def test_only_a_number_can_be_verified_by_the_kubelet() -> None:
    assert image_user.is_numeric("1000:1000")
    assert not image_user.is_numeric("claude")
    assert not image_user.is_numeric("")


@pytest.mark.parametrize(
    ("words", "shell", "wanted"),
    [
        (["/bin/bash", "-o", "pipefail", "-c", "run"], ["/bin/bash", "-o", "pipefail", "-c"], Form.SHELL),
        (["/bin/bash", "-o", "pipefail", "-c", "run"], None, Form.WRAPPED),
        (["/usr/bin/env", "A=b", "bash", "-lc", "run"], None, Form.WRAPPED),
        (["tini", "-g", "--", "busybox", "sh", "-c", "run"], None, Form.WRAPPED),
        (["tini", "--", "/usr/local/bin/entrypoint", "-c"], None, Form.EXEC),
        (["bash", "/run.sh", "-c"], None, Form.EXEC),
    ],
)
def test_every_shape_of_a_shell_around_the_program_is_seen(
    words: list[str], shell: list[str] | None, wanted: Form
) -> None:
    assert form(words, shell) is wanted
