"""Profiles: what they declare arrives, and what others could have written is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from pytest_claims import claim, control, observe, require, scope
from suites.sandbox.sandboxed import Sandbox
from suites.sandbox.stage import Stage

Profile = Callable[[str, str], Path]
NAMES = ("plain", "my project", "a:b:c", "two\nlines", 'quo"ted', "$HOME;x")
SIMPLE = 'variables = ["NAMED"]\n'
WANTED = {name: str(number) for number, name in enumerate(NAMES)}
ARRIVE = require("every mount arrives where it was asked for", lambda found: found == WANTED)
UNCHANGED = require("packages and variables arrive unchanged", lambda said: said == "one\ntwo\na b|c:d\ne")
REFUSED = require("the profile is refused", lambda there: not there)
READ_AS_CHECKED = require("the other file's mount does not come in", lambda there: not there)
IN_NO_LINE = require("it is in no command line", lambda there: not there)
PRINT = 'printf %s "$NAMED"'


def toml(text: str) -> str:
    """Return a text as TOML writes it (its basic strings are JSON's)."""
    return json.dumps(text)


@claim("sbx-profile-spaces-and-lists")
@scope("host")
def test_paths_and_lists_arrive_unchanged(sandbox: Sandbox, stage: Stage, profile: Profile) -> None:
    tables = []
    for number, name in enumerate(NAMES):
        source = stage.home / "data" / name
        source.mkdir(parents=True)
        (source / "mark").write_text(str(number))
        tables.append(f"[[mounts]]\nsource = {toml(str(source))}\ntarget = {toml(f'/run/at/{name}')}\n")
    tools = stage.home / "my tools"
    for each in ("one", "two"):
        (tools / each / "bin").mkdir(parents=True)
        program = tools / each / "bin" / f"say-{each}"
        program.write_text(f"#!/bin/sh\necho {each}\n")
        program.chmod(0o755)
    packages = f'[packages]\nfrom = "dir"\nwhere = {toml(str(tools))}\nnames = ["one", "two"]\n'
    profile("odd", 'variables = ["FIRST", "SECOND"]\n' + "".join(tables) + packages)
    profile("simple", tables[0])

    def said_by(env: dict[str, str]) -> str:
        script = 'say-one; say-two; printf "%s|%s" "$FIRST" "$SECOND"'
        return sandbox.sh(script, "offline", profile="odd", env=env).stdout

    look = (
        "import json, os, pathlib\n"
        "print(json.dumps({p.parent.name: p.read_text() for p in pathlib.Path('/run/at').glob('*/mark')}))"
    )
    with control("a profile with one plain path has that one alone"):
        found = json.loads(sandbox.run(["python3", "-c", look], "offline", profile="simple").stdout)
        assert ARRIVE.fails(observe("mounts", "simple", found)) == {"plain": "0"}
    with control("with other values other words arrive"):
        other = {"FIRST": "x", "SECOND": "y"}
        UNCHANGED.fails(observe("said", "other values", said_by(other)))
    env = {"FIRST": "a b", "SECOND": "c:d\ne"}
    found = sandbox.run(["python3", "-c", look], "offline", profile="odd", env=env)
    ARRIVE(observe("mounts", "odd", json.loads(found.stdout) if found.ok else found.stderr[-400:]))
    UNCHANGED(observe("said", "odd", said_by(env)))
    [argv] = sandbox.shown("offline", ["true"], profile="odd")
    binds = [argv[at + 2] for at, word in enumerate(argv) if word == "--ro-bind"]
    assert [each for each in binds if each.startswith("/run/at/")] == [f"/run/at/{each}" for each in NAMES]


def accepted(sandbox: Sandbox, name: str = "p") -> tuple[bool, str]:
    """Return whether a launch with the profile ran with its variable, and what it said."""
    result = sandbox.sh(PRINT, "offline", profile=name, env={"NAMED": "zz-arrived"})
    return result.ok and result.stdout == "zz-arrived", result.stderr


@claim("sbx-profile-permissions-checked")
@scope("host")
def test_a_profile_that_others_could_have_written_is_refused(
    sandbox: Sandbox, stage: Stage, profile: Profile
) -> None:
    with control("one's own of mode 0600 is accepted"):
        profile("p", SIMPLE)
        REFUSED.fails(observe("accepted", "0600", accepted(sandbox)[0]))
    for mode in (0o666, 0o620, 0o602):
        path = profile("p", SIMPLE)
        path.chmod(mode)
        there, said = accepted(sandbox)
        REFUSED(observe("accepted", f"{mode:04o}", there))
        assert str(path) in said and "written by others" in said, said
    path = profile("p", SIMPLE)
    path.chmod(0o644)
    stage.foreign(path)
    there, said = accepted(sandbox)
    REFUSED(observe("accepted", "another user's", there))
    assert str(path) in said and "another user" in said, said


@claim("sbx-profile-permissions-checked")
@scope("host")
def test_a_profile_holds_declarations_and_nothing_else(
    sandbox: Sandbox, stage: Stage, profile: Profile
) -> None:
    with control("declarations are accepted"):
        profile("p", SIMPLE)
        REFUSED.fails(observe("accepted", "declarations", accepted(sandbox)[0]))
    mark = stage.temporary / "pwned"
    for text in (
        f"touch {mark}\n",
        f'{SIMPLE}run = "touch {mark}"\n',
        f'variables = ["NAMED", "$(touch {mark})"]\n',
        f'{SIMPLE}[[mounts]]\nsource = "{stage.home}"\ncommand = "touch {mark}"\n',
        f'{SIMPLE}[packages]\nfrom = "sh"\nnames = ["touch {mark}"]\n',
    ):
        path = profile("p", text)
        there, said = accepted(sandbox)
        REFUSED(observe("accepted", text.splitlines()[-1], there))
        assert str(path) in said, said
        assert not mark.exists(), f"it was run: {text}"


@claim("sbx-profile-directory-and-symlink-checked")
@scope("host")
def test_the_way_to_a_profile_is_checked(sandbox: Sandbox, stage: Stage, profile: Profile) -> None:
    with control("in a directory of mode 0700 it is accepted"):
        directory = profile("p", SIMPLE).parent
        REFUSED.fails(observe("accepted", "0700", accepted(sandbox)[0]))
    for place in (directory, directory.parent, stage.home):
        before = place.stat().st_mode
        place.chmod(0o777)
        there, said = accepted(sandbox)
        REFUSED(observe("accepted", f"{place.name} is 0777", there))
        assert str(place) in said, said
        place.chmod(before)
    elsewhere = stage.home / "elsewhere.toml"
    elsewhere.write_text(SIMPLE)
    for mode in (0o666, 0o600):
        elsewhere.chmod(mode)
        (directory / "p.toml").unlink()
        (directory / "p.toml").symlink_to(elsewhere)
        there, said = accepted(sandbox)
        REFUSED(observe("accepted", f"a link to a file of {mode:04o}", there))
        assert "symbolic link" in said, said
    (directory / "p.toml").unlink()
    moved = stage.home / "moved"
    directory.rename(moved)
    directory.symlink_to(moved)
    profile("p", SIMPLE)
    REFUSED(observe("accepted", "a linked directory", accepted(sandbox)[0]))


SWAPPER = """
import os, sys
one, two = sys.argv[1:]
print("started", flush=True)
while os.getppid() > 1:
    os.rename(two, one + ".next"); os.rename(one, two); os.rename(one + ".next", one)
"""
EVIL = 'variables = ["NAMED"]\n[[mounts]]\nsource = "/etc"\ntarget = "/run/evil"\n'


@claim("sbx-profile-directory-and-symlink-checked")
@scope("host")
def test_what_is_read_is_what_was_checked(sandbox: Sandbox, stage: Stage, profile: Profile) -> None:
    look = f"test -e /run/evil && echo evil; {PRINT}"
    evil = profile("evil", EVIL)
    with control("the other file, with a mode of its own, would bring its mount"):
        said = sandbox.sh(look, "offline", profile="evil", env={"NAMED": "x"}).stdout
        READ_AS_CHECKED.fails(observe("brings the other's mount", "chosen", "evil" in said))
    good = profile("p", SIMPLE)
    evil.chmod(0o666)
    swapping = stage.command(["python3", "-c", SWAPPER, str(good), str(evil)])
    with stage.beside(swapping, "started"):
        outcomes = [sandbox.sh(look, "offline", profile="p", env={"NAMED": "x"}) for _ in range(12)]
    there = any("evil" in each.stdout for each in outcomes)
    READ_AS_CHECKED(observe("brings the other's mount", "swapped", there))


SECRETS = (
    'variables = ["AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMIK7MDENGbPxRfiCY"]\n',
    'variables = ["NAMED", "PLAIN=abc"]\n',
    SIMPLE + "# token: " + "gh" + "p_" + "a" * 36 + "\n",
    SIMPLE + 'network = "' + "sk-" + "ant-" + "b" * 24 + '"\n',
    SIMPLE + '[[mounts]]\nsource = "/tmp"\ntarget = "/run/API_KEY=0123456789ab"\n',
)


@claim("sbx-profile-no-plaintext-secrets")
@scope("host")
def test_a_written_out_secret_is_refused_and_a_name_is_not(
    sandbox: Sandbox, profile: Profile, stage: Stage
) -> None:
    with control("the bare name is accepted, and the host's value arrives"):
        profile("p", SIMPLE)
        REFUSED.fails(observe("accepted", "a name", accepted(sandbox)[0]))
    for text in SECRETS:
        path = profile("p", text)
        there, said = accepted(sandbox)
        REFUSED(observe("accepted", f"secret {SECRETS.index(text)}", there))
        assert str(path) in said, said
        for value in ("wJalrXUtnFEMIK7MDENGbPxRfiCY", "=abc", "a" * 36, "b" * 24):
            assert value not in said, "the message shows the secret"


@claim("sbx-profile-no-plaintext-secrets")
@scope("host")
def test_a_value_is_in_no_command_line(sandbox: Sandbox, stage: Stage, profile: Profile) -> None:
    profile("p", SIMPLE)
    value = "zz-secret-value"
    stay = ["sh", "-c", 'echo "started $NAMED"; read -r word']
    with sandbox.background(stay, "internet", profile="p", env={"NAMED": value}) as process:
        stage.said(process, f"started {value}")
        lines = [word for pid, words in stage.members().items() if _own(pid) for word in words]
        with control("a word of the command is found in the command lines"):
            IN_NO_LINE.fails(observe("in command lines", "read -r", any("read -r" in each for each in lines)))
        IN_NO_LINE(observe("in command lines", "the value", any(value in each for each in lines)))
        process.write("\n")
        process.wait(30)


def _own(pid: int) -> bool:
    """Return whether a process is the launcher's or inside (`env` of the stage has had its values)."""
    return Path(f"/proc/{pid}/exe").readlink().name not in ("env", "nsenter", "unshare")
