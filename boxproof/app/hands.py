"""The steps by hand: what ``inv`` calls. Each repeats what a run does, in seconds when nothing changed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import docker as docker_sdk

from boxproof import log
from boxproof.app import bringup, e2e
from boxproof.app import watch as watches
from boxproof.app.cli import interrupt_once
from boxproof.app.owned import Run
from boxproof.cluster import kind, load, names
from boxproof.errors import EnvironmentFault, ExitCode
from boxproof.host import doctor as doctors
from boxproof.host import engine as engines
from boxproof.host import ownership
from boxproof.kube import backups
from boxproof.kube.client import Kube
from boxproof.proof import box
from boxproof.reports import matrix, results
from boxproof.run import foreground
from boxproof.session import ClusterInfo, ImageInfo, Session
from boxproof.settings import Settings
from boxproof.stubs import anthropic
from boxproof.subject import build as builds
from boxproof.subject import chart as charts
from boxproof.subject import files, model, packages, pins, supply

HAND = "hand"  # the run that owns what is deployed by hand; it is kept until `inv down`


def doctor(as_json: bool) -> int:
    """Show the survey of this machine; 3 if a run could not start here."""
    survey = doctors.survey(Settings.load())
    if as_json:
        print(survey.model_dump_json(indent=1))
    else:
        doctors.show(survey)
    return int(ExitCode.ACCEPTED if survey.ready else ExitCode.BLOCKED)


def build() -> ImageInfo:
    """Build the box's image."""
    settings = Settings.load()
    return builds.build(settings, engines.ensure(settings), model.load(settings.subject))


def lock() -> str:
    """Write the versions of the packages in the built image into the lock; returns its path."""
    settings = Settings.load()
    engine = engines.ensure(settings)
    subject = model.load(settings.subject)
    image = builds.build(settings, engine, subject)
    client = docker_sdk.DockerClient(base_url=engine.host, timeout=120)
    with files.reader(client, image.reference, run=HAND) as read:
        system = pins.system(read("/etc/os-release") or "")
        have = packages.installed(read("/var/lib/dpkg/status") or "")
    client.close()
    context = subject.directory / subject.image.context
    (context / pins.LOCK).write_text(pins.written(context, system, have))
    return str(context / pins.LOCK)


def chart() -> list[str]:
    """Write the chart's templates from the manifests; returns the names of those that changed."""
    return charts.write(model.load(Settings.load().subject))


def sbom() -> tuple[str, supply.Scan]:
    """Write SBOM, provenance and scan of the built image; returns where, and the scan's verdict."""
    settings = Settings.load()
    engine = engines.ensure(settings)
    subject = model.load(settings.subject)
    image = builds.build(settings, engine, subject)
    into = settings.reports / "supply-chain" / image.reference.rpartition(":")[2]
    return str(into), supply.examine(settings, engine, subject, image, into)


def up() -> ClusterInfo:
    """Bring up engine and cluster."""
    with by_hand() as run:
        return bringup.cluster_of(run, bringup.engine_of(run))


def loaded(run: Run) -> Session:
    """Return a session whose images are on every node of its cluster."""
    engine = bringup.engine_of(run)
    cluster = bringup.cluster_of(run, engine)
    probe = anthropic.ensure_images(run.settings, engine)
    image = builds.build(run.settings, engine, model.load(run.settings.subject))
    load.load(engine, cluster, [probe, image.reference])
    return run.know(probe_image=probe, image=image)


def deploy() -> str:
    """Deploy the box against a stub of the API and return where it runs, once it is Ready."""
    with by_hand() as run:
        session = loaded(run)
        assert session.engine is not None
        stub = anthropic.start(session.engine, HAND, image=session.probe_image)
        names.stub_hosts(Kube(box.cluster_of(session).kubeconfig), stub.names, stub.address)
        found = box.deploy(run.know(stub=stub))
    return f"{found.namespace}/{found.pod}"


def load_image() -> None:
    """Load the built image into every node."""
    with by_hand() as run:
        loaded(run)


def test(claims: str) -> int:
    """Prove the box as e2e does."""
    return e2e.main(Settings.load({"claims": claims or None}))


def watch(claims: str) -> int:
    """Prove the touched claims after each edit, until interrupted."""
    interrupt_once()
    return watches.main(Settings.load({"claims": claims or None}))


def kubectl(*words: str) -> int:
    """Run kubectl against the cluster on our own terminal; raises EnvironmentFault if there is no cluster."""
    settings = Settings.load()
    where = kind.place(settings, settings.cluster)
    if not where.kubeconfig.is_file():
        raise EnvironmentFault(f"there is no cluster {settings.cluster!r}", hint="inv up, then inv deploy")
    return foreground([where.kubectl, "--kubeconfig", where.kubeconfig, *words])


def agent() -> list[str]:
    """Return the words that name the agent's container to kubectl."""
    subject = model.load(Settings.load().subject)
    return ["-n", subject.namespace, f"{subject.workload}-0", "-c", subject.container]


def logs(follow: bool) -> int:
    """Print the agent's log."""
    return kubectl("logs", *agent(), *(["-f"] if follow else []))


def shell() -> int:
    """Open a shell in the agent's container."""
    return kubectl("exec", "-it", *agent(), "--", "bash")


def volume() -> backups.Volume:
    """Return the agent's volume in the cluster; raises EnvironmentFault if there is no cluster."""
    settings = Settings.load()
    where = kind.place(settings, settings.cluster)
    if not where.kubeconfig.is_file():
        raise EnvironmentFault(f"there is no cluster {settings.cluster!r}", hint="inv up, then inv deploy")
    subject = model.load(settings.subject)
    return backups.volume(
        Kube(str(where.kubeconfig)), str(where.kubectl), subject.path(subject.storage.pod),
        subject.namespace, subject.workload,
    )  # fmt: skip


def backup(file: str) -> None:
    """Write the content of the agent's volume into a file."""
    with log.step("backup"):
        count = volume().backup(Path(file).absolute())
    log.say(f"{count} files in {file}; it holds the login: keep it as you keep that")


def restore(file: str, *, replace: bool) -> None:
    """Bring a backup into a new claim and start the agent on it."""
    with log.step("restore"):
        count = volume().restore(Path(file).absolute(), replace=replace)
    log.say(f"{count} files restored, the agent is Ready")


def report() -> str:
    """Return the verdict of the latest run and where its page is."""
    latest = Settings.load().reports / "latest"
    if (latest / matrix.FILE).is_file():
        return f"{matrix.read(latest).summary()}\n{latest / 'index.html'}"
    if not (latest / results.FILE).is_file():
        raise EnvironmentFault("there is no report yet", hint="nox -s e2e")
    return f"{results.read(latest / results.FILE).summary()}\n{latest / 'index.html'}"


def down() -> None:
    """Remove the cluster, and the stubs on its network."""
    settings = Settings.load()
    engine = engines.ensure(settings)
    for record in ownership.runs(settings):
        if not record.alive:
            anthropic.stop(engine, record.run)
            ownership.release(settings, record)
    if not kind.down(settings, engine):
        log.say(f"there was no cluster {settings.cluster!r}")


def clean(*, engine: bool, cache: bool) -> None:
    """Sweep what dead runs left; with ``engine`` stop ours and drop its data, with ``cache`` the caches."""
    settings = Settings.load()
    ownership.sweep(settings, engines.ensure(settings) if not engine else None)
    if engine:
        engines.stop(settings)
        for each in ("engine", "clusters", "runs"):
            shutil.rmtree(settings.state / each, ignore_errors=True)
    if cache:
        shutil.rmtree(settings.cache, ignore_errors=True)


@contextmanager
def by_hand() -> Iterator[Run]:
    """Give a run for one step: it holds the cluster meanwhile, and what it makes is kept."""
    settings = Settings.load()
    directory = settings.state / "hand"
    directory.mkdir(parents=True, exist_ok=True)
    session = Session(
        run=HAND,
        directory=str(directory),
        subject=str(settings.subject),
        cache=str(settings.cache),
        state=str(settings.state),
    )
    record = ownership.keep(settings, ownership.claim_run(settings, HAND))
    run = Run(settings, session, record, datetime.now(UTC))
    with ownership.cluster_held(settings, settings.cluster, record):
        yield run
