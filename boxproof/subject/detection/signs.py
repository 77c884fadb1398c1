"""All that a directory shows of a box."""

from __future__ import annotations

import re
from pathlib import Path

from boxproof.subject.detection import bake, compose, devcontainer, nix, recipe, target_commands
from boxproof.subject.detection.deployed import manifests
from boxproof.subject.detection.directory import CLAUDE, Directory
from boxproof.subject.detection.findings import STATE, Detected

# SOURCE:TARGET, or target=TARGET, of the option of an engine
MOUNTED = re.compile(
    r"""(?:[^\s"':]["']?:["']?|\b(?:target|dst|destination)=["']?)(?P<target>/[\w./-]+)(?=[:,"'\s)]|$)""",
    re.MULTILINE,
)
# NAME=VALUE of the option of an engine
GIVEN = re.compile(r"""(?<!\S)(?:-e|--env)[ =]["']?(\w+)=(/[\w./-]+)(?=["'\s]|$)""", re.MULTILINE)


def detect(root: Path) -> Detected:
    """Return what the directory shows of a box; asks nothing and makes nothing."""
    found, here = Detected(), Directory(root)
    found.add("name", re.sub(r"[^\w.-]+", "-", root.resolve().name)[:100], "the name of the directory")
    recipes = recipe.recipes(here)
    compose.compose(here, found, recipes)
    bake.bake(here, found)
    devcontainer.devcontainer(here, found, recipes)
    recipe.recipe(here, found, recipes)
    compose.of_another_user(here, found)
    manifests.manifests(here, found)
    nix.nix(here, found)
    target_commands.commands(here, found)
    _started_by_scripts(here, found)
    _profiles(here, found)
    return found


def _started_by_scripts(here: Directory, found: Detected) -> None:
    """Note the state of a box that scripts start: by a variable that they give it.

    Of one that only mounts something where a CLI keeps it a person is told: what it is, a person knows.
    """
    for path in here.scripts if found.get("config_dir") is None else ():
        text = here.text(path)
        found.keeps(dict(GIVEN.findall(text)), f"{path}, -e")
        targets = [each["target"] for each in MOUNTED.finditer(text)]
        place = next(filter(STATE.fullmatch, targets), "")
        if found.get("config_dir") is not None:
            return
        if place:
            told = f'{path} mounts something there (config_dir = "{place}")'
            found.remarks.append(f"config_dir: {told}")
            return


def _profiles(here: Directory, found: Detected) -> None:
    named = [str(each) for each in (found.get("image.dockerfile"),) if each]
    shown = [(Path(name), CLAUDE.search((here.root / name).read_text(errors="replace"))) for name in named]
    shown += [(path, CLAUDE.search(str(told))) for path, told in devcontainer.files(here)]
    shown += [(each.path, CLAUDE.search(str(each.item))) for each in here.objects]
    for path, match in shown:
        if match:
            found.add("profiles", ["claude-code"], f"{path}: {match[0]}")
            _own_state(found)
            return
    found.remarks.append(
        'profiles: nothing shows Claude Code; its claims are not applicable (profiles = ["claude-code"])'
    )


def _own_state(found: Detected) -> None:
    """Remark where Claude Code keeps its state by itself, where nothing here says where it does."""
    home = str(found.get("home") or "").rstrip("/")
    is_told = any(each.startswith("config_dir:") for each in found.remarks)
    if home and found.get("config_dir") is None and not is_told:
        told = f'nothing names where its state is; Claude Code by itself takes "{home}/.claude"'
        found.remarks.append(f"config_dir: {told}: claims on it are not applicable without the line")
