"""Runs in a pod on the agent's volume, in the agent's image: what there steers the agent, and who gave it.

Standard input says where things are, as JSON: ``config`` is the agent's directory on the volume, ``image``
the same one in the image, ``clone`` the repository of the configuration or "", ``reset`` whether the first is
to be put back. The answer is JSON. Links are never followed: the agent may have put them there.
"""

import hashlib
import json
import os
import shutil
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

STEERING = frozenset(
    {
        "settings.json", "settings.local.json", "CLAUDE.md", "CLAUDE.local.md", ".mcp.json",
        "keybindings.json", "skills", "agents", "commands", "hooks", "output-styles", "plugins", "rules",
        "workflows",
    }
)  # fmt: skip
DATA = frozenset(
    {
        ".credentials.json", "projects", "todos", "tasks", "plans", "sessions", "session-env", "file-history",
        "history.jsonl", "shell-snapshots", "statsig", "telemetry", "debug", "ide", "cache", "backups",
        "downloads",
        "paste-cache", "image-cache", "stats-cache.json", "usage-data", "logs", "lost+found",
    }
)  # fmt: skip
LOGIN = ".credentials.json"
STATE = ".claude.json"  # the CLI's memory of itself, with some keys that steer it
STATE_KEYS = ("mcpServers", "hooks")
PROJECT_KEYS = ("allowedTools", "mcpServers", "enabledMcpjsonServers", "mcpContextUris")
SHOWN = 16 << 10  # bytes of a file whose text is told
LARGEST = 64 << 20  # bytes of a file that is read at all

Given = dict[str, tuple[str, Path]]  # path -> who gives it, and the file


def look(path: Path) -> tuple[str, str]:
    """Return what tells one content from another, "" where there is nothing, and the text of a short file."""
    try:
        found = path.lstat()
    except OSError:
        return "", ""
    if stat.S_ISLNK(found.st_mode):
        return f"link {path.readlink()}", f"-> {path.readlink()}\n"
    if not stat.S_ISREG(found.st_mode) or found.st_size > LARGEST:
        return f"other {found.st_mode:o} {found.st_size}", ""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(file, "rb") as opened:
            content = opened.read(LARGEST)
    except OSError as error:
        return f"unreadable {error.errno}", ""
    text = content.decode(errors="replace") if len(content) <= SHOWN and b"\0" not in content else ""
    return hashlib.sha256(content).hexdigest(), text


def files(top: Path, below: str = "") -> Iterator[str]:
    """Yield what is not a directory below ``top``, and the directories that nobody can look into."""
    try:
        entries = sorted(os.scandir(top / below), key=lambda each: each.name)
    except OSError:
        if below:
            yield below
        return
    for each in entries:
        path = f"{below}/{each.name}" if below else each.name
        if each.is_dir(follow_symlinks=False):
            yield from files(top, path)
        else:
            yield path


def given(image: Path, clone: Path | None) -> Given:
    """Return what image and repository give; the repository comes last, and no login."""
    found: Given = {path: ("image", image / path) for path in files(image)}
    if clone is not None:
        paths = (each for each in files(clone) if each.partition("/")[0] != ".git")
        found |= {path: ("config-clone", clone / path) for path in paths}
    found.pop(LOGIN, None)
    return found


def steering(config: Path) -> Iterator[str]:
    """Yield the paths on the volume that steer the agent."""
    for name in sorted(STEERING):
        if (config / name).is_dir() and not (config / name).is_symlink():
            yield from files(config, name)
        elif os.path.lexists(config / name):
            yield name


def differences(config: Path, gives: Given) -> list[dict[str, str]]:
    """Return what differs: what is added, changed or missing, and the texts of both."""
    found = []
    for path in sorted({*gives, *steering(config)}):
        source, file = gives.get(path, ("", None))
        wanted, before = look(file) if file else ("", "")
        have, after = look(config / path) if _barrier(config, path) is None else ("", "")
        if wanted != have:
            state = "added" if not wanted else "missing" if not have else "changed"
            texts = {"before": before, "after": after}
            found.append({"path": path, "state": state, "given_by": source, "key": ""} | texts)
    return found + ([] if STATE in gives else _of_state(config / STATE))


def _barrier(config: Path, path: str) -> Path | None:
    """Return what stands where a directory above ``path`` has to be: a link, or a file."""
    above = [config / each for each in reversed(Path(path).parents) if str(each) != "."]
    barred = (each for each in above if os.path.lexists(each) and (each.is_symlink() or not each.is_dir()))
    return next(barred, None)


def _of_state(path: Path) -> list[dict[str, str]]:
    """Return the keys of the CLI's own state that steer it: nobody gives any."""
    return [
        {
            "path": STATE, "state": "added", "given_by": "", "key": ".".join(place), "before": "",
            "after": json.dumps(value, indent=2) + "\n",
        }
        for place, value in _steering_keys(_state(path))
    ]  # fmt: skip


def _state(path: Path) -> dict[str, Any]:
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return {}
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):  # the CLI makes it anew
        return {}
    return found if isinstance(found, dict) else {}


def _steering_keys(state: dict[str, Any]) -> list[tuple[tuple[str, ...], Any]]:
    """Return places and values of the keys that steer the CLI and are not empty."""
    found: list[tuple[tuple[str, ...], Any]] = [((key,), state[key]) for key in STATE_KEYS if state.get(key)]
    projects = state.get("projects")
    for name, project in projects.items() if isinstance(projects, dict) else ():
        if isinstance(project, dict):
            found += [(("projects", name, key), project[key]) for key in PROJECT_KEYS if project.get(key)]
    return found


def others(config: Path, gives: Given) -> list[str]:
    """Return the names on the volume that are neither known to steer the agent nor known as its data."""
    known = STEERING | DATA | {STATE} | {path.partition("/")[0] for path in gives}
    try:
        return sorted(set(os.listdir(config)) - known)  # noqa: PTH208
    except OSError:
        return []


def reset(config: Path, gives: Given, found: list[dict[str, str]]) -> None:
    """Put back what differs; what the repository gives comes with the next start."""
    for each in found:
        if each["key"]:
            continue
        path = config / each["path"]
        _remove(_barrier(config, each["path"]) or path)
        source, file = gives.get(each["path"], ("", None))
        if source == "image" and file is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, path, follow_symlinks=False)
        _prune(path.parent, config)
    if any(each["key"] for each in found):
        _strip(config / STATE)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():  # one that nobody could look into
        path.chmod(0o700)
        shutil.rmtree(path)
    elif os.path.lexists(path):
        path.unlink()


def _prune(directory: Path, top: Path) -> None:
    while directory != top and directory.is_dir() and not any(directory.iterdir()):
        directory.rmdir()
        directory = directory.parent


def _strip(path: Path) -> None:
    """Take the keys that steer out of the CLI's state; the rest of it stays."""
    state = _state(path)
    for place, _ in _steering_keys(state):
        holder = state
        for step in place[:-1]:
            holder = holder[step]
        del holder[place[-1]]
    new = path.with_name(f"{STATE}.new")
    _remove(new)
    new.touch(0o600, exist_ok=False)
    new.write_text(json.dumps(state, indent=2))
    new.replace(path)


def main() -> None:
    """Answer what standard input asks."""
    asked = json.loads(sys.stdin.read())
    config = Path(asked["config"])
    gives = given(Path(asked["image"]), Path(asked["clone"]) if asked["clone"] else None)
    found = differences(config, gives)
    if asked["reset"]:
        reset(config, gives, found)
    print(json.dumps({"differences": found, "others": others(config, gives)}))


if __name__ == "__main__":
    main()
