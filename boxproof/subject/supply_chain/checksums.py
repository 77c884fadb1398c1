"""Which comparisons with a checksum guard a build: those that end it where they fail, and name what came."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import PurePosixPath

from boxproof.subject.image.dockerfile import Recipe, Step

COMPARED = re.compile(r"\bsha(?:256|384|512)sum\b[^;&|]*\s(?:-c|--check)\b")
VERIFIED = re.compile(r"--require-hashes\b|\bnpm ci\b")  # ends by itself, and installs nothing of it
DIGEST = re.compile(r"\b(?:[0-9a-f]{64}|[0-9a-f]{96}|[0-9a-f]{128})\b")
SHELL = r"\b(?:ba|da|z|k|a)?sh\s+(?:[-+][\w-]+\s+)*"
STOPS = re.compile(rf"(?:\bset\s+(?:[-+]\w+\s+)*|{SHELL})-(?:\w*e\w*|o\s+errexit)\b")
ENDS = re.compile(r"\b(?:exit|false|return|die|fail|abort)\b")
WORD = re.compile(r"\$\{[^{}]*\}")
GROUP = re.compile(r"\{\s[^{}]*\}|\$?\([^()]*\)")
NEXT = re.compile(r"\|\||&&|[;|\n]|(?<!>)&(?!>)")
CLOSING = re.compile(r"\s*(?:[)}]|(?:fi|done|esac)\b|(?:else|elif)\b.*?\bfi\b|;.*?\besac\b)", re.DOTALL)
ASKED = re.compile(r"\b(?:if|while|until)\s[^;\n]*$")
TRIED_AGAIN = re.compile(r"\b(?:until|while\s+!)\s[^;\n]*$")  # goes on only when it holds
# a test whether a variable has a value, and the same where what follows is left out and nothing fails
HAS_A_VALUE = re.compile(r"\s-[nz]\s|\[\[?\s+[\"']?\$?[\w{}]*[\"']?\s+\]")
OR_NONE = re.compile(r"\s-z\s+\S+\s*\]{0,2}\s*\|\|")
AND_ONE = re.compile(r"\s-n\s+\S+\s*\]{0,2}\s*&&")
LAST_IF = re.compile(r"\bif\b(?P<asks>(?:(?!\bif\b).)*?)\bthen\b(?:(?!\bfi\b).)*$", re.DOTALL)
CHECKED = re.compile(
    r"\b(sha(1|224|256|384|512)sum|b[23]sum|shasum|openssl\s+dgst|gpgv|gpg\b.*--verify|cosign\s+verify|minisign"
    r"|slsa-verifier|gh\s+attestation\s+verify|rpm(keys)?\s+(-K|--checksig))\b"
)
# of those the ones that end with a failure by themselves
DECIDES = re.compile(
    r"\b(?:(?:sha(?:1|224|256|384|512)|b[23]|sha)sum\b[^;&|]*\s(?:-\w*c|--check)\b|gpgv\b|gpg\b[^;&|]*\s--verify"
    r"|cosign\s+verify|slsa-verifier|gh\s+attestation\s+verify|rpm(?:keys)?\s+(?:-K|--checksig))"
)
# a file of sums: it names what it is about
BY_A_LIST = re.compile(r"sum\b[^|;&]*\s(-\w*c|--check)\s+[^\s|;&-]")
COMMENT = re.compile(r"(^|\s)#\s.*$", re.MULTILINE)
STATEMENT = re.compile(r"&&|\|\||;|\n")
HERE_DOCUMENT = re.compile(r"<<-?\s*[\"']?\w")
KEYRING = re.compile(r"\bgpg\b")  # a key that signatures are checked by is brought with it
ADDRESS = re.compile(r"^['\"]?(https?|ftp)://")
# a sum that is only said: a log has it
SAID = re.compile(
    r"\s*(?:\S*/)?(?:(?:sha(?:1|224|256|384|512)|b[23]|sha)sum|openssl\s+dgst)"
    r"(?:\s+(?!-\w*c\b|--check\b|-verify\b)[^\s|<>$&()`]+)+\s*"
)
SUMS = re.compile(r"sums?\b|sha\d{3}|\.(?:asc|sig|pem|minisig)$", re.IGNORECASE)  # in a file's name
BEGINS = re.compile(r"^\w+://[^/]*")
MOVING = re.compile(r"(?<![\w.-])(?:latest|stable|nightly|edge|master|main|HEAD)(?![\w-])")
NUMBERED = re.compile(r"\d+\.\d|\$|/v?\d+/")
FETCHED_INTO = r"\b{name}=[\"']?(?:\$\(|`)\s*(?:curl|wget)\b"  # a variable
WRITES = re.compile(r"-[a-zA-Z]*[oO]|--output(-document)?|>")  # what the file of a download stands behind


def binding(step: Step, recipe: Recipe) -> int:
    """Return how many comparisons of a RUN end it where they fail, and are made whatever is given to it."""
    text = step.rest
    strict, piped = _how_it_fails(step, recipe)
    found = [
        each
        for each in COMPARED.finditer(text)
        if _is_made(text, each) and _ends(text, each, strict=strict, piped=piped)
    ]
    return len(found) + len(VERIFIED.findall(text))


def _how_it_fails(step: Step, recipe: Recipe) -> tuple[bool, bool]:
    """Return whether the shell of a RUN ends with the first failure, and hears those ahead of a pipe."""
    text = step.rest
    shell = " ".join(re.sub(r'[\[\]",]+', " ", each.rest) for each in _shells(step, recipe))
    around = f"{shell} {text}" if not text.startswith("[") else re.sub(r'[\[\]",]+', " ", text)
    return bool(STOPS.search(around)), "pipefail" in around


def _shells(step: Step, recipe: Recipe) -> list[Step]:
    """Return the last SHELL ahead of a step, in its stage or in those that this one begins with."""
    own = next((each for each in recipe.stages if step in each.steps), None)
    if own is None:
        return []
    before = [one for each in recipe.line_of(own)[:-1] for one in each.steps]
    ahead = [*before, *own.steps[: own.steps.index(step)]]
    return [each for each in ahead if each.word == "SHELL"][-1:]


def _is_made(text: str, found: re.Match[str]) -> bool:
    """Return whether a comparison is made whatever is given; one that has its digest with it always is."""
    before = text[: found.start()]
    at = max((each.end() for each in re.finditer(r"[;\n]", before)), default=0)
    own = f" {before[at:]}"
    inside = LAST_IF.search(before)
    asked = inside is not None and HAS_A_VALUE.search(f"{inside['asks']} ") is not None
    left_out = AND_ONE.search(own) and re.search(r"\|\||[;\n]\s*\S", text[found.end() :])
    return not (asked or left_out or OR_NONE.search(own)) or bool(DIGEST.search(own))


def _ends(text: str, found: re.Match[str], *, strict: bool, piped: bool) -> bool:
    """Return whether a RUN ends with a failure where a comparison in it does."""
    after = _flat(text[found.end() :])
    if TRIED_AGAIN.search(text[: found.start()]):
        return True
    if ASKED.search(text[: found.start()]):
        told = re.search(r"\bthen\b(.*?)(?:\bfi\b|$)", text[found.end() :], re.DOTALL)
        return bool(told and ENDS.search(told[1]))
    while sign := NEXT.search(after):
        rest = after[sign.end() :]
        closing = CLOSING.match(rest) if sign[0] in ";\n" else None
        if sign[0] == "||":
            return bool(ENDS.search(_first(text[found.end() :], rest)))
        if sign[0] == "&":
            return "wait" in rest
        if sign[0] == "|" and not piped and not re.match(r"\s*grep\b", rest):
            return False
        if sign[0] in ";\n" and not closing and rest.strip():
            return strict or "$?" in rest
        after = rest[closing.end() :] if closing else rest
    return True


def _flat(text: str) -> str:
    """Return a text without what stands in groups of commands: their own ends are not those of a RUN."""
    before = ""
    while before != text:
        before, text = text, GROUP.sub(" ", WORD.sub("_", text))
    return text


def _first(whole: str, rest: str) -> str:
    """Return the command, or the group of them, that a text of which ``rest`` is left goes on with."""
    alone = re.split(r"[;&|\n]", rest, maxsplit=1)[0]
    if alone.strip():
        return alone
    group = re.search(r"\|\|\s*(\{.*?\}|\(.*?\))", whole, re.DOTALL)
    return group[1] if group else ""


def compares(words: Sequence[str], steps: Sequence[Step], recipe: Recipe) -> bool:
    """Return whether one of these RUNs compares a download with a sum: by its name, or by a list of sums.

    One whose failure ends nothing does not. What is another file by the day under the same address is not
    held by a sum that comes the same way.
    """
    names = {PurePosixPath(each.strip("'\"")).name for each in files(words)} - {""}
    own = [_as_a_word(_bare_variables(each)) for each in names]
    checks = [_bare_variables(part) for each in steps for part in _checks(each, recipe)]
    if any(map(_is_moving, words)):
        brought = _brought_beside(steps, recipe, names)
        checks = [each for each in checks if DIGEST.search(each) or not _is_brought(each, brought, steps)]
    return any(BY_A_LIST.search(each) or any(name.search(each) for name in own) for each in checks)


def _is_moving(word: str) -> bool:
    """Return whether a word is an address of whatever is the newest."""
    address = BEGINS.sub("", word.strip("'\"")) if ADDRESS.match(word) else ""
    return MOVING.search(address) is not None and not NUMBERED.search(address)


def _brought_beside(steps: Sequence[Step], recipe: Recipe, names: Collection[str]) -> set[str]:
    """Return what the other files are called that these steps, or any before them, fetch."""
    every = [*steps, *(each for stage in recipe.stages for each in stage.steps if each not in steps)]
    found = (files(words) for each in every for words in each.commands if words[0] in ("curl", "wget"))
    others = {PurePosixPath(each.strip("'\"")).name for one in found for each in one} - {"", "-", *names}
    return others | {each for each in names if len(names) > 1 and SUMS.search(each)}


def _is_brought(check: str, brought: Collection[str], steps: Sequence[Step]) -> bool:
    """Return whether what a comparison is made with is fetched as well: a list, a signature, a variable."""
    told = "\n".join(_bare_variables(each.rest) for each in steps)
    fetched = (FETCHED_INTO.format(name=each) for each in re.findall(r"\$(\w+)", check))
    return (
        "://" in check
        or any(_as_a_word(_bare_variables(each)).search(check) for each in brought)
        or any(re.search(each, told) for each in fetched)
    )


def files(words: Sequence[str]) -> Iterator[str]:
    """Give what a download is called: by its address, and by where it is written to."""
    parted = [part for each in words for part in (each.split("=", 1) if each.startswith("--") else [each])]
    for before, each in zip(("", *parted), parted, strict=False):
        if (ADDRESS.match(each) or WRITES.fullmatch(before)) and not each.startswith("-"):
            yield "" if each.endswith("/") else each


def _as_a_word(name: str) -> re.Pattern[str]:
    """Return what finds a file's name, also before the ending of its signature, in no other one's."""
    return re.compile(rf"(?<![\w.-]){re.escape(name)}(?![\w-])")


def _checks(step: Step, recipe: Recipe) -> list[str]:
    """Return the statements of a RUN that compare something with a sum or a signature, and may end it."""
    text = COMMENT.sub("", step.rest)
    strict, piped = _how_it_fails(step, recipe)
    passed_over = [
        each for each in DECIDES.finditer(text) if not _ends(text, each, strict=strict, piped=piped)
    ]
    for each in reversed(passed_over):
        text = f"{text[: each.start()]} {text[each.end() :]}"
    if not CHECKED.search(text):
        return []
    parts = STATEMENT.split(text)
    found = [
        each for each in parts if (CHECKED.search(each) or KEYRING.search(each)) and not SAID.fullmatch(each)
    ]
    # the list of sums is in the lines after it, or in a group of statements ahead of it
    spread = any(HERE_DOCUMENT.search(each) or each.lstrip().startswith(("}", ")")) for each in found)
    return [text] if spread else found


def _bare_variables(text: str) -> str:
    """Return a text with its variables written in one way: ${A} as $A."""
    return text.replace("${", "$").replace("}", "")
