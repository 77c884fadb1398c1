"""Which comparisons with a checksum in a RUN end the build where they fail: any other guards nothing."""

from __future__ import annotations

import re

from boxproof.subject.image.dockerfile import Recipe, Step

COMPARED = re.compile(r"\bsha(?:256|384|512)sum\b[^;&|]*\s(?:-c|--check)\b")
VERIFIED = re.compile(r"--require-hashes\b|\bnpm ci\b")  # ends by itself, and installs nothing of it
DIGEST = re.compile(r"\b(?:[0-9a-f]{64}|[0-9a-f]{96}|[0-9a-f]{128})\b")
SHELL = r"\b(?:ba|da|z|k|a)?sh\s+(?:[-+][\w-]+\s+)*"
STOPS = re.compile(rf"(?:\bset\s+(?:[-+]\w+\s+)*|{SHELL})-(?:\w*e\w*|o\s+errexit)\b")
ENDS = re.compile(r"\b(?:exit|false|return|die|fail|abort)\b")
WORD = re.compile(r"\$\{[^{}]*\}")
GROUP = re.compile(r"\{\s[^{}]*\}|\$?\([^()]*\)")
NEXT = re.compile(r"\|\||&&|[;|\n]")
CLOSING = re.compile(r"\s*(?:[)}]|(?:fi|done|esac)\b|(?:else|elif)\b.*?\bfi\b|;.*?\besac\b)", re.DOTALL)
ASKED = re.compile(r"\b(?:if|while|until)\s[^;\n]*$")
# a test whether a variable has a value, and the same where what follows is left out and nothing fails
HAS_A_VALUE = re.compile(r"\s-[nz]\s|\[\[?\s+[\"']?\$?[\w{}]*[\"']?\s+\]")
OR_NONE = re.compile(r"\s-z\s+\S+\s*\]{0,2}\s*\|\|")
AND_ONE = re.compile(r"\s-n\s+\S+\s*\]{0,2}\s*&&")
LAST_IF = re.compile(r"\bif\b(?P<asks>(?:(?!\bif\b).)*?)\bthen\b(?:(?!\bfi\b).)*$", re.DOTALL)


def binding(step: Step, recipe: Recipe) -> int:
    """Return how many comparisons of a RUN end it where they fail, and are made whatever is given to it."""
    text = step.rest
    shell = " ".join(re.sub(r'[\[\]",]+', " ", each.rest) for each in _shells(step, recipe))
    around = f"{shell} {text}" if not text.startswith("[") else re.sub(r'[\[\]",]+', " ", text)
    strict, piped = bool(STOPS.search(around)), "pipefail" in around
    found = [
        each
        for each in COMPARED.finditer(text)
        if _is_made(text, each) and _ends(text, each, strict=strict, piped=piped)
    ]
    return len(found) + len(VERIFIED.findall(text))


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
    if ASKED.search(text[: found.start()]):
        told = re.search(r"\bthen\b(.*?)(?:\bfi\b|$)", text[found.end() :], re.DOTALL)
        return bool(told and ENDS.search(told[1]))
    while sign := NEXT.search(after):
        rest = after[sign.end() :]
        closing = CLOSING.match(rest) if sign[0] in ";\n" else None
        if sign[0] == "||":
            return bool(ENDS.search(_first(text[found.end() :], rest)))
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
