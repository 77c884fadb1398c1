"""Packages of a profile, resolved before the start; and the daemon that the offline tier keeps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from boxproof.core.settings import Settings
from boxproof.probes.reach import Reach, reach
from pytest_claims import claim, control, observe, require, scope
from suites.sandbox.nix_store import Nix
from suites.sandbox.sandboxed import Sandbox
from suites.sandbox.stage import FORGE, NEIGHBOUR, PORT, Stage

Profile = Callable[[str, str], Path]
TIERS = ("full", "internet", "offline")
DENIED = {Reach.REFUSED, Reach.FILTERED, Reach.NO_ROUTE}
COUNTED = 'echo called >>"{log}"\nexec {program} "$@"'
DEVICES = "cat /proc/net/dev | tail -n +3 | cut -d: -f1 | tr -d ' ' | sort | tr '\\n' ' '"
UNREACHED = require("there is no connection", lambda answer: answer in DENIED)
NO_NAME = require("the name does not resolve", lambda answer: answer is Reach.NO_NAME)
LOOPBACK_ALONE = require("loopback is the only device", lambda found: found == "lo")
WORKS = require("nix shell gives the package", lambda there: there)
NAMED = require("the audit names the daemon, and that it has the network", lambda seen: all(seen.values()))
ON_PATH = require("it is found in the store", lambda there: there)
NO_STRAY = require("PATH has no empty entry and no /bin", lambda path: not {"", "/bin"} & set(path))
NOT_LAUNCHED = require("it is not launched", lambda ran: not ran)
NO_CALL = require("nix is not called", lambda calls: calls == 0)
CALLED = require("nix is called", lambda calls: calls > 0)
RESOLVING = "Resolving profile packages"


@pytest.fixture
def nix(stage: Stage) -> Nix:
    """Nix on the stage, its daemon running."""
    made = Nix(stage, Settings.load())
    made.start(stage)
    return made


class Counted:
    """A shim before nix that counts its calls."""

    def __init__(self, stage: Stage, nix: Nix) -> None:
        self.log = stage.directory / "nix-calls"
        own = stage.directory / "shims"
        own.mkdir()
        (own / "nix").write_text("#!/bin/sh\n" + COUNTED.format(log=self.log, program=nix.program))
        (own / "nix").chmod(0o755)
        self.env = nix.env | {"PATH": f"{own}:{stage.path}", "NIX_REMOTE": "daemon"}

    def calls(self) -> int:
        """Return how often it was called since the last time."""
        found = len(self.log.read_text().splitlines()) if self.log.exists() else 0
        self.log.unlink(missing_ok=True)
        return found


@pytest.fixture
def counted(stage: Stage, nix: Nix) -> Counted:
    """The shim."""
    return Counted(stage, nix)


@claim("sbx-offline-blocks-but-nix-works")
@scope("host")
def test_offline_has_no_network_at_all(sandbox: Sandbox) -> None:
    with control("in the full tier both are reached"), sandbox.session("full") as full:
        for each in (FORGE, NEIGHBOUR):
            UNREACHED.fails(reach(full, each, PORT))
        NO_NAME.fails(reach(full, "github.com", PORT))
        LOOPBACK_ALONE.fails(observe("devices", "full", full.sh(DEVICES).stdout.strip()))
    with sandbox.session("offline") as inside:
        for each in (FORGE, NEIGHBOUR):
            UNREACHED(reach(inside, each, PORT))
        NO_NAME(reach(inside, "github.com", PORT))
        LOOPBACK_ALONE(observe("devices", "offline", inside.sh(DEVICES).stdout.strip()))


@claim("sbx-offline-blocks-but-nix-works")
@scope("host")
def test_nix_works_offline_through_its_daemon(
    sandbox: Sandbox, nix: Nix, counted: Counted, profile: Profile
) -> None:
    profile("with", nix.profile("hello", more=f'[[mounts]]\nsource = "{nix.flake}"\n'))
    profile("without", nix.profile("hello", more=f'nix_daemon = false\n[[mounts]]\nsource = "{nix.flake}"\n'))
    shell = [str(nix.program), "shell", f"path:{nix.flake}#other", "-c", "other"]

    def named(audit: str, asked: str) -> dict[str, bool]:
        return observe("audit", asked, {"socket": str(nix.socket) in audit, "network": "network" in audit})

    with control("without the daemon's socket it does not work"):
        result = sandbox.run(
            ["env", "NIX_REMOTE=daemon", *shell], "offline", profile="without", env=counted.env
        )
        WORKS.fails(observe("nix shell", "without the socket", "said by other" in result.stdout))
        NAMED.fails(named(result.stderr, "without the socket"))
    result = sandbox.run(shell, "offline", profile="with", env=counted.env)
    WORKS(observe("nix shell", "offline", "said by other" in result.stdout))
    NAMED(named(result.stderr, "offline"))


@claim("sbx-packages-resolved-before-launch")
@scope("host")
def test_packages_are_on_the_path_in_each_tier(
    sandbox: Sandbox, stage: Stage, nix: Nix, counted: Counted, profile: Profile
) -> None:
    profile("known", nix.profile("hello"))
    with control("without the profile it is not found"):
        ON_PATH.fails(observe("found", "no profile", sandbox.sh("command -v hello", "offline").ok))
    with control("a PATH with an empty entry is seen"):
        said = stage.as_user(["sh", "-c", 'PATH=/usr/bin:; echo "$PATH"']).stdout.strip()
        NO_STRAY.fails(observe("PATH", "outside", said.split(":")))
    for tier in TIERS:
        result = sandbox.sh('command -v hello; echo "$PATH"', tier, profile="known", env=counted.env)
        where, _, path = result.stdout.strip().partition("\n")
        ON_PATH(observe("found", tier, where.startswith(f"{nix.store}/")))
        NO_STRAY(observe("PATH", tier, path.split(":")))


@claim("sbx-packages-resolved-before-launch")
@scope("host")
def test_a_package_that_does_not_resolve_stops_the_launch(
    sandbox: Sandbox, stage: Stage, nix: Nix, counted: Counted, profile: Profile
) -> None:
    profile("known", nix.profile("hello"))
    profile("unknown", nix.profile("hello", "no-such-thing"))
    profile("dir", f'[packages]\nfrom = "dir"\nwhere = "{stage.home}"\nnames = ["no-such-thing"]\n')
    with control("a known package is no hindrance"):
        result = sandbox.run(["echo", "ran"], "offline", profile="known", env=counted.env)
        NOT_LAUNCHED.fails(observe("launched", "known", "ran" in result.stdout or result.ok))
    for each in ("unknown", "dir"):
        result = sandbox.run(["echo", "ran"], "offline", profile=each, env=counted.env)
        NOT_LAUNCHED(observe("launched", each, "ran" in result.stdout or result.ok))
        assert "no-such-thing" in result.stderr.splitlines()[-2] + result.stderr.splitlines()[-1]


@claim("sbx-package-cache")
@scope("host")
def test_a_second_launch_calls_no_nix(
    sandbox: Sandbox, stage: Stage, nix: Nix, counted: Counted, profile: Profile
) -> None:
    profile("known", nix.profile("hello"))

    def launched() -> str:
        result = sandbox.run(["hello"], "offline", profile="known", env=counted.env)
        assert result.ok and result.stdout == "said by hello\n", result.describe()
        return result.stderr

    with control("before any launch there is no call"):
        CALLED.fails(observe("calls of nix", "before any launch", counted.calls()))
    with control("the first launch calls nix, and says that it is at it"):
        first = launched()
        assert NO_CALL.fails(observe("calls of nix", "first", counted.calls())) > 0
        assert RESOLVING in first
    second = launched()
    NO_CALL(observe("calls of nix", "second", counted.calls()))
    assert RESOLVING not in second
    (nix.flake / "flake.lock").write_text('{"nodes": {"root": {}}, "root": "root", "version": 7}\n')
    launched()
    CALLED(observe("calls of nix", "after a change of the lock", counted.calls()))
    launched()
    NO_CALL(observe("calls of nix", "after that", counted.calls()))


@claim("sbx-package-cache")
@scope("host")
def test_a_changed_channel_calls_nix_again(
    sandbox: Sandbox, stage: Stage, nix: Nix, counted: Counted, profile: Profile
) -> None:
    """The user's registry of flakes, and the link to the generation of the channels in force."""
    profile("known", nix.profile("hello"))
    registry, channels = stage.home / ".config/nix/registry.json", stage.home / ".nix-defexpr/channels"
    generations = [stage.home / f"generations/{number}" for number in (1, 2)]
    for each in (registry.parent, channels.parent, *generations):
        each.mkdir(parents=True)
    registry.write_text('{"flakes": [], "version": 2}\n')
    channels.symlink_to(generations[0])

    def calls(asked: str) -> int:
        result = sandbox.run(["hello"], "offline", profile="known", env=counted.env)
        assert result.ok and result.stdout == "said by hello\n", result.describe()
        return observe("calls of nix", asked, counted.calls())

    def another_registry() -> None:
        registry.write_text('{"version": 2, "flakes": []}\n')

    def another_generation() -> None:
        channels.unlink()
        channels.symlink_to(generations[1])

    calls("the first launch")
    for name, change in (("registry", another_registry), ("generation", another_generation)):
        with control("unless something changes nix is not called again"):
            CALLED.fails(calls(f"before another {name}"))
        change()
        CALLED(calls(f"after another {name}"))
