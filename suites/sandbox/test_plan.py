"""Dry run and audit: what is shown is what is done."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from boxproof.core.process import Result, Started
from pytest_claims import SubjectFault, claim, control, observe, require, scope
from pytest_claims.waiting import until
from suites.sandbox import asked_outside
from suites.sandbox.sandbox_tools import behind
from suites.sandbox.sandboxed import Sandbox
from suites.sandbox.stage import Stage

STAY = ["sh", "-c", "echo started; read -r word"]
UNSHARED = require("the network is not shared", lambda flags: "--unshare-net" in flags)
HAS_FLAGS = require("the flags of the {} tier are there", lambda flags, tier: set(flags) >= EXPECTED[tier])
SLIRP = require("slirp4netns is started: {}", lambda programs, wanted: ("slirp4netns" in programs) is wanted)
AS_SHOWN = require("what runs is what was shown", lambda seen: seen["runs"] == seen["shown"])
LISTS = require("the audit lists all that comes in", lambda shown: _lacking(shown) == [])
NOTHING_UNSAID = require("no variable comes in unsaid", lambda names: names == [])
IS_RED = require(
    "the mount is red, with a warning, and allowed", lambda seen: seen["red"] and seen["launched"]
)
RED = "\x1b[31m"
EXPECTED: dict[str, set[str]] = {
    "full": {
        "--unshare-user",
        "--unshare-pid",
        "--unshare-ipc",
        "--cap-drop",
        "--die-with-parent",
        "--seccomp",
    },
    "internet": {"--unshare-net", "--unshare-user", "--unshare-pid", "--cap-drop", "--disable-userns"},
    "offline": {"--unshare-net", "--unshare-user", "--unshare-pid", "--cap-drop", "--disable-userns"},
}
EVERYTHING = """
variables = ["FIRST_NAME", "NOT_SET"]
[[mounts]]
source = "{data}"
target = "/run/data"
[[mounts]]
source = "{data}"
target = "/run/other"
write = true
[packages]
from = "dir"
where = "{tools}"
names = ["hello"]
"""


def begun(process: Started) -> Started:
    """Wait until the payload runs."""

    def shown() -> bool:
        return "started" in process.said or process.process.poll() is not None

    until(shown, timeout=30, every=0.01, what="the payload starts")
    if "started" not in process.said:
        raise SubjectFault(f"the session ended before its payload ran: {process.complained.strip()[-300:]}")
    return process


@claim("sbx-dry-run-flags-per-tier")
@scope("host")
def test_each_tier_has_its_flags(sandbox: Sandbox) -> None:
    found = {tier: sandbox.shown(tier, ["true"]) for tier in EXPECTED}
    assert len({str(each) for each in found.values()}) == len(found), "two tiers show the same"

    def flags(tier: str, command: int = 0) -> list[str]:
        words = {each for each in found[tier][command] if each.startswith("--")}
        return observe("flags", f"{tier}, command {command}", sorted(words))

    def programs(tier: str) -> list[str]:
        words = {Path(word).name for argv in found[tier] for word in argv}
        return observe("programs", tier, sorted(words & {"slirp4netns"}))

    with control("the full tier does not unshare the network, and has not the flags of an isolated one"):
        UNSHARED.fails(flags("full"))
        HAS_FLAGS.fails(flags("full"), "offline")
    with control("the last command of internet, which starts no sandbox, has not the flags of one"):
        HAS_FLAGS.fails(flags("internet", -1), "full")
    with control("the tiers differ in what they start"):
        SLIRP.fails(programs("internet"), False)
        SLIRP.fails(programs("offline"), True)
    for tier in EXPECTED:
        HAS_FLAGS(flags(tier), tier)
        SLIRP(programs(tier), tier == "internet")
        if tier != "full":
            UNSHARED(flags(tier))


CLOSES = {
    "bwrap": {
        "--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try",
        "--cap-drop", "--die-with-parent", "--seccomp",
    },
    "slirp4netns": {"--disable-host-loopback", "--enable-sandbox", "--enable-seccomp"},
}  # fmt: skip
HAS_ALL = require("{} has all flags that close it", lambda flags, program: set(flags) >= CLOSES[program])


@claim("sbx-dry-run-flags-per-tier")
@scope("host")
def test_each_program_has_all_flags_that_close_it(sandbox: Sandbox) -> None:
    """The sandbox in every tier alike, and the helper that has the network's other end."""
    found = {tier: sandbox.shown(tier, ["true"]) for tier in EXPECTED}

    def flags(tier: str, program: str) -> list[str]:
        """Return the options from the program's name on, without their values."""
        argv = found[tier][-1 if program == "slirp4netns" else 0]
        begin = next((at for at, word in enumerate(argv) if Path(word).name == program), len(argv))
        words = {each.partition("=")[0] for each in argv[begin:] if each.startswith("--")}
        same = {"--unshare-cgroup-try"} if "--unshare-cgroup" in words else set()
        return observe("flags of a program", f"{tier}: {program}", sorted(words | same))

    with control("neither program has those of the other"):
        HAS_ALL.fails(flags("internet", "slirp4netns"), "bwrap")
        HAS_ALL.fails(flags("internet", "bwrap"), "slirp4netns")
    HAS_ALL(flags("internet", "slirp4netns"), "slirp4netns")
    for tier in EXPECTED:
        HAS_ALL(flags(tier, "bwrap"), "bwrap")


@claim("sbx-dry-run-flags-per-tier")
@scope("host")
def test_what_runs_is_what_was_shown(sandbox: Sandbox, stage: Stage) -> None:
    shown = {tier: sandbox.shown(tier, STAY) for tier in EXPECTED}
    for tier, commands in shown.items():
        with sandbox.background(STAY, tier) as process:
            begun(process)
            outer = stage.running("bwrap")[min(stage.running("bwrap"))]
            with control(f"what another tier shows is not what runs in {tier}"):
                other = next(each[0] for name, each in shown.items() if name != tier)
                AS_SHOWN.fails(compared(f"{tier} against another", outer, other))
            AS_SHOWN(compared(tier, outer, commands[0]))
            for words in stage.running("slirp4netns").values():
                program, *options = commands[-1][-len(words) :]
                planned = [behind(program), *options]  # unpacked ones are started by a wrapper
                AS_SHOWN(compared("slirp4netns", words, planned))
            process.write("\n")
            process.wait(30)


def compared(asked: str, runs: list[str], shown: list[str]) -> dict[str, list[str]]:
    """Return two command lines; an observation."""
    return observe("runs as shown", asked, {"runs": runs, "shown": shown})


@claim("sbx-audit-shows-everything")
@scope("host")
def test_the_audit_names_all_that_comes_in(
    sandbox: Sandbox, stage: Stage, profile: Callable[[str, str], Path]
) -> None:
    with control("without a profile each section says none"):
        plain = sections(sandbox.run(["true"], "offline").stderr)
        LISTS.fails(observe("audit", "no profile", plain))
        assert {plain[each] for each in ("profile", "mounts", "packages")} == {"none"}
    data, tools = stage.home / "data", stage.home / "tools"
    data.mkdir()
    (tools / "hello/bin").mkdir(parents=True)
    profile("all", EVERYTHING.format(data=data, tools=tools))
    env = {"FIRST_NAME": "zz-value"}
    script = "env; cat /proc/self/mountinfo"
    result = sandbox.sh(script, "internet", profile="all", env=env)
    assert result.ok, result.stderr
    shown = sections(result.stderr)
    LISTS(observe("audit", "with all", shown))
    assert f"{data} -> /run/data" in shown["mounts"] and f"{tools}/hello/bin" in shown["packages"]
    assert "zz-value" not in result.stderr, "a value is shown"
    _agrees(sandbox, shown, result.stdout)


def _agrees(sandbox: Sandbox, shown: dict[str, str], inside: str) -> None:
    """Hold the audit to the environment and the mounts inside."""
    argv = sandbox.shown("internet", ["true"], profile="all")[0]
    binds = [argv[at + 2] for at, word in enumerate(argv) if word in ("--bind", "--ro-bind")]
    assert {"/run/data", "/run/other"} <= set(binds)
    names = {line.partition("=")[0] for line in inside.splitlines() if "=" in line.partition(" ")[0]}
    ours = {"HOME", "PATH", "SHELL", "PWD", "CLAUDEBOX", "DISABLE_AUTOUPDATER", "OLDPWD", "_", "SHLVL"}
    ours |= {each for each in names if each.startswith("CLAUDE_")}
    said = shown["variables"]
    with control("an audit that names no variable leaves one unsaid"):
        NOTHING_UNSAID.fails(observe("unsaid", "an empty audit", sorted(names - ours)))
    NOTHING_UNSAID(observe("unsaid", "the audit", sorted(each for each in names - ours if each not in said)))


@claim("sbx-audit-shows-everything")
@scope("host")
def test_no_variable_of_the_caller_comes_in_unsaid(
    sandbox: Sandbox, stage: Stage, profile: Callable[[str, str], Path]
) -> None:
    """Whatever is set outside that a launcher could hand on, in each tier, to a command and to the CLI."""
    profile("one", 'variables = ["FIRST_NAME"]\n')
    mark, cli = stage.home / "zz-unasked", stage.home / ".local/bin/claude"
    for each in (mark, cli.parent):  # a directory, for variables that name one
        each.mkdir(parents=True)
    cli.write_text('#!/bin/sh\nexec "$@"\n')
    cli.chmod(0o755)
    names = {"FIRST_NAME", *asked_outside.variables(sandbox.source())}
    env = dict.fromkeys(names, str(mark)) | {"PATH": f"{cli.parent}:{stage.path}"}

    def unsaid(asked: str, ended: Result, said: str) -> list[str]:
        inside = {line.partition("=")[0] for line in ended.stdout.splitlines() if mark.name in line}
        return observe("unsaid", asked, sorted(inside - set(re.findall(r"\w+", said))))

    for tier in EXPECTED:
        command = sandbox.run(["env"], tier, profile="one", env=env)
        instead = sandbox.run((), tier, arguments=["env"], profile="one", env=env)
        for name, ended in (("a command", command), ("the CLI", instead)):
            assert ended.ok, ended.describe()
            with control("an audit that names no variable leaves that of the profile unsaid"):
                assert "FIRST_NAME" in NOTHING_UNSAID.fails(unsaid("an empty audit", ended, ""))
            said = sections(ended.stderr).get("variables", "")
            NOTHING_UNSAID(unsaid(f"{tier}: {name}", ended, said))


def _lacking(shown: dict[str, str]) -> list[str]:
    """Return what the audit of EVERYTHING does not say."""
    wanted = {
        "profile": ["all"],
        "network": ["internet"],
        "mounts": [" -> /run/data (read-only)", " -> /run/other (read-write)"],
        "packages": ["hello"],
        "variables": ["FIRST_NAME", "NOT_SET (not set)"],
    }
    return [text for title, texts in wanted.items() for text in texts if text not in shown.get(title, "")]


def sections(text: str) -> dict[str, str]:
    """Return the audit's entries by their title."""
    found: dict[str, str] = {}
    title = ""
    for line in text.splitlines()[1:]:
        title = line[2:15].strip() or title
        found[title] = f"{found[title]}\n{line[16:]}" if title in found else line[16:]
    return found


SECRET = (".ssh", ".gnupg", ".aws", ".config/gcloud", ".config/age")


@claim("sbx-audit-highlights-secret-mounts")
@scope("host")
def test_secret_mounts_are_red_and_allowed(
    sandbox: Sandbox, stage: Stage, profile: Callable[[str, str], Path]
) -> None:
    for each in (*SECRET, "data"):
        (stage.home / each).mkdir(parents=True)
    (stage.home / "x").symlink_to(stage.home / ".ssh")
    (stage.home / "keys.age").write_text("")
    home = str(stage.home)
    sources = [f"{home}/{each}" for each in (*SECRET, "x", ".config", "keys.age")]
    sources += [f"{home}/data/../.aws", home]
    with control("a harmless mount is not red"):
        IS_RED.fails(observe("red", "data", _red(sandbox, profile, f"{home}/data")))
    for each in sources:
        IS_RED(observe("red", each.replace(home, "~"), _red(sandbox, profile, each)))


def _red(sandbox: Sandbox, profile: Callable[[str, str], Path], source: str) -> dict[str, bool]:
    """Return whether the mount's line is red, with a warning, and whether it starts all the same."""
    profile("one", f'[[mounts]]\nsource = "{source}"\ntarget = "/run/it"\n')
    with sandbox.background(["echo", "started"], "offline", profile="one", terminal=True) as process:
        ended = process.wait(30)
    line = next((each for each in ended.stdout.splitlines() if "-> /run/it" in each), "")
    return {"red": RED in line and "exposes" in line, "launched": ended.ok and "started" in ended.stdout}


TAKES_BACK = frozenset({"--share-net", "--cap-add"})  # each undoes a flag before it
NONE_TAKEN_BACK = require("no flag takes back what another closes", lambda found: found == [])


@claim("sbx-dry-run-flags-per-tier")
@scope("host")
def test_no_flag_takes_another_back(sandbox: Sandbox) -> None:
    """Of two that say the opposite bwrap heeds the last: that the first is there says nothing."""

    def taken(asked: str, argv: list[str]) -> list[str]:
        options = argv[: argv.index("--")] if "--" in argv else argv
        return observe("flags that take another back", asked, sorted(set(options) & TAKES_BACK))

    for tier in ("internet", "offline"):
        program, *options = sandbox.shown(tier, ["true"])[0]
        with control(f"a network that is shared again, and a capability that is added, are seen: {tier}"):
            for more in (["--share-net"], ["--cap-add", "CAP_NET_ADMIN"]):
                NONE_TAKEN_BACK.fails(taken(f"{tier}, and {more[0]}", [program, *more, *options]))
        NONE_TAKEN_BACK(taken(tier, [program, *options]))
