"""Images to a registry that the nodes of a cluster pull from, under their own tags, and seen to be there."""

from __future__ import annotations

import re

from boxproof.core.process import Result
from boxproof.core.session import EngineInfo
from boxproof.host.engine.docker_cli import docker, image_id
from pytest_claims import progress
from pytest_claims.faults import EnvironmentFault

TIMEOUT = 1800.0
PUSHED = re.compile(r"digest: (sha256:[0-9a-f]{64})")
PULLED = re.compile(r"^Digest: (sha256:[0-9a-f]{64})$", re.MULTILINE)


def push(engine: EngineInfo, reference: str, registry: str) -> tuple[str, str]:
    """Push an image of the engine as ``registry``/NAME:TAG; return that reference and its manifest's digest.

    What the registry then gives under the tag has to be the same image: the engine asks, so that its logins
    and settings hold. The engine keeps the name. Raises EnvironmentFault.
    """
    target = f"{registry}/{reference}"
    wanted = image_id(engine, reference)
    docker(engine, "tag", reference, target)
    with progress.step(f"pushing {target}") as report:
        done = docker(engine, "push", target, timeout=TIMEOUT, check=False, on_line=report)
        pushed = PUSHED.search(done.stdout)
        if not done.ok or not pushed:
            hint = f"see that `docker push {target}` works: docs/existing-cluster.md"
            raise EnvironmentFault(
                f"the registry {registry} does not take {reference}: {_last(done)}", hint=hint
            )
        back = docker(engine, "pull", target, timeout=TIMEOUT, check=False)
    given = PULLED.search(back.stdout)
    if not back.ok or not given:
        raise EnvironmentFault(f"the registry {registry} does not give {reference} back: {_last(back)}")
    if given[1] != pushed[1] or image_id(engine, target) != wanted:
        text = (
            f"the registry {registry} gives another {reference} than was pushed: {given[1]}, not {pushed[1]}"
        )
        raise EnvironmentFault(text, hint="does somebody else push there just now?")
    return target, pushed[1]


def _last(result: Result) -> str:
    lines = (result.stderr.strip() or result.stdout.strip()).splitlines()
    return lines[-1].strip() if lines else f"exit code {result.code}"
