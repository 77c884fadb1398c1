"""Images and programs as steps of inv: the box's own, the harness's, the binaries they are made of."""

from __future__ import annotations

import os
import re
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from boxproof.cli import fresh
from boxproof.core import foreign_subject, typed_values
from boxproof.core.process import run
from boxproof.core.session import ImageInfo, LockInfo
from boxproof.core.settings import CHECKOUT, ROOT, Settings
from boxproof.host.engine import engine_choice, engine_client
from boxproof.host.fetch import binary_cache, oci_registry, pypi, registries
from boxproof.runs import inputs
from boxproof.subject import copies, model
from boxproof.subject.image import base_image, image_build, image_files, secret_build
from boxproof.subject.manifests import helm
from boxproof.subject.supply_chain import lock_check, package_lock, packages, scan
from pytest_claims import progress
from pytest_claims.faults import UsageError
from pytest_claims.selection import short


def build() -> ImageInfo:
    """Build the box's image."""
    settings = Settings.load()
    subject = model.load(foreign_subject.trusted(settings))
    return image_build.build(settings, engine_choice.ensure(settings), subject)


def lock(*, keep: bool = False) -> str:
    """Write the versions that the archive has now of the image's packages into the lock; returns its path.

    They are read in an image that no lock holds to others, and that is removed again. With ``keep`` the
    packages themselves go into the binary cache; raises UsageError if that is no directory to write to.
    """
    settings = Settings.load()
    if keep:
        package_lock.writable(settings)
    subject = model.load(foreign_subject.trusted(settings))
    engine = engine_choice.ensure(settings)
    context = subject.directory / subject.image.context
    client = engine_client.connect(engine.host, timeout=120, certs=engine.certs)
    with closing(client), copies.copied(subject) as loose:
        # a word that no build had before: else the cache gives what an earlier one got
        (loose.directory / loose.image.context / package_lock.LOCK).write_text(f"# {secrets.token_hex(8)}\n")
        none = LockInfo(system="", total=0, source=lock_check.NOTHING)
        made = image_build.build(settings, engine, loose, lock=none).reference
        with secret_build.temporary(client, made), image_files.reader(client, made, run="hand") as read:
            system = package_lock.system(read("/etc/os-release") or "")
            have = packages.installed(read("/var/lib/dpkg/status") or "")
    (context / package_lock.LOCK).write_text(package_lock.written(context, system, have))
    if keep:
        progress.say(lock_check.keep(settings, engine, subject))
    return str(context / package_lock.LOCK)


def chart() -> list[str]:
    """Write the chart's templates from the manifests; returns the names of those that changed."""
    return helm.write(model.load(Settings.load().subject))


def sbom() -> tuple[str, scan.Scan]:
    """Write SBOM, provenance and scan of the built image; returns where, and the scan's verdict."""
    settings = Settings.load()
    subject = model.load(foreign_subject.trusted(settings))
    engine = engine_choice.ensure(settings)
    image = image_build.build(settings, engine, subject)
    into = settings.reports / "supply-chain" / image.reference.rpartition(":")[2]
    return str(into), scan.examine(settings, engine, subject, image, into)


RECIPE = Path(".ci/harness/Containerfile")
NAME = "boxproof-harness:latest"
TIMEOUT = 3600.0
REFERENCE = re.compile(r"(?=.{1,255}$)[a-z0-9][a-z0-9._/-]*(:[0-9]+/[a-z0-9._/-]+)?(:[\w][\w.-]{0,127})?")


def build_harness(name: str = "") -> str:
    """Build the image of this checkout and return its name.

    Raises UsageError outside a checkout, EnvironmentFault if the build fails.
    """
    if ROOT != CHECKOUT:
        hint = "clone the repository: the image is made of it"
        raise UsageError("this is no checkout of boxproof", hint=hint)
    if name and not REFERENCE.fullmatch(name):
        hint = "allowed: [HOST[:PORT]/]NAME[:TAG], in lower case but for the tag, 255 characters at most"
        raise UsageError(f"--name={short(name)!r}", hint=hint)
    settings, recipe = Settings.load(), ROOT / RECIPE
    engine = engine_choice.ensure(settings)
    base = base_image.choose(settings, engine, recipe.read_text())
    words = ["buildx", "build", "--builder=default", "--load", "--progress=plain", "--provenance=false"]
    words += ["--network=host", f"--tag={name or NAME}", f"--file={recipe}"]
    words += [f"--build-arg=BASE_IMAGE={base.reference}"] if base else []
    with image_build.lent(base) as apt, index() as pip, progress.step(name or NAME) as report:
        argv = [engine.client, *words, *apt, *pip, str(ROOT)]
        run(argv, env=engine.env, timeout=TIMEOUT, on_line=report)
    return name or NAME


@contextmanager
def index() -> Iterator[list[str]]:
    """Give the options that lend a build the Python index of this machine, and its CA bundle."""
    with tempfile.TemporaryDirectory(prefix="boxproof-harness-") as below:
        conf = Path(below) / "pip.conf"
        conf.write_text(pypi.configuration(fresh.AUTHORITIES))
        bundle = registries.authorities() or Path("/dev/null")
        yield [f"--secret=id=pip-conf,src={conf}", f"--secret=id=pip-ca,src={bundle}"]


def binaries(push: str, wheel: str) -> list[str]:
    """Bring the programs of this machine's cache elsewhere; returns what was made, a line each.

    Raises UsageError for wrong options or an empty cache, EnvironmentFault where a registry refuses.
    """
    if bool(push) == bool(wheel):
        raise UsageError("name one of --push REF and --wheel DIR", hint="see inv binaries --help")
    settings = Settings.load()
    artifact = oci_registry.parse(push) if push else None
    if artifact is not None and artifact.digest:
        hint = "its content decides the digest: give the tag alone"
        raise UsageError(f"--push={short(push)!r} has a digest", hint=hint)
    hint = "give a directory that you may write to"
    directory = typed_values.directory("--wheel", wheel, os.W_OK, hint) if wheel else Path()
    found = built(settings)
    if artifact is not None:
        with progress.step(f"{len(found)} programs to {artifact}") as report:
            digest = oci_registry.push(artifact, found, report)
        return [f"BOXPROOF_BINARY_CACHE=oci://{artifact.host}/{artifact.name}:{artifact.tag}@{digest}"]
    directory.mkdir(parents=True, exist_ok=True)
    with progress.step(f"wheels of {len(found)} programs") as report:
        made = []
        for key, program in found.items():
            report(program.name)
            made.append(str(binary_cache.write_wheel(directory, key, program)))
    return [*made, f"BOXPROOF_BINARY_CACHE={binary_cache.SCHEME}{directory}"]


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
