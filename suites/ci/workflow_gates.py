"""GitHub workflows: which steps publish, and which may fail without consequences."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from boxproof.subject.documented_commands import CONTINUED
from boxproof.subject.image.shell_commands import simple_commands
from boxproof.subject.manifests.pod_specs import is_floating
from pytest_claims.faults import SubjectFault
from suites.ci import task_runners, told_actions, workflow_commands, workflow_images

Workflow = Mapping[str, Any]
Step = Mapping[str, Any]
OPTIONS = r"(?:\s+-[-\w]+(?:[= ][^\s-]\S*)?)*"  # between a program and its verb
BUILDERS = "docker|podman|nerdctl|finch|buildx|builder|image|compose|docker-compose|depot|buildctl"
PUSHES = re.compile(
    rf"\b((docker|podman|nerdctl|buildah|finch){OPTIONS}(\s+(image|manifest|compose){OPTIONS})?\s+push"
    rf"|docker-compose{OPTIONS} push"
    rf"|({BUILDERS}){OPTIONS}\s+(build|bake|b|f)\s[^\n]*(--push|type=registry|push=true)"
    rf"|imagetools create|helm{OPTIONS} (cm-)?push|g?crane{OPTIONS} (index )?(push|append|copy|cp|mutate|tag)"
    rf"|oras{OPTIONS} (manifest |blob )?(push|cp|copy|tag)|skopeo{OPTIONS} (copy|sync)|img{OPTIONS} push"
    rf"|ctr{OPTIONS} (image|images|i){OPTIONS} push|cosign{OPTIONS} copy|docker{OPTIONS} trust sign"
    rf"|regctl{OPTIONS} (image|index|artifact|blob){OPTIONS} (copy|import|create|mod|put)"
    r"|ko (build|publish|resolve|apply)"
    r"|jib:build|gradlew? [^\n]*\bjib|kaniko/executor|pack build [^\n]*--publish|earthly [^\n]*--push"
    r"|gcloud builds submit|az acr (build|import)|apko publish|skaffold (build|run)|werf (build|converge))\b"
)
PUSHED = re.compile(r"type=registry|push(-by-digest)?=true")  # among the outputs of an action that builds
PUSHING_ACTIONS = (
    "docker/build-push-action", "docker/bake-action", "redhat-actions/push-to-registry",
    "elgohr/publish-docker", "depot/build-push-action", "depot/bake-action", "int128/kaniko-action",
    "useblacksmith/build-push-action", "namespacelabs/nscloud-build-push-action",
)  # fmt: skip
PUBLISHING_ACTIONS = (
    "softprops/action-gh-release", "ncipollo/release-action", "goreleaser/goreleaser-action",
    "pypa/gh-action-pypi-publish", "actions/deploy-pages", "helm/chart-releaser-action",
    "googleapis/release-please-action", "google-github-actions/release-please-action", "changesets/action",
    "cycjimmy/semantic-release-action", "peaceiris/actions-gh-pages", "actions/create-release",
    "actions/attest-build-provenance", "devcontainers/action", "devcontainers/ci",
)  # fmt: skip
RELEASES = re.compile(
    r"\b(gh release (create|upload|edit)|(npm|pnpm|yarn( npm)?|cargo|uv|poetry) publish|twine upload"
    r"|cr upload|semantic-release|git push)\b"
    # what people call a task of theirs that publishes, whatever has its lines
    r"|\b(just|task|mise run|(npm|pnpm|yarn|bun)( run)?|make|nox -s|inv(oke)?|dagger call|gradlew?|mvn"
    r"|nix run|bazel run|earthly)\s[^\n;&|]*\b(publish|release|push|deploy)"
)
LOCAL = re.compile(
    r"(?:^|[\s;&|])(?:(?:ba|da)?sh\s+|source\s+|\.\s+)?(\.?/?[\w./-]+\.(?:sh|py|bash)|\./[\w./-]+)"
)
NO_SCRIPTS = frozenset({".md", ".rst", ".txt", ".json", ".toml", ".yaml", ".yml", ".lock"})
INTERPRETERS = re.compile(r"(?:\S*/)?(?:(?:ba|da|z)?sh|python[\d.]*|source|\.)")
LISTED = re.compile(r"[\"']\s*,\s*f?[\"']")  # between the words of a command that is a list of texts
COMMIT = re.compile(r"@[0-9a-f]{40}$")
IMAGE_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
LOGINS = re.compile(
    r"\b(docker|podman|nerdctl|helm registry|crane auth|oras|skopeo|buildah|cosign|regctl registry)"
    rf"{OPTIONS} login\b|\b(ecr get-login|acr login|auth configure-docker)"
    r"|>\s*\S*(\.docker|DOCKER_CONFIG\}?|containers)/(config|auth)\.json"
)
LOGIN_ACTIONS = (
    "docker/login-action", "aws-actions/amazon-ecr-login", "redhat-actions/podman-login",
    "azure/docker-login",
)  # fmt: skip
# what git writes down with the address that it is given
TOKEN_IN_ADDRESS = re.compile(
    r"\bgit\b[^\n]*https://[^\s@/]*(\$\{\{\s*(secrets|github\.token)|\$\{?\w*(TOKEN|PAT|PASSWORD)\w*\}?)[^\n@/]*@"
    r"|\bgh auth setup-git\b|\bhttp\.\S*extraheader\b"
)
# where git finds a token for whatever runs afterwards
KEPT_FOR_GIT = re.compile(
    r"(?:~|\$\{?HOME\}?|/root)/\.(?:netrc|git-credentials)\b|\bcredential\.helper[= ]+[\"']?store\b"
    r"|\bgit credential (?:approve|fill)\b"
)
SECRET = re.compile(r"\bsecrets\.(\w+)")
OF_A_REGISTRY = frozenset(  # words of a secret's name
    {
        "REGISTRY", "DOCKER", "DOCKERHUB", "GHCR", "QUAY", "HARBOR", "ECR", "GCR", "GAR", "ACR", "PUBLISH",
        "PUSH", "COSIGN", "CR", "PAT", "NPM", "PYPI",
    }
)  # fmt: skip
CHECKOUT = "actions/checkout"
SCANNERS = re.compile(r"trivy|grype|scan-action")
IGNORED = re.compile(
    r"\|\|\s*(true|:|exit 0|echo\b)|;\s*(true|:|exit 0)\s*$|\bset\s+(-\w+\s+)*(\+\w*e|\+o\s+errexit)"
    r"|\btrap\s[^\n]*\bexit 0\b[^\n]*\b(EXIT|ERR|0)\b",
    re.MULTILINE,
)
WHATEVER = re.compile(r"\b(always|failure|cancelled)\(\)")  # a step or job that goes on after a failure
NO = ("", "0", "false", "none")
LONGEST = 200  # characters of a path
GITHUB, OTHERS = ".github", (".forgejo", ".gitea")  # forges whose workflows are written alike


def load(directory: Path) -> dict[str, Workflow]:
    """Return the workflows of a directory by file name, those of other forges than GitHub by their paths.

    These know of no rights that are named. Raises SubjectFault for one that is no YAML.
    """
    own = sorted((directory / GITHUB / "workflows").glob("*.y*ml"))
    found: dict[str, Workflow] = {each.name: _read(each) for each in own}
    for forge in OTHERS:
        for path in sorted((directory / forge / "workflows").glob("*.y*ml")):
            found[str(path.relative_to(directory))] = {"permissions": {}, **_read(path)}
    return found


def _read(path: Path) -> dict[str, Any]:
    """Return the content of a file; raises SubjectFault for one that is no YAML.

    What its steps tell an action to carry out is a step's own lines.
    """
    try:
        found: dict[str, Any] = told_actions.spoken(yaml.safe_load(path.read_bytes()) or {})
    except yaml.YAMLError as error:
        raise SubjectFault(f"{path.name}: {error}") from error
    return found


def actions(directory: Path) -> dict[str, Workflow]:
    """Return the actions that a directory has of its own, each as a workflow of one job, by path.

    That is the one which other repositories use, and what its workflows and these actions use of it.
    """
    below = directory / ".github" / "actions"
    waiting = [directory, *sorted({each.parent for each in below.glob("**/action.y*ml")})]
    waiting += [directory / each for one in load(directory).values() for each in _own_uses(one)]
    found: dict[str, Workflow] = {}
    while waiting:
        path = _action_file(directory, waiting.pop(0))
        if path is None or str(path.relative_to(directory)) in found:
            continue
        runs = _read(path).get("runs") or {}
        image = str(runs.get("image", ""))
        steps = [*(runs.get("steps") or ()), *([{"uses": image}] if image.startswith("docker://") else [])]
        made: Workflow = {"permissions": {}, "jobs": {"action": {"steps": steps}}}
        found[str(path.relative_to(directory))] = made
        waiting += [directory / each for each in _own_uses(made)]
    return found


def _own_uses(workflow: Workflow) -> list[str]:
    """Return the paths of the repository's own actions that a workflow uses."""
    return [uses for _, step in _steps(workflow) if (uses := str(step.get("uses", ""))).startswith("./")]


def _action_file(directory: Path, place: Path) -> Path | None:
    """Return the file of an action in a place, or where that is in a checkout of its own below the first."""
    parts = place.relative_to(directory).parts
    places = (place, directory.joinpath(*parts[1:]))
    files = (each / name for each in places for name in ("action.yml", "action.yaml"))
    return next((each for each in files if each.is_file()), None)


def releases(workflow: Workflow, command: Sequence[str]) -> bool:
    """Return whether a step runs the release, and neither it nor a job before it is switched off for good."""
    jobs = workflow.get("jobs") or {}
    ran = [(name, each) for name, each in _steps(workflow) if _is_release(each, command)]
    return any(not workflow_commands.never(each) and _reached(name, jobs) for name, each in ran)


def _reached(name: str, jobs: Mapping[str, Any], after: tuple[str, ...] = ()) -> bool:
    """Return whether a job, and those that it needs, may run at all."""
    job = jobs.get(name) or {}
    needs = job.get("needs") or ()
    ahead = [each for each in ([needs] if isinstance(needs, str) else needs) if each not in after]
    return not workflow_commands.never(job) and all(_reached(each, jobs, (*after, name)) for each in ahead)


def around(workflow: Workflow, command: Sequence[str], directory: Path | None = None) -> list[str]:
    """Return the steps that publish beside the release, or let it or a scan fail without consequences.

    A release that some claims alone are proven for is beside it too. What a step carries out of the
    ``directory``, a script, a Makefile's target or an action, is read as well.
    """
    found = []
    for name, step in _steps(workflow, directory):
        job, release = workflow["jobs"][name], _is_release(step, command)
        first = next(iter(str(step.get("run", "")).splitlines()), "")
        shown = f"{name}: {step.get('name') or step.get('uses') or first}"
        if _pushes(step) or PUSHES.search(_spoken(called(_beside(step, command), directory))):
            found.append(f"{shown}: pushes by itself")
        if release or SCANNERS.search(str(step.get("uses", "")) + str(step.get("run", ""))):
            ways = (
                [""]
                if _may_fail(step, job)
                else workflow_commands.swallowed(step, job, workflow, fixed(command))
            )
            found += [f"{shown}: may fail without consequences {each}".rstrip() for each in ways]
        some = workflow_commands.narrowed(step, job, workflow) if release else ""
        found += [f"{shown}: tests {some} alone"] if some else []
        if release and _goes_on(step, job):
            found.append(f"{shown}: goes on after what failed before it")
    return found


def called(step: Step, directory: Path | None) -> str:
    """Return the text of the scripts and targets of the directory that a step runs, "" for none.

    What these run in their turn is read too.
    """
    if directory is None:
        return ""
    texts: dict[str, str] = {}
    waiting = [str(step.get("run", ""))]
    places = (directory, directory / str(step.get("working-directory") or "."))
    while waiting:
        run = waiting.pop()
        found: dict[str, str] = {}
        for place in dict.fromkeys(places):
            found |= {**_scripts(run, place), **task_runners.recipes(run, place)}
        waiting += [text for name, text in found.items() if name not in texts]
        texts = found | texts
    return "\n".join(texts.values())


def _scripts(run: str, directory: Path) -> dict[str, str]:
    """Return the text of each file of the directory that a shell's lines start, by its path."""
    every = [each.split() for line in run.splitlines() for each in simple_commands(line)]
    words = {
        word for each in every for word in each[: 5 if INTERPRETERS.fullmatch(each[0]) else 2] if "/" in word
    }
    named = {each.removeprefix("./") for each in (*LOCAL.findall(run), *words)}
    paths = (directory / each for each in named if not each.startswith(("/", "-")) and len(each) < LONGEST)
    scripts = (each for each in paths if each.suffix not in NO_SCRIPTS and each.is_file())
    return {str(each): each.read_text(errors="replace") for each in scripts}


def loose(workflow: Workflow) -> list[str]:
    """Return the actions and images of a workflow that can come to be other ones: no commit, no fixed tag."""
    found = []
    for name, job in (workflow.get("jobs") or {}).items():
        uses = [job.get("uses", ""), *(each.get("uses", "") for each in job.get("steps") or ())]
        for each in filter(None, uses):
            fixed = IMAGE_DIGEST if each.startswith("docker://") else COMMIT
            if not each.startswith("./") and not fixed.search(each):
                found.append(f"{name}: {each}")
        known = {**(workflow.get("env") or {}), **(job.get("env") or {})}
        found += [
            f"{name}: {each}" for each in workflow_images.named({**job, "env": known}) if is_floating(each)
        ]
    return found


def floating_in_scripts(workflow: Workflow, directory: Path) -> list[str]:
    """Return the images that the scripts which a job's steps carry out run by no fixed tag.

    What the job, or a script of it, builds or loads itself is none.
    """
    found = []
    for name, job in (workflow.get("jobs") or {}).items():
        steps = [*(job.get("steps") or ())]
        steps += [{"run": text} for each in steps if (text := called(each, directory))]
        known = {**(workflow.get("env") or {}), **(job.get("env") or {})}
        every = workflow_images.named({"steps": steps, "env": known})
        found += [f"{name}: {each}" for each in every if is_floating(each)]
    return found


def exposed(workflow: Workflow, command: Sequence[str], directory: Path | None = None) -> list[str]:
    """Return what hands credentials to steps that need none.

    A checkout that leaves the token behind, a login or the right to write in a job that does not release, and
    rights that nobody named. What a step carries out of the ``directory`` is read like what it says itself.
    """
    found = [] if _names_rights(workflow) else ["no permissions are named: those of the repository hold"]
    found += [f"the workflow may {each}" for each in _written(workflow.get("permissions"))]
    found += [f"every job has the secret {each}" for each in _of_a_registry(workflow.get("env"))]
    for name, job in (workflow.get("jobs") or {}).items():
        steps = job.get("steps") or ()
        # without a documented release, the job that publishes is the one that pushes, or makes a release
        ran = [{"run": called(each, directory)} for each in steps]
        every = [*steps, *ran]
        publishes = any(_is_release(each, command) if command else _publishes(each) for each in every)
        publishes = publishes or (not command and bool(job.get("uses")))  # what that does it says itself
        if not publishes:
            found += [f"{name} may {each}" for each in _written(job.get("permissions"))]
            given = [job.get("env"), *(each.get(key) for each in steps for key in ("env", "with", "run"))]
            found += [f"{name} has the secret {each}, and does not publish" for each in _of_a_registry(given)]
            found += [f"{name} hands every secret on"] if job.get("secrets") == "inherit" else []
        found += [f"{name}: {each}" for step in every for each in _left_behind(step)]
        found += [
            f"{name}: logs in and does not publish" for each in every if not publishes and _logs_in(each)
        ]
    return found


def _left_behind(step: Step) -> Iterator[str]:
    """Give how a step leaves a token where git finds it."""
    action, run = str(step.get("uses", "")).partition("@")[0], _spoken(str(step.get("run", "")))
    kept = str((step.get("with") or {}).get("persist-credentials", "")).lower() != "false"
    if action == CHECKOUT and kept:
        yield "a checkout leaves its token behind"
    if TOKEN_IN_ADDRESS.search(run):
        yield "an address with a token in it leaves that behind"
    if KEPT_FOR_GIT.search(run):
        yield "a token is written down for git"


def _logs_in(step: Step) -> bool:
    action = str(step.get("uses", "")).partition("@")[0]
    return action in LOGIN_ACTIONS or LOGINS.search(_spoken(str(step.get("run", "")))) is not None


def _names_rights(workflow: Workflow) -> bool:
    """Return whether a workflow or each of its jobs names its rights; one that is called has its caller's."""
    jobs = (workflow.get("jobs") or {}).values()
    told: dict[object, Any] = {key: each for key, each in workflow.items()}  # noqa: C416
    begins = told.get("on", told.get(True))  # YAML takes "on" for true
    called = [begins] if isinstance(begins, str) else list(begins or ())
    return (
        "permissions" in workflow
        or all("permissions" in each for each in jobs)  # without a job nothing has any
        or called == ["workflow_call"]
    )


def _publishes(step: Step) -> bool:
    """Return whether a step publishes an image, a package, a page or a release."""
    action = str(step.get("uses", "")).partition("@")[0]
    told = RELEASES.search(CONTINUED.sub(" ", str(step.get("run", ""))))
    return _pushes(step) or action in PUBLISHING_ACTIONS or told is not None


def _written(permissions: object) -> list[str]:
    if isinstance(permissions, str):
        return [permissions] if permissions == "write-all" else []
    given = permissions if isinstance(permissions, Mapping) else {}
    return [f"write {key}" for key, value in given.items() if value == "write"]


def _of_a_registry(given: object) -> list[str]:
    """Return the secrets, by their names those of a registry, that variables or options are given."""
    named = dict.fromkeys(SECRET.findall(json.dumps(given, default=str)))
    return [each for each in named if OF_A_REGISTRY & set(each.upper().split("_"))]


def _goes_on(step: Step, job: Mapping[str, Any]) -> bool:
    return any(WHATEVER.search(str(each.get("if", ""))) for each in (step, job))


def _steps(workflow: Workflow, directory: Path | None = None) -> Iterator[tuple[str, Step]]:
    for name, job in (workflow.get("jobs") or {}).items():
        for step in job.get("steps") or ():
            yield name, step
            uses = str(step.get("uses", ""))
            path = _action_file(directory, directory / uses) if directory and uses.startswith("./") else None
            if path is not None:
                yield from ((name, each) for each in (_read(path).get("runs") or {}).get("steps") or ())


def fixed(command: Sequence[str]) -> list[str]:
    """Return the words of a command that nobody fills in."""
    return [each for each in command if "{" not in each]


def _is_release(step: Step, command: Sequence[str]) -> bool:
    words = " ".join(fixed(command))
    every = (" ".join(each.split()) for each in workflow_commands.lines(step))
    return bool(words) and any(words in each for each in every)


def _beside(step: Step, command: Sequence[str]) -> Step:
    """Return a step without the release: what that carries out is its own."""
    words = r"\s+".join(map(re.escape, fixed(command)))
    return {**step, "run": re.sub(words, "true", str(step.get("run", "")))} if words else step


def _pushes(step: Step) -> bool:
    action = str(step.get("uses", "")).partition("@")[0]
    options = step.get("with") or {}
    told = str(options.get("push", "")).lower() not in NO
    output = " ".join(str(options.get(each, "")) for each in ("outputs", "set"))
    by_action = action in PUSHING_ACTIONS and (told or PUSHED.search(output) is not None)
    return by_action or bool(PUSHES.search(_spoken(str(step.get("run", "")))))


def _spoken(text: str) -> str:
    """Return the text of a script with the words of a command beside each other, however they are written."""
    return LISTED.sub(" ", CONTINUED.sub(" ", text))


def _may_fail(step: Step, job: Mapping[str, Any]) -> bool:
    tolerated = (each.get("continue-on-error", False) for each in (step, job))
    harmless = str((step.get("with") or {}).get("exit-code", "1")) == "0"
    return (
        any(str(each).lower() not in NO for each in tolerated)
        or harmless
        or bool(IGNORED.search(str(step.get("run", ""))))
    )
