"""What a Dockerfile shows of a box: where it is built, as whom it runs, where it keeps its state."""

from __future__ import annotations

import os
import posixpath
import re
from functools import reduce
from pathlib import Path, PurePosixPath

from boxproof.subject.detection import mcp_servers, own_bases
from boxproof.subject.detection.directory import CLAUDE, Directory
from boxproof.subject.detection.findings import HELPERS, Detected
from boxproof.subject.image import copied_files
from boxproof.subject.image.dockerfile import Recipe, is_for_windows, is_one
from boxproof.subject.manifests import shipped
from boxproof.subject.manifests.overlays import EXAMPLES
from boxproof.subject.manifests.plain_yaml import mapping
from boxproof.subject.manifests.starting import repository

OTHERS = re.compile(r"[._-](dev(el)?|tests?|ci|debug|build(er)?|base)$|^(dev|tests?|ci|base|builder)\.")
OPERATOR = re.compile(r"manager|.*(operator|controller)(-manager)?")
TEMPLATES = (".template", ".tmpl", ".tpl")
FILLED_IN = re.compile(r"\{\{|\{%|<%|@@\w+@@|%%\w+%%")  # what a tool puts something in the place of
ACCOUNT = re.compile(r"\b(?:useradd|adduser)\b([^&;|\n]*)")
UID = re.compile(r"(?:-u|--uid)[ =][\"']?(\d+)")
REDIRECTED = re.compile(r"(?<!\S)\d*[<>]+\s*\S+")
HOME = re.compile(r"(?:-d|-h|--home-dir|--home)[ =](\S+)")
# users that images bring: by name, and by what the image's own name has in it
BROUGHT = {
    "nobody": ("", 65534), "nonroot": ("", 65532), "node": ("node", 1000), "vscode": ("devcontainers", 1000),
    "ubuntu": ("ubuntu", 1000), "www-data": ("", 33),
}  # fmt: skip
OFFICIAL = re.compile(r"(docker\.io/)?(library/)?[\w.-]+")  # images that run as root
NOT_ROOTS = re.compile(r"non-?root|rootless")
AT_HOME = frozenset({"node", "nonroot", "ubuntu", "vscode"})  # those of them whose home is called as they are


def recipes(here: Directory) -> list[Path]:
    """Return the Dockerfiles, the box's own first: one that can be read and is no example's or helper's."""
    every = [path for path in here.files if is_one(path) or _is_whole_template(here, path)]

    def rank(path: Path) -> tuple[bool, bool, bool, bool, bool, bool, int, bool]:
        read = here.recipe(path)
        is_open = read is not None and not read.line[0].base  # it begins with whatever its user names
        plain = path.name.lower() in ("dockerfile", "containerfile")
        others = bool(EXAMPLES.intersection(path.parts) or OTHERS.search(path.name.lower()))
        apart = others or (read is not None and is_for_windows(read))
        helper = any(HELPERS.search(each.lower()) for each in path.parts) or _starts_operator(read)
        hidden = any(each.startswith(".") for each in path.parts)
        claude = CLAUDE.search(here.text(path)) is not None
        return read is None, is_open, apart, helper, hidden, not claude, len(path.parts), not plain

    return sorted(every, key=rank)


def _starts_operator(read: Recipe | None) -> bool:
    """Return whether an image starts with the program of an operator."""
    words = copied_files.words(_said(read).get("ENTRYPOINT", "")) if read else []
    return bool(words) and OPERATOR.fullmatch(posixpath.basename(words[0])) is not None


def _said(recipe: Recipe) -> dict[str, str]:
    """Return what each instruction on an image's line says last."""
    return {step.word: step.rest for stage in recipe.line for step in stage.steps}


def _is_whole_template(here: Directory, path: Path) -> bool:
    """Return whether a file is called a template of a Dockerfile, and is one as it stands there."""
    if path.suffix not in TEMPLATES or not is_one(path.with_suffix("")):
        return False
    read = here.recipe(path)
    return read is not None and bool(read.line[0].base) and not FILLED_IN.search(here.text(path))


def recipe(here: Directory, found: Detected, every: list[Path]) -> None:
    """Note the Dockerfile that Compose and the like name, else the first of ``every``."""
    known = found.get("image.dockerfile")
    every = [Path(str(known))] if known else every
    if not every:
        return
    path = every[0]
    args, contexts = (mapping(found.get(f"image.{each}")) for each in ("args", "contexts"))
    written = here.recipe(path, args, str(found.get("image.target") or ""), contexts)
    if len(every) > 1:
        found.remarks.append(f"other Dockerfiles: {', '.join(map(str, every[1:5]))}")
    if not known:
        found.drop("image.reference")
        found.add("image.context", _context(here, path, written), f"{path}, what it copies")
        found.add("image.dockerfile", str(path), str(path))
    found.add("image.name", image_name(str(found.get("name"))), "the name of the directory")
    if written is not None and is_for_windows(written):
        found.remarks.append(f"image: {path} is for Windows, which nothing here can start")
    elif written is not None:
        _user(here, found, path, written)
        standing = reduce(own_bases.laid_under, own_bases.below(here, path, written), written)
        found.add("image.entrypoints", _started(here, found, standing), f"{path}, what it starts with")
        mcp_servers.remark(here, found, written)


def _started(here: Directory, found: Detected, recipe: Recipe) -> list[str]:
    """Return the scripts of the build context that an image starts with, by a path or by their name alone."""
    said = _said(recipe)
    words = [each for word in ("ENTRYPOINT", "CMD") for each in copied_files.words(said.get(word, ""))]
    context = Path(str(found.get("image.context") or "."))
    scripts = []
    for word in words:
        place = posixpath.normpath(posixpath.join(said.get("WORKDIR", "/"), word))
        for each in copied_files.of(recipe):
            whole = word in (posixpath.basename(each.place), each.place) or each.place == place
            within = word if "/" not in word else posixpath.relpath(place, each.below or "/")
            script = context / each.source / ("" if whole else within)
            if (here.root / script).is_file() and shipped.is_script(here.root / script):
                scripts.append(os.path.normpath(script))
    return [*dict.fromkeys(scripts)]


def image_name(name: str) -> str:
    """Return a name as an image can have it."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "box"


def _context(here: Directory, path: Path, recipe: Recipe | None) -> str:
    """Return the directory from a Dockerfile upwards that has most of what it copies, the nearest of such.

    Where none has any of it, that is the top. What a step before the build makes is in none of them.
    """
    copied = [
        word
        for stage in (recipe.stages if recipe else ())
        for step in stage.steps
        if step.word in ("COPY", "ADD") and not step.images
        for word in _sources(step.rest)
    ]
    places = [path.parent, *path.parent.parents]
    found = [_there(here, each, copied) for each in places]
    return str(Path() if copied and not any(found) else places[found.index(max(found))])


def _sources(rest: str) -> list[str]:
    """Return the files that a COPY names of its context, by words that say which."""
    words = re.findall(r'"((?:[^"\\]|\\.)*)"', rest) if rest.startswith("[") else rest.split()
    told = [each for each in words[:-1] if "$" not in each and "://" not in each and each != "inline"]
    named = [os.path.normpath(each.lstrip("/") or ".") for each in told]
    return [each for each in named if each != "." and not each.startswith("..")]


def _there(here: Directory, place: Path, copied: list[str]) -> int:
    """Return how many of the files a directory has."""
    return sum(any((here.root / place).glob(each)) for each in copied)


def _user(here: Directory, found: Detected, path: Path, recipe: Recipe) -> None:
    steps = own_bases.steps(here, found, path, recipe)
    base = recipe.line[0].base
    said = {step.word: step.rest.strip() for step in steps}
    named = said.get("USER", "").partition(":")[0]
    text = "\n".join(step.rest for step in steps if step.word == "RUN")
    made = next((each for each in ACCOUNT.findall(text) if named and _is_of(each, named)), "")
    uid, home = UID.search(made), HOME.search(made)
    number = named if named.isdigit() else uid[1] if uid else "" if made else _brought(named, base)
    where = _where(here, path, recipe, "USER")
    found.add("uid", int(number) if number else None, where if named else f"{path}, which sets no USER")
    if not number:
        why = f"{where} says USER {named}" if named else f"{path} sets no USER: {base} decides"
        found.remarks.append(f"uid: {why}, and not which number that is")
    env = dict(re.findall(r"\b([A-Z_]+)=(\S+)", " ".join(each.rest for each in steps if each.word == "ENV")))
    called = named if not named.isdigit() else _named(made)[-1] if made else ""
    guessed = "/root" if number == "0" else f"/home/{called}" if made or called in AT_HOME else ""
    place = str(env.get("HOME") or (home[1] if home else guessed)).strip("\"'")
    found.add("home", "" if "$" in place else place, f"{path}, its user")
    places = [step.rest.strip().strip("\"'") for step in steps if step.word == "WORKDIR"]
    place = str(PurePosixPath("/", *places)) if places else ""  # a relative one is below the one before
    found.add("workdir", place, _where(here, path, recipe, "WORKDIR"))
    found.keeps(env, f"{path}, ENV")


def _where(here: Directory, path: Path, recipe: Recipe, word: str) -> str:
    """Return where an instruction stands: in the recipe itself, or in one that makes its base."""
    own = any(step.word == word for stage in recipe.line for step in stage.steps)
    return f"{path}:{here.line_of(path, word)}" if own else f"{path}, the recipe of its base"


def _brought(user: str, base: str) -> str:
    """Return the number of a user that an image brings, "" where only the image itself says it."""
    if user in ("", "root"):
        roots = OFFICIAL.fullmatch(repository(base)) and not NOT_ROOTS.search(base)
        return "0" if user or roots else ""
    word, number = BROUGHT.get(user, ("", None))
    return str(number) if number is not None and word in base else ""


def _is_of(words: str, user: str) -> bool:
    """Return whether the words after useradd or adduser make a user, by its name or its number."""
    uid = UID.search(words)
    return _named(words)[-1:] == [user] or (uid is not None and uid[1] == user)


def _named(words: str) -> list[str]:
    """Return words of a shell without quotation marks, and without where their output goes."""
    return [each.strip("\"'") for each in REDIRECTED.sub("", words).split()]
