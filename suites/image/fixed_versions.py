"""What a recipe brings without saying which: what another day makes another package, program, download."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from boxproof.subject.image.dockerfile import Recipe, Stage, Step
from boxproof.subject.image.shell_commands import program
from boxproof.subject.supply_chain import checksums
from suites.image import named_elsewhere, version_lists
from suites.image.named_elsewhere import Texts

EXACT = re.compile(r"@v?\d+\.\d+\.\d+[\w.+-]*$")  # behind the name of a module or of an npm package
RESET = re.compile(r"\bgit\b.*\b(checkout|reset|switch)\b.*\b[0-9a-f]{40}\b")
# an archive of packages as it was at a moment, which its address ends with
DATED = re.compile(r"://\S+/\d{8}T\d{6}Z(?!/?[\w.%+-])|APT::Snapshot|--snapshot[= ]\d{8}T")
BY_GIT = re.compile(r"^(git@|(git|ssh)://|[\w.-]+\.\w+/\S+\.git\b)")
LOCAL = (".", "/", "-")
REDIRECTS = re.compile(r"\d*[<>]+")
TAKES_VALUE = frozenset(
    {
        "-t", "--virtual", "-X", "--repository", "-r", "--requirement", "-c", "-i", "--prefix", "--registry",
        "--loglevel", "--cache", "--index-url", "--extra-index-url", "--find-links", "--target", "--python",
        "--platform", "--python-version", "--only-binary", "--no-binary", "--workspace", "--root",
        "--target-release", "--features",
    }
)  # fmt: skip
OWN = (".tgz", ".tar.gz", ".whl", ".deb", ".rpm", ".apk", ".gem")  # files that were copied, or checked before
FETCHERS = ("curl", "wget")
UNCHECKED = " (no checksum)"
COMMIT = re.compile(r"\b[0-9a-f]{40}\b")
VERSIONS = {"cargo": ("--version", "--vers", "--rev"), "gem": ("-v", "--version")}  # of all that it names
MANAGERS = ("dnf", "dnf5", "microdnf", "tdnf", "yum")
# behind a name: what looks like a version alone, as that of java-17-openjdk, is a part of it
OF_RPM = re.compile(r"-\d[\w+~^:]*\.\d|-\d[\w.+~^]*-\d+(\.|$)")
ONE = re.compile(r"[^=~<>*]+=(?![=~])[^*]+")  # of apt and apk: no pattern, and no bound
SYNCS = re.compile(r"-S[yuq]*|--sync")  # of pacman, which takes what there is
NODE = ("npm", "pnpm", "yarn", "bun")
PYTHON = ("pip", "pipx", "uv")
OF_THE_DISTRIBUTION = ("apt-get", "apt", "aptitude", "apk", "zypper", *MANAGERS)
VERBS = {
    **dict.fromkeys(("apt-get", "apt", "aptitude", "go", *MANAGERS), ("install",)),
    **dict.fromkeys(NODE, ("install", "i", "add")),
    **dict.fromkeys(PYTHON, ("install", "add")),
    **dict.fromkeys((*VERSIONS, "brew"), ("install",)),
    "apk": ("add",),
    "zypper": ("install", "in"),
}
# what brings all that is there up to the day's versions, a lock or not
RAISES = frozenset({"upgrade", "dist-upgrade", "full-upgrade", "safe-upgrade"})
UPGRADES = {
    "apk": RAISES,
    **dict.fromkeys(("apt-get", "apt", "aptitude"), RAISES),
    **dict.fromkeys(MANAGERS, RAISES | {"update", "distro-sync"}),
    "zypper": RAISES | {"update", "up", "dup", "patch"},
}


def unfixed(recipe: Recipe, *, locked: bool, texts: Texts | None = None) -> list[str]:
    """Return the commands of a recipe that bring what no version, digest or lock holds.

    ``locked`` says that a lock holds the distribution's packages; ``texts`` are files that a build may read.
    """
    added, carried_out = [], []
    for stage in recipe.stages:
        for at, step in enumerate(stage.steps):
            later = [each for each in stage.steps[at + 1 :] if each.word == "RUN"]
            if _adds(step) and not checksums.compares(_brought(step), later, recipe):
                added.append(f"ADD {step.rest}{UNCHECKED}")
            held = locked or bool(DATED.search(_before(recipe, stage, at)))
            floating = [words for words in step.commands if _floats(step, words, held, texts or {}, recipe)]
            carried_out += [_told(words) for words in floating if not _is_held(words, later, recipe)]
    return [*dict.fromkeys(carried_out), *added]


def _told(words: Sequence[str]) -> str:
    """Return a command as a person reads it: an address may have a version, and hold nothing all the same."""
    return f"{' '.join(words)}{UNCHECKED if program(words[0]) in FETCHERS else ''}"


def _before(recipe: Recipe, stage: Stage, at: int) -> str:
    """Return what a stage says up to one of its steps, and before it the stages that it begins with."""
    line = [stage]
    named = {each.name: each for each in recipe.stages}
    while not line[0].external and line[0].base in named and named[line[0].base] not in line:
        line.insert(0, named[line[0].base])
    steps = [*(step for each in line[:-1] for step in each.steps), *stage.steps[: at + 1]]
    return "\n".join(each.rest for each in steps if each.word in ("RUN", "ENV"))


def _is_held(words: Sequence[str], later: Sequence[Step], recipe: Recipe) -> bool:
    """Return whether a later RUN of the stage holds what a command brings: a download, or a repository."""
    if program(words[0]) in FETCHERS:
        return checksums.compares(words, later, recipe)
    return program(words[0]) == "git" and any(RESET.search(each.rest) for each in later)


def _brought(step: Step) -> list[str]:
    """Return the words of an ADD as a command would say them: what, and where it is written to."""
    *sources, place = map(_bare, step.rest.split())
    return [*sources, "-o", place]


def _adds(step: Step) -> bool:
    """Return whether an ADD brings something of the net that neither a checksum nor a commit holds."""
    named = [
        each
        for each in map(_bare, step.rest.split()[:-1])
        if BY_GIT.match(each) or checksums.ADDRESS.match(each)
    ]
    return step.word == "ADD" and not step.option("checksum") and not all(map(COMMIT.search, named))


def _bare(word: str) -> str:
    """Return a word of an ADD, which may be one of a list."""
    return word.strip("\"',[]")


def _floats(step: Step, words: Sequence[str], locked: bool, texts: Texts, recipe: Recipe) -> bool:
    name, rest = program(words[0]), list(words[1:])
    if UPGRADES.get(name, frozenset()) & set(rest):
        return True
    if name in FETCHERS:
        fetches = any(checksums.ADDRESS.match(each) for each in rest)
        return fetches and not checksums.compares(words, [step], recipe)
    if name == "pacman":
        return not locked and any(map(SYNCS.fullmatch, rest))
    if name == "git" and "clone" in rest:
        return not COMMIT.search(step.rest)
    verb = next((each for each in rest if each in VERBS.get(name, ())), "")
    if not verb or (locked and name in OF_THE_DISTRIBUTION):
        return False
    named = [
        *_names(named_elsewhere.in_own_words(rest), verb),
        *named_elsewhere.packages(step, words, verb, texts),
    ]
    return _loose(name, rest, named)


def _loose(name: str, rest: Sequence[str], named: Sequence[str]) -> bool:
    """Return whether one of the packages that an installation names has no version, as its manager has it."""
    if name in MANAGERS:
        return any("*" in each or not OF_RPM.search(each) for each in named)
    if name in OF_THE_DISTRIBUTION:
        return not all(map(ONE.fullmatch, named))
    if name in PYTHON:
        free = [each for each in named if "git+" in each] if _constrained(rest) else named
        return bool(version_lists.loose("\n".join(free)))
    if name in VERSIONS:
        told = [each for each in rest if each.partition("=")[0] in VERSIONS[name]]
        loose = not told and any(not re.search(r"[@:]=?v?\d", each) for each in named)
        return loose or (name == "cargo" and bool(named) and "--locked" not in rest)
    return any(not EXACT.search(each) for each in named)


def _constrained(rest: Sequence[str]) -> bool:
    """Return whether a file of versions holds what pip installs."""
    return any(each.partition("=")[0] in ("-c", "--constraint") for each in rest)


def _names(words: Sequence[str], verb: str) -> Iterator[str]:
    """Give what a command names to bring, behind its verb: no options with values, no files of its own."""
    rest = iter(words[words.index(verb) + 1 :])
    for each in rest:
        if each in TAKES_VALUE or REDIRECTS.fullmatch(each):
            next(rest, "")
        elif each.endswith(OWN) and not checksums.ADDRESS.match(each):
            continue
        elif not each.startswith((*LOCAL, "$")) and not REDIRECTS.match(each):
            yield each


def uncached(recipe: Recipe) -> list[str]:
    """Return the commands of a recipe that install, in a RUN that keeps no downloads in a cache mount."""
    steps = (step for stage in recipe.stages for step in stage.steps if step.word == "RUN")
    bare = (step for step in steps if not any(each.get("type") == "cache" for each in step.mounts))
    return [" ".join(words) for step in bare for words in step.commands if _installs(words)]


def _installs(words: Sequence[str]) -> bool:
    name, rest = program(words[0]), set(words[1:])
    if name == "apk":
        return "add" in rest
    known = ("apt-get", "apt", *MANAGERS, "npm", "pip", "go", "cargo")
    return name in known and bool({"install", "i", "ci"} & rest)


PLAIN = re.compile(
    r"[/~.][\w./{}$-]*|\d+[smhd]?|https?://[^@\s]+|[a-z]+([_-][a-z]+)*\d?", re.IGNORECASE
)  # a path, a number, an address, a word
COUNTS = ("MAX_", "MIN_", "NUM_")  # so begin the names of numbers of tokens
SECRET = frozenset({"TOKEN", "PASSWORD", "PASSWD", "SECRET", "CREDENTIAL", "CREDENTIALS", "APIKEY", "PAT"})
KEYS = ("API_KEY", "PRIVATE_KEY", "ACCESS_KEY", "SECRET_KEY")


def secrets_in_words(recipe: Recipe) -> list[str]:
    """Return the arguments, and the variables with a value, of a recipe that are secrets by their names.

    What is about one and has a path, a number or a switch is none: TOKEN_FILE=/run/token, TOKEN_TTL=3600.
    """
    steps = (step for stage in recipe.stages for step in stage.steps)
    named = [pair for step in steps if step.word in ("ARG", "ENV") for pair in _pairs(step)]
    return sorted(
        {f"{word} {name}" for word, name, value in named if _is_secret(name) and _may_hold(word, name, value)}
    )


def _may_hold(word: str, name: str, value: str) -> bool:
    """Return whether what has a secret's name may be one, as an argument without a value may by its user."""
    own = name.upper()
    about = own.startswith(COUNTS) or (own.rpartition("_")[2] not in SECRET and not own.endswith(KEYS))
    return bool(value and not (about and PLAIN.fullmatch(value))) or (word == "ARG" and not value)


def _pairs(step: Step) -> Iterator[tuple[str, str, str]]:
    found = re.findall(r"""(\w+)=("[^"]*"|'[^']*'|\S*)""", step.rest)
    if found:
        yield from ((step.word, name, value.strip("\"'")) for name, value in found)
    else:
        name, _, value = step.rest.strip().partition(" ")
        yield step.word, name, value


def _is_secret(name: str) -> bool:
    upper = name.upper()
    return bool(SECRET & set(upper.split("_"))) or upper.endswith(KEYS)
