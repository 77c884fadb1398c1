"""A prompt is what the model is asked, and nothing else: no option of the CLI, no argument that all see."""

from __future__ import annotations

import secrets

import pytest

from boxproof.agent import api_session
from boxproof.agent.api_session import ask, words
from boxproof.fixtures.agent_modes import Headless, Modes, calls, started
from boxproof.fixtures.factories import Containers
from boxproof.probes.containers import LocalContainer
from boxproof.probes.processes import processes
from boxproof.stubs.anthropic import MESSAGES, Stub
from pytest_claims import claim, control, observe, require, scope

pytestmark = scope("image")

OWNED = "/tmp/owned"
HOOK = (
    '--settings={"hooks": {"SessionStart": [{"hooks": [{"type": "command", "command": "touch '
    + OWNED
    + '"}]}]}}'
)
# what a shell, a format and a reader of lines take for their own
SIGNS = 'It\'s 100% of "$HOME", %s\\n `id` $(touch /tmp/owned); \\\\ *\n\nThe second line: größer'
PROMPTS = ("--version", "-p", "--dangerously-skip-permissions", "--", HOOK)
ASKED = require("the model is asked just what the prompt says: {}", lambda found, prompt: found == prompt)
OUT_OF_ARGUMENTS = require("no argument of any process holds the prompt", lambda found: found == [])


def tail(mine: Stub, asked: str, prompt: str) -> str:
    """Return the prompt if the model was asked it, else the end of what it was asked; an observation."""
    sent = [each.prompt for each in mine.requests(MESSAGES)]
    whole = any(each == prompt or each.endswith(f"\n{prompt}") for each in sent)
    return observe("what the model is asked", asked, prompt if whole else (sent[-1][-80:] if sent else ""))


@claim("iso-prompt-is-data")
@pytest.mark.parametrize("prompt", PROMPTS)
def test_headless_mode_asks_what_the_prompt_says(
    headless: Headless, mine: Stub, token: str, prompt: str
) -> None:
    def end(box: LocalContainer) -> LocalContainer:
        mine.reset()
        box.run()
        return box

    given = {"CLAUDE_PROMPT": prompt}
    with control("a CLI that has it as an argument takes it for an option"):
        cli = headless.subject.image.cli
        end(headless("-p", prompt, env=token, entrypoint=[cli]))
        ASKED.fails(tail(mine, "as an argument", prompt), prompt)
    end(headless(env=token, environment=given))
    ASKED(tail(mine, "CLAUDE_PROMPT", prompt), prompt)


@claim("iso-prompt-is-data")
def test_headless_mode_asks_what_a_shell_would_read(headless: Headless, mine: Stub, token: str) -> None:
    def asked(what: str, prompt: str) -> str:
        mine.reset()
        headless(env=token, environment={"CLAUDE_PROMPT": prompt}).run()
        return tail(mine, what, SIGNS)

    with control("another prompt is another"):
        ASKED.fails(asked("another prompt", f"{SIGNS} please"), SIGNS)
    ASKED(asked("signs of a shell's", SIGNS), SIGNS)


@claim("iso-prompt-is-data")
def test_the_api_asks_what_the_prompt_says(headless: Headless, mine: Stub, token: str) -> None:
    box = api_session.serve(headless(env=token, environment={"CLAUDE_MODE": "api"}))
    for prompt in (*PROMPTS, SIGNS):
        mine.reset()
        with control(f"another prompt than {prompt!r} is another"):
            ask(box, f"{prompt} please")
            ASKED.fails(tail(mine, "another prompt", prompt), prompt)
        mine.reset()
        ask(box, prompt)
        ASKED(tail(mine, "api", prompt), prompt)


@claim("iso-prompt-is-data")
@pytest.mark.parametrize("mode", ["headless", "api", "remote-control", "interactive"])
def test_no_process_has_the_prompt_among_its_arguments(
    modes: Modes, container: Containers, mode: str
) -> None:
    prompt = f"say {secrets.token_hex(8)}"

    def arguments(box: LocalContainer) -> list[str]:
        found = [each for each in processes(box) if each.comm != "curl"]  # the client of the api's is ours
        seen = [" ".join(each.cmdline) for each in found] + [" ".join(each.argv) for each in calls(box)]
        return observe("arguments that hold it", box.label, [each for each in seen if prompt in each])

    with control("that of a program that has it as an argument does"):
        OUT_OF_ARGUMENTS.fails(arguments(container(entrypoint=["sh", "-c", "sleep 3600; :", prompt])))
    if mode == "api":
        box = api_session.serve(modes(mode, start=False))
        box.made.exec_run(words(prompt), detach=True)
    else:
        box = modes(mode, environment={"CLAUDE_PROMPT": prompt}, tty=mode == "interactive")
    OUT_OF_ARGUMENTS(arguments(started(box)))
