"""The same steps by hand: each takes seconds when nothing changed. ``inv -l`` lists them.

Each task imports what it needs itself: a list of the tasks, or a usage error, takes no time.
"""

from __future__ import annotations

import sys

from invoke import Context, task

from boxproof.tasks.debug_tasks import nsenter, oom, remove_container, trace
from boxproof.tasks.task_errors import explained, parse_in_one_line
from boxproof.tasks.task_list import in_working_order

__all__ = ["nsenter", "oom", "remove_container", "trace"]  # invoke finds them here
parse_in_one_line()
in_working_order()


@task(help={"json": "print the survey as JSON on standard output", "as_json": "the same"})
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
        print(each)


@task
@explained
def preflight(_: Context) -> None:
    """Say whether the kind in use was shown to load into the nodes' containerd; 2 if it was not."""
    from boxproof.tasks import task_steps

    print(task_steps.preflight())


@task
@explained
def build(_: Context) -> None:
    """Build the box's image and print its reference."""
    from boxproof.tasks import image_tasks

    print(image_tasks.build().reference)


@task(help={"keep": "keep the packages too, in BOXPROOF_BINARY_CACHE: the lock holds on any day"})
@explained
def lock(_: Context, keep: bool = False) -> None:
    """Write the versions the archive has now of the image's packages into packages.lock."""
    from boxproof.tasks import image_tasks

    print(image_tasks.lock(keep=keep))


@task
@explained
def chart(_: Context) -> None:
    """Write the Helm chart's templates from the manifests, and print those that changed."""
    from boxproof.tasks import image_tasks

    print("\n".join(image_tasks.chart()) or "nothing changed")


@task
@explained
def sbom(_: Context) -> None:
    """Write the image's SBOM, provenance and vulnerability scan; 1 for a critical finding, 4 if unproven."""
    from boxproof.tasks import image_tasks

    where, scan = image_tasks.sbom()
    print(f"{where}: scan {scan.verdict}{': ' if scan.reason else ''}{scan.reason}")
    sys.exit({"proven": 0, "refuted": 1}.get(scan.verdict, 4))


@task(
    help={
        "push": "oci://HOST[:PORT]/NAME[:TAG]: add them to that artifact, and print it with its digest",
        "wheel": "a directory: write a wheel for each there",
    }
)
@explained
def binaries(_: Context, push: str = "", wheel: str = "") -> None:
    """Bring the programs that were built here to a registry, or into wheels, for other machines."""
    from boxproof.tasks import binary_tasks

    print("\n".join(binary_tasks.binaries(push, wheel)))


@task(help={"name": "NAME:TAG of the image (default: boxproof-harness:latest)"})
@explained
def harness(_: Context, name: str = "") -> None:
    """Build an image of this harness with all that it needs, for runners whose steps are containers."""
    from boxproof.tasks import harness_image

    print(harness_image.build(name))


@task
@explained
def up(_: Context) -> None:
    """Bring up engine and cluster; prints the path of the cluster's kubeconfig."""
    from boxproof.tasks import task_steps

    print(task_steps.up().kubeconfig)


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
    """Build, load and deploy the box and wait until it is Ready; says why when it does not come."""
    from boxproof.tasks import task_steps

    print(task_steps.deploy(suffix, timeout))


@task(help={"claims": "claim ids and globs, comma-separated"})
@explained
def test(_: Context, claims: str = "") -> None:
    """Prove the box as `nox -s e2e` does, in this environment."""
    from boxproof.tasks import task_steps

    code = task_steps.test(claims)
    if code:
        sys.exit(code)


@task(help={"claims": "claim ids and globs, comma-separated (default: those an edit touches)"})
@explained
def watch(_: Context, claims: str = "") -> None:
    """Rebuild, load, redeploy and prove the touched claims whenever a file of the subject changes."""
    from boxproof.tasks import task_steps

    sys.exit(task_steps.watch(claims))


@task(
    help={
        "tags": "only cases with one of these of cyclonus' tags, comma-separated, such as conflict",
        "wait": "seconds the engine gets after each change of a policy, a pod or a namespace (default: 5)",
        "json": "print the cases as JSON on standard output",
    }
)
@explained
def conformance(_: Context, tags: str = "", wait: str = "5", json: bool = False) -> None:
    """Try cyclonus' cases on the policy engine of the running cluster; 1 if one fails."""
    from boxproof.tasks import conformance as cases

    sys.exit(cases.main(tags, wait, json))


@task(
    help={
        "follow": "go on printing",
        "tail": "only so many of the last lines",
        "previous": "of the container before the last restart",
        "container": "another container of the agent's pod, such as gate",
        "suffix": "of a further instance",
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


@task(help={"suffix": "of a further instance"})
@explained
def shell(_: Context, suffix: str = "") -> None:
    """Open a shell in the agent's container."""
    from boxproof.tasks import runbooks

    sys.exit(runbooks.shell(suffix))


@task(help={"suffix": "of the instance that goes"})
@explained
def remove(_: Context, suffix: str = "") -> None:
    """Remove one further instance that was deployed by hand; inv down removes the cluster."""
    from boxproof.tasks import named_instance

    print(f"{named_instance.remove(suffix)} is gone")


@task(name="exec", help={"suffix": "of a further instance"})
@explained
def execute(_: Context, suffix: str = "") -> None:
    """Run a command in the agent's container: inv exec -- COMMAND …."""
    from boxproof.tasks import runbooks

    words = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []
    sys.exit(runbooks.execute(words, suffix))


@task(help={"mend": "bring the build to the nodes and pods that lack it", "suffix": "of the instance"})
@explained
def stale(_: Context, mend: bool = False, suffix: str = "") -> None:
    """Say which nodes and pods have something else than the build; 1 if any has."""
    from boxproof.tasks import runbooks

    sys.exit(runbooks.stale(mend=mend, suffix=suffix))


@task(help={"file": "the file that holds the token, - for standard input", "suffix": "of the instance"})
@explained
def rotate_token(_: Context, file: str = "", suffix: str = "") -> None:
    """Put a new token into the agent's Secret, have a new pod take it up, and verify that it has it."""
    from boxproof.tasks import runbooks

    print(f"{runbooks.rotate_token(file, suffix)} has the new token")


@task(help={"file": "where the backup goes", "suffix": "of a further instance"})
@explained
def backup(_: Context, file: str, suffix: str = "") -> None:
    """Write the content of the agent's volume into a tar."""
    from boxproof.tasks import runbooks

    runbooks.backup(file, suffix)


@task(
    help={
        "file": "the backup",
        "replace": "delete the claim that is there",
        "suffix": "of a further instance",
    }
)
@explained
def restore(_: Context, file: str, replace: bool = False, suffix: str = "") -> None:
    """Bring a backup into a new claim, and start the agent on it."""
    from boxproof.tasks import runbooks

    runbooks.restore(file, replace=replace, suffix=suffix)


@task(
    help={
        "history": "the runs before, a line each, instead of the latest",
        "open": "open the page in a browser; it is there while a run goes on, too",
        "json": "print it as JSON on standard output",
    }
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
    """Remove the cluster and everything in it, and what runs kept beside it."""
    from boxproof.tasks import task_steps

    task_steps.down(images=images)


@task(
    help={"engine": "stop the embedded engine and remove its data", "cache": "remove what can be made again"}
)
@explained
def clean(_: Context, engine: bool = False, cache: bool = False) -> None:
    """Sweep what dead runs left; optionally the engine and the caches too."""
    from boxproof.tasks import task_steps

    task_steps.clean(engine=engine, cache=cache)
