"""``inv binaries``: what was compiled here, for machines that need not compile it again."""

from __future__ import annotations

from pathlib import Path

from boxproof.core.settings import Settings
from boxproof.host.fetch import oci_registry, program_wheels
from boxproof.runs import inputs
from boxproof.subject import model
from pytest_claims import progress
from pytest_claims.faults import UsageError


def binaries(push: str, wheel: str) -> list[str]:
    """Bring the programs of this machine's cache elsewhere; returns what was made, a line each.

    Raises UsageError for wrong options or an empty cache, EnvironmentFault where a registry refuses.
    """
    if bool(push) == bool(wheel):
        raise UsageError("name one of --push REF and --wheel DIR", hint="see inv binaries --help")
    settings = Settings.load()
    artifact = oci_registry.parse(push) if push else None
    found = built(settings)
    if artifact is not None:
        with progress.step(f"{len(found)} programs to {artifact}") as report:
            digest = oci_registry.push(artifact, found, report)
        return [f"BOXPROOF_BINARY_CACHE=oci://{artifact.host}/{artifact.name}:{artifact.tag}@{digest}"]
    directory = Path(wheel)
    directory.mkdir(parents=True, exist_ok=True)
    with progress.step(f"wheels of {len(found)} programs") as report:
        made = []
        for key, program in found.items():
            report(program.name)
            made.append(str(program_wheels.written(directory, key, program)))
    return [*made, f"BOXPROOF_BINARY_CACHE={program_wheels.SCHEME}{directory.resolve()}"]


def built(settings: Settings) -> dict[str, Path]:
    """Return the programs in the cache that a run may need, by the keys of their recipes; says what lacks."""
    subject = model.load(settings.subject)
    places = [each.place(settings) for each in inputs.every_recipe(settings, subject)]
    found = {each.parent.name: each for each in places if each.is_file()}
    lacking = sorted({each.name for each in places if not each.is_file()})
    if not found:
        hint = "run `nox -s e2e` or `inv build` on a machine without an image registry first"
        raise UsageError("nothing was built of Go modules here", hint=hint)
    if lacking:
        progress.say(f"not built here, and left out: {', '.join(lacking)}", style="yellow")
    return found
