"""The Docker Engine of a run: the user's when it answers, else an embedded one."""

from __future__ import annotations

import shutil
from dataclasses import replace

from boxproof.core.process import run
from boxproof.core.session import EngineInfo
from boxproof.core.settings import Settings
from boxproof.host.engine import embedded, engine_client, engine_programs
from boxproof.host.engine.engine_client import Address, is_podman, server_version
from pytest_claims import progress
from pytest_claims.faults import EnvironmentFault, UsageError, nearest

OWN_ENGINE = "use a Docker Engine of root's, or BOXPROOF_ENGINE=embedded"
HERE = "run boxproof on that machine"
WITHOUT = "what needs no engine: nox -s e2e -- --stage static"
WAYS = ("auto", "user", "embedded")


def ensure(settings: Settings) -> EngineInfo:
    """Return an engine that answers: the user's, or the embedded one, started if need be.

    Raises UsageError for an unknown ``settings.engine``, EnvironmentFault when neither can be had.
    """
    if settings.engine not in WAYS:
        raise UsageError(f"engine {settings.engine!r}", hint=nearest(settings.engine, WAYS))
    user = None if settings.engine == "embedded" else probe_user_engine(settings)
    if user:
        return user
    away = engine_client.address().elsewhere if settings.engine != "embedded" else ""
    if away:
        raise EnvironmentFault(away, hint=f"{HERE}, or set BOXPROOF_ENGINE=embedded")
    if settings.engine == "user":
        hint = f"start it, or set BOXPROOF_ENGINE=embedded; {WITHOUT}"
        raise EnvironmentFault(f"no Docker Engine answers at {user_host()}", hint=hint)
    missing = embedded.possible()
    if missing:
        hint = f"start Docker and join its group, or run as root on Debian; {WITHOUT}"
        why = f"no Docker Engine answers at {user_host()} and none can be started: {missing}"
        raise EnvironmentFault(why, hint=hint)
    told = engine_client.address()
    if settings.engine != "embedded" and told.chosen and told.host != embedded.Layout(settings.state).host:
        progress.say(f"nothing answers at {told.host or 'no address'} ({told.source}): the embedded engine")
    return embedded.ensure(settings)


def probe_user_engine(settings: Settings | None = None) -> EngineInfo | None:
    """Return the user's engine (DOCKER_HOST, the docker context, the default socket) if it answers.

    Raises EnvironmentFault for Podman, which is none, and where the docker client is not whole.
    """
    settings = settings or Settings.load()
    found = user_address()
    host = found.host
    if host == embedded.Layout(settings.state).host or found.elsewhere:
        return None  # it is the embedded one, or none of this machine
    version = server_version(host, certs=found.certs)
    if not version:
        return None
    if is_podman(host, certs=found.certs):
        raise EnvironmentFault(f"Podman answers at {host}: it is no Docker Engine", hint=OWN_ENGINE)
    client = shutil.which("docker") or ""
    if client and run([client, "buildx", "version"], timeout=20, check=False).ok:
        return EngineInfo(way="user", host=host, version=version, client=client, certs=found.certs)
    if embedded.possible() not in ("", "not root"):
        hint = "install the docker client with buildx"
        raise EnvironmentFault("the docker client has no buildx", hint=hint)
    programs = engine_programs.assemble(settings, chains="DOCKER")
    config = settings.cache / "engine" / "config"
    embedded.plug_in(config, programs)
    return EngineInfo(
        way="user", host=host, version=version, client=str(programs / "bin/docker"), config=str(config),
        certs=found.certs,
    )  # fmt: skip


def user_address() -> Address:
    """Return where the user's engine is, whether it answers or not."""
    return replace(engine_client.address(), host=user_host())


def user_host() -> str:
    """Return the address of the user's engine, whether it answers or not."""
    return engine_client.address().host


def stop(settings: Settings) -> bool:
    """Stop the embedded engine and return whether one was running; the user's is never touched."""
    return embedded.stop(settings)
