"""Go modules before the compiler starts: whether they are served as pinned, then all of them fetched."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from boxproof.core.process import CommandTimedOut, Result, run
from boxproof.core.settings import Settings, search_path
from boxproof.host.fetch import go_proxy, golang
from boxproof.host.fetch.golang import Build
from boxproof.host.fetch.served_inputs import SHOWN, Lack, Unanswered, Unserved, spread
from pytest_claims import progress
from pytest_claims.waiting import again

FETCH_TIMEOUT = 900.0
CONFIRM_TIMEOUT = 20.0
FETCHERS = 3  # modules directories at a time: each fetches several modules side by side


def served(builds: Sequence[Build], settings: Settings) -> list[Lack]:
    """Return which main modules of programs cannot be had as pinned; what the module cache has is not asked.

    Nothing is fetched but what the proxies do not seem to serve: go itself tries that, and its word counts.
    """
    go = golang.go_of(builds, settings)
    if not go:
        return []
    env = golang.environment(settings)
    pinned = {each: asked.module for asked in builds for each in go_proxy.main_modules(asked.module)}
    wanted = [each for each in pinned if not each.held(Path(env["GOMODCACHE"]))]
    doubtful = go_proxy.missing(wanted, go_proxy.in_force(go, env))
    lacks: list[Lack] = []
    for module, why in doubtful.items():
        if len(lacks) >= SHOWN or not _had([go, "mod", "download", str(module)], pinned[module], env):
            lacks.append(_lack(module, pinned[module], why))
    return lacks


def _had(argv: list[str], directory: Path, env: dict[str, str]) -> bool:
    try:
        return _told(argv, directory, env, CONFIRM_TIMEOUT).ok
    except CommandTimedOut:
        return False


def looked(builds: Sequence[Build], settings: Settings) -> list[Lack]:
    """Return what ``served`` would doubt, by the ``go`` in PATH: nothing is fetched or confirmed."""
    pinned = {each: asked.module for asked in builds for each in go_proxy.main_modules(asked.module)}
    env = golang.environment(settings)
    wanted = [each for each in pinned if not each.held(Path(env["GOMODCACHE"]))]
    found = go_proxy.missing(wanted, go_proxy.in_force("go", env))
    return [_lack(module, pinned[module], why) for module, why in found.items()]


def _lack(module: go_proxy.Module, directory: Path, why: Unserved | Unanswered) -> Lack:
    if isinstance(why, Unanswered):
        return Lack(
            "the Go module proxy does not answer", f"{why.message}, asked for {module}", go_proxy.RETRY
        )
    return Lack(
        f"Go module {module}",
        why.message,
        f"{go_proxy.OTHER_PROXY}; or renew the pin: {go_proxy.renewal(directory, module.path)}",
    )


def fetch(builds: Sequence[Build], settings: Settings) -> None:
    """Fetch every module that the programs are compiled from, before anything is; raises EnvironmentFault.

    A proxy that does not answer is asked again, within bounds.
    """
    by_module: dict[tuple[Path, str], list[Build]] = {}
    for each in builds:
        by_module.setdefault((each.module, each.experiment), []).append(each)

    def load(group: list[Build]) -> None:
        for each in group:
            again(partial(_loaded, each, settings), tries=3, pause=1.0, transient=(Unanswered,))

    if builds:
        golang.go_of(builds, settings)
        with progress.step("Go modules"):
            progress.say(f"fetched for {len(builds)} programs, before the first is compiled")
            spread(load, by_module.values(), FETCHERS)


def _loaded(asked: Build, settings: Settings) -> None:
    go = str(golang.installed(golang.find(asked.module), settings))
    argv = [go, "list", "-deps", f"-tags={','.join(asked.tags)}", asked.package]  # what it reads it fetches
    result = _told(argv, asked.module, asked.variables(settings), FETCH_TIMEOUT)
    if not result.ok:
        raise go_proxy.blamed(result.stderr, asked.name, asked.module)


def _told(argv: list[str], directory: Path, env: dict[str, str], timeout: float) -> Result:
    path = os.pathsep.join([str(Path(argv[0]).parent), *map(str, search_path())])
    return run(argv, timeout=timeout, cwd=directory, env=env | {"PATH": path}, check=False)
