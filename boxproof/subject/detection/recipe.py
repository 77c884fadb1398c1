"""What a Dockerfile shows of a box: where it is built, as whom it runs, where it keeps its state."""

from __future__ import annotations

import re
from pathlib import Path

from boxproof.subject.detection.directory import Directory
from boxproof.subject.detection.findings import Detected
from boxproof.subject.image.dockerfile import Recipe

RECIPES = re.compile(r"(Docker|Container)file(\..+)?|.+\.(docker|container)file", re.IGNORECASE)
NO_RECIPE = frozenset({".dockerignore", ".md", ".j2", ".tmpl", ".template", ".tpl", ".bak", ".orig", ".sh"})
ACCOUNT = re.compile(r"\b(?:useradd|adduser)\b([^&;|\n]*)")
UID = re.compile(r"(?:-u|--uid)[ =](\d+)")
HOME = re.compile(r"(?:-d|-h|--home-dir|--home)[ =](\S+)")


def recipe(here: Directory, found: Detected) -> None:
    """Note the Dockerfile that Compose names, else the first that can be read."""
    known = found.get("image.dockerfile")
    every = [path for path in here.files if RECIPES.fullmatch(path.name) and path.suffix not in NO_RECIPE]
    every = [Path(str(known))] if known else sorted(every, key=lambda path: here.recipe(path) is None)
    if not every:
        return
    path = every[0]
    args, target = found.get("image.args"), found.get("image.target")
    written = here.recipe(path, args if isinstance(args, dict) else None, str(target or ""))
    if len(every) > 1:
        found.remarks.append(f"other Dockerfiles: {', '.join(map(str, every[1:5]))}")
    if not known:
        found.drop("image.reference")
        found.add("image.context", _context(here, path, written), f"{path}, what it copies")
        found.add("image.dockerfile", str(path), str(path))
    found.add("image.name", str(found.get("name")).lower(), "the name of the directory")
    if written is not None:
        _user(here, found, path, written)


def _context(here: Directory, path: Path, recipe: Recipe | None) -> str:
    """Return the directory that what a Dockerfile copies is in: its own, or the top."""
    copied = [
        word
        for stage in (recipe.stages if recipe else ())
        for step in stage.steps
        if step.word in ("COPY", "ADD") and not step.images
        for word in step.rest.split()[:-1]
        if not word.startswith(("http", "[", "."))
    ]
    beside = all(any((here.root / path.parent).glob(each.lstrip("/") or "*")) for each in copied)
    return str(path.parent) if beside or not copied else "."


def _user(here: Directory, found: Detected, path: Path, recipe: Recipe) -> None:
    steps = [step for stage in recipe.line for step in stage.steps]
    said = {step.word: step.rest.strip() for step in steps}
    named = said.get("USER", "").partition(":")[0]
    text = " ".join(step.rest for step in steps if step.word == "RUN")
    made = next((each for each in ACCOUNT.findall(text) if named and _is_of(each, named)), "")
    uid, home = UID.search(made), HOME.search(made)
    number = named if named.isdigit() else uid[1] if uid else "0" if named in ("", "root") else ""
    line = here.line_of(path, "USER")
    found.add(
        "uid", int(number) if number else None, f"{path}:{line}" if named else f"{path}, which sets no USER"
    )
    if named and not number:
        found.remarks.append(f"uid: {path}:{line} says USER {named}, and not which number that is")
    env = dict(re.findall(r"\b([A-Z_]+)=(\S+)", " ".join(each.rest for each in steps if each.word == "ENV")))
    called = named if not named.isdigit() else made.split()[-1] if made else ""
    guessed = "/root" if number == "0" else f"/home/{called}" if called else ""
    place = str(env.get("HOME") or (home[1] if home else guessed)).strip("\"'")
    found.add("home", "" if "$" in place else place, f"{path}, its user")
    found.add("workdir", said.get("WORKDIR", ""), f"{path}:{here.line_of(path, 'WORKDIR')}")
    found.add("config_dir", env.get("CLAUDE_CONFIG_DIR", ""), f"{path}, ENV CLAUDE_CONFIG_DIR")


def _is_of(words: str, user: str) -> bool:
    """Return whether the words after useradd or adduser make a user, by its name or its number."""
    uid = UID.search(words)
    return words.split()[-1:] == [user] or (uid is not None and uid[1] == user)
