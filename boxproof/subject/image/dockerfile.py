"""An image's recipe: the stages of its Dockerfile, what each starts from, and what its RUNs install."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain, count
from pathlib import Path

from dockerfile_parse import DockerfileParser

from boxproof.subject.image import build_contexts, shell_commands
from boxproof.subject.model import Subject
from boxproof.subject.variables import BuildValues
from pytest_claims.faults import SubjectFault
from pytest_claims.selection import short

DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
DIRECTIVE = re.compile(r"^#\s*(\w+)\s*=\s*(\S.*?)\s*$")  # of the parser, on the first lines
BOM = "\ufeff"
CONTEXTS = frozenset({"tools"})  # build contexts that a build here is given: no images
AS_WRITTEN = frozenset({"CMD", "COMMENT", "ENTRYPOINT", "HEALTHCHECK", "SHELL"})  # nothing is filled in
QUOTED = frozenset({"STOPSIGNAL", "USER", "WORKDIR"})  # a builder takes quotation marks off
NO_RECOMMENDS = re.compile(r"""APT::Install-Recommends["'\\\s=]+(0|false|no)\b""", re.IGNORECASE)
# asked for whatever is settled; what is only suggested goes further still
MORE = re.compile(
    r"--(install|with)-(recommends|suggests)\b|APT::Install-\w+[\"'\\\s=]+(1|true|yes)\b", re.IGNORECASE
)
DECLINE = frozenset({"--no-install-recommends", "--without-recommends", "-R"})
BRINGS = frozenset({"install", "build-dep", "satisfy"})  # verbs of apt-get
HOOK = "docker-clean"  # by which Debian's and Ubuntu's images empty the archives after each install
NAMES = re.compile(r"(Docker|Container)file([._-].+)?|.+\.(docker|container)file", re.IGNORECASE)
NO_RECIPE = frozenset(
    {
        ".dockerignore", ".md", ".j2", ".tmpl", ".template", ".tpl", ".bak", ".orig", ".sh", ".py", ".go",
        ".ts", ".js", ".json", ".yaml", ".yml", ".rs", ".rb", ".txt", ".lock",
    }
)  # fmt: skip
WINDOWS = re.compile(r"mcr\.microsoft\.com/windows|windowsservercore|nanoserver")
LISTS, ARCHIVES = "/var/lib/apt/lists", "/var/cache/apt"
CLEANED = (LISTS, ARCHIVES)
TAKES_VALUE = frozenset({"-o", "-c", "-t", "--option", "--config-file", "--target-release"})


@dataclass(frozen=True)
class Install:
    """One ``apt-get install``: its options, its packages, and all of it as it is written.

    ``settled`` says that apt's own settings in the image leave recommended packages out.
    """

    options: tuple[str, ...]
    packages: tuple[str, ...]
    text: str
    settled: bool = False

    @property
    def recommends(self) -> bool:
        """Whether it also takes what packages only recommend."""
        told = " ".join(self.options)
        declined = DECLINE & set(self.options) or NO_RECOMMENDS.search(told) or self.settled
        return not declined or MORE.search(told) is not None


@dataclass(frozen=True)
class Step:
    """One instruction of a stage: ``word`` in capitals, ``value`` on one line.

    ``settled`` says that an earlier one has told apt to leave recommended packages out.
    """

    word: str
    value: str
    settled: bool = False

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
        words = shell_commands.exec_form(self.rest)
        if words and not shell_commands.script(words):
            return ((self.rest, shell_commands.started(words)),)
        return tuple(shell_commands.commands(shell_commands.script(words) if words else self.rest))

    @cached_property
    def installs(self) -> tuple[Install, ...]:
        """Every ``apt-get install`` of a RUN."""
        written = (
            _install(text, words) for text, words in self._written if _apt(words) and BRINGS & set(words)
        )
        return tuple(replace(each, settled=self.settled) for each in written)

    @property
    def settles(self) -> bool:
        """Whether a RUN tells apt, in a file of its settings, to leave recommended packages out."""
        return self.word == "RUN" and "apt.conf" in self.rest and bool(NO_RECOMMENDS.search(self.rest))

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
    def images(self) -> tuple[str, ...]:
        """The images that a COPY or ADD takes files from, or a RUN has mounted; a stage may be among them."""
        copied = self.option("from") if self.word in ("COPY", "ADD") else ""
        return tuple(filter(None, (copied, *(each.get("from", "") for each in self.mounts))))


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
    """The stages of a Dockerfile, the final one last; ``syntax`` is the image of its frontend, if any.

    ``contexts`` are the build contexts that it is given by name, in small letters.
    """

    stages: tuple[Stage, ...]
    syntax: str = ""
    contexts: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def final(self) -> Stage:
        """The stage that becomes the image."""
        return self.stages[-1]

    @property
    def line(self) -> tuple[Stage, ...]:
        """The stages that the image is made of, the one on an external base or on scratch first."""
        return self.line_of(self.final)

    def line_of(self, stage: Stage) -> tuple[Stage, ...]:
        """Return the stages that a stage is made of, itself the last; the nearest ahead of a name counts."""
        found, ahead = [stage], self.stages[: self.stages.index(stage)]
        for each in reversed(ahead):
            if not found[0].external and each.name == found[0].base:
                found.insert(0, each)
        return tuple(found)

    @property
    def bases(self) -> dict[str, str]:
        """Every image that a build takes: what stages start from, by stage, and what they copy from."""
        found = {each.name: each.base for each in self.stages if each.external}
        stages = {each.name for each in self.stages} | {str(each) for each in range(len(self.stages))}
        for stage in self.stages:
            for step in stage.steps:
                images = (build_contexts.image(each, self.contexts) for each in step.images)
                for image in (each for each in images if each and each.lower() not in stages | CONTEXTS):
                    found[_apart(f"{stage.name}, {step.word} from", image, found)] = image
        return found | ({"syntax": self.syntax} if self.syntax else {})

    def untagged(self) -> dict[str, str]:
        """Return the bases without an explicit tag other than ``latest``; "" is one that the user gives."""
        return {stage: base for stage, base in self.bases.items() if base and tag_of(base) in ("", "latest")}

    def undigested(self) -> dict[str, str]:
        """Return the bases without a digest."""
        return {stage: base for stage, base in self.bases.items() if base and not DIGEST.search(base)}


def of(subject: Subject) -> Recipe:
    """Return a subject's recipe; raises SubjectFault if it has none."""
    path = subject.path(subject.image.dockerfile)
    if path is None:
        raise SubjectFault(f"no Dockerfile at {subject.image.dockerfile}")
    about = subject.image
    return parse(text_of(path), about.args, about.target, about.contexts)


def text_of(path: Path) -> str:
    """Return what a Dockerfile says; a builder takes remarks of any encoding."""
    return path.read_text(encoding="utf-8", errors="replace").removeprefix(BOM)


def parse(
    text: str,
    args: Mapping[str, str] | None = None,
    target: str = "",
    contexts: Mapping[str, str] | None = None,
) -> Recipe:
    """Return the recipe in a Dockerfile's text, with build arguments, up to the stage ``target``.

    ``contexts`` are the build contexts with a name. Raises SubjectFault for no FROM, or no such stage.
    """
    text = text.removeprefix(BOM)
    told = directives(text)
    text = shell_commands.with_here_documents(_with_backslashes(text) if told.get("escape") == "`" else text)
    parser = DockerfileParser(fileobj=io.BytesIO(text.encode()))
    given = {name.lower(): each for name, each in (contexts or {}).items()}
    values = BuildValues(dict(args or {}))
    stages: list[Stage] = []
    known: dict[str, dict[str, str]] = {}  # the variables that each stage leaves
    for each in parser.structure:
        word, value = each["instruction"].upper(), each["value"]
        if word == "FROM":
            values.ahead |= {} if stages else values.arguments
            stages.append(_stage(value, values.base(value), stages, given))
            values.enter(known.get(stages[-1].base, {}))
            _carry_out_kept(stages)
        elif word == "ARG":
            values.argue(value)
        elif word not in AS_WRITTEN:
            value = values.filled(value, word)
        if word == "ENV":
            values.vary(value)
        if word not in ("FROM", "COMMENT") and stages:
            plain = value.strip().strip("\"'") if word in QUOTED else value
            stages[-1] = _with_step(stages, word, plain)
            known[stages[-1].name] = values.variables
    if not stages:
        raise SubjectFault("the Dockerfile has no FROM")
    return Recipe(_up_to(stages, target), told.get("syntax", ""), given)


def read(
    text: str,
    args: Mapping[str, str] | None = None,
    target: str = "",
    contexts: Mapping[str, str] | None = None,
) -> Recipe | None:
    """Return what ``parse`` returns, None for a Dockerfile that no builder takes."""
    try:
        return parse(text, args, target, contexts)
    except (SubjectFault, ValueError, StopIteration):
        return None


def demand_stage(subject: Subject) -> None:
    """Raise SubjectFault for a Dockerfile without a FROM, or without the stage that is to be built."""
    about, path = subject.image, subject.path(subject.image.dockerfile)
    if about.reference or path is None or not path.is_file():
        return
    text = text_of(path)
    if not _begins(text):
        told = f"image.dockerfile={short(about.dockerfile)!r} has no FROM"
        raise SubjectFault(told, hint="a Dockerfile begins a stage by FROM IMAGE: name the file that does")
    if about.target and read(text, about.args, contexts=about.contexts):
        parse(text, about.args, about.target, about.contexts)


def _begins(text: str) -> bool:
    """Return whether a text has a line that begins a stage."""
    return re.search(r"^\s*FROM\s", text, re.MULTILINE | re.IGNORECASE) is not None


def directives(text: str) -> dict[str, str]:
    """Return what the first lines of a Dockerfile's text tell the builder of how to read it."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        told = DIRECTIVE.match(line)
        if told is None:
            break
        found.setdefault(told[1].lower(), told[2])
    return found


def _with_backslashes(text: str) -> str:
    """Return a text whose lines go on behind a backtick as one whose lines go on behind a backslash."""
    lines = (re.sub(r"\\+\s*$", "", each) for each in text.splitlines())  # the end of a path of Windows
    return "\n".join(re.sub(r"`\s*$", r"\\", each) for each in lines) + "\n"


def _apart(where: str, image: str, found: Mapping[str, str]) -> str:
    """Return what a base is called that stands somewhere: of several there, each by another name."""
    names = chain([where], (f"{where} ({number})" for number in count(2)))
    return next(each for each in names if found.get(each, image) == image)


def _with_step(stages: list[Stage], word: str, value: str) -> Stage:
    """Return the last stage with one more step, for which holds what was settled in it or where it begins."""
    last = stages[-1]
    earlier = [*(step for each in stages[:-1] if each.name == last.base for step in each.steps), *last.steps]
    settled = any(each.settles or each.settled for each in earlier)
    return replace(last, steps=(*last.steps, Step(word, value, settled)))


def _carry_out_kept(stages: list[Stage]) -> None:
    """Give the last stage what the one that it begins with has kept for it by ONBUILD."""
    base = next((each for each in reversed(stages[:-1]) if each.name == stages[-1].base), None)
    kept = [each.value.split(None, 1) for each in base.steps if each.word == "ONBUILD"] if base else []
    for word, value in (each for each in kept if len(each) == 2):
        stages[-1] = _with_step(stages, word.upper(), value)


def _up_to(stages: list[Stage], target: str) -> tuple[Stage, ...]:
    """Return the stages up to the one that is built, the last without a target."""
    names = [each.name for each in stages]
    if target.lower() in names:
        return tuple(stages[: names.index(target.lower()) + 1])
    if target and not (target.isdigit() and int(target) < len(stages)):
        raise SubjectFault(f"the Dockerfile has no stage {target!r}", hint=f"there are: {', '.join(names)}")
    return tuple(stages[: int(target) + 1] if target else stages)


def of_all(subject: Subject) -> dict[str, Recipe]:
    """Return the recipe in every Dockerfile beside the subject's own, by its path; no FROM, no recipe."""
    context = (subject.directory / subject.image.dockerfile).parent
    found = sorted(path for path in context.glob("*") if is_one(path) and path.is_file())
    texts = {str(path.relative_to(subject.directory)): text_of(path) for path in found}
    return {
        name: parse(text, subject.image.args, contexts=subject.image.contexts)
        for name, text in texts.items()
        if _begins(text)
    }


def is_one(path: Path) -> bool:
    """Return whether a file is called as a Dockerfile is."""
    return NAMES.fullmatch(path.name) is not None and path.suffix not in NO_RECIPE


def is_for_windows(found: Recipe) -> bool:
    """Return whether a recipe makes an image of Windows."""
    return bool(WINDOWS.search(found.line[0].base))


def tag_of(reference: str) -> str:
    """Return the tag a reference names, "" where it names none."""
    return reference.partition("@")[0].rpartition("/")[2].partition(":")[2]


def _stage(value: str, base: str, earlier: list[Stage], contexts: Mapping[str, str]) -> Stage:
    alias = re.search(r"\s+AS\s+(\S+)\s*$", value, re.IGNORECASE)
    known = {each.name for each in earlier} | {"scratch"}
    base = base.lower() if base.lower() in known else base  # a stage's name is the same in capitals
    image = build_contexts.image(base, contexts)  # a build context of the same name counts before a stage
    name = alias[1].lower() if alias else str(len(earlier))
    return Stage(name, image or base, bool(image or not base) and image not in known, ())


def _apt(words: tuple[str, ...]) -> bool:
    return shell_commands.program(words[0]) in ("apt-get", "apt", "aptitude")


def _install(text: str, words: tuple[str, ...]) -> Install:
    options: list[str] = []
    packages: list[str] = []
    rest = iter(words[1:])
    for each in rest:
        if each.startswith("-"):
            options.append(each)
            if each in TAKES_VALUE:
                options.append(next(rest, ""))
        elif each not in BRINGS:
            packages.append(each)
    return Install(tuple(options), tuple(packages), text)
