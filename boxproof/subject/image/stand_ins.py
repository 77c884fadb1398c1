"""Roots that take the place of bases no registry gives: this machine's distribution, as its builds need it.

Where the base is Docker Hub's image of Node.js, the root has that too, from the Python package index.
A recipe that is not ours fetches what it installs as it would anywhere: by apt, npm, pip, curl. So the root
has the machine's package mirrors and the authorities that it trusts; it is for builds on this machine alone.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import filelock

from boxproof.core.process import run
from boxproof.core.session import EngineInfo
from boxproof.core.settings import Settings
from boxproof.host.fetch import npm, pypi, registries
from boxproof.host.fetch.apt import NEVER_TOO_OLD, digest
from boxproof.subject.image import build_faults
from boxproof.subject.image.base_image import (
    Base,
    Build,
    bootstrapped,
    inspect,
    is_system,
    official,
    packages,
)
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


NODE = re.compile(r"(?:(lts)|(\d+)[\d.]*)?((?:-(?:bullseye|bookworm|trixie|slim))*)")  # tags of Debian's kind
NODE_PINS = {20: "node-20", 22: "node-22", 24: "node"}  # by major version: files of toolchains/
LTS = 24
SLIM = "-slim"
# of what the full image has beside the slim one; their Dockerfiles: github.com/nodejs/docker-node
FULL = (
    "build-essential", "curl", "file", "git", "gnupg", "openssh-client", "patch", "pkg-config", "procps",
    "python3", "unzip", "wget", "xz-utils",
)  # fmt: skip
STARTER = """#!/bin/sh
# options, and what is no program, are for node
case "$1" in -*) set -- node "$@" ;; *) command -v "$1" >/dev/null 2>&1 || set -- node "$@" ;; esac
exec "$@"
"""


@dataclass(frozen=True)
class Node:
    """What stands for an image of Node.js: the pin of its programs, and whether it is of the slim kind."""

    pin: str
    slim: bool


def node_of(reference: str) -> Node | None:
    """Return what stands for an image of Docker Hub's Node.js, None for another image and on Alpine.

    A version that is not pinned has the next one that is.
    """
    name, tag = official(reference)
    told = NODE.fullmatch(tag)
    if name != "node" or told is None:
        return None
    wanted = int(told[2]) if told[2] else LTS
    major = next((each for each in sorted(NODE_PINS) if each >= wanted), max(NODE_PINS))
    return Node(NODE_PINS[major], SLIM in told[3])


def has_one(reference: str) -> bool:
    """Return whether a root can take the place of an image."""
    return is_system(reference) or node_of(reference) is not None


def lend(settings: Settings, engine: EngineInfo, bases: Sequence[str], build: Build) -> dict[str, str]:
    """Return the root of this machine's distribution that takes the place of each base that needs one.

    Only where no registry answers, for a plain Debian, Ubuntu or Node.js of any tag that the engine does not
    have; it has the machine's mirrors and authorities, for this build alone.
    """
    wanted = [each for each in dict.fromkeys(bases) if has_one(each) and not _is_there(engine, each)]
    if not wanted or not registries.registry(settings, engine.host):
        return {}
    root = _furnished(engine, bootstrapped(settings, engine), build)
    lent = {each: _with_node(settings, engine, root, node_of(each), build) for each in wanted}
    for each, reference in lent.items():
        if engine.way == "embedded" and "@" not in each:  # ours alone: what else starts there finds it too
            run([engine.client, "tag", reference, each], env=engine.env, timeout=60)
        progress.say(f"no registry answers: {reference} takes the place of {each}", style="yellow")
    return lent


def as_options(lent: Mapping[str, str]) -> list[str]:
    """Return the build's options that have it start from these images in the place of its bases."""
    return [f"--build-context={each}=docker-image://{reference}" for each, reference in lent.items()]


def replaced(engine: EngineInfo, bases: Sequence[str], options: Sequence[str]) -> tuple[str, ...]:
    """Return the bases that a build with these options does not start from, but from a root of ours.

    Also one whose name an earlier build of ours has given to it.
    """
    named = [each for each in dict.fromkeys(bases) if has_one(each)]
    told = {each.partition("=docker-image://")[0] for each in options}
    return tuple(each for each in named if f"--build-context={each}" in told or _is_lent(engine, each))


def _is_there(engine: EngineInfo, reference: str) -> bool:
    """Return whether the engine has an image itself; what an earlier build lent may be of other settings."""
    return bool(inspect(engine, reference)) and not _is_lent(engine, reference)


def _is_lent(engine: EngineInfo, reference: str) -> bool:
    return f"{LENT}:" in inspect(engine, reference, "{{json .RepoTags}}")


def excused(settings: Settings, fault: SubjectFault, instead_of: Sequence[str]) -> BoxproofError:
    """Return the fault of a build where others took the place of bases: ours where one is of another release.

    What a recipe names of its distribution, packages and their versions, is not in the root of another one.
    No base excuses what fails without a command of its own: a file to copy that is not there.
    """
    if not instead_of or not build_faults.of_a_command(fault.message):
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


def demand(settings: Settings, engine: EngineInfo, bases: Sequence[str]) -> None:
    """Raise EnvironmentFault for a base of Docker Hub's that the engine does not have and nobody gives.

    Some have a substitute; what another registry has, only that registry can say.
    """
    hubs = [each for each in dict.fromkeys(bases) if _of_hub(each) and not has_one(each)]
    lacking = [each for each in hubs if not inspect(engine, each)]
    if lacking and (why := registries.registry(settings, engine.host)):
        hint = "docker load it into the engine, or build on one that has a substitute: debian, ubuntu, node"
        raise EnvironmentFault(f"{lacking[0]} cannot be pulled: {why}", hint=hint)


def _of_hub(reference: str) -> bool:
    """Return whether an image is Docker Hub's by its name, as the engine reads it."""
    host, slash, _ = reference.partition("/")
    elsewhere = bool(slash) and host != "docker.io" and ("." in host or ":" in host or host == "localhost")
    return not elsewhere and "$" not in reference


def _furnished(engine: EngineInfo, base: Base, build: Build) -> str:
    """Return the bootstrapped root with the machine's mirrors and authorities in it."""
    files = furniture(base)
    text = [f"FROM {base.reference}", "COPY root /", "RUN update-ca-certificates"]
    key = digest("lent", base.digest, sorted(files.items()), text)
    return _made(engine, key, text, {f"root/{name}": each for name, each in files.items()}, [], build)


def _with_node(settings: Settings, engine: EngineInfo, root: str, node: Node | None, build: Build) -> str:
    """Return ``root`` with Node.js where Docker Hub's image has it, and its user; or as it is without."""
    if node is None:
        return root
    tree = pypi.toolchain(node.pin, settings.cache)
    (program,) = (path for path in tree.rglob("bin/node") if path.is_file())
    install = f"apt-get update -q && apt-get install -qy --no-install-recommends {' '.join(FULL)}"
    text = [
        f"FROM {root}",
        *([] if node.slim else [f"RUN {install} && rm -rf /var/lib/apt/lists/*"]),
        "RUN groupadd --gid 1000 node && useradd --uid 1000 --gid 1000 --shell /bin/bash --create-home node",
        "COPY --from=node --chmod=755 /bin/node /usr/local/bin/",
        "COPY --from=node /lib/node_modules /usr/local/lib/node_modules",
        "COPY --from=node /include /usr/local/include",
        "COPY --chmod=755 docker-entrypoint.sh /usr/local/bin/",
        "RUN cd /usr/local/bin && ln -s node nodejs"
        " && for each in npm npx; do ln -s ../lib/node_modules/npm/bin/$each-cli.js $each; done"
        " && chmod 755 ../lib/node_modules/npm/bin/*-cli.js",
        f"ENV NODE_VERSION={pypi.pinned(node.pin)}",
        'ENTRYPOINT ["docker-entrypoint.sh"]',
        'CMD ["node"]',
    ]
    options = ["--network=host", f"--build-context=node={program.parent.parent}"]
    files = {"docker-entrypoint.sh": STARTER}
    key = digest("node", root, pypi.pinned(node.pin), text, STARTER)
    return _made(engine, key, text, files, options, build)


def _made(
    engine: EngineInfo,
    key: str,
    text: Sequence[str],
    files: Mapping[str, str],
    options: Sequence[str],
    build: Build,
) -> str:
    """Return the image of a Dockerfile's lines and the files beside it, built once on a machine."""
    reference = f"{LENT}:{key}"
    with tempfile.TemporaryDirectory(prefix="boxproof-lent-") as below:
        context = Path(below)
        (context / "Dockerfile").write_text("\n".join(text) + "\n")
        for name, content in files.items():
            path = context / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        with filelock.FileLock(f"{tempfile.gettempdir()}/{LENT}.lock"):
            if not inspect(engine, reference):
                build([f"--tag={reference}", *options, str(context)])
    return reference
