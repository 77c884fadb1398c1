"""Where each package manager keeps what it downloads: as a cache mount has it, and as a layer shows it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from boxproof.subject.image.dockerfile import Recipe, Stage, Step
from boxproof.subject.image.layers import Layer
from boxproof.subject.image.shell_commands import program
from boxproof.subject.variables import BuildValues

APT = r"/var/cache(/apt(/archives)?)?"
DNF = r"/var/cache(/(libdnf5?|dnf|yum))?"
CACHED = r".*/\.cache(/{})?"  # of a home, whoever's it is
OWN = r"|(.*[/_.-])?{}([/_.-].*)?"  # a place of the manager's name, by a setting of it
# by the program that installs: what a mount's target is where it keeps what that downloads
TARGETS: Mapping[str, str] = {
    "apt-get": APT, "apt": APT, "aptitude": APT, "apk": r"/var/cache(/apk)?|/etc/apk/cache",
    "dnf": DNF, "microdnf": DNF, "yum": DNF,
    "npm": r".*/\.npm|.*npm[\w-]*cache.*" + OWN.format("npm"),
    "pnpm": r".*pnpm.*", "yarn": r".*yarn.*", "bun": r".*/\.bun.*" + OWN.format("bun"),
    "pip": CACHED.format("pip") + r"|.*pip[\w-]*cache.*" + OWN.format("pip"),
    "pipx": CACHED.format("pip.*") + OWN.format("pipx?"),
    "uv": CACHED.format("uv") + r"|.*uv[\w-]*cache.*" + OWN.format("uv"),
    "poetry": CACHED.format("pypoetry.*") + OWN.format("(py)?poetry"),
    "go": r".*/pkg/mod|.*/go|" + CACHED.format("go-build") + r"|.*go[\w-]*cache.*",
    "cargo": r".*cargo(/registry.*)?",
}  # fmt: skip
VERBS: Mapping[str, frozenset[str]] = {
    "apk": frozenset({"add"}), "go": frozenset({"install", "get", "mod"}),
    "npm": frozenset({"install", "i", "ci", "add"}), "pnpm": frozenset({"install", "i", "add", "fetch"}),
    "yarn": frozenset({"install", "add"}), "bun": frozenset({"install", "i", "add"}),
    "uv": frozenset({"install", "sync", "add"}), "cargo": frozenset({"install", "fetch"}),
}  # fmt: skip
INSTALLS = frozenset({"install"})
SWITCHED_OFF = frozenset({"--no-cache", "--no-cache-dir"})
# variables by which a manager keeps no downloads, and those that say where it keeps them
OFF_BY: Mapping[str, tuple[str, ...]] = {
    "pip": ("PIP_NO_CACHE_DIR",), "pipx": ("PIP_NO_CACHE_DIR",), "uv": ("UV_NO_CACHE",),
}  # fmt: skip
KEPT_AT: Mapping[str, tuple[str, ...]] = {
    "pip": ("PIP_CACHE_DIR",), "pipx": ("PIP_CACHE_DIR",), "uv": ("UV_CACHE_DIR",),
    "npm": ("npm_config_cache", "NPM_CONFIG_CACHE"), "yarn": ("YARN_CACHE_FOLDER",),
    "bun": ("BUN_INSTALL_CACHE_DIR",), "poetry": ("POETRY_CACHE_DIR",), "go": ("GOMODCACHE",),
}  # fmt: skip
ASSIGNED = re.compile(r"(?:^|[\s;&|])(\w+)=([^\s;&|\"']*)")
NO = frozenset({"", "0", "false", "no", "off"})
OFFLINE = frozenset({"--help", "--version", "--offline", "--no-index", "--dry-run"})
# what managers leave in a layer of what they have downloaded; apt's own is looked for apart
LEFT = re.compile(
    r"(^|/)(\.npm/_cacache|\.cache/(pip|uv|pypoetry|pdm|pipenv|yarn|pnpm|go-build|composer|node-gyp)|\.bun/install/cache"
    r"|\.local/share/pnpm/store|\.yarn/berry/cache|share/\.cache/yarn|go/pkg/mod/cache|\.?cargo/registry/(cache|index)"
    r"|\.m2/repository|\.gradle/caches|\.bundle/cache)/"
    r"|^(var/cache/(apk|dnf|libdnf5?|yum|zypp|pacman/pkg)|var/lib/apk/cache|etc/apk/cache)/"
    # wherever a setting has put them: by what npm, pip, uv and conda make within
    r"|(^|/)(_cacache/(index-v\d|content-v\d)|[\w-]*pip[\w-]*/(http(-v2)?|selfcheck)|archive-v0|wheels-v\d)/"
    r"|(^|/)conda\w*/pkgs/[^/]+\.(conda|tar\.bz2)$|^(var/lib/gems/[\d.]+|usr/local/bundle)/cache/"
    # what programs that install versions of others, or build them, have fetched
    r"|(^|/)(\.nvm/\.cache|\.cache/(Homebrew|mise|coursier)|\.?rustup/(downloads|tmp)|\.sdkman/(archives|tmp)"
    r"|\.?cargo/git/db|\.cpanm/(work|cache|sources)|\.cpan/(build|sources)|\.(asdf|local/share/mise)/downloads"
    r"|\.pyenv/cache|\.ghcup/cache|\.cabal/packages|\.opam/download-cache|\.ivy2/cache|NuGet/(http|v3)-cache)/"
    r"|^(var/cache/(xbps|distfiles)|var/tmp/portage)/"
    # a package of the distribution that was fetched by hand, where such a thing is put down
    r"|^((tmp|root|home|var/tmp|opt|srv|build|workspace)/(.*/)?)?[^/]+\.(deb|rpm)$"
)


def unkept(recipe: Recipe) -> list[str]:
    """Return the commands of any stage that install, and keep their downloads in no cache mount of theirs."""
    return [
        " ".join(words)
        for stage in recipe.stages
        for step in stage.steps
        if step.word == "RUN"
        for words in step.commands
        if _downloads(words, step, variables(recipe, stage, step))
    ]


def variables(recipe: Recipe, stage: Stage, step: Step) -> dict[str, str]:
    """Return the variables that a RUN has, by ENV and ARG or by its own words."""
    values = BuildValues({})
    for each in (one for before in recipe.line_of(stage)[:-1] for one in before.steps):
        if each.word == "ENV":
            values.vary(each.value)
    for each in stage.steps[: stage.steps.index(step)]:
        if each.word == "ENV":
            values.vary(each.value)
        elif each.word == "ARG":
            values.argue(each.value)
    return {**values.arguments, **values.variables, **dict(ASSIGNED.findall(step.rest))}


def _is_off(name: str, known: Mapping[str, str], targets: Sequence[str]) -> bool:
    """Return whether variables have a manager keep nothing, or in another place than the mounts' targets.

    For pip any value at all switches its cache off.
    """
    told = [known.get(each, "") for each in OFF_BY.get(name, ())]
    if any(each if name.startswith("pip") else each.lower() not in NO for each in told):
        return True
    places = [PurePosixPath(known[each]) for each in KEPT_AT.get(name, ()) if known.get(each)]
    mounted = [PurePosixPath(each) for each in targets]
    plain = [each for each in places if "$" not in str(each)]
    return any(not any(_holds(one, each) or _holds(each, one) for one in mounted) for each in plain)


def _holds(one: PurePosixPath, other: PurePosixPath) -> bool:
    return one == other or one in other.parents


def _downloads(words: Sequence[str], step: Step, known: Mapping[str, str]) -> bool:
    """Return whether a command installs something, and its step keeps nothing of what is downloaded."""
    name, rest = program(words[0]), set(words[1:])
    if name not in TARGETS or not VERBS.get(name, INSTALLS) & rest or OFFLINE & rest:
        return False
    caches = [each for each in step.mounts if each.get("type") == "cache"]
    targets = [each[key] for each in caches for key in ("target", "dst", "destination") if key in each]
    kept = any(re.fullmatch(TARGETS[name], each.rstrip("/")) for each in targets)
    return not kept or bool(SWITCHED_OFF & rest) or _is_off(name, known, targets)


def updates(recipe: Recipe) -> int:
    """Return how often the stages that the image is made of, together, fetch the package lists."""
    return sum(step.updates for stage in recipe.line for step in stage.steps)


def left(layers: Iterable[Layer]) -> list[str]:
    """Return what managers other than apt have left in any layer, also what a later one deletes."""
    names = {name for layer in layers for name, size in layer.files.items() if size}
    return sorted(each for each in names if LEFT.search(each))
