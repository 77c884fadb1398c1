"""The images that a job of a workflow names: its containers, by a matrix too, and what its steps run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from boxproof.subject import documented_commands
from boxproof.subject.image.dockerfile import Step
from boxproof.subject.image.shell_commands import program

Job = Mapping[str, Any]
FROM_MATRIX = re.compile(r"\$\{\{\s*matrix\.([\w.-]+)\s*\}\}")
RUNS_IT = re.compile(r"\b(?:docker|podman|nerdctl)\b[^\n]*\b(?:run|create|pull)\b.*\$\{\{\s*matrix\.image\b")
ENGINES = ("docker", "podman", "nerdctl", "buildah")
VERBS = ("run", "create", "pull")
# options of `run` that a value follows
VALUED = frozenset(
    {
        "-a", "-c", "-e", "-h", "-l", "-m", "-p", "-u", "-v", "-w", "--add-host", "--cap-add", "--cap-drop",
        "--cpus", "--device", "--dns", "--entrypoint", "--env", "--env-file", "--expose", "--group-add",
        "--health-cmd", "--hostname", "--ip", "--ipc", "--label", "--link", "--log-driver", "--log-opt",
        "--memory", "--mount", "--name", "--net", "--network", "--pid", "--pids-limit", "--platform",
        "--publish", "--pull", "--restart", "--runtime", "--security-opt", "--shm-size", "--stop-signal",
        "--sysctl", "--tmpfs", "--ulimit", "--user", "--userns", "--volume", "--volumes-from", "--workdir",
    }
)  # fmt: skip
TAGGED = re.compile(r"(?:-t|--tag)[= ]+[\"']?([^\s\"']+)|\b(?:docker|podman) (?:image )?tag \S+ ([^\s;&|]+)")
OF_A_STEP = re.compile(r"(?:^|[_-])image$")  # what an action calls the image that it runs
# programs that are told by an option which image they run, or make machines of
BY_OPTION = frozenset({"kubectl", "oc", "kind", "k3d"})
BROUGHT = re.compile(r"\b(?:kind load docker-image|k3d image import|minikube image load)\s+([^\s;&|-]\S*)")
OF_A_BUILDER = re.compile(r"(?:^|[\s,])image=([^\s,]+)")  # among the options of a driver of builds
ASSIGNED = re.compile(
    r"^\s*(?:export\s+|readonly\s+|local\s+)?(\w+)=[\"']?(?:\$\{\w+:?-)?([\w./:@-]+)\}?[\"']?\s*(?:#.*)?$",
    re.MULTILINE,
)
FILLED = re.compile(r"\$\{\{\s*env\.(\w+)\s*\}\}|\$\{(\w+)(?::?-([^}\n]*))?\}|\$(\w+)")
# what may build or bring the image that a variable names
MAKES = re.compile(r"build|bake|download-artifact|\b(?:make|just|load|import|inv|nox|task)\b")
LOADED = re.compile(r"\b(?:docker|podman|nerdctl) (?:image )?(?:load|import)\b")


def named(job: Job) -> list[str]:
    """Return the images of a job, those of its matrix among them; what it builds or loads itself is none."""
    container, services = job.get("container") or {}, (job.get("services") or {}).values()
    written = [container if isinstance(container, str) else str(container.get("image", ""))]
    written += [str(each.get("image", "")) for each in services]
    listed = (job.get("strategy") or {}).get("matrix") or {}
    rows = listed if isinstance(listed, Mapping) else {}
    given = [one for each in written for path in FROM_MATRIX.findall(each) for one in _given(rows, path)]
    own = set(_built(job))
    texts = [_filled(each, job) for each in job.get("steps") or ()]
    ran = [one for each in texts for one in _ran(each)] if not LOADED.search("\n".join(texts)) else []
    ran += _of_actions(job)
    foreign = [each for each in ran if each.removesuffix(":latest") not in own]
    every = [*written, *given, *_listed(rows, texts), *foreign]
    return [each for each in dict.fromkeys(every) if each and "$" not in each]


def _filled(step: Job, job: Job) -> str:
    """Return a step's shell, its variables filled in where nothing of the job makes or brings an image."""
    run = str(step.get("run", ""))
    every = [f"{each.get('run', '')}\n{each.get('uses', '')}" for each in job.get("steps") or ()]
    if MAKES.search("\n".join(every)):
        return run
    known = {**(job.get("env") or {}), **(step.get("env") or {}), **dict(ASSIGNED.findall(run))}

    def value(found: re.Match[str]) -> str:
        return str(known.get(found[1] or found[2] or found[4]) or found[3] or found[0])

    return FILLED.sub(value, run)


def _of_actions(job: Job) -> list[str]:
    """Return the images that steps tell an action to run, by a tag that is latest, or a builder by none."""
    found = []
    for step in job.get("steps") or ():
        for key, value in (step.get("with") or {}).items() if step.get("uses") else ():
            text = str(value).strip()
            if OF_A_STEP.search(str(key).lower()) and text.endswith(":latest"):
                found.append(text)
            found += OF_A_BUILDER.findall(text) if str(key) == "driver-opts" else []
    return found


def _listed(matrix: Mapping[str, Any], texts: Sequence[str]) -> Iterator[str]:
    """Give what a matrix calls an image: references with a tag, any name where an engine runs or pulls it.

    Else a name there may be that of a directory, of a job or of what is built.
    """
    ran = any(RUNS_IT.search(each) for each in texts)
    yield from (each for each in _given(matrix, "image") if ran or ":" in each)


def _given(matrix: Mapping[str, Any], path: str) -> Iterator[str]:
    """Give the texts that a matrix has at a path, in its lists and in the rows that it includes."""
    first, *deeper = path.split(".")
    values = matrix.get(first) or []
    include = matrix.get("include") or []
    rows = [each[first] for each in include if first in each] if isinstance(include, list) else []
    for value in [*(values if isinstance(values, list) else []), *rows]:
        found = value
        for key in deeper:
            found = found.get(key) if isinstance(found, Mapping) else None
        if isinstance(found, str):
            yield found


def _ran(run: str) -> Iterator[str]:
    """Give the images that the commands of a step run or pull."""
    for line in run.replace("\\\n", " ").splitlines():
        for words in Step("RUN", line).commands:
            name = program(words[0])
            if name in ENGINES:
                yield from _image(words[1:])
                options = documented_commands.values(words, "--driver-opt") if "create" in words else []
                yield from (one for each in options for one in OF_A_BUILDER.findall(each))
            elif name in BY_OPTION:
                yield from documented_commands.values(words, "--image")


def _image(words: Sequence[str]) -> Iterator[str]:
    rest = list(words[1:] if words[:1] in (("container",), ("image",)) else words)
    if not rest or rest.pop(0) not in VERBS:
        return
    while rest and rest[0].startswith("-"):
        del rest[: 2 if rest[0] in VALUED else 1]
    if rest:
        yield rest[0]


def _built(job: Job) -> Iterator[str]:
    """Give the names that the steps of a job give to what they build, without a tag that is latest."""
    for step in job.get("steps") or ():
        names = [one for found in TAGGED.findall(str(step.get("run", ""))) for one in found]
        names += BROUGHT.findall(str(step.get("run", "")))
        names += re.split(r"[\s,]+", str((step.get("with") or {}).get("tags", "")))
        yield from (each.removesuffix(":latest") for each in names)
