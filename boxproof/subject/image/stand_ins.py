"""Roots that take the place of bases no registry gives: this machine's distribution, as its builds need it.

A recipe that is not ours fetches what it installs as it would anywhere: by apt, npm, pip, curl. So the root
has the machine's package mirrors and the authorities that it trusts; it is for builds on this machine alone.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import filelock

from boxproof.core.process import run
from boxproof.core.session import EngineInfo
from boxproof.core.settings import Settings
from boxproof.host.fetch import npm, pypi, registries
from boxproof.host.fetch.apt import NEVER_TOO_OLD, digest
from boxproof.subject.image.base_image import Base, Build, bootstrapped, inspect, is_system, packages
from pytest_claims import progress
from pytest_claims.faults import BoxproofError, EnvironmentFault, SubjectFault

LENT = "boxproof-base-lent"
ARCHIVES = (
    "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb /var/cache/apt/*.bin || true"
)
CLEAN = "etc/apt/apt.conf.d/docker-clean"  # by its name: recipes that keep archives in a mount remove it
EMPTIES = (  # as the images do that it takes the place of: no layer of theirs keeps archives
    f'DPkg::Post-Invoke {{ "{ARCHIVES}"; }};\n'
    f'APT::Update::Post-Invoke {{ "{ARCHIVES}"; }};\n'
    'Dir::Cache::pkgcache "";\n'
    'Dir::Cache::srcpkgcache "";\n'
)
BUNDLE = "etc/boxproof-ca.crt"  # for apt, npm and pip: a recipe may take the system's away
ADDED = "usr/local/share/ca-certificates/boxproof"
NPMRC = ("etc/npmrc", "usr/etc/npmrc", "usr/local/etc/npmrc")  # of npm by the prefix that it was built with
CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n?", re.DOTALL)
CREDENTIALS = re.compile(r"://[^/\s]*@")
SYSTEM_CERTIFICATES = Path("/usr/share/ca-certificates")  # those a distribution has of itself
RELEASES = {  # the numbers of releases, as tags have them
    "bullseye": "11", "bookworm": "12", "trixie": "13", "forky": "14",
    "focal": "20.04", "jammy": "22.04", "noble": "24.04", "resolute": "26.04",
}  # fmt: skip


def lend(settings: Settings, engine: EngineInfo, bases: Sequence[str], build: Build) -> dict[str, str]:
    """Return the root of this machine's distribution that takes the place of each base that needs one.

    Only where no registry answers, for a plain Debian or Ubuntu of any tag that the engine does not have; it
    has the machine's mirrors and authorities, for this build alone.
    """
    wanted = [each for each in dict.fromkeys(bases) if is_system(each) and not inspect(engine, each)]
    if not wanted or not registries.registry(settings, engine.host):
        return {}
    reference = _furnished(engine, bootstrapped(settings, engine), build)
    for each in wanted if engine.way == "embedded" else ():  # ours alone: what else starts there finds it too
        if "@" not in each:
            run([engine.client, "tag", reference, each], env=engine.env, timeout=60)
    for each in wanted:
        progress.say(f"no registry answers: {reference} takes the place of {each}", style="yellow")
    return dict.fromkeys(wanted, reference)


def as_options(lent: Mapping[str, str]) -> list[str]:
    """Return the build's options that have it start from these images in the place of its bases."""
    return [f"--build-context={each}=docker-image://{reference}" for each, reference in lent.items()]


def replaced(engine: EngineInfo, bases: Sequence[str], options: Sequence[str]) -> tuple[str, ...]:
    """Return the bases that a build with these options does not start from, but from a root of ours.

    Also one whose name an earlier build of ours has given to it.
    """
    named = [each for each in dict.fromkeys(bases) if is_system(each)]
    told = {each.partition("=docker-image://")[0] for each in options}
    return tuple(
        each
        for each in named
        if f"--build-context={each}" in told or f"{LENT}:" in inspect(engine, each, "{{json .RepoTags}}")
    )


def excused(settings: Settings, fault: SubjectFault, instead_of: Sequence[str]) -> BoxproofError:
    """Return the fault of a build where others took the place of bases: ours where one is of another release.

    What a recipe names of its distribution, packages and their versions, is not in the root of another one.
    """
    if not instead_of:
        return fault
    apt, suite = packages(settings)
    others = [each for each in instead_of if not is_of_release(each, apt.distribution, suite)]
    if not others:
        return fault
    hint = f"docker load {others[0]} into the engine, or name a registry that is reachable"
    return EnvironmentFault(
        f"{fault.message}\non {apt.distribution} {suite} in place of {others[0]}", hint=hint
    )


def is_of_release(reference: str, distribution: str, suite: str) -> bool:
    """Return whether a distribution's image is by its tag of a release: ``debian:12.5-slim`` of bookworm."""
    name, _, tag = reference.partition("@")[0].rpartition("/")[2].partition(":")
    release = tag.partition("-")[0]
    number = RELEASES.get(suite, suite)
    return name == distribution and (release in (suite, number) or release.startswith(f"{number}."))


def furniture(base: Base) -> dict[str, str]:
    """Return the files, by their paths in a root, that let a build reach what this machine reaches.

    Apt has the sources of ``base``; npm and pip have the settings of this machine's, the programs that ask
    the system whom to trust have the authorities that were added here.
    """
    bundle = registries.authorities()
    text = bundle.read_text() if bundle else ""
    secure = bool(text) and "https:" in base.sources
    apt = [f'{NEVER_TOO_OLD} "false";'] if base.dated else []
    apt += [f'Acquire::https::CAInfo "/{BUNDLE}";'] if secure else []
    files = {"etc/apt/sources.list": base.sources, CLEAN: EMPTIES, BUNDLE: text}
    files["etc/apt/apt.conf.d/99boxproof"] = "".join(f"{each}\n" for each in apt)
    files["etc/pip.conf"] = _public(pypi.configuration(f"/{BUNDLE}" if text else ""))
    files |= dict.fromkeys(NPMRC, _public(npm.configuration(f"/{BUNDLE}" if text else "")))
    return files | {f"{ADDED}-{at}.crt": each for at, each in enumerate(added(text))}


def _public(settings: str) -> str:
    """Return settings without the lines that hold credentials: a layer is no place for them."""
    return "".join(each for each in settings.splitlines(keepends=True) if not CREDENTIALS.search(each))


def added(bundle: str, known: Path = SYSTEM_CERTIFICATES) -> list[str]:
    """Return the certificates of a bundle that the distribution did not bring along.

    One file has one of them: update-ca-certificates leaves out a file with more.
    """
    own = {_bare(path.read_text()) for path in known.rglob("*.crt")}
    return [each for each in CERTIFICATE.findall(bundle) if _bare(each) not in own]


def _bare(certificate: str) -> str:
    return "".join(certificate.split())


def _furnished(engine: EngineInfo, base: Base, build: Build) -> str:
    """Return the bootstrapped root with the machine's mirrors and authorities in it."""
    files = furniture(base)
    text = [f"FROM {base.reference}", "COPY root /", "RUN update-ca-certificates"]
    reference = f"{LENT}:{digest('lent', base.digest, sorted(files.items()), text)}"
    with tempfile.TemporaryDirectory(prefix="boxproof-lent-") as below:
        context = Path(below)
        (context / "Dockerfile").write_text("\n".join(text) + "\n")
        for name, content in files.items():
            path = context / "root" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        with filelock.FileLock(f"{tempfile.gettempdir()}/{LENT}.lock"):
            if not inspect(engine, reference):
                build([f"--tag={reference}", str(context)])
    return reference
