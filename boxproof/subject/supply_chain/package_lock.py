"""One version of everything: what the list of tools, go.sum and packages.lock say, and what tools report.

Packages that are kept by their content, in the binary cache, are read by apt from an archive of ours.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path

from boxproof.core.settings import Settings
from boxproof.host.fetch import binary_cache
from boxproof.host.fetch.apt import digest, publish
from boxproof.subject.image.dockerfile import Recipe, Step
from boxproof.subject.image.shell_commands import program
from boxproof.subject.image.tools import Tool
from boxproof.subject.supply_chain import checksums, stand_in_debs
from boxproof.subject.supply_chain.packages import Package
from pytest_claims import progress
from pytest_claims.faults import EnvironmentFault, SubjectFault, UsageError
from pytest_claims.selection import short

LOCK = "packages.lock"  # in the build context: "SYSTEM NAME VERSION" a line, as dpkg-query says them
EXACT = re.compile(r"\d+(\.\d+)+([-+.~:]?[\w]+)*")
INTEGRITY = re.compile(r"sha512-[A-Za-z0-9+/]{86}==")
REQUIRED = re.compile(r"^\s*(?:require )?([\w./~-]+\.[\w./~-]+) (v\S+)", re.MULTILINE)
FETCHERS = frozenset(
    {
        "curl", "wget", "aria2c", "lftp", "ftp", "sftp", "scp", "rsync", "nc", "ncat", "npm", "npx",
        "yarn", "pnpm", "bun", "bunx", "corepack", "pip", "pip3", "pipx", "uv", "uvx", "conda", "poetry",
        "go", "cargo", "rustup", "gem", "bundle", "composer", "cpan", "cpanm", "luarocks", "helm", "kubectl",
        "crane", "docker", "oras", "snap", "brew", "asdf", "mise", "add-apt-repository", "svn", "hg",
    }
)  # fmt: skip
# those that fetch something by some of their words alone
BY_A_WORD: Mapping[str, frozenset[str]] = {
    name: frozenset(words.split())
    for names, words in (
        ("gh", "download install clone api"), ("playwright patchright", "install"),
        ("nvm fnm volta pyenv rbenv nodenv goenv tfenv sdk juliaup ghcup", "install"),
        ("deno", "install add cache"), ("dotnet", "install restore add update"),
        ("mamba micromamba pixi", "install create update add"), ("nix-env nix-shell", "-i -iA -p"),
        ("nix", "profile run shell build"), ("code code-server codium cursor", "--install-extension"),
        ("claude", "install update"), ("ansible-galaxy", "install"),
        ("hf huggingface-cli spacy", "download"), ("ollama", "pull"), ("skopeo regctl", "copy sync"),
        ("aws gsutil gcloud", "cp sync rsync"), ("terraform tofu", "init"), ("opam cabal stack", "install"),
        ("dart flutter", "get activate add"), ("krew", "install"), ("guix flatpak", "install pull"),
    )
    for name in names.split()
}  # fmt: skip
GIT = frozenset({"clone", "fetch", "pull", "submodule", "archive", "ls-remote"})
RENEW = "mend it, or have inv lock write it anew"
HARMLESS = frozenset({"version", "--version", "-v", "-V", "help", "--help", "env", "config", "cache"})
ADDRESS = re.compile(r"\b(?:https?|ftps?|git|ssh|oci)://|\bgit@[\w.-]+:|/dev/tcp/")
OUTPUT = re.compile(r"-[a-zA-Z]*[oO]|--output(=.*)?|--remote-name")  # of curl, for each file
BESIDE = frozenset({"-x", "--proxy", "--preproxy", "-e", "--referer"})  # before an address that is no file
SEVERAL = re.compile(r"://[^\s'\"]*(?<!\$)\{([^{}\s]*,[^{}\s]*)\}")  # what curl, or a shell, takes for some
# installs what nobody has signed, whatever its version
UNSIGNED = re.compile(
    r"--allow-unauthenticated\b|--force-yes\b|--allow-untrusted\b|--no-?gpg-?checks?\b|\bgpgcheck=(?:0|false|no)\b"
    r"|\bAllow(?:Unauthenticated|InsecureRepositories)[\"'\s=]+(?:1|true|yes)\b"
    r"|\[[^\]]*\btrusted=yes\b[^\]]*\]\s+(?!file:|copy:)|\bstrict-ssl[\s=]+false\b",
    re.IGNORECASE,
)
COMMIT = re.compile(r"\b[0-9a-f]{40}\b")
QUESTIONS = ("--version", "version", "-version")
Lock = Mapping[str, str]
FILE = re.compile(rf"^Filename: {stand_in_debs.POOL}/([0-9a-f]{{64}})/(\S+)$", re.MULTILINE)
OF_THE_FILE = re.compile(r"^(?:Filename|Size|MD5sum|SHA\d+): .*\n", re.MULTILINE)
EPOCH = re.compile(r"_\d+%3a")  # in names of downloaded files, not of those in an archive


def system(os_release: str) -> str:
    """Return how the lock calls a system: "debian-12"; raises SubjectFault if it does not say what it is."""
    found = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', os_release, re.MULTILINE))
    if not found.get("ID"):
        raise SubjectFault("the image does not say which system it is")
    return f"{found['ID']}-{found.get('VERSION_ID', '')}"


def locked(context: Path, of: str) -> Lock:
    """Return the versions the lock gives one system's packages; none without a lock."""
    path = context / LOCK
    lines = path.read_text().splitlines() if path.is_file() else []
    fields = (line.split() for line in lines if not line.startswith("#"))
    return {each[1]: each[2] for each in fields if len(each) == 3 and each[0] == of}


def demand_whole(context: Path) -> None:
    """Raise SubjectFault for a lock with a line that is no package, or a package that stands there twice."""
    path, seen = context / LOCK, set[tuple[str, ...]]()
    try:
        lines = path.read_text().splitlines() if path.is_file() else []
    except UnicodeDecodeError as error:
        raise SubjectFault(f"{path} is not UTF-8", hint=RENEW) from error
    for number, line in enumerate(lines, 1):
        words = tuple(line.split())
        if not words or line.startswith("#"):
            continue
        if len(words) != len(("system", "name", "version")):
            told = f"{path}, line {number}: {short(line)!r} is no SYSTEM NAME VERSION"
            raise SubjectFault(told, hint=RENEW)
        if words[:2] in seen:
            raise SubjectFault(
                f"{path}, line {number}: {words[1]} of {words[0]} stands there twice", hint=RENEW
            )
        seen.add(words[:2])


def names(context: Path) -> list[str]:
    """Return the packages that the lock has of any system."""
    path = context / LOCK
    lines = path.read_text().splitlines() if path.is_file() else []
    fields = (line.split() for line in lines if not line.startswith("#"))
    return sorted({each[1] for each in fields if len(each) == 3})


def written(context: Path, of: str, have: Mapping[str, Package]) -> str:
    """Return the text of the lock with one system's lines replaced by what is installed."""
    return rewritten(context, of, {name: each.version for name, each in have.items()})


def rewritten(context: Path, of: str, versions: Lock) -> str:
    """Return the text of the lock with one system's lines replaced by ``versions``."""
    path = context / LOCK
    lines = path.read_text().splitlines() if path.is_file() else []
    kept = [each for each in lines if not each.startswith(f"{of} ")]
    own = [f"{of} {name} {versions[name]}" for name in sorted(versions)]
    return "".join(f"{each}\n" for each in [*kept, *own])


def loose(tools: Sequence[Tool], context: Path, lock: Lock) -> dict[str, str]:
    """Return the tools that are not held to one version by a checksum, and what is missing."""
    found = {each.name: _missing(each, context, lock) for each in tools}
    return {name: why for name, why in found.items() if why}


def unguarded(recipe: Recipe) -> list[str]:
    """Return the steps that fetch something which nothing holds to its content, whatever fetches it.

    A checksum that is not compared with anything guards nothing, nor does one whose failure ends no build,
    and one guards one fetch. What apt-get installs is held by the lock, if its signature is asked for; what a
    builder without a word of the network compiles by nothing.
    """
    steps = [step for stage in recipe.stages for step in stage.steps]
    return [
        f"{step.word} {step.rest}"
        for step in steps
        if (_fetches(step) and not _guarded(step, recipe)) or _unsigned(step, recipe)
    ]


def _unsigned(step: Step, recipe: Recipe) -> bool:
    """Return whether a step takes packages that nobody has signed, and compares nothing with a checksum."""
    return step.word == "RUN" and bool(UNSIGNED.search(step.rest)) and not checksums.binding(step, recipe)


def _fetches(step: Step) -> int:
    """Return how much a step fetches: its commands that do, or the addresses it names if these are more."""
    if step.word == "ADD":
        return len(ADDRESS.findall(step.rest)) or int(step.rest.endswith(".git"))
    if step.word != "RUN":
        return 0
    asked = sum(_files(each) for each in step.commands if _is_fetch(each))
    asked += sum(each[1].count(",") for each in SEVERAL.finditer(step.rest))
    return max(asked, int(ADDRESS.search(step.rest) is not None))


def _files(words: Sequence[str]) -> int:
    """Return how many files a command fetches: of curl and wget one for each address, or each output."""
    if program(words[0]) not in ("curl", "wget"):
        return 1
    pairs = list(pairwise(words))
    addresses = [each for before, each in pairs if ADDRESS.match(each) and before not in BESIDE]
    outputs = [each for _, each in pairs if program(words[0]) == "curl" and OUTPUT.fullmatch(each)]
    return max(1, len(addresses), len(outputs))


def _is_fetch(words: Sequence[str]) -> bool:
    name, rest = program(words[0]), set(words[1:])
    if name == "git":
        return bool(GIT & rest)
    if name == "go":
        return bool({"install", "get", "run", "mod"} & rest)
    if name in BY_A_WORD:
        return bool(BY_A_WORD[name] & rest)
    return name in FETCHERS and not (HARMLESS & rest and len(words) == 2)


def _guarded(step: Step, recipe: Recipe) -> bool:
    if step.word == "ADD":
        named = [each for each in step.rest.split()[:-1] if ADDRESS.search(each) or each.endswith(".git")]
        committed = bool(named) and all(COMMIT.search(each.partition("#")[2]) for each in named)
        return committed or bool(re.fullmatch(r"sha256:[0-9a-f]{64}", step.option("checksum")))
    if not all(checksums.compares(each, [step], recipe) for each in step.commands if _is_named(each)):
        return False
    checks = checksums.binding(step, recipe)
    git = all(each[0] != "git" for each in step.commands) or bool(COMMIT.search(step.rest))
    only_git = all(each[0] == "git" for each in step.commands if _is_fetch(each)) and step.commands
    if only_git and any(_is_fetch(each) for each in step.commands):
        return git
    return git and checks > 0 and max(checks, len(checksums.DIGEST.findall(step.rest))) >= _fetches(step)


def _is_named(words: Sequence[str]) -> bool:
    """Return whether a download has a file's name, by which a comparison would be known for its own."""
    return program(words[0]) in ("curl", "wget") and any(checksums.files(words))


def says(version: str, output: str) -> bool:
    """Return whether a tool's output names this version, and not a longer one."""
    return re.search(rf"(?<![\w.])v?{re.escape(version)}(?![\w]|[.+-]\w)", output) is not None


def _missing(tool: Tool, context: Path, lock: Lock) -> str:
    how = tool.obtain
    if how.way == "package":
        return "" if lock.get(how.package) else f"no version of {how.package} in {LOCK}"
    if not EXACT.fullmatch(tool.version):
        return f"{tool.version!r} is no exact version"
    if how.way == "npm":
        return "" if INTEGRITY.fullmatch(how.integrity) else "no integrity"
    return _go(tool, context / "modules" / how.module)


def _go(tool: Tool, module: Path) -> str:
    if not (module / "go.mod").is_file() or not (module / "go.sum").is_file():
        return "no go.mod with a go.sum"
    required = REQUIRED.findall((module / "go.mod").read_text())
    # a program of our own: the version it reports is that of the module it is made of
    own = tool.obtain.package == "."
    staged = tool.version.replace("1.", "0.", 1) if own else tool.version
    for path, version in required:
        if (own or f"{tool.obtain.package}/".startswith(f"{path}/")) and version == f"v{staged}":
            guarded = f"{path} {version} h1:" in (module / "go.sum").read_text()
            return "" if guarded else f"go.sum has no checksum of {path} {version}"
    return f"go.mod does not require it at v{tool.version}"


def name(system: str, locked: Mapping[str, str]) -> str:
    """Return what the index of a lock's packages is called in the cache."""
    return f"packages-{digest(system, sorted(locked.items()), os.uname().machine)}"


def writable(settings: Settings) -> Path:
    """Return the directory of BOXPROOF_BINARY_CACHE; raises UsageError if nothing can be kept there."""
    shown = f"BOXPROOF_BINARY_CACHE={settings.binary_cache}"
    directory = Path(settings.binary_cache)
    if (
        not settings.binary_cache
        or settings.binary_cache.startswith("wheel:")
        or "://" in settings.binary_cache
    ):
        raise UsageError(f"no packages can be kept in {shown}", hint="set it to a directory of your own")
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{shown}: {error.strerror}", hint="set it to a directory of your own") from error
    if not os.access(directory, os.W_OK):
        raise UsageError(f"{shown} may not be written to", hint="set it to a directory of your own")
    return directory


def keep(
    settings: Settings,
    system: str,
    locked: Mapping[str, str],
    archives: Sequence[Path],
    said: Mapping[str, str],
) -> int:
    """Store the files of packages under their sha256, and the index of this lock; returns how many bytes.

    ``said`` is what their archive says of each by its name: a file does not know its priority there.
    Raises UsageError where nothing can be kept.
    """
    cache = str(writable(settings))
    stanzas, total = [], 0
    for each in archives:
        content = each.read_bytes()
        sha256 = hashlib.sha256(content).hexdigest()
        binary_cache.store(cache, f"deb-{sha256}", each)
        control = OF_THE_FILE.sub("", said[each.name.partition("_")[0]] + "\n").strip()
        file = f"{sha256}/{EPOCH.sub('_', each.name)}"
        fields = [f"Filename: {stand_in_debs.POOL}/{file}", f"Size: {len(content)}", f"SHA256: {sha256}"]
        stanzas.append("\n".join([control, *fields]) + "\n")
        total += len(content)
    with tempfile.TemporaryDirectory(prefix="boxproof-kept-") as below:
        index = Path(below) / "index"
        index.write_text("\n".join(stanzas))
        binary_cache.store(cache, name(system, locked), index)
    return total


def archive(settings: Settings, system: str, suite: str, locked: Mapping[str, str]) -> Path | None:
    """Return the directory of an archive with a lock's packages, None unless all of them were kept.

    Raises EnvironmentFault if what was kept is not what its digest says.
    """
    if not settings.binary_cache:
        return None
    known = name(system, locked)

    def fill(directory: Path) -> None:
        index = directory / "index"
        if not binary_cache.fetch(settings.binary_cache, known, index, quiet=True):
            raise _NotKept
        text = index.read_text()
        for sha256, file in FILE.findall(text):
            target = directory / stand_in_debs.POOL / sha256 / file
            target.parent.mkdir(parents=True)
            if not binary_cache.fetch(settings.binary_cache, f"deb-{sha256}", target, quiet=True):
                raise _NotKept
            if hashlib.sha256(target.read_bytes()).hexdigest() != sha256:
                hint = "remove it from the cache, and keep the packages again: inv lock --keep"
                raise EnvironmentFault(f"deb-{sha256} in the binary cache is another file", hint=hint)
        index.unlink()
        stand_in_debs.indexed(directory, text, suite)
        progress.say(f"{len(FILE.findall(text))} packages from the binary cache")

    try:
        return publish(settings.cache / "kept" / known, fill)
    except _NotKept:
        return None


class _NotKept(Exception):
    """The cache does not have all of a lock's packages."""


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing: a build reports what it fetches."""


@contextmanager
def served(directory: str) -> Iterator[str]:
    """Give the line of apt's sources for an archive in ``directory``, read over this machine's loopback."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=directory)) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"deb [trusted=yes] http://127.0.0.1:{server.server_port} ./\n"
        finally:
            server.shutdown()
