"""The form of ENTRYPOINT, and that arguments reach the app through it."""

from __future__ import annotations

from typing import Any

from boxproof.core.session import ImageInfo, Session
from boxproof.fixtures.agent_modes import Modes, calls
from boxproof.fixtures.factories import Containers
from boxproof.probes.process.processes import processes
from boxproof.subject.image.bad_images import config_of, configured
from boxproof.subject.image.entrypoint import SHELLS, Form, form
from pytest_claims import claim, control, observe, scope

pytestmark = scope("image")


@claim("entrypoint-exec-form")
def test_entrypoint_is_a_json_array(
    session: Session, docker: Any, image: ImageInfo, image_config: dict[str, Any]
) -> None:
    with (
        control("an ENTRYPOINT in shell form is seen as one"),
        configured(docker, ["ENTRYPOINT /start"], run=session.run) as made,
    ):
        assert observe("form", made, form(config_of(docker, made)["Entrypoint"])) is Form.SHELL
    found = observe("form", image.reference, form(image_config["Entrypoint"]))
    assert found not in (Form.SHELL, Form.NONE)
    assert form(image_config["Cmd"]) is not Form.SHELL


@claim("no-shell-wrapper-inside-exec-form")
def test_the_array_does_not_start_a_shell(
    modes: Modes, container: Containers, image: ImageInfo, image_config: dict[str, Any]
) -> None:
    with control("an app in the background of a shell: the brackets are there, PID 1 is the shell"):
        wrapped = ["sh", "-c", "sleep 3600 & wait"]
        assert observe("form", str(wrapped), form(wrapped)) is Form.WRAPPED
        first = processes(container(entrypoint=wrapped))[0]
        assert observe("first process", str(wrapped), first.comm) in SHELLS
    assert observe("form", image.reference, form(image_config["Entrypoint"])) is Form.EXEC
    first = processes(modes(None, login=False))[0]
    assert observe("first process", image.reference, first.comm) not in SHELLS


@claim("args-pass-through")
def test_arguments_are_added_to_the_app(modes: Modes, container: Containers) -> None:
    with control("without an ENTRYPOINT the engine takes the argument for the program"):
        replaced = container("--debug", entrypoint=[""], start=False).run()
        assert replaced.code is None
        assert '"--debug": executable file not found' in replaced.error
    box = modes(None, "--debug", stays=False, start=False)
    assert box.run().code == 0
    assert calls(box)[-1].argv[-1] == "--debug"
