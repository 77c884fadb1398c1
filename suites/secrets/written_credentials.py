"""Credentials written out where a build or a box reads them, and arguments of a build that are used as ones.

What stands in the place of one, for its user to fill in, is none, nor is what is read from a mount.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from docker.utils.build import PatternMatcher

from boxproof.core.process import run
from boxproof.subject.documented_commands import CONTINUED
from boxproof.subject.image.dockerfile import Recipe, Step
from boxproof.subject.image.shell_commands import program
from boxproof.subject.manifests import compose_file, shipped
from boxproof.subject.model import Subject
from boxproof.subject.supply_chain import secret_scan
from boxproof.subject.variables import SET_IN_SHELL
from suites.secrets import plain_settings
from suites.secrets.given_words import LOGINS, NAME

SHORTEST = 6  # characters
# filled in, a path, marks, words in capitals, a number; what says that it is none; what it is called itself
PLACE = re.compile(
    r".*[$`<>{}%].*|[/~.].*|[x*._-]*|(?-i:[A-Z][A-Z_-]*)|\d*"
    r"|.*(?:your|change[-_]?(?:me|it)|replace|place[-_]?holder|example|paste|insert|dummy|redacted|fixme|xxx).*"
    r"|(?:[a-z]+[-_])*(?:my|the|some|a)?(?:token|passw(?:or)?d|pass|secret|key|pat|user(?:name)?|guest|fake"
    r"|anonymous|admin|root|foo|bar|test|here)\d*",
    re.IGNORECASE | re.DOTALL,
)
ALONE = re.compile(r"\$\{?(\w+)\}?")  # a variable and nothing else
MIXED = re.compile(r"(?=.*\d)(?=.*[A-Za-z]).{8,}")  # as whatever makes one makes it, and no word
VALUE = r"(?P<value>[^\s\"'\\;&|,)]+)"
GAP = r"(?:\s|\\n)+"
# whatever reads it: an address, a header, a netrc, the settings of npm, of pip, of an engine
FORMS = tuple(
    re.compile(each, re.IGNORECASE)
    for each in (
        r"\b[a-z][a-z0-9+.-]*://(?P<user>[^\s/:@\"'\\]*):(?P<value>[^\s/:@\"'\\]+)@(?!sha256:)[\w\[$]",
        rf"\bauthorization[\"']?\s*[:=,]\s*[\"']?(?:bearer|basic|token)\s+{VALUE}",
        rf"\b(?:x-api-key|private-token|job-token|deploy-token|x-vault-token)[\"']?\s*[:=,]\s*[\"']?{VALUE}",
        rf"\bmachine{GAP}\S+{GAP}login{GAP}\S+{GAP}password{GAP}{VALUE}",
        rf":_(?:authToken|auth|password)(?:\s*=\s*|\s+)[\"']?{VALUE}",
        rf"\bnpmAuth(?:Token|Ident)[\"']?\s*[:=]?\s*[\"']?{VALUE}",
        r"\"auth\"\s*:\s*\"(?P<value>[A-Za-z0-9+/]{12,}={0,2})\"",
        rf"--oauth2-bearer[= ]{VALUE}",
    )
)
ASSIGNED = re.compile(rf"(?<![\w$-])(?P<name>{plain_settings.NAMED.pattern})=[\"']?{VALUE}")
LOG_IN = frozenset({"-p", "--password"})  # of whatever has "login" for a verb
# what says by its own form that it is one; of the others the value is looked at
SHAPES = tuple(
    each
    for each in secret_scan.SHAPES
    if each.anchor not in (b"_authToken", b"machine ", b'"auth"', b'"identitytoken"', b'"accessToken"')
)
OF_A_PIPELINE = re.compile(rf"\bsecrets\.(?:{NAME})\b|\bgithub\.token\b")
# of a run, of Compose, of what makes a Secret or a ConfigMap; a directory that a variable says does not count
NAMED_FILE = re.compile(
    r"--(?:from-)?env-file[= ][ \t]*[\"']?(?:\$\(pwd\)/|\$\{?\w+\}?/|\./)?([^\s\"'$;&|)]+)", re.IGNORECASE
)


def is_written_out(value: str) -> bool:
    """Return whether what stands where a credential goes is one: no place for it, no path, no bare word."""
    bare = value.strip().strip("\"'")
    return len(bare) >= SHORTEST and PLACE.fullmatch(bare) is None


def in_recipe(recipe: Recipe) -> list[str]:
    """Return the steps, of any stage, that say a credential, or have an argument in the place of one.

    What they say is left out.
    """
    found: list[Step] = []
    for stage in recipe.stages:
        ahead = [step for each in recipe.line_of(stage)[:-1] for step in each.steps]
        for at, step in enumerate(stage.steps):
            if _says(step) or _argues(step, [*ahead, *stage.steps[:at]]):
                found.append(step)
    return [_shown(each) for each in dict.fromkeys(found)]


def _shown(step: Step) -> str:
    """Return a step on one line, without what it says: that gets into reports."""
    text = f"{step.word} {' '.join(step.rest.split())}"
    for each in _written_out(step):
        text = text.replace(each.strip("\"'"), "\N{HORIZONTAL ELLIPSIS}")
    return text


def in_texts(texts: Mapping[str, str]) -> list[str]:
    """Return the names of the texts that say a credential in a form that programs read."""
    return [name for name, text in texts.items() if _tells(text)]


def in_arguments(written: Iterable[tuple[str, str]]) -> list[str]:
    """Return which arguments of builds are secrets by their names, or have one for a value.

    An argument is written as ``NAME=value``, or ``NAME`` alone for its user's own, behind where it stands.
    """
    found = []
    for where, argument in written:
        name, _, value = argument.partition("=")
        named = re.fullmatch(NAME, name.upper()) is not None
        if named or OF_A_PIPELINE.search(value) or _tells(value):
            found.append(f"{where}: {name}")
    return list(dict.fromkeys(found))


def in_variables(text: str) -> list[str]:
    """Return the variables of a file of them that are called as secrets are and have one written out."""
    pairs = (
        (name, quoted or single or bare) for name, quoted, single, bare in compose_file.SAID.findall(text)
    )
    return [name for name, value in pairs if plain_settings.is_called_so(name) and is_written_out(value)]


def variable_files(subject: Subject) -> dict[str, Path]:
    """Return the files of variables that ship and that commands and Compose files name, by where they do.

    One that git leaves out is its user's own, and so is a hidden one that it does not know.
    """
    found: dict[str, Path] = {}
    for name, content in shipped.compose(subject).items():
        place = (subject.directory / name).parent
        listed = [each for one in content["services"].values() for each in compose_file.variable_files(one)]
        found |= {f"{name}: {each}": place / each for each in (*listed, compose_file.ENV)}
    for page, text in shipped.commands(subject).items():
        for each in NAMED_FILE.findall(CONTINUED.sub(" ", text)):
            places = (subject.directory / each, (subject.directory / page).parent / each)
            found |= {f"{page}: {each}": one for one in places if one.is_file()}
    return {
        where: each for where, each in found.items() if each.is_file() and _ships(subject.directory, each)
    }


def _ships(directory: Path, path: Path) -> bool:
    """Return whether a file is of a repository: known to git, or neither hidden nor left out there."""
    inside = os.path.relpath(path, directory)
    if inside.startswith(".."):
        return False
    words = ["git", "-C", str(directory), "ls-files", "--error-unmatch", "--", inside]
    if shutil.which("git") and run(words, timeout=60, check=False).ok:
        return True
    return not path.name.startswith(".") and not PatternMatcher(_ignored(directory, inside)).matches(inside)


def _ignored(directory: Path, inside: str) -> list[str]:
    """Return what files of git leave out on the way to a file, as a builder's ignore file would say it."""
    found = []
    for above in (Path(), *reversed(Path(inside).parents[:-1])):
        ignore = directory / above / ".gitignore"
        for line in ignore.read_text(errors="replace").splitlines() if ignore.is_file() else ():
            bare = line.strip().removeprefix("!").rstrip("/")
            if bare and not bare.startswith("#"):
                place = above / bare.lstrip("/") if "/" in bare else above / "**" / bare
                mark = "!" if line.startswith("!") else ""
                found += [f"{mark}{place}", f"{mark}{place}/**"]
    return found


def _says(step: Step) -> bool:
    if step.word not in ("RUN", "ARG", "ENV", "LABEL", "ADD"):
        return False
    return bool(_written_out(step)) or _tells(step.rest)


def _written_out(step: Step) -> list[str]:
    """Return the credentials in a step's text, among its commands' words and their variables."""
    assigned = (each["value"] for each in ASSIGNED.finditer(step.rest)) if step.word == "RUN" else ()
    mixed = (each for each in (*assigned, *_options(step)) if MIXED.fullmatch(each))
    return [*_formed(step.rest), *(each for each in (*mixed, *_logins(step)) if is_written_out(each))]


def _tells(text: str) -> bool:
    """Return whether a text has a credential in a form of its own, or in one that says what it is."""
    return bool(_formed(text)) or bool(secret_scan.in_bytes(text.encode(), SHAPES))


def _formed(text: str) -> list[str]:
    """Return the credentials that a text has in a form for one.

    A password that is the name before it again is that of a trial.
    """
    every = (each for form in FORMS for each in form.finditer(text))
    others = (each["value"] for each in every if each["value"] != each.groupdict().get("user"))
    return [each for each in others if is_written_out(each)]


def _logins(step: Step) -> Iterator[str]:
    """Give what the commands of a RUN are told as passwords, by the options of the programs that log in."""
    for words in step.commands:
        login = LOGINS.get(program(words[0]))
        for each, following in itertools.pairwise((*words[1:], "")):
            told = login.match(f"{each} {following}") if login else None
            if told:
                yield told["value"]
            elif each in LOG_IN and "login" in words:
                yield following


def _options(step: Step) -> Iterator[str]:
    """Give the values of the options of a RUN's commands that are called as secrets are."""
    for words in step.commands:
        for each, following in itertools.pairwise((*words[1:], "")):
            option = plain_settings.OPTION.fullmatch(each)
            called = option["name"] if option and not plain_settings.SWITCH.match(option["name"]) else ""
            if option and plain_settings.VALUED.fullmatch(called):
                yield option["value"] if option["value"] is not None else following


def _argues(step: Step, ahead: Sequence[Step]) -> bool:
    """Return whether a RUN logs in by an argument of the build, whatever that is called.

    What its shell sets itself, or has of a mount, is none.
    """
    if step.word != "RUN":
        return False
    own = {one for found in SET_IN_SHELL.findall(step.rest) for one in found if one}
    own |= {each["env"] for each in step.mounts if "env" in each}
    told = (one.partition("=")[0] for each in ahead if each.word == "ARG" for one in each.rest.split())
    names = set(told) - own
    values = [each["value"] for form in FORMS for each in form.finditer(step.rest)]
    every = (ALONE.fullmatch(each.strip("\"'")) for each in (*values, *_logins(step), *_options(step)))
    return any(each is not None and each[1] in names for each in every)
