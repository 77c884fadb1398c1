"""Whether the CLI finds a login by itself: what the API received, and whether there was an answer."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from boxproof.core.process import Result
from boxproof.core.session import RUN_LABEL
from boxproof.probes.containers import LocalContainer
from boxproof.probes.pods.helper_pods import unique
from boxproof.stubs.anthropic import Stub
from pytest_claims.faults import EnvironmentFault
from pytest_claims.recording import observations

FILE = ".credentials.json"
PROMPT = ("-p", "Say hello.", "--output-format", "json")
NEVER = 4_102_444_800_000  # ms since 1970: the year 2100
NO_TOKEN = {"CLAUDE_CODE_OAUTH_TOKEN": ""}  # it would come before the file


@dataclass(frozen=True)
class Login:
    """Whether a prompt was answered, and the tokens the API saw with it: none where a login is asked for."""

    answered: bool
    tokens: tuple[str, ...]


def credentials(token: str, *, expires_in: float | None = None, **fields: object) -> str:
    """Return the content of a credentials file with ``token``; ``fields`` replace some, None leaves one out.

    It lasts ``expires_in`` seconds from now on, by default for ever. The stub renews it in its family.
    """
    login = {
        "accessToken": token,
        "refreshToken": f"{token}.refresh.0",
        "expiresAt": NEVER if expires_in is None else int((time.time() + expires_in) * 1000),
        "scopes": ["user:inference", "user:profile"],
        "subscriptionType": "max",
    } | fields
    return json.dumps({"claudeAiOauth": {key: each for key, each in login.items() if each is not None}})


def of_local(container: LocalContainer, stub: Stub) -> Login:
    """Start a container whose command is the CLI with ``PROMPT`` and return how that went; an observation."""
    stub.reset()
    ended = container.run()
    return _login("container", ended.code == 0, stub)


def of_pod(box: Any, stub: Stub, cli: str, *, config_dir: str = "") -> Login:
    """Have the CLI of a running box answer a prompt with the login in its file; an observation.

    ``config_dir`` stands in for the configuration directory of the box.
    """
    stub.reset()
    other = [f"CLAUDE_CONFIG_DIR={config_dir}"] if config_dir else []
    ended: Result = box.exec(["env", "-u", *NO_TOKEN, *other, cli, *PROMPT], timeout=120)
    return _login(f"pod, {config_dir or 'its own directory'}", ended.ok, stub)


def _login(asked: str, answered: bool, stub: Stub) -> Login:
    tokens = {each.token for each in stub.requests("/v1/messages")}
    seen = Login(answered, tuple(sorted(tokens)))
    observations.record("login", asked, seen)
    return seen


@contextmanager
def named_volume(engine: Any, run: str) -> Iterator[str]:
    """Give the name of a new volume, removed afterwards with what uses it; ``engine`` is a docker client."""
    made = engine.volumes.create(unique("boxproof-login"), labels={RUN_LABEL: run})
    try:
        yield str(made.name)
    finally:
        for each in engine.containers.list(all=True, filters={"volume": made.name}):
            each.remove(force=True)
        made.remove(force=True)


DONE = "done"
# Leaves a file with the content it had, and none where there was none.
SCRIPT = """
file=$1 part=$1.boxproof-$$
[ -e "$file" ] && had=1 || had=
try() { said=$("$@" 2>&1) && echo done || echo "${said##*: }"; }
try touch "$file"
try cp "$file" "$part"
try mv -fT "$part" "$file"
rm -f "$part"
[ "$had" ] || rm -f "$file"
"""


@dataclass(frozen=True)
class Saves:
    """What became of touching it, writing a file beside it, renaming that onto it: "done" or why not."""

    touch: str
    beside: str
    rename: str


def saves(run: Callable[[Sequence[str]], Result], file: str, where: str) -> Saves:
    """Return what the user that ``run`` runs commands as may do with ``file``; raises EnvironmentFault."""
    ended = run(["sh", "-c", SCRIPT, "saves", file])
    said = ended.stdout.split("\n")[:3]
    if not ended.ok or len(said) < 3:
        raise EnvironmentFault(f"no shell in {where} could try {file}: {ended.stderr[-200:]}")
    seen = Saves(*said)
    observations.record("saves", f"{where}: {file}", seen)
    return seen
