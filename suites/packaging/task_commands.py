"""What task runners and pipelines start the box by: in lists of words, with the image in a variable."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from boxproof.subject import documented_commands
from boxproof.subject.manifests import shipped
from boxproof.subject.model import Subject
from boxproof.subject.parts import WORKFLOWS
from suites import development
from suites.ci import other_pipelines
from suites.packaging import engine_sockets

RUNNERS = (
    *shipped.SCRIPTS, "GNUmakefile", "makefile.*", "*.just", ".justfile", "Taskfile.yaml", "tasks.py",
    "noxfile.py", "dodo.py", "fabfile.py", "Rakefile", "package.json", "mise.toml", "*.ps1", "*.bat", "*.cmd",
)  # fmt: skip
# an action of its own lies beside the workflows, or at the top
PIPELINES = (*(f"{PurePosixPath(each).parent}/**/*.y*ml" for each in WORKFLOWS), "action.y*ml")
PROGRAM = re.compile(r"(?<![\w./-])[\w./-]{1,200}\.(?:py|js|mjs|cjs|ts|rb)\b")
IN_LISTS = (".py", ".json", ".rb")
# a variable as make, just, Task, a shell, Python or a workflow has it
FILLED = re.compile(
    r"\$\{\{\s*(?:\w+\.)*(?P<workflow>\w+)\s*\}\}|\{\{\s*\.?(?P<task>\w+)\s*\}\}|\$\((?P<make>\w+)\)"
    r"|\$\$?\{(?P<shell>\w+)(?::?[-=][^}]*)?\}|(?<![$\w])\{(?P<python>\w+)\}|\$\$?(?P<bare>\w+)"
)
ASSIGNED = re.compile(
    r"^[ \t]*(?:export[ \t]+|readonly[ \t]+|local[ \t]+)?(?P<name>\w+)[ \t]*"
    r"(?:[:?]?=|::=|:)[ \t]*[\"']?(?P<value>[\w./:@${}()-]+)[\"']?[ \t]*(?:#.*)?$",
    re.MULTILINE,
)
DEEPEST = 4  # variables that are said by others
# a variable that nothing gives a value is the box under these names alone: others have images of their own
OWN = frozenset({"IMAGE", "IMAGE_NAME", "IMAGE_REF", "IMAGE_TAG", "DOCKER_IMAGE", "BOX_IMAGE", "AGENT_IMAGE"})
OF_AN_IMAGE = re.compile(r"(?<=\s)(?:[^\s=]*/)?\$(?P<name>\w*(?:IMAGE|image)\w*)(?:[:@]\S+)?")
PARTED = re.compile(r"[\"']?[ \t]*,\s*f?[\"']?|[\"'\[\]]")
# a pipeline may try the box on the machine's network, or with a device of its own
OF_A_TRIAL = ("--network", "--net", "device")
# a task that is called so is the request; one that has "docker" in its name may be, if another does without
ON_REQUEST = re.compile(r"sock|dind|dood|engine|sibling|nested|host|with[_-]?docker", re.IGNORECASE)
HEADER = re.compile(
    r"^(?:def[ \t]+(?P<function>\w+)|[ \t]*\"(?P<script>[\w:.-]+)\"[ \t]*:"
    r"|(?: {2})?@?(?P<target>[\w.-]+)(?:[ \t][^\n:]*)?:(?=\s|$)|\[tasks\.[\"']?(?P<section>[\w:-]+)[\"']?\])",
    re.MULTILINE,
)


def tasks(subject: Subject) -> dict[str, str]:
    """Return the scripts and the files of task runners of a subject, with what these call, by path."""
    paths = sorted({*shipped.files(subject, *RUNNERS), *shipped.scripts(subject)})
    told = {str(each.relative_to(subject.directory)): each.read_text(errors="replace") for each in paths}
    return told | {each: text for name in list(told) for each, text in _called(subject, name, told[name])}


def _called(subject: Subject, name: str, text: str) -> Iterator[tuple[str, str]]:
    """Give the programs of the subject's own that a task calls, by paths from the top or from its place."""
    for each in {found[0] for found in PROGRAM.finditer(text)}:
        for top in (subject.directory, (subject.directory / name).parent):
            path = (top / each).resolve()
            if path.is_file() and path.is_relative_to(subject.directory.resolve()):
                yield str(path.relative_to(subject.directory.resolve())), path.read_text(errors="replace")


def pipelines(subject: Subject) -> dict[str, str]:
    """Return the workflows and the files of other pipelines of a subject, by path."""
    own = {path for each in PIPELINES for path in subject.directory.glob(each) if path.is_file()}
    paths = sorted({*own, *other_pipelines.files(subject.directory)})
    return {str(each.relative_to(subject.directory)): each.read_text(errors="replace") for each in paths}


def spoken(path: str, text: str, told: Mapping[str, str]) -> str:
    """Return a text with its variables filled in, and with lists of words as lines of a shell."""
    if path.endswith(IN_LISTS):
        text = PARTED.sub(" ", text)
    text = FILLED.sub(_plain, text)
    for _ in range(DEEPEST):
        text = re.sub(r"\$(\w+)", lambda found: told.get(found[1], found[0]), text)
    return OF_AN_IMAGE.sub(lambda found: f"${found['name']}" if found["name"] in OWN else "$OTHER", text)


def assigned(text: str) -> dict[str, str]:
    """Return the variables to which a text gives a value of one word."""
    return {each["name"]: FILLED.sub(_plain, each["value"]) for each in ASSIGNED.finditer(text)}


def _plain(found: re.Match[str]) -> str:
    return f"${next(filter(None, found.groups()))}"


def freed(texts: Mapping[str, str], *images: str, trials: bool = False) -> dict[str, list[str]]:
    """Return what commands that run the box take back of what confines it, by where they stand.

    With ``trials`` the texts are a pipeline's, which may try it on the machine's network.
    """
    found = {}
    for path, text in texts.items():
        for each in _runs(path, text, assigned(text), images):
            every = development.rights({"runArgs": list(each.options)})
            back = [one for one in every if not (trials and one.startswith(OF_A_TRIAL))]
            if back:
                found[f"{path}: {' '.join(each.options)}"] = back
    return found


def _runs(
    path: str, text: str, told: Mapping[str, str], images: Sequence[str]
) -> list[documented_commands.Run]:
    return documented_commands.runs_in({path: spoken(path, text, told)}, *images)


def sockets(texts: Mapping[str, str], *images: str) -> dict[str, list[str]]:
    """Return the engine's sockets that tasks give the box unasked, by where they do."""
    found = {}
    for path, text in texts.items():
        told = assigned(text)
        every = [
            (task, engine_sockets.named(" ".join(each.options)))
            for task, part in parts(path, text)
            for each in _runs(path, part, told, images)
        ]
        without = any(not given for _, given in every)
        for task, given in every:
            asked = ON_REQUEST.search(task) or (without and "docker" in task.lower())
            if given and not asked:
                found[task] = given
    return found


def parts(path: str, text: str) -> Iterator[tuple[str, str]]:
    """Give each task of a file under the file's name and its own."""
    headers = list(HEADER.finditer(text))
    ends = [*(each.start() for each in headers), len(text)]
    yield path, text[: ends[0]]
    for at, each in enumerate(headers):
        yield f"{path}: {next(filter(None, each.groups()))}", text[each.start() : ends[at + 1]]
