"""GitHub workflows: which steps publish, and which may fail without consequences."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from boxproof.subject.manifests.pod_specs import is_floating
from pytest_claims.faults import SubjectFault
from suites.ci import workflow_images

Workflow = Mapping[str, Any]
Step = Mapping[str, Any]
PUSHES = re.compile(
    r"\b((docker|podman|nerdctl|buildah|finch) (image |manifest |compose )?push|docker-compose push"
    r"|buildx (build|bake) [^\n]*(--push|type=registry|push=true)"
    r"|docker build [^\n]*(--push|type=registry)"
    r"|imagetools create|helm push|crane (push|append|copy|cp|mutate)|oras (push|cp|copy)"
    r"|skopeo (copy|sync)|regctl image (copy|import)|ko (build|publish|resolve|apply)|jib:build"
    r"|kaniko/executor)\b"
)
PUSHING_ACTIONS = (
    "docker/build-push-action", "docker/bake-action", "redhat-actions/push-to-registry",
    "elgohr/publish-docker", "depot/build-push-action", "depot/bake-action",
)  # fmt: skip
OUTPUT = re.compile(r"\bpush=true\b|\btype=registry\b")  # by which a builder pushes what it has made
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
)
LOCAL = re.compile(
    r"(?:^|[\s;&|])(?:(?:ba|da)?sh\s+|source\s+|\.\s+)?(\.?/?[\w./-]+\.(?:sh|py|bash)|\./[\w./-]+)"
)
MAKE = re.compile(r"\bmake\b((?:\s+[\w-]+)+)")
COMMIT = re.compile(r"@[0-9a-f]{40}$")
IMAGE_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
LOGINS = re.compile(r"\b(docker|podman|helm registry|crane auth|oras|skopeo|buildah) login\b")
LOGIN_ACTIONS = ("docker/login-action", "aws-actions/amazon-ecr-login", "redhat-actions/podman-login")
CHECKOUT = "actions/checkout"
SCANNERS = re.compile(r"trivy|grype|scan-action")
IGNORED = re.compile(r"\|\|\s*(true|:|exit 0|echo\b)|;\s*(true|:|exit 0)\s*$|set \+e", re.MULTILINE)
WHATEVER = re.compile(r"\b(always|failure|cancelled)\(\)")  # a step or job that goes on after a failure
NO = ("", "0", "false", "none")


def load(directory: Path) -> dict[str, Workflow]:
    """Return the workflows of a directory by file name; raises SubjectFault for one that is no YAML."""
    found: dict[str, Workflow] = {}
    for path in sorted((directory / ".github" / "workflows").glob("*.y*ml")):
        found[path.name] = _read(path)
    return found


def _read(path: Path) -> dict[str, Any]:
    """Return the content of a file; raises SubjectFault for one that is no YAML."""
    try:
        return yaml.safe_load(path.read_text()) or {}
    except yaml.YAMLError as error:
        raise SubjectFault(f"{path.name}: {error}") from error


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
    """Return whether a step runs the release."""
    return any(_is_release(each, command) for _, each in _steps(workflow))


def around(workflow: Workflow, command: Sequence[str], directory: Path | None = None) -> list[str]:
    """Return the steps that publish beside the release, or let it or a scan fail without consequences.

    What a step carries out of the ``directory``, a script, a Makefile's target or an action, is read too.
    """
    found = []
    for job, step in _steps(workflow, directory):
        name = f"{job}: {step.get('name') or step.get('uses') or str(step.get('run', '')).splitlines()[0]}"
        gate = _is_release(step, command) or SCANNERS.search(
            str(step.get("uses", "")) + str(step.get("run", ""))
        )
        if _pushes(step) or PUSHES.search(called(step, directory)):
            found.append(f"{name}: pushes by itself")
        if gate and _may_fail(step, workflow["jobs"][job]):
            found.append(f"{name}: may fail without consequences")
        if _is_release(step, command) and _goes_on(step, workflow["jobs"][job]):
            found.append(f"{name}: goes on after what failed before it")
    return found


def called(step: Step, directory: Path | None) -> str:
    """Return the text of the scripts and targets of the directory that a step runs, "" for none."""
    if directory is None:
        return ""
    run = str(step.get("run", ""))
    paths = {each.removeprefix("./") for each in LOCAL.findall(run)}
    texts = [(directory / each).read_text(errors="replace") for each in paths if (directory / each).is_file()]
    names = ("Makefile", "makefile")
    targets = {target for each in MAKE.findall(run) for target in each.split()}
    for makefile in (directory / each for each in names if targets and (directory / each).is_file()):
        for target in targets:
            pattern = rf"^{re.escape(target)}\s*:.*\n((?:\t.*\n?)*)"
            texts += re.findall(pattern, makefile.read_text(), re.MULTILINE)
    return "\n".join(texts)


def loose(workflow: Workflow) -> list[str]:
    """Return the actions and images of a workflow that can come to be other ones: no commit, no fixed tag."""
    found = []
    for name, job in (workflow.get("jobs") or {}).items():
        uses = [job.get("uses", ""), *(each.get("uses", "") for each in job.get("steps") or ())]
        for each in filter(None, uses):
            fixed = IMAGE_DIGEST if each.startswith("docker://") else COMMIT
            if not each.startswith("./") and not fixed.search(each):
                found.append(f"{name}: {each}")
        found += [f"{name}: {each}" for each in workflow_images.named(job) if is_floating(each)]
    return found


def exposed(workflow: Workflow, command: Sequence[str]) -> list[str]:
    """Return what hands credentials to steps that need none.

    A checkout that leaves the token behind, a login or the right to write in a job that does not release, and
    rights that nobody named.
    """
    found = [] if _names_rights(workflow) else ["no permissions are named: those of the repository hold"]
    found += [f"the workflow may {each}" for each in _written(workflow.get("permissions"))]
    for name, job in (workflow.get("jobs") or {}).items():
        steps = job.get("steps") or ()
        # without a documented release, the job that publishes is the one that pushes, or makes a release
        publishes = any(_is_release(each, command) if command else _publishes(each) for each in steps)
        publishes = publishes or (not command and bool(job.get("uses")))  # what that does it says itself
        if not publishes:
            found += [f"{name} may {each}" for each in _written(job.get("permissions"))]
        for step in steps:
            action = str(step.get("uses", "")).partition("@")[0]
            if (
                action == CHECKOUT
                and str((step.get("with") or {}).get("persist-credentials", "")).lower() != "false"
            ):
                found.append(f"{name}: a checkout leaves its token behind")
            if not publishes and (action in LOGIN_ACTIONS or LOGINS.search(str(step.get("run", "")))):
                found.append(f"{name}: logs in and does not publish")
    return found


def _names_rights(workflow: Workflow) -> bool:
    """Return whether a workflow or each of its jobs names its rights; one that is called has its caller's."""
    jobs = (workflow.get("jobs") or {}).values()
    told: dict[object, Any] = {key: each for key, each in workflow.items()}  # noqa: C416
    begins = told.get("on", told.get(True))  # YAML takes "on" for true
    called = [begins] if isinstance(begins, str) else list(begins or ())
    return (
        "permissions" in workflow
        or (bool(jobs) and all("permissions" in each for each in jobs))
        or called == ["workflow_call"]
    )


def _publishes(step: Step) -> bool:
    """Return whether a step publishes an image, a package, a page or a release."""
    action = str(step.get("uses", "")).partition("@")[0]
    return _pushes(step) or action in PUBLISHING_ACTIONS or bool(RELEASES.search(str(step.get("run", ""))))


def _written(permissions: object) -> list[str]:
    if isinstance(permissions, str):
        return [permissions] if permissions == "write-all" else []
    given = permissions if isinstance(permissions, Mapping) else {}
    return [f"write {key}" for key, value in given.items() if value == "write"]


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


def _is_release(step: Step, command: Sequence[str]) -> bool:
    fixed = [each for each in command if "{" not in each]
    return bool(fixed) and " ".join(fixed) in " ".join(str(step.get("run", "")).split())


def _pushes(step: Step) -> bool:
    action = str(step.get("uses", "")).partition("@")[0]
    options = step.get("with") or {}
    told = f"{options.get('outputs', '')} {options.get('set', '')}"
    pushed = str(options.get("push", "")).lower() not in NO or bool(OUTPUT.search(told))
    by_action = action in PUSHING_ACTIONS and pushed
    return by_action or bool(PUSHES.search(str(step.get("run", ""))))


def _may_fail(step: Step, job: Mapping[str, Any]) -> bool:
    tolerated = (each.get("continue-on-error", False) for each in (step, job))
    harmless = str((step.get("with") or {}).get("exit-code", "1")) == "0"
    return (
        any(str(each).lower() not in NO for each in tolerated)
        or harmless
        or bool(IGNORED.search(str(step.get("run", ""))))
    )
