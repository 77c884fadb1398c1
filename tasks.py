"""The same steps by hand: each takes seconds when nothing changed. ``inv -l`` lists them.

Each task imports what it needs itself: a list of the tasks, or a usage error, takes no time.
"""

from __future__ import annotations

import sys

from invoke.context import Context
from invoke.tasks import task

from boxproof.core.process import in_utf8
from boxproof.tasks.debug_tasks import CONTAINER, SUFFIX, nsenter, oom, remove_container, trace
from boxproof.tasks.task_errors import explained, in_working_order, parse_in_one_line
from pytest_claims.progress import answer

__all__ = ["nsenter", "oom", "remove_container", "trace"]  # invoke finds them here
in_utf8()
parse_in_one_line()
in_working_order()
CLAIMS = "claim ids and globs, comma-separated; repeatable"


@task(help={"json": "print the survey as JSON on standard output", "as_json": "the older spelling of --json"})
@explained
def doctor(_: Context, json: bool = False, as_json: bool = False) -> None:
    """Say what this machine has, which way each need will be met, and what mends what is missing."""
    from boxproof.cli import doctor as doctors
    from boxproof.core.settings import Settings

    sys.exit(doctors.main(Settings.load(), as_json=json or as_json))


@task(
    positional=["area", "claim"],
    help={
        "area": "its area: the name of a file in claims/, or the code in it",
        "claim": "the id: lower-case words with dashes; it never changes afterwards",
        "says": "the sentence that must hold",
    },
)
@explained
def new_claim(_: Context, area: str, claim: str, says: str = "") -> None:
    """Write the frame of a new claim: its sentence, its check, its sabotage, in three files."""
    from boxproof.tasks import claim_frame

    for each in claim_frame.frame(area, claim, says):
        answer(str(each))


@task
@explained
def preflight(_: Context) -> None:
    """Say whether the kind in PATH was shown to load into the nodes' containerd; exit code 2 if not."""
    from boxproof.tasks import task_steps

    answer(task_steps.preflight())


@task
@explained
def build(_: Context) -> None:
    """Build the box's image and print its reference."""
    from boxproof.tasks import image_tasks

    answer(image_tasks.build().reference)


@task(help={"keep": "keep the packages too, in BOXPROOF_BINARY_CACHE: they can be had on any day"})
@explained
def lock(_: Context, keep: bool = False) -> None:
    """Renew packages.lock: the versions of the image's packages that the archive serves now."""
    from boxproof.tasks import image_tasks

    answer(image_tasks.lock(keep=keep))


@task
@explained
def chart(_: Context) -> None:
    """Write the Helm chart's templates from the manifests, and print those that changed."""
    from boxproof.tasks import image_tasks

    answer("\n".join(image_tasks.chart()) or "nothing changed")


@task
@explained
def sbom(_: Context) -> None:
    """Write the image's SBOM, provenance and scan; exit code 1 for a critical finding, 4 if unproven."""
    from boxproof.tasks import image_tasks

    where, scan = image_tasks.sbom()
    answer(f"{where}: scan {scan.verdict}{': ' if scan.reason else ''}{scan.reason}")
    sys.exit({"proven": 0, "refuted": 1}.get(scan.verdict, 4))


@task(
    help={
        "push": "oci://HOST[:PORT]/NAME[:TAG]: add them to that artifact, and print it with its digest",
        "wheel": "a directory to write a wheel for each into",
    }
)
@explained
def binaries(_: Context, push: str = "", wheel: str = "") -> None:
    """Share the programs that were built here with other machines: in a registry, or as wheels."""
    from boxproof.tasks import image_tasks

    answer("\n".join(image_tasks.binaries(push, wheel)))


@task(help={"name": "NAME:TAG of the image (default: boxproof-harness:latest)"})
@explained
def harness(_: Context, name: str = "") -> None:
    """Build an image of this harness and all it needs, for CI runners whose steps are containers."""
    from boxproof.tasks import image_tasks

    answer(image_tasks.build_harness(name))


@task
@explained
def up(_: Context) -> None:
    """Bring up engine and cluster; print the path of the cluster's kubeconfig."""
    from boxproof.tasks import task_steps

    answer(task_steps.up().kubeconfig)


@task
@explained
def load(_: Context) -> None:
    """Load the built image into every node and verify its id there."""
    from boxproof.tasks import task_steps

    task_steps.load_image()


@task(
    help={
        "suffix": "deploy a further instance: the suffix of its namespace and cluster-scoped names",
        "timeout": "seconds until it must be Ready (default: 180)",
    }
)
@explained
def deploy(_: Context, suffix: str = "", timeout: str = "") -> None:
    """Build, load and deploy the box and wait until it is Ready; say why where it does not get there."""
    from boxproof.tasks import task_steps

    answer(task_steps.deploy(suffix, timeout))


@task(iterable=["claims"], help={"claims": f"{CLAIMS} (default: all)"})
@explained
def test(_: Context, claims: list[str]) -> None:
    """Prove the box as `nox -s e2e` does, in this environment."""
    from boxproof.tasks import task_steps

    code = task_steps.test(",".join(claims))
    if code:
        sys.exit(code)


@task(iterable=["claims"], help={"claims": f"{CLAIMS} (default: those an edit touches)"})
@explained
def watch(_: Context, claims: list[str]) -> None:
    """Rebuild, load, redeploy and prove what it touches whenever a file of the subject changes."""
    from boxproof.tasks import task_steps

    sys.exit(task_steps.watch(",".join(claims)))


@task(
    help={
        "tags": "only cases with one of these tags of cyclonus, comma-separated; for example conflict",
        "wait": "seconds the engine gets after each change of a policy, a pod or a namespace (default: 5)",
        "json": "print the cases as JSON on standard output",
    }
)
@explained
def conformance(_: Context, tags: str = "", wait: str = "5", json: bool = False) -> None:
    """Try cyclonus' cases on the policy engine of the running cluster; exit code 1 if one fails."""
    from boxproof.tasks import conformance as cases

    sys.exit(cases.main(tags, wait, json))


@task(
    help={
        "follow": "go on printing",
        "tail": "only so many of the last lines (default: all)",
        "previous": "the log of the container before its last restart",
        "container": f"{CONTAINER}; another is gate, for example",
        "suffix": SUFFIX,
    }
)
@explained
def logs(
    _: Context,
    follow: bool = False,
    tail: str = "",
    previous: bool = False,
    container: str = "",
    suffix: str = "",
) -> None:
    """Print the agent's log."""
    from boxproof.tasks import runbooks

    sys.exit(runbooks.logs(follow, tail=tail, previous=previous, container=container, suffix=suffix))


@task(help={"suffix": SUFFIX})
@explained
def shell(_: Context, suffix: str = "") -> None:
    """Open a shell in the agent's container."""
    from boxproof.tasks import runbooks

    sys.exit(runbooks.shell(suffix))


@task(help={"suffix": "the suffix of the instance to remove"})
@explained
def remove(_: Context, suffix: str = "") -> None:
    """Remove one further instance that was deployed by hand; inv down removes the whole cluster."""
    from boxproof.tasks import runbooks

    answer(f"{runbooks.remove(suffix)} is gone")


@task(name="exec", help={"suffix": SUFFIX})
@explained
def execute(_: Context, suffix: str = "") -> None:
    """Run a command in the agent's container: inv exec -- COMMAND …"""
    from boxproof.tasks import runbooks

    words = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []
    sys.exit(runbooks.execute(words, suffix))


@task(help={"mend": "bring the build to the nodes and pods that lack it", "suffix": SUFFIX})
@explained
def stale(_: Context, mend: bool = False, suffix: str = "") -> None:
    """Say which nodes and pods hold something other than the build; exit code 1 if any does."""
    from boxproof.tasks import runbooks

    sys.exit(runbooks.stale(mend=mend, suffix=suffix))


@task(help={"file": "the file with the token, - for standard input (default: asks)", "suffix": SUFFIX})
@explained
def rotate_token(_: Context, file: str = "", suffix: str = "") -> None:
    """Put a new token into the agent's Secret, have a new pod take it up, and verify that it did."""
    from boxproof.tasks import runbooks

    answer(f"{runbooks.rotate_token(file, suffix)} has the new token")


@task(help={"file": "the tar file to write", "suffix": SUFFIX})
@explained
def backup(_: Context, file: str, suffix: str = "") -> None:
    """Write the content of the agent's volume into a tar file."""
    from boxproof.tasks import runbooks

    runbooks.backup(file, suffix)


@task(
    help={
        "file": "the tar file that inv backup wrote",
        "replace": "delete the volume claim that is there, and its data",
        "suffix": SUFFIX,
    }
)
@explained
def restore(_: Context, file: str, replace: bool = False, suffix: str = "") -> None:
    """Bring a backup into a new volume claim, and start the agent on it."""
    from boxproof.tasks import runbooks

    runbooks.restore(file, replace=replace, suffix=suffix)


@task(
    help={
        "reset": "put it back: stops the agent, removes and replaces files, starts it again; asks first",
        "yes": "with --reset: do not ask",
        "suffix": SUFFIX,
        "json": "print it as JSON on standard output",
    },
)
@explained
def diff_config(
    _: Context, reset: bool = False, yes: bool = False, suffix: str = "", json: bool = False
) -> None:
    """Print what on the volume steers the agent beside what image and repository give; 1 if there is any."""
    from boxproof.tasks import runbooks

    sys.exit(runbooks.diff_config(reset=reset, yes=yes, suffix=suffix, as_json=json))


@task(
    auto_shortflags=False,  # -h would be --history
    help={
        "history": "the runs before, a line each, instead of the latest",
        "open": "open the page in a browser; it is there while a run goes on, too",
        "json": "print it as JSON on standard output",
    },
)
@explained
def report(_: Context, history: bool = False, open: bool = False, json: bool = False) -> None:  # noqa: A002
    """Print the verdict of the latest run, what is not proven, and the path of its page."""
    from boxproof.cli import report as reports
    from boxproof.core.settings import Settings

    sys.exit(reports.main(Settings.load(), past=history, opened=open, as_json=json))


@task(help={"images": "remove the box's images from the engine too"})
@explained
def down(_: Context, images: bool = False) -> None:
    """Remove the cluster with everything in it, and what runs kept for it."""
    from boxproof.tasks import task_steps

    task_steps.down(images=images)


@task(
    help={
        "engine": "stop the embedded engine and remove its data",
        "cache": "remove the caches: what can be had or built again",
    }
)
@explained
def clean(_: Context, engine: bool = False, cache: bool = False) -> None:
    """Remove what dead runs left; on request the engine's data and the caches too."""
    from boxproof.tasks import task_steps

    task_steps.clean(engine=engine, cache=cache)
