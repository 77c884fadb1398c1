"""The words that nox is called with: what is wrong with them in one line, as nox says it in twenty or not.

Nothing but the standard library may be imported here: this runs before anything is installed.
"""

from __future__ import annotations

import ast
import difflib
import os
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from boxproof.core import process
from pytest_claims.faults import UsageError, nearest

ROOT = Path(__file__).resolve().parent.parent
NOX_WORDS = """
add-timestamp allow-parallel default-venv-backend download-python envdir error-on-external-run
error-on-missing-interpreters extra-python extra-pythons force-color force-python force-pythons
force-venv-backend forcecolor help install-only json keywords list list-sessions no-allow-parallel
no-color no-dependencies no-error-on-external-run no-error-on-missing-interpreters no-install
no-reuse-existing-virtualenvs no-stop-on-first-error no-venv no-verbose nocolor non-interactive
noxfile parallel python pythons report reuse-existing-virtualenvs reuse-venv script-mode
script-venv-backend session sessions stop-on-first-error tags usage verbose version parallel-worker
"""
NOX_OPTIONS = frozenset(NOX_WORDS.split())
LETTERS = frozenset("fhjklprstvxeNPR")  # of one dash; several may share it
MANY_FOLLOW = """
-s -e --session --sessions -p --python --pythons -t --tags -P --force-python --force-pythons --extra-python
--extra-pythons
"""
ONE_FOLLOWS = """
-k --keywords -f --noxfile -j --parallel -db --default-venv-backend -fb --force-venv-backend --reuse-venv
--envdir --report --usage --download-python --script-mode --script-venv-backend
"""
TAKEN = dict.fromkeys(MANY_FOLLOW.split(), float("inf")) | dict.fromkeys(ONE_FOLLOWS.split(), 1.0)
LONGER = frozenset({"-db", "-fb", "-ts"})  # of one dash, and one option each
SESSIONS = frozenset({"-s", "-e", "--session", "--sessions"})
WORDLESS = frozenset({"lint", "docs"})  # sessions that take no words after --
KEYWORDS = frozenset({"-k", "--keywords"})
LISTING = frozenset({"-l", "--list", "--list-sessions", "-h", "--help"})
CHOICES: Mapping[str, tuple[str, ...]] = dict.fromkeys(
    ("-db", "--default-venv-backend", "-fb", "--force-venv-backend"),
    ("conda", "mamba", "micromamba", "rattler", "virtualenv", "venv", "uv", "none"),
) | {
    "--reuse-venv": ("no", "yes", "never", "always"),
    "--download-python": ("auto", "never", "always"),
    "--script-mode": ("none", "fresh", "reuse"),
}  # fmt: skip
VARIABLES: Mapping[str, frozenset[str]] = {  # of nox, each with the options that count in its place
    "NOX_DEFAULT_VENV_BACKEND": frozenset({"-db", "--default-venv-backend", "-fb", "--force-venv-backend"}),
    "NOX_DOWNLOAD_PYTHON": frozenset({"--download-python"}),
    "NOX_PARALLEL": frozenset({"-j", "--parallel"}),
}
JOBS, WORKS = re.compile("[1-9][0-9]{0,3}|auto"), "allowed: auto, or a whole number from 1"
PYTHONS = frozenset({"-p", "--python", "--pythons"})
SESSION = re.compile(r"^@nox\.session.*\ndef (\w+)", re.MULTILINE)
PATHS = frozenset({"--subject", "--kubeconfig", "--vulnerability-db", "--merge"})  # options of sessions
CALLED_FROM = "CALLED_FROM"  # a variable of ./nox, which goes into the clone before anything else
LIKE = 0.82  # how like an option of nox's a misspelt one is: less is a session's


@dataclass
class Given:
    """An option of nox with the words it was given, and for how many more there is ``room``; "" is none."""

    option: str
    words: list[str]
    room: float = 0.0


def check_words(words: Sequence[str], *, called: str = "./nox") -> None:
    """Raise UsageError for a word that is a session's, not nox's, and for a session that is not there."""
    own = list(words[: words.index("--")] if "--" in words else words)
    known = SESSION.findall((ROOT / "noxfile.py").read_text())
    for place, word in enumerate(own):
        name, _, _ = word.removeprefix("--").partition("=")
        if word.startswith("--") and name not in NOX_OPTIONS:
            close = difflib.get_close_matches(name, sorted(NOX_OPTIONS), n=1, cutoff=LIKE)
            hint = f"did you mean '--{close[0]}'? " if close else ""
            given_so = [called, *own[:place], "--", *map(shlex.quote, own[place:])]
            hint += f"a session's own come after --: {' '.join(given_so)}"
            raise UsageError(f"{word} is no option of nox", hint=hint)
    found = given(own)
    for each in found:
        _check(each, known, called)
    _demand_taken(words[len(own) + 1 :], found, known, called)
    asked = {each.option for each in found}
    _check_variables(asked)
    if not asked & SESSIONS:
        for word in filter(None, map(str.strip, process.given("NOXSESSION").split(","))):
            _demand_session(word, known)
    if not asked & LISTING:
        if process.given("NOXPYTHON").strip() and not asked & PYTHONS:
            told = f"NOXPYTHON={process.given('NOXPYTHON')[:80]!r}: sessions take the Python of nox"
            raise UsageError(told, hint="unset it; NOXFORCEPYTHON has them take another")
        for each in found:
            _demand_selected(each, known)


def _check_variables(asked: Set[str]) -> None:
    """Raise UsageError for a variable of nox with a value that nox answers with its usage, or a traceback."""
    for name, instead in VARIABLES.items():
        value = process.given(name)
        if value and not asked & instead:
            shown, jobs = f"{name}={value[:80]!r}", "-j" in instead
            allowed = next((CHOICES[each] for each in instead if each in CHOICES), ())
            if jobs and not JOBS.fullmatch(value.strip().lower()):
                raise UsageError(shown, hint=WORKS)
            wrong = next((each for each in value.split("|") if each not in allowed), None)
            if not jobs and wrong is not None:
                raise UsageError(shown, hint=nearest(wrong, allowed))
    forced = process.given("FORCE_COLOR").lower() not in ("", "0", "false", "no", "off")
    forced = forced or bool(asked & {"--forcecolor", "--force-color"})
    if forced and (process.given("NO_COLOR") or asked & {"--nocolor", "--no-color"}):
        raise UsageError("NO_COLOR and FORCE_COLOR exclude each other", hint="leave one of them out")


def given(words: Iterable[str]) -> list[Given]:
    """Return the options among the words of nox, each with its own; what no option takes comes without."""
    found: list[Given] = []
    for word in words:
        if word.startswith("-") and word != "-":
            found += _apart(word)
        elif found and found[-1].room:
            found[-1].words.append(word)
            found[-1].room -= 1
        else:
            found.append(Given("", [word]))
    return found


def _apart(word: str) -> Iterator[Given]:
    """Yield the options of one word: -rs is -r -s, and -se2e is -s e2e."""
    option, equals, value = word.partition("=")
    if word.startswith("--") or option in LONGER:
        yield Given(option, [value] if equals else [], 0 if equals else TAKEN.get(option, 0))
        return
    for place, letter in enumerate(word[1:], 2):
        rest = word[place:].removeprefix("=")
        if f"-{letter}" in TAKEN:
            yield Given(f"-{letter}", [rest] if rest else [], 0 if rest else TAKEN[f"-{letter}"])
            return
        yield Given(f"-{letter}", [])


def _check(each: Given, known: Sequence[str], called: str) -> None:
    """Raise UsageError for an option that there is not, or that was given what it does not take."""
    option, value = each.option, each.words[0] if each.words else ""
    if not option:
        after = f"a session's own come after --: {called} -s NAME -- …"
        hint = f"{called} -s {value}" if value in known else after
        raise UsageError(f"{value!r} is no option of nox", hint=hint)
    if len(option) == 2 and option[1] not in LETTERS:
        letters = ", ".join(f"-{letter}" for letter in sorted(LETTERS))
        hint = f"allowed: {letters}; a session's own come after --"
        raise UsageError(f"{option} is no option of nox", hint=hint)
    if option in TAKEN and not "".join(each.words).strip():  # else nox runs nothing, and says 0
        allowed = known if option in SESSIONS else CHOICES.get(option, ())
        hint = f"allowed: {', '.join(allowed)}" if allowed else "give it, or leave the option out"
        raise UsageError(f"{option} needs a value", hint=hint)
    if option in CHOICES and value not in CHOICES[option]:
        raise UsageError(f"{option} {value!r}", hint=nearest(value, CHOICES[option]))
    if option in VARIABLES["NOX_PARALLEL"] and not JOBS.fullmatch(value.strip().lower()):
        raise UsageError(f"{option} {value!r}", hint=WORKS)
    for word in each.words if option in (*SESSIONS, "--usage") else ():
        _demand_session(word, known)


def _demand_taken(rest: Sequence[str], found: Iterable[Given], known: Sequence[str], called: str) -> None:
    """Raise UsageError for words after -- that none of the chosen sessions takes: they would be dropped."""
    named = [each for one in found if one.option in SESSIONS for each in one.words]
    for each in (one for one in found if one.option in KEYWORDS and not named):
        named = _keyworded(each, known)
    named = named or [each.strip() for each in process.given("NOXSESSION").split(",") if each.strip()]
    if rest and named and WORDLESS.issuperset(named):
        told = f"the session {named[0]} takes no words after --: {rest[0][:80]!r}"
        raise UsageError(told, hint=f"leave them out: {called} -s {' '.join(named)}")


def _demand_session(word: str, known: Sequence[str]) -> None:
    if word not in known:
        raise UsageError(f"no session {word!r}", hint=nearest(word, known))


def _demand_selected(each: Given, known: Sequence[str]) -> None:
    """Raise UsageError for what would select no session: to nox itself that is code 3, blocked for us."""
    shown = " ".join([each.option, *each.words])
    if each.option in ("-t", "--tags"):
        raise UsageError(f"{shown}: no session has a tag", hint="name sessions, -s NAME")
    if each.option in PYTHONS:
        hint = f"-P {' '.join(each.words)} has them take another"
        raise UsageError(f"{shown}: sessions take the Python that nox runs with", hint=hint)
    if each.option in KEYWORDS and not _keyworded(each, known):
        names = re.findall(r"\w+", each.words[0])
        told = f"{each.option} {each.words[0]!r} selects no session"
        raise UsageError(told, hint=nearest(names[-1] if names else "", known))


def _keyworded(each: Given, known: Sequence[str]) -> list[str]:
    """Return the sessions that an expression of -k selects; raises UsageError for what is none."""
    try:
        tree = ast.parse(each.words[0], mode="eval").body
        return [name for name in known if _selects(tree, name)]
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        hint = "allowed: parts of names of sessions with and, or, not"
        told = f"{each.option} {each.words[0][:80]!r} is no such expression"
        raise UsageError(told, hint=hint) from error


def _selects(node: ast.expr, name: str) -> bool:
    """Return whether an expression of -k selects a session by its name; raises ValueError for another."""
    if isinstance(node, ast.BoolOp):
        how = all if isinstance(node.op, ast.And) else any
        return how(_selects(each, name) for each in node.values)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return not _selects(node.operand, name)
    if isinstance(node, ast.Name):
        return node.id in name
    raise ValueError(ast.dump(node)[:80])


def from_there(words: Sequence[str], where: str) -> list[str]:
    """Return words whose paths, of a session's own words, are whole: as seen from the directory ``where``.

    A session works in the clone: another box's "." would be the clone.
    """
    if not where or os.path.realpath(where) == os.path.realpath(ROOT):
        return list(words)
    made: list[str] = []
    option = ""
    for word in words:
        name, equals, value = word.partition("=")
        if word.startswith("--"):
            made.append(f"{name}={_whole(value, where)}" if equals and name in PATHS else word)
            option = "" if equals else name
        else:
            made.append(_whole(word, where) if option in PATHS else word)
            option = option if option == "--merge" else ""
    return made


def _whole(path: str, where: str) -> str:
    return path if not path.strip() or path.startswith("~") else os.path.join(where, path)  # noqa: PTH118
