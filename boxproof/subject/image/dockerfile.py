"""An image's recipe: the stages of its Dockerfile, what each starts from, and what its RUNs install."""

from __future__ import annotations

import io
import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath

from dockerfile_parse import DockerfileParser

from boxproof.subject.model import Subject
from pytest_claims.faults import SubjectFault

DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
SYNTAX = re.compile(r"^#\s*syntax\s*=\s*(\S+)\s*$", re.IGNORECASE)
HEREDOC = re.compile(
    r"^(?P<head>[ \t]*(?P<word>RUN|COPY|ADD)\b[^\n]*?)<<-?[ \t]*(?P<quote>[\"']?)(?P<end>\w+)(?P=quote)"
    r"(?P<tail>[^\n]*)\n(?P<body>.*?)^[ \t]*(?P=end)[ \t]*$",
    re.MULTILINE | re.DOTALL | re.IGNORECASE,
)
CONTEXTS = frozenset({"tools"})  # build contexts that a build here is given: no images
HOOK = "docker-clean"  # by which Debian's and Ubuntu's images empty the archives after each install
FILES = ("Dockerfile", "*.Dockerfile", "Dockerfile.*", "Containerfile")
LISTS, ARCHIVES = "/var/lib/apt/lists", "/var/cache/apt"
CLEANED = (LISTS, ARCHIVES)
TAKES_VALUE = frozenset({"-o", "-c", "-t", "--option", "--config-file", "--target-release"})
CONTROL = frozenset({"!", "if", "elif", "then", "else", "while", "until", "do", "exec", "("})
# programs that start another: their options that take a value, and how many words stand before the other
STARTERS: Mapping[str, tuple[frozenset[str], int]] = {
    name: (frozenset(valued.split()), before)
    for name, valued, before in (
        ("env", "-u -C --unset --chdir", 0), ("sudo", "-u -g -h -p -C -U -r -t", 0), ("doas", "-u -C", 0),
        ("command", "", 0), ("builtin", "", 0), ("nohup", "", 0), ("setsid", "", 0), ("eatmydata", "", 0),
        ("nice", "-n --adjustment", 0), ("ionice", "-c -n -p", 0), ("time", "-f -o", 0),
        ("stdbuf", "-i -o -e", 0), ("xargs", "-n -P -I -L -a -d -s -E", 0), ("flock", "-w -E", 1),
        ("timeout", "-k -s --kill-after --signal", 1), ("gosu", "", 1), ("su-exec", "", 1), ("chroot", "", 1),
        ("runuser", "-u -g -G", 0), ("setpriv", "--reuid --regid --groups", 0), ("chpst", "-u -U", 0),
    )
}  # fmt: skip
SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh", "su"})
PYTHON = re.compile(r"(?:.*/)?(?:python|pypy)[\d.]*")
PIP = re.compile(r"pip[\d.]+")


@dataclass(frozen=True)
class Install:
    """One ``apt-get install``: its options, its packages, and all of it as it is written."""

    options: tuple[str, ...]
    packages: tuple[str, ...]
    text: str

    @property
    def recommends(self) -> bool:
        """Whether it also takes what packages only recommend."""
        off = {"--no-install-recommends", "APT::Install-Recommends=0", "APT::Install-Recommends=false"}
        return not off & {each.replace('"', "") for each in self.options}


@dataclass(frozen=True)
class Step:
    """One instruction of a stage: ``word`` in capitals, ``value`` on one line."""

    word: str
    value: str

    @cached_property
    def flags(self) -> tuple[str, ...]:
        """The ``--flag=value`` words before the rest."""
        return tuple(re.match(r"(?:--\S+\s+)*", self.value)[0].split())  # type: ignore[index]

    @cached_property
    def rest(self) -> str:
        """What stands behind the flags."""
        return re.sub(r"^(?:--\S+\s+)*", "", self.value)

    def option(self, name: str) -> str:
        """Return the value of ``--name=…``, "" where it has none."""
        return next((each.split("=", 1)[1] for each in self.flags if each.startswith(f"--{name}=")), "")

    @cached_property
    def mounts(self) -> tuple[dict[str, str], ...]:
        """The ``--mount`` flags, each as its keys and values."""
        texts = (each.removeprefix("--mount=") for each in self.flags if each.startswith("--mount="))
        return tuple(dict(part.partition("=")[::2] for part in text.split(",")) for text in texts)

    @cached_property
    def commands(self) -> tuple[tuple[str, ...], ...]:
        """The simple commands of a RUN, in words; control words and assignments before them are left out."""
        return tuple(words for _, words in self._written)

    @cached_property
    def _written(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        if self.word != "RUN":
            return ()
        words = _exec_form(self.rest)
        if words and not _script(words):
            return ((self.rest, _started(words)),)
        return tuple(_commands(_script(words) if words else self.rest))

    @cached_property
    def installs(self) -> tuple[Install, ...]:
        """Every ``apt-get install`` of a RUN."""
        return tuple(
            _install(text, words) for text, words in self._written if _apt(words) and "install" in words
        )

    @property
    def installation(self) -> str:
        """What stands behind the flags, to the end of the last install; all of it where there is none."""
        last = self.installs[-1].text if self.installs else ""
        before, found, _ = self.rest.rpartition(last) if last else (self.rest, "", "")
        return before + found

    @property
    def updates(self) -> int:
        """How often a RUN fetches the package lists."""
        return sum(1 for each in self.commands if _apt(each) and "update" in each)

    def caches(self, path: str) -> bool:
        """Return whether a cache mount keeps ``path`` out of the layer, and over builds."""
        targets = [each.get("target", "").rstrip("/") for each in self.mounts if each.get("type") == "cache"]
        return any(path == each or path.startswith(f"{each}/") for each in targets if each)

    def cleans(self, path: str) -> bool:
        """Return whether a RUN that fills ``path`` leaves nothing of it in its layer."""
        removed = [word for each in self.commands if each[0] in ("rm", "find") for word in each]
        emptied = path == ARCHIVES and any(
            _apt(each) and {"clean", "distclean"} & set(each) for each in self.commands
        )
        return self.caches(path) or emptied or any(word.startswith(path) for word in removed)

    @property
    def image(self) -> str:
        """The image a COPY takes files from, or a RUN has mounted; "" where that is none or a stage."""
        mounted = (each.get("from", "") for each in self.mounts)
        return (self.option("from") if self.word in ("COPY", "ADD") else "") or next(
            filter(None, mounted), ""
        )


@dataclass(frozen=True)
class Stage:
    """One stage; ``base`` is resolved, ``external`` unless it is an earlier stage or scratch."""

    name: str
    base: str
    external: bool
    steps: tuple[Step, ...]

    def unclean(self) -> dict[str, list[str]]:
        """Return the places that an installing RUN fills and leaves in its layer, by what it installs."""
        hooked = not any(HOOK in each.rest for each in self.steps)
        found = {}
        for step in (each for each in self.steps if each.installs):
            left = [path for path in CLEANED if not step.cleans(path) and not (hooked and path == ARCHIVES)]
            if left:
                found[step.installs[0].text] = left
        return found


@dataclass(frozen=True)
class Recipe:
    """The stages of a Dockerfile, the final one last; ``syntax`` is the image of its frontend, if any."""

    stages: tuple[Stage, ...]
    syntax: str = ""

    @property
    def final(self) -> Stage:
        """The stage that becomes the image."""
        return self.stages[-1]

    @property
    def line(self) -> tuple[Stage, ...]:
        """The stages that the image is made of, the one on an external base or on scratch first."""
        by_name = {each.name: each for each in self.stages}
        found = [self.final]
        while not found[0].external and found[0].base in by_name:
            found.insert(0, by_name[found[0].base])
        return tuple(found)

    @property
    def bases(self) -> dict[str, str]:
        """Every image that a build takes: what stages start from, by stage, and what they copy from."""
        found = {each.name: each.base for each in self.stages if each.external}
        stages = {each.name for each in self.stages} | {str(each) for each in range(len(self.stages))}
        for stage in self.stages:
            for step in stage.steps:
                if step.image and step.image not in stages | CONTEXTS:
                    found[f"{stage.name}, {step.word} from"] = step.image
        return found | ({"syntax": self.syntax} if self.syntax else {})

    def untagged(self) -> dict[str, str]:
        """Return the bases without an explicit tag other than ``latest``."""
        return {stage: base for stage, base in self.bases.items() if tag_of(base) in ("", "latest")}

    def undigested(self) -> dict[str, str]:
        """Return the bases without a digest."""
        return {stage: base for stage, base in self.bases.items() if not DIGEST.search(base)}


def of(subject: Subject) -> Recipe:
    """Return a subject's recipe; raises SubjectFault if it has none."""
    path = subject.path(subject.image.dockerfile)
    if path is None:
        raise SubjectFault(f"no Dockerfile at {subject.image.dockerfile}")
    return parse(path.read_text(), subject.image.args)


def parse(text: str, args: Mapping[str, str] | None = None) -> Recipe:
    """Return the recipe in a Dockerfile's text, with build arguments; raises SubjectFault for no FROM."""
    told = SYNTAX.match(text.splitlines()[0] if text.strip() else "")
    text = HEREDOC.sub(_unfolded, text)
    parser = DockerfileParser(fileobj=io.BytesIO(text.encode()), build_args=dict(args or {}))
    resolved = iter(parser.parent_images)
    stages: list[Stage] = []
    for each in parser.structure:
        word, value = each["instruction"].upper(), each["value"]
        if word == "FROM":
            stages.append(_stage(value, str(next(resolved)), stages))
        elif word != "COMMENT" and stages:
            last = stages[-1]
            stages[-1] = Stage(last.name, last.base, last.external, (*last.steps, Step(word, value)))
    if not stages:
        raise SubjectFault("the Dockerfile has no FROM")
    return Recipe(tuple(stages), told[1] if told else "")


def of_all(subject: Subject) -> dict[str, Recipe]:
    """Return the recipe in every Dockerfile beside the subject's own, by its path; no FROM, no recipe."""
    context = (subject.directory / subject.image.dockerfile).parent
    found = {path for pattern in FILES for path in context.glob(pattern) if path.is_file()}
    texts = {str(path.relative_to(subject.directory)): path.read_text() for path in sorted(found)}
    return {
        name: parse(text, subject.image.args)
        for name, text in texts.items()
        if re.search(r"^\s*FROM\s", text, re.MULTILINE | re.IGNORECASE)
    }


def _unfolded(found: re.Match[str]) -> str:
    """Return an instruction with its here-document on its own line, as a shell would carry it out."""
    lines = (each.strip() for each in found["body"].replace("\\\n", " ").splitlines())
    body = "; ".join(each for each in lines if each and not each.startswith("#"))
    return f"{found['head']}{body if found['word'].upper() == 'RUN' else 'inline'} {found['tail'].strip()}"


def tag_of(reference: str) -> str:
    """Return the tag a reference names, "" where it names none."""
    return reference.partition("@")[0].rpartition("/")[2].partition(":")[2]


def _stage(value: str, base: str, earlier: list[Stage]) -> Stage:
    named = re.search(r"\s+AS\s+(\S+)\s*$", value, re.IGNORECASE)
    known = {each.name for each in earlier} | {"scratch"}
    return Stage(named[1] if named else str(len(earlier)), base, base not in known, ())


def simple_commands(line: str) -> list[str]:
    """Return the commands of a shell line that it does not nest in quotes or ``$(…)``."""
    found = [""]
    quote, depth = "", 0
    for each in line:
        if quote:
            quote = "" if each == quote else quote
        elif each in "'\"":
            quote = each
        depth += {"(": 1, ")": -1}.get(each, 0)
        if not quote and depth <= 0 and each in "&|;{}\n":
            found.append("")
        else:
            found[-1] += each
    return [each.strip() for each in found if each.strip()]


def program(word: str) -> str:
    """Return the name of a command's program, without its directory; pip3.12 is pip."""
    name = PurePosixPath(word).name
    return "pip" if PIP.fullmatch(name) else name


def _commands(line: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Give each command of a shell line in words, and the part of the line that it is written in.

    Those of a subshell, of `$(…)` and of a shell that is given a text are in the part around them.
    """
    for text in simple_commands(line):
        if text.startswith("(") and text.endswith(")"):
            inside = [text[1:-1]]
        else:
            words = _words(text)
            if words:
                yield text, words
            inside = [*_substituted(text), _script(words)]
        yield from ((text, words) for each in inside if each for _, words in _commands(each))


def _substituted(text: str) -> Iterator[str]:
    """Give what stands in each `$(…)` of a command."""
    at = text.find("$(")
    while at >= 0:
        depth, end = 1, at + 2
        while end < len(text) and depth:
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        yield text[at + 2 : end - 1 if not depth else end]
        at = text.find("$(", end)


def _script(words: tuple[str, ...]) -> str:
    """Return the text that a shell is given to carry out, "" where the command is none such."""
    if not words or PurePosixPath(words[0]).name not in SHELLS:
        return ""
    given = next((at for at, each in enumerate(words) if re.fullmatch(r"-[a-z]*c|--command", each)), 0)
    return words[given + 1] if given and given + 1 < len(words) else ""


def _exec_form(text: str) -> tuple[str, ...]:
    """Return the words of a RUN that is written as a list, () for a line of the shell."""
    if not text.startswith("["):
        return ()
    try:
        words = json.loads(text)
    except ValueError:
        return ()
    return tuple(str(each) for each in words)


def _words(text: str) -> tuple[str, ...]:
    try:
        words = shlex.split(text)
    except ValueError:  # half of a quoted text: no command of a package manager
        words = text.split()
    return _started(tuple(words))


def _started(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return the words from the program on that a command is about: past what starts it."""
    while words:
        name = PurePosixPath(words[0]).name
        if words[0] in CONTROL or "=" in words[0]:
            words = words[1:]
        elif name in STARTERS and words[1:2] not in (("-v",), ("-V",)):
            words = _past(words[1:], *STARTERS[name])
        elif PYTHON.fullmatch(words[0]) and "-m" in words[1:]:
            words = words[words.index("-m") + 1 :]  # python3 -I -m pip is pip
        else:
            return words
    return ()


def _past(words: tuple[str, ...], valued: frozenset[str], before: int) -> tuple[str, ...]:
    """Return the words behind options, their values, and what stands before a program."""
    while words and words[0].startswith("-"):
        words = words[2 if words[0] in valued else 1 :]
    return words[before:]


def _apt(words: tuple[str, ...]) -> bool:
    return program(words[0]) in ("apt-get", "apt", "aptitude")


def _install(text: str, words: tuple[str, ...]) -> Install:
    options: list[str] = []
    packages: list[str] = []
    rest = iter(words[1:])
    for each in rest:
        if each.startswith("-"):
            options.append(each)
            if each in TAKES_VALUE:
                options.append(next(rest, ""))
        elif each != "install":
            packages.append(each)
    return Install(tuple(options), tuple(packages), text)
