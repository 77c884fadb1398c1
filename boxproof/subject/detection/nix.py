"""What an expression of Nix shows of a box: the image that it makes, which an engine has to load."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from boxproof.subject.detection.bake import enclosed
from boxproof.subject.detection.directory import Directory
from boxproof.subject.detection.findings import HELPERS, Detected

MAKES = re.compile(r"\b(?:build(?:Layered)?Image|streamLayeredImage)\s*(?:rec\s*)?\{")  # of dockerTools
SAID = r'(?m)^\s*{}\s*=\s*"([^"]*)"\s*;'
NAME, TAG = re.compile(SAID.format("name")), re.compile(SAID.format("tag"))
PLACE = re.compile(SAID.format(r"(?:config\.)?WorkingDir"))
VALUE = re.compile(r'(?m)\b([\w-]+)\s*=\s*"([^"$]*)"\s*;')
FILLED = re.compile(r"\$\{([\w-]+)\}")


def nix(here: Directory, found: Detected) -> None:
    """Note the image that a file of Nix makes, where nothing else says how one is made."""
    for path in (each for each in here.files if each.suffix == ".nix"):
        text = here.text(path)
        for each in MAKES.finditer(text):
            if found.get("image.dockerfile") or found.get("image.reference"):
                return
            _image(found, path, enclosed(text, each.end() - 1), dict(VALUE.findall(text)))


def _image(found: Detected, path: Path, block: str, values: Mapping[str, str]) -> None:
    block = FILLED.sub(lambda each: values.get(each[1], "$"), block)
    name, tag = (_said(each, _outside(block)) for each in (NAME, TAG))
    if not name or "$" in name + tag:
        return
    told = f"image.reference: {path} makes the image {name}"
    if _is_helpers(path, name, str(found.get("name"))):
        found.remarks.append(f"{told}, by its name one beside the agent: left out")
        return
    if not tag:
        found.remarks.append(f"{told}, with a tag of its content: name it as the engine has it")
        return
    found.add("image.reference", f"{name}:{tag}", f"{path}, its image")
    found.add("workdir", _said(PLACE, block), f"{path}, WorkingDir")
    found.remarks.append(f"{told}:{tag}: build and load it before the stage image")


def _is_helpers(path: Path, name: str, box: str) -> bool:
    """Return whether an image is no agent's by its name or by where it is made: an operator's, say."""
    own = name.rpartition("/")[2].lower()
    return own != box.lower() and any(HELPERS.search(each.lower()) for each in (own, *path.parts))


def _outside(block: str) -> str:
    """Return what a block says itself, without the blocks in it."""
    depth, kept = 0, []
    for letter in block:
        depth -= letter in "}]"
        kept += [letter] if depth == 0 else []
        depth += letter in "{["
    return "".join(kept)


def _said(pattern: re.Pattern[str], block: str) -> str:
    told = pattern.search(block)
    return told[1] if told else ""
