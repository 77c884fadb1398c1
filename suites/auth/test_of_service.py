"""Which login the service of mode api has its prompts answered with."""

from __future__ import annotations

from boxproof.agent.api_session import ask, serve
from boxproof.agent.login import credentials
from boxproof.fixtures.agent_modes import Headless
from boxproof.stubs.anthropic import MESSAGES, Stub
from pytest_claims import claim, control, observe, scope
from suites.auth.test_sources import IN_USE, named


@claim("auth-env-first-then-file")
@scope("image")
def test_the_environment_comes_first_in_the_mode_api_too(headless: Headless, token: str, mine: Stub) -> None:
    env, file = f"{token}.env", f"{token}.file"

    def in_use(sources: str) -> tuple[str, tuple[str, ...]]:
        """Return the source that the log names, and the tokens that the API saw."""
        box = serve(
            headless(
                env=env if "env" in sources else "",
                file=credentials(file) if "file" in sources else None,
                environment={"CLAUDE_MODE": "api"},
            )
        )
        mine.reset()
        ask(box, "Say hello.")
        tokens = sorted({each.token for each in mine.requests(MESSAGES)})
        return observe("login in use", f"api, {sources}", (named(box.logs()), tuple(tokens)))

    by_file = IN_USE(in_use("file"), "file", file)
    by_variable = IN_USE(in_use("env"), "env", env)
    with control("where there is only the file, it is not the variable, and the other way round"):
        IN_USE.fails(observe("login in use", "api, file alone", by_file), "env", env)
        IN_USE.fails(observe("login in use", "api, env alone", by_variable), "file", file)
    IN_USE(in_use("env and file"), "env", env)
