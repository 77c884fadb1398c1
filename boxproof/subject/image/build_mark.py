"""Images that are not ours to write: the mark of a build as a layer on top, and bases of this machine."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import filelock

from boxproof.core.labels import labels_here
from boxproof.core.process import CommandTimedOut, run
from boxproof.core.session import EngineInfo
from boxproof.core.settings import Settings
from boxproof.host.fetch import reachability
from boxproof.host.fetch.apt import NEVER_TOO_OLD, digest
from boxproof.subject.image import base_image, build_faults
from boxproof.subject.image.base_image import Base, inspect
from pytest_claims import progress
from pytest_claims.faults import EnvironmentFault, SubjectFault

NONCE = "/etc/boxproof-build"
LABEL = "boxproof.dev/nonce"
ARGUMENT = "BUILD_NONCE"  # a Dockerfile that takes it writes the mark itself
LENT = "boxproof-base-lent"
ARCHIVES = (
    "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb /var/cache/apt/*.bin || true"
)
EMPTIES = [  # as the images do that it takes the place of: no layer of theirs keeps archives
    f'DPkg::Post-Invoke {{ "{ARCHIVES}"; }};',
    f'APT::Update::Post-Invoke {{ "{ARCHIVES}"; }};',
    'Dir::Cache::pkgcache "";',
    'Dir::Cache::srcpkgcache "";',
]
CA_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")
Build = Callable[[Sequence[str]], object]


def writes_it(dockerfile: str) -> bool:
    """Return whether a Dockerfile takes the mark as an argument, and so has it in a layer of its own."""
    return f"ARG {ARGUMENT}" in dockerfile


def lines(reference: str, nonce: str) -> list[str]:
    """Return the Dockerfile of the layer with the mark; ``nonce`` is a file beside it."""
    owned = [f"LABEL {key}={value}" for key, value in labels_here().items()]
    return [f"FROM {reference}", f"COPY nonce {NONCE}", f"LABEL {LABEL}={nonce}", *owned]


def put(build: Build, reference: str, tag: str, nonce: str) -> None:
    """Tag ``reference`` with the mark on top as ``tag``; everything else of the image stays as it is."""
    with tempfile.TemporaryDirectory(prefix="boxproof-mark-") as below:
        context = Path(below)
        (context / "Dockerfile").write_text("\n".join(lines(reference, nonce)) + "\n")
        (context / "nonce").write_text(f"{nonce}\n")
        build([f"--tag={tag}", str(context)])


def referenced(settings: Settings, engine: EngineInfo, reference: str, name: str) -> str:
    """Return the image of a reference under a tag of ours, pulled where the engine has none of the name.

    Raises EnvironmentFault where no registry answers, SubjectFault where one has no such image.
    """
    if not inspect(engine, reference):
        away = reachability.registry(settings, engine.host)
        try:
            with progress.step(f"pulling {reference}") as report:
                done = run(
                    [engine.client, "pull", reference], env=engine.env, timeout=base_image.PULL_TIMEOUT,
                    check=False, on_line=report,
                )  # fmt: skip
        except CommandTimedOut as fault:
            raise EnvironmentFault(f"{reference} does not come: {fault.message}") from fault
        if not done.ok:
            said = (done.stderr.strip().splitlines() or ["the engine said nothing"])[-1]
            kind = EnvironmentFault if away or build_faults.OURS.search(said) else SubjectFault
            hint = "docker load it into the engine, or name a registry that is reachable"
            raise kind(f"{reference} cannot be pulled: {said}", hint=hint)
    local = f"{name}:reference-{inspect(engine, reference).rpartition(':')[2][:12]}"
    run([engine.client, "tag", reference, local], env=engine.env, timeout=60)
    return local


def demand(settings: Settings, engine: EngineInfo, bases: Sequence[str]) -> None:
    """Raise EnvironmentFault for a base of Docker Hub's that the engine does not have and nobody gives.

    A distribution's own image has a substitute; what another registry has, only that registry can say.
    """
    hubs = [each for each in dict.fromkeys(bases) if _of_hub(each) and not base_image.is_system(each)]
    lacking = [each for each in hubs if not inspect(engine, each)]
    if lacking and (why := reachability.registry(settings, engine.host)):
        hint = "docker load it into the engine, or build on debian or ubuntu: these have a substitute"
        raise EnvironmentFault(f"{lacking[0]} cannot be pulled: {why}", hint=hint)


def _of_hub(reference: str) -> bool:
    """Return whether an image is Docker Hub's by its name, as the engine reads it."""
    host, slash, _ = reference.partition("/")
    elsewhere = bool(slash) and host != "docker.io" and ("." in host or ":" in host or host == "localhost")
    return not elsewhere and "$" not in reference


def substitutes(settings: Settings, engine: EngineInfo, bases: Sequence[str], build: Build) -> list[str]:
    """Return the build's options that put a root of this machine's distribution in the place of bases.

    Only where no registry answers, for a plain Debian or Ubuntu of any tag that the engine does not have; it
    has the machine's package mirror, for this build alone.
    """
    wanted = [
        each for each in dict.fromkeys(bases) if base_image.is_system(each) and not inspect(engine, each)
    ]
    if not wanted or not reachability.registry(settings, engine.host):
        return []
    reference = _lent(engine, base_image.bootstrapped(settings, engine), build)
    for each in wanted if engine.way == "embedded" else ():  # ours alone: what else starts there finds it too
        if "@" not in each:
            run([engine.client, "tag", reference, each], env=engine.env, timeout=60)
    for each in wanted:
        progress.say(f"no registry answers: {reference} takes the place of {each}", style="yellow")
    return [f"--build-context={each.partition('@')[0]}=docker-image://{reference}" for each in wanted]


def _lent(engine: EngineInfo, base: Base, build: Build) -> str:
    """Return the bootstrapped root with the machine's package mirror in it."""
    bundle = next((each for each in CA_BUNDLES if Path(each).is_file()), "")
    secure = bool(bundle) and "https:" in base.sources
    settings = [f'{NEVER_TOO_OLD} "false";'] if base.dated else []
    settings += EMPTIES
    settings += ['Acquire::https::CAInfo "/etc/boxproof-ca.crt";'] if secure else []
    text = [f"FROM {base.reference}", "COPY sources.list /etc/apt/sources.list"]
    text += ["COPY conf /etc/apt/apt.conf.d/99boxproof"]
    text += ["COPY ca /etc/boxproof-ca.crt"] if secure else []
    reference = f"{LENT}:{digest('lent', base.digest, base.sources, settings, text)}"
    with tempfile.TemporaryDirectory(prefix="boxproof-lent-") as below:
        context = Path(below)
        (context / "Dockerfile").write_text("\n".join(text) + "\n")
        (context / "sources.list").write_text(base.sources)
        (context / "conf").write_text("\n".join(settings) + "\n")
        if secure:
            (context / "ca").write_bytes(Path(bundle).read_bytes())
        with filelock.FileLock(f"{tempfile.gettempdir()}/{LENT}.lock"):
            if not inspect(engine, reference):
                build([f"--tag={reference}", str(context)])
    return reference
