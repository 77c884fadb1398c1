"""Dry run and audit: what is shown is what is done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from boxproof.core.process import Started
from boxproof.fixtures.sandboxed import Sandbox
from boxproof.host.sandbox_tools import behind
from boxproof.probes.stage import Stage
from pytest_claims import claim, control, observe, scope
from pytest_claims.waiting import until

STAY = ["sh", "-c", "echo started; read -r word"]
RED = "\x1b[31m"
EXPECTED = {
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
    until(lambda: "started" in process.said, timeout=30, every=0.01, what="the payload starts")
    return process


@claim("sbx-dry-run-flags-per-tier")
@scope("host")
def test_each_tier_has_its_flags(sandbox: Sandbox) -> None:
    found = {tier: sandbox.shown(tier, ["true"]) for tier in EXPECTED}
    assert len({str(each) for each in found.values()}) == len(found), "two tiers show the same"
    with control("the full tier does not unshare the network"):
        observe("unshares the network", "full", "--unshare-net" in found["full"][0])
    for tier in ("internet", "offline"):
        assert observe("unshares the network", tier, "--unshare-net" in found[tier][0])
    for tier, wanted in EXPECTED.items():
        assert wanted <= set(found[tier][0]), tier
        assert any("slirp4netns" in word for argv in found[tier] for word in argv) is (tier == "internet")


@claim("sbx-dry-run-flags-per-tier")
@scope("host")
def test_what_runs_is_what_was_shown(sandbox: Sandbox, stage: Stage) -> None:
    shown = {tier: sandbox.shown(tier, STAY) for tier in EXPECTED}
    for tier, commands in shown.items():
        with sandbox.background(STAY, tier) as process:
            begun(process)
            outer = stage.running("bwrap")[min(stage.running("bwrap"))]
            with control("what another tier shows is not what runs"):
                others = [each[0] for name, each in shown.items() if name != tier]
                observe("runs as shown", f"{tier} against the others", outer in others)
            assert observe("runs as shown", tier, outer == commands[0]), outer
            for words in stage.running("slirp4netns").values():
                program, *options = commands[-1][-len(words) :]
                planned = [behind(program), *options]  # unpacked ones are started by a wrapper
                assert observe("runs as shown", "slirp4netns", planned == words), words
            process.write("\n")
            process.wait(30)


@claim("sbx-audit-shows-everything")
@scope("host")
def test_the_audit_names_all_that_comes_in(
    sandbox: Sandbox, stage: Stage, profile: Callable[[str, str], Path]
) -> None:
    with control("without a profile each section says none"):
        plain = sections(sandbox.run(["true"], "offline").stderr)
        observe("audit", "no profile", [plain[each] for each in ("profile", "mounts", "packages")])
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
    observe("audit", "with all", [shown[each] for each in ("profile", "mounts", "packages")])
    assert shown["profile"] == "all"
    assert shown["network"].startswith("internet")
    assert f"{data} -> /run/data (read-only)" in shown["mounts"]
    assert f"{data} -> /run/other (read-write)" in shown["mounts"]
    assert "hello" in shown["packages"] and f"{tools}/hello/bin" in shown["packages"]
    assert "FIRST_NAME" in shown["variables"] and "NOT_SET (not set)" in shown["variables"]
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
    unsaid = {each for each in names - ours if each not in shown["variables"]}
    assert unsaid == set(), f"in the environment and not in the audit: {unsaid}"


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
        assert not observe("red", "data", _red(sandbox, profile, f"{home}/data"))
    for each in sources:
        assert observe("red", each.replace(home, "~"), _red(sandbox, profile, each)), each


def _red(sandbox: Sandbox, profile: Callable[[str, str], Path], source: str) -> bool:
    """Return whether the mount's line is red, with a warning; it has to start all the same."""
    profile("one", f'[[mounts]]\nsource = "{source}"\ntarget = "/run/it"\n')
    with sandbox.background(["echo", "started"], "offline", profile="one", terminal=True) as process:
        ended = process.wait(30)
    assert ended.ok and "started" in ended.stdout, ended.stdout
    line = next(each for each in ended.stdout.splitlines() if "-> /run/it" in each)
    return RED in line and "exposes" in line
