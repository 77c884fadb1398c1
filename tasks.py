"""The same steps by hand: each takes seconds when nothing changed. ``inv -l`` lists them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

from invoke import Context, Exit, task

from boxproof.app import hands
from boxproof.errors import BoxproofError


def explained(work: Callable[..., None]) -> Callable[..., None]:
    """Show a failure of boxproof's own kind as one line and its exit code."""

    @wraps(work)
    def wrapped(*words: Any, **options: Any) -> None:
        try:
            work(*words, **options)
        except BoxproofError as error:
            raise Exit(f"boxproof: {error}", code=int(error.exit_code)) from None

    return wrapped


@task(help={"as_json": "print the survey as JSON on standard output"})
@explained
def doctor(_: Context, as_json: bool = False) -> None:
    """Say what this machine has, which way each need will be met, and what mends what is missing."""
    sys.exit(hands.doctor(as_json))


@task
@explained
def build(_: Context) -> None:
    """Build the box's image and print its reference."""
    print(hands.build().reference)


@task
@explained
def lock(_: Context) -> None:
    """Write the versions of the image's packages into packages.lock, for its system."""
    print(hands.lock())


@task
@explained
def chart(_: Context) -> None:
    """Write the Helm chart's templates from the manifests, and print those that changed."""
    print("\n".join(hands.chart()) or "nothing changed")


@task
@explained
def sbom(_: Context) -> None:
    """Write the image's SBOM, provenance and vulnerability scan; 1 for a critical finding, 4 if unproven."""
    where, scan = hands.sbom()
    print(f"{where}: scan {scan.verdict}{': ' if scan.reason else ''}{scan.reason}")
    sys.exit({"proven": 0, "refuted": 1}.get(scan.verdict, 4))


@task
@explained
def up(_: Context) -> None:
    """Bring up engine and cluster; prints the path of the cluster's kubeconfig."""
    print(hands.up().kubeconfig)


@task
@explained
def load(_: Context) -> None:
    """Load the built image into every node and verify its id there."""
    hands.load_image()


@task
@explained
def deploy(_: Context) -> None:
    """Deploy the box and wait until it is Ready; says why when it does not come."""
    print(hands.deploy())


@task(help={"claims": "claim ids and globs, comma-separated"})
@explained
def test(_: Context, claims: str = "") -> None:
    """Prove the box as `nox -s e2e` does, in this environment."""
    code = hands.test(claims)
    if code:
        sys.exit(code)


@task(help={"claims": "claim ids and globs, comma-separated (default: those an edit touches)"})
@explained
def watch(_: Context, claims: str = "") -> None:
    """Rebuild, load, redeploy and prove the touched claims whenever a file of the subject changes."""
    sys.exit(hands.watch(claims))


@task(help={"follow": "go on printing"})
@explained
def logs(_: Context, follow: bool = False) -> None:
    """Print the agent's log."""
    sys.exit(hands.logs(follow))


@task
@explained
def shell(_: Context) -> None:
    """Open a shell in the agent's container."""
    sys.exit(hands.shell())


@task(help={"file": "where the backup goes"})
@explained
def backup(_: Context, file: str) -> None:
    """Write the content of the agent's volume into a tar."""
    hands.backup(file)


@task(help={"file": "the backup", "replace": "delete the claim that is there"})
@explained
def restore(_: Context, file: str, replace: bool = False) -> None:
    """Bring a backup into a new claim, and start the agent on it."""
    hands.restore(file, replace=replace)


@task
@explained
def report(_: Context) -> None:
    """Print the verdict of the latest run and the path of its page."""
    print(hands.report())


@task
@explained
def down(_: Context) -> None:
    """Remove the cluster and everything in it."""
    hands.down()


@task(
    help={"engine": "stop the embedded engine and remove its data", "cache": "remove what can be made again"}
)
@explained
def clean(_: Context, engine: bool = False, cache: bool = False) -> None:
    """Sweep what dead runs left; optionally the engine and the caches too."""
    hands.clean(engine=engine, cache=cache)
