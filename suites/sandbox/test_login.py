"""The login: shared with the host both ways, and nothing else is."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from boxproof.agent import login
from boxproof.probes.pods.helper_pods import unique
from pytest_claims import claim, control, observe, require, scope
from pytest_claims.faults import DeadlineExceeded
from pytest_claims.waiting import until
from suites.sandbox import asked_outside
from suites.sandbox.sandboxed import Api, Sandbox
from suites.sandbox.stage import Stage

MESSAGES = "/v1/messages"
PROMPT = ("-p", "Say hello.", "--output-format", "json")
STORE = '"$CLAUDE_SECURESTORAGE_CONFIG_DIR"'
FILE = f"{STORE}/{login.FILE}"
EXPIRED = -3600.0  # seconds from now
IN_STEP = 20.0
TOKEN = require("the token is {}", lambda token, wanted: token == wanted)
RENEWED_ALONE = require("the API got the renewed token alone", lambda tokens: set(tokens) == {".1"})
MODE = require("the mode is {}", lambda mode, wanted: mode == wanted)
MOVED = require(
    "the broken history is gone, the whole one is not", lambda seen: seen == {"broken": False, "whole": True}
)
RENEWED = require("the session has the renewed token", lambda there: there)
NOT_READ = require("it cannot be read", lambda read: not read)
NOT_ON_HOST = require("nothing of the sandbox's history is on the host", lambda found: not found)
NO_DESCRIPTOR = require("no descriptor of the caller is there", lambda number: number == 0)
ANSWERS = require("the CLI answers", lambda answered: answered)
KEPT = require(
    "login and settings are those of before", lambda seen: seen == {"tokens": "own", "model": "zz-kept"}
)
TRUSTED = 'variables = ["NODE_EXTRA_CA_CERTS"]\n[[mounts]]\nsource = "{ca}"\n'


@pytest.fixture
def host_file(stage: Stage) -> Path:
    """The credentials file of the host's own CLI, not yet there."""
    directory = stage.home / ".claude"
    directory.mkdir(mode=0o700)
    return directory / login.FILE


def put(path: Path, text: str) -> None:
    """Replace a file as the CLI does: a temporary one and a rename."""
    temporary = path.with_name(f"{path.name}.tmp.1")
    temporary.write_text(text)
    temporary.chmod(0o600)
    temporary.rename(path)


def eventually(look: Callable[[], bool]) -> None:
    """Wait until it is so, or for so long that the next look is the verdict."""
    with suppress(DeadlineExceeded):
        until(look, timeout=IN_STEP, every=0.05, what="both are in step")


def token_in(path: Path) -> str:
    """Return the access token in a credentials file."""
    return str(json.loads(path.read_text())["claudeAiOauth"]["accessToken"]) if path.exists() else ""


def sent(api: Api, token: str, since: int = 0) -> list[str]:
    """Return how the tokens of the family end that prompts were sent with; an observation."""
    found = [each.token.removeprefix(token) for each in api.stub.of(token).requests(MESSAGES)][since:]
    return observe("tokens at the API", "prompts", found)


def of_host(path: Path, asked: str, token: str = "") -> str:
    """Return the token of the host, or how it goes on after ``token``; an observation."""
    return observe("token of the host", asked, token_in(path).removeprefix(token))


@claim("sbx-auth-writable-and-refresh-reaches-host")
@scope("host")
def test_a_refresh_inside_reaches_api_and_host(
    sandbox: Sandbox, stage: Stage, api: Api, cli: Path, host_file: Path, profile: Callable[[str, str], Path]
) -> None:
    token = unique("stub-token")
    profile("api", TRUSTED.format(ca=api.ca))
    put(host_file, login.credentials(token, expires_in=EXPIRED))
    with control("before, the host has the token that has expired, and the API got none"):
        TOKEN.fails(of_host(host_file, "before", token), ".1")
        RENEWED_ALONE.fails(sent(api, token))
    result = sandbox.run((), "internet", arguments=PROMPT, profile="api", env=api.env)
    assert result.ok, result.describe()
    RENEWED_ALONE(sent(api, token))
    TOKEN(of_host(host_file, "after", token), ".1")
    bare = stage.as_user([str(cli), *PROMPT], env=api.env)
    assert bare.ok, bare.describe()
    again = sandbox.run((), "internet", arguments=PROMPT, profile="api", env=api.env)
    assert again.ok, again.describe()
    assert len(RENEWED_ALONE(sent(api, token))) >= 3, "host or next session asked nothing"


@claim("sbx-auth-writable-and-refresh-reaches-host")
@scope("host")
@pytest.mark.parametrize("way", ["in place", "by rename"])
def test_a_write_inside_reaches_the_host(sandbox: Sandbox, host_file: Path, way: str) -> None:
    old, new = login.credentials("old", expires_in=60), login.credentials("new", expires_in=7200)
    put(host_file, old)
    how = {"in place": f"cat >{FILE}", "by rename": f"cat >{STORE}/.x && mv -T {STORE}/.x {FILE}"}[way]
    with control("before, the host has the old token"):
        TOKEN.fails(of_host(host_file, "before"), "new")
    with control("another mode is seen"):
        host_file.chmod(0o640)
        MODE.fails(observe("mode", "before", oct(host_file.stat().st_mode & 0o777)), "0o600")
        host_file.chmod(0o600)
    with sandbox.session("offline") as inside:
        done = inside.sh(f"printf %s '{new}' | {how}")
        assert done.code == 0, done.stderr
        eventually(lambda: token_in(host_file) == "new")
    TOKEN(of_host(host_file, way), "new")
    MODE(observe("mode", way, oct(host_file.stat().st_mode & 0o777)), "0o600")


@claim("sbx-auth-writable-and-refresh-reaches-host")
@scope("host")
def test_a_refresh_of_the_host_is_seen_inside(sandbox: Sandbox, host_file: Path) -> None:
    put(host_file, login.credentials("old", expires_in=60))
    with sandbox.session("offline") as inside:

        def token() -> str:
            return str(json.loads(inside.sh(f"cat {FILE}").stdout)["claudeAiOauth"]["accessToken"])

        with control("before, the session has the old token"):
            TOKEN.fails(observe("token inside", "before", token()), "new")
        put(host_file, login.credentials("new", expires_in=7200))
        eventually(lambda: token() == "new")
        TOKEN(observe("token inside", "after", token()), "new")


@claim("sbx-auth-writable-and-refresh-reaches-host")
@scope("host")
def test_linked_both_use_one_file(
    sandbox: Sandbox, stage: Stage, api: Api, cli: Path, host_file: Path
) -> None:
    token = unique("stub-token")
    put(host_file, login.credentials(token, expires_in=EXPIRED))
    inside = f"cat {FILE}"
    told = sandbox.says(*sandbox.part.link)
    assert told.ok, told.describe()
    with control("before, the session has the token that has expired"):
        RENEWED.fails(
            observe("renewed inside", "before", f"{token}.1" in sandbox.sh(inside, "offline").stdout)
        )
    bare = stage.as_user([str(cli), *PROMPT], env=api.env)
    assert bare.ok, bare.describe()
    assert sent(api, token)[-1:] == [".1"]
    RENEWED(observe("renewed inside", "after", f"{token}.1" in sandbox.sh(inside, "offline").stdout))


SECRETS = (".ssh/id_test", ".aws/credentials", ".claude/settings.json", ".claude/projects/x/a.jsonl")


@claim("sbx-only-auth-is-shared")
@scope("host")
def test_only_the_login_is_shared(sandbox: Sandbox, stage: Stage, host_file: Path) -> None:
    put(host_file, login.credentials("shared"))
    for each in SECRETS:
        (stage.home / each).parent.mkdir(parents=True, exist_ok=True)
        (stage.home / each).write_text("zz-secret\n")
    with control("the host reads each of its files"):
        for each in SECRETS:
            there = stage.as_user(["grep", "-q", "zz-secret", f"{stage.home}/{each}"]).ok
            NOT_READ.fails(observe("reads", f"host: {each}", there))
        mine = stage.home / ".claude/projects/y"
        mine.mkdir(parents=True)
        NOT_ON_HOST.fails(observe("history on the host", "one of the host's own", mine.exists()))
        mine.rmdir()
    env = {"ZZ_VARIABLE": "zz-secret"}
    with sandbox.session("offline", env=env) as inside:
        for each in SECRETS:
            found = inside.run(["grep", "-q", "zz-secret", f"{stage.home}/{each}"])
            NOT_READ(observe("reads", f"inside: {each}", found.code == 0))
        everywhere = "cat /proc/[0-9]*/environ | tr '\\0' '\\n' | grep -q ZZ_VARIABLE"
        NOT_READ(observe("reads", "inside: the environment of the host", inside.sh(everywhere).code == 0))
        written = (
            "mkdir -p $CLAUDE_CONFIG_DIR/projects/y && echo {} | tee $CLAUDE_CONFIG_DIR/projects/y/b.jsonl"
        )
        assert inside.sh(f"{written} >$CLAUDE_CONFIG_DIR/settings.json").code == 0
        assert "shared" in inside.sh(f"cat {FILE}").stdout
    NOT_ON_HOST(
        observe("history on the host", "one of the sandbox", (stage.home / ".claude/projects/y").exists())
    )
    assert (stage.home / ".claude/settings.json").read_text() == "zz-secret\n"
    own = Path(sandbox.instance(stage.project))
    assert list(own.rglob("projects/y/b.jsonl")), "the instance has no history"


MARK = "zz-of-the-home"
PLACES = "/etc /run /tmp /mnt /media /opt /srv /var /root"
NOT_INSIDE = require("no file of the home is there, but for the login", lambda found: found == [])


@claim("sbx-only-auth-is-shared")
@scope("host")
def test_no_file_of_the_home_comes_in(sandbox: Sandbox, stage: Stage, host_file: Path) -> None:
    """Whatever is there that a launcher could take along, wherever it would put it, in each tier."""
    put(host_file, login.credentials("shared"))
    own = f"{sandbox.part.state}/"
    names = [each for each in asked_outside.files(sandbox.source()) if not f"{each}/".startswith(own)]
    for each in names:
        (stage.home / each).parent.mkdir(parents=True, exist_ok=True)
        (stage.home / each).write_text(f"{MARK}\n")
    look = f"grep -rlsa {MARK} "

    def found(asked: str, said: str) -> list[str]:
        return observe("files of the home", asked, sorted(said.split()))

    with control("outside each of them is found"):
        outside = stage.as_user(["sh", "-c", f'{look} "$HOME"'])
        assert len(NOT_INSIDE.fails(found("outside", outside.stdout))) == len(names)
    for tier in sandbox.part.tiers:
        done = sandbox.sh(f'{look} "$HOME" {PLACES}; cat {FILE}', tier)
        said, brace, _ = done.stdout.partition("{")
        assert brace, f"no session had its login: {done.describe()}"
        NOT_INSIDE(found(tier, said))


@claim("sbx-only-auth-is-shared")
@scope("host")
def test_no_descriptor_of_the_caller_comes_in(sandbox: Sandbox, stage: Stage) -> None:
    look = "ls -l /proc/self/fd /proc/1/fd 2>/dev/null | grep -c canary"
    canary = stage.directory / "canary"
    canary.write_text("")
    held = ["sh", "-c", 'exec 9<"$0"; exec "$@"', str(canary)]
    with control("without a sandbox the program has the descriptor"):
        said = stage.as_user([*held, "sh", "-c", look]).stdout.strip()
        NO_DESCRIPTOR.fails(observe("descriptors", "outside", int(said)))
    said = stage.as_user([*held, *sandbox.argv(["sh", "-c", look], "offline")]).stdout.strip()
    NO_DESCRIPTOR(observe("descriptors", "inside", int(said)))


BROKEN = '{"type": "user", "message"'


@claim("sbx-recovery-keeps-auth")
@scope("host")
def test_the_documented_recovery_keeps_login_and_settings(
    sandbox: Sandbox, stage: Stage, api: Api, cli: Path, host_file: Path, profile: Callable[[str, str], Path]
) -> None:
    token = unique("stub-token")
    profile("api", TRUSTED.format(ca=api.ca))
    put(host_file, login.credentials(token))

    def answers() -> bool:
        result = sandbox.run((), "internet", arguments=PROMPT, profile="api", env=api.env)
        return observe(
            "answers", "a prompt", result.ok and '"is_error":false' in result.stdout.replace(" ", "")
        )

    ANSWERS(answers())
    own = Path(sandbox.instance(stage.project)) / ".claude"
    settings = own / "settings.json"

    def kept(asked: str) -> dict[str, str]:
        model = json.loads(settings.read_text()).get("model", "none") if settings.exists() else "none"
        tokens = "own" if set(sent(api, token)) == {""} else "another"
        return observe("kept", asked, {"tokens": tokens, "model": model})

    with control("before they are set, other settings are seen"):
        KEPT.fails(kept("before they are set"))
    settings.write_text('{"model": "zz-kept"}')

    def histories(asked: str) -> dict[str, bool]:
        return observe("histories", asked, {"broken": history.exists(), "whole": whole.exists()})

    history = next(own.rglob("*.jsonl"))
    history.write_text(history.read_text() + BROKEN)
    whole = own / "projects/whole.jsonl"
    whole.write_text('{"a": 1}\n')
    (own / ".claude.json").write_text('{"projects": {')
    with control("before the recovery the CLI does not start"):
        ANSWERS.fails(answers())
    with control("before the recovery the broken history is there"):
        MOVED.fails(histories("before the recovery"))
    told = sandbox.says(*sandbox.part.repair)
    assert told.ok, told.describe()
    MOVED(histories("after the recovery"))
    ANSWERS(answers())
    KEPT(kept("after the recovery"))
    (sandbox.state / "profiles/api.toml").unlink()
    assert sandbox.run(["true"], "internet").ok, "without its profile it does not start"
