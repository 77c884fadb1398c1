"""Packages of a profile, resolved before the start; and the daemon that the offline tier keeps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from boxproof.core.settings import Settings
from boxproof.fixtures.sandboxed import Sandbox
from boxproof.probes.network.reach import Reach, reach
from boxproof.probes.nix import Nix
from boxproof.probes.stage import FORGE, NEIGHBOUR, PORT, Stage
from pytest_claims import claim, control, observe, scope

Profile = Callable[[str, str], Path]
TIERS = ("full", "internet", "offline")
DENIED = {Reach.REFUSED, Reach.FILTERED, Reach.NO_ROUTE}
COUNTED = 'echo called >>"{log}"\nexec {program} "$@"'
DEVICES = "cat /proc/net/dev | tail -n +3 | cut -d: -f1 | tr -d ' ' | sort | tr '\\n' ' '"
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
            assert reach(full, each, PORT) is Reach.OPEN
        observe("devices", "full", full.sh(DEVICES).stdout.strip())
    with sandbox.session("offline") as inside:
        for each in (FORGE, NEIGHBOUR):
            assert reach(inside, each, PORT) in DENIED, each
        assert reach(inside, "github.com", PORT) is Reach.NO_NAME
        assert observe("devices", "offline", inside.sh(DEVICES).stdout.strip()) == "lo"


@claim("sbx-offline-blocks-but-nix-works")
@scope("host")
def test_nix_works_offline_through_its_daemon(
    sandbox: Sandbox, nix: Nix, counted: Counted, profile: Profile
) -> None:
    profile("with", nix.profile("hello", more=f'[[mounts]]\nsource = "{nix.flake}"\n'))
    profile("without", nix.profile("hello", more=f'nix_daemon = false\n[[mounts]]\nsource = "{nix.flake}"\n'))
    shell = [str(nix.program), "shell", f"path:{nix.flake}#other", "-c", "other"]
    with control("without the daemon's socket it does not work"):
        result = sandbox.run(
            ["env", "NIX_REMOTE=daemon", *shell], "offline", profile="without", env=counted.env
        )
        assert not observe("nix shell", "without the socket", "said by other" in result.stdout)
        assert str(nix.socket) not in result.stderr
    result = sandbox.run(shell, "offline", profile="with", env=counted.env)
    assert observe("nix shell", "offline", "said by other" in result.stdout), result.describe()
    assert str(nix.socket) in result.stderr and "network" in result.stderr, (
        "the audit does not name the daemon"
    )


@claim("sbx-packages-resolved-before-launch")
@scope("host")
def test_packages_are_on_the_path_in_each_tier(
    sandbox: Sandbox, nix: Nix, counted: Counted, profile: Profile
) -> None:
    profile("known", nix.profile("hello"))
    with control("without the profile it is not found"):
        observe("found", "no profile", sandbox.sh("command -v hello", "offline").ok)
    for tier in TIERS:
        result = sandbox.sh('command -v hello; echo "$PATH"', tier, profile="known", env=counted.env)
        assert result.ok, result.describe()
        where, path = result.stdout.splitlines()
        assert observe("found", tier, where.startswith(f"{nix.store}/"))
        assert not {"", "/bin"} & set(path.split(":")), path


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
        assert observe("launched", "known", result.stdout == "ran\n"), result.describe()
    for each in ("unknown", "dir"):
        result = sandbox.run(["echo", "ran"], "offline", profile=each, env=counted.env)
        assert not observe("launched", each, "ran" in result.stdout or result.ok)
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

    with control("the first launch calls nix, and says that it is at it"):
        first = launched()
        assert observe("calls nix", "first", counted.calls() > 0)
        assert RESOLVING in first
    second = launched()
    assert not observe("calls nix", "second", counted.calls() > 0)
    assert RESOLVING not in second
    (nix.flake / "flake.lock").write_text('{"nodes": {"root": {}}, "root": "root", "version": 7}\n')
    launched()
    assert observe("calls nix", "after a change of the lock", counted.calls() > 0)
    launched()
    assert not observe("calls nix", "after that", counted.calls() > 0)
