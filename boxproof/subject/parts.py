"""What a subject has and what it lacks: a claim that needs what is not there is not applicable.

Also which areas of claims a changed file of it touches.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from boxproof.subject.image import build_contexts, dockerfile
from boxproof.subject.image.dockerfile import Recipe
from boxproof.subject.manifests import compose_file, pod_specs, shipped, sources
from boxproof.subject.manifests.pod_specs import pod_spec
from boxproof.subject.manifests.starting import repository
from boxproof.subject.model import Subject
from boxproof.subject.supply_chain import package_lock
from pytest_claims.faults import SubjectFault
from pytest_claims.selection import short

Objects = Sequence[Mapping[str, Any]]
PROFILES = {
    "claude-code": "its CLI is not Claude Code",
    "box": "its start, modes and programs are not those of claude-in-a-box",
}
KINDS = {
    "policy": ("NetworkPolicy",),
    "configmap": ("ConfigMap",),
    "rights": ("RoleBinding", "ClusterRoleBinding"),
    "statefulset": ("StatefulSet",),
}
COMMANDS = ("run", "load", "capture", "private", "test", "scan", "release", "up", "preflight", "build",
            "deploy", "prune", "down", "stale", "mend", "rotate")  # fmt: skip
TIERS = ("operator", "netraw", "multicluster", "netadmin", "served", "ptrace", "namespaced", "watch")
APT = re.compile(r"\bapt(-get)?\s+(-\S+\s+)*install\b")
INSTALLS = re.compile(
    r"\b((apt(-get)?|dnf|microdnf|yum|npm|pip3?|go|cargo|gem|brew)(\s+-\S+)*\s+(install|ci)|apk(\s+-\S+)*\s+add|curl|wget"
    r"|(dnf5|tdnf|zypper|conda|mamba)(\s+-\S+)*\s+(install|in)|pacman(\s+-\S+)*\s+-S\w*"
    r"|(npm|yarn|pnpm|bun|pipx|uv)(\s+[\w-]+)*\s+(i|add|install)|git(\s+-\S+)*\s+clone|ADD(\s+--\S+)*\s+https?:)\b"
)
SYSTEMS = ("alpine", "debian", "fedora", "ubuntu")  # images that are a distribution and no more
PLACE = re.compile(r"(?m)^\s*namespace:(?!.*\.Release\.Namespace)\s*\S")  # that one is the user's choice
WORKFLOWS = (".github/workflows", ".forgejo/workflows", ".gitea/workflows")
NOWHERE = Path("/nonexistent")
NOT_DEPLOYED = "it has neither manifests of a workload nor a Compose file"
VOLUMES = ("persistentVolumeClaim", "ephemeral")
IMAGE = ("IMG", "ENT", "SIZE", "TOOL", "ISO")
PROGRAMS = ("ENT", "AUTH", "PROBE", "ISO")
KINDS_OF_AREA = {  # kind of an object in a changed manifest -> areas
    "NetworkPolicy": ("NET",),
    "ClusterRole": ("RBAC",),
    "ClusterRoleBinding": ("RBAC",),
    "Role": ("RBAC",),
    "RoleBinding": ("RBAC",),
    "ServiceAccount": ("RBAC",),
    "ConfigMap": ("ENT", "PROBE"),
    "Secret": ("SEC", "AUTH"),
    "PersistentVolumeClaim": ("PVC",),
    "StatefulSet": ("ENT", "KIND", "PVC", "PROBE", "RES", "ISO"),
    "Deployment": ("RES", "ISO"),
    "Namespace": ("KIND", "ISO"),
}
EVERYTHING_APPLIED = ("KIND", "RBAC", "NET", "PVC", "RES", "HELM", "ISO")


def known() -> frozenset[str]:
    """Return the names of all parts that a claim may need."""
    return frozenset(name for name, _, _ in _written(Subject(directory=NOWHERE, name="none"), None))


def absent(subject: Subject, objects: Objects | None = None) -> dict[str, str]:
    """Return the parts that ``subject`` does not have, each with the reason as the report says it.

    Without the rendered ``objects`` the kinds are those that stand in its files: what a template leaves out
    is known only after rendering.
    """
    return {name: why for name, there, why in _written(subject, objects) if not there}


def _written(subject: Subject, objects: Objects | None) -> Iterator[tuple[str, bool, str]]:
    """Give each part, whether it is there, and why not."""
    for name, told in PROFILES.items():
        yield name, name in subject.profiles, f"{told} (profiles)"
    parts = [*_of_image(subject), *_of_manifests(subject, sources.kinds(subject, objects), objects or ())]
    yield from parts
    started = any(there for name, there, _ in parts if name in ("image", "workload"))
    yield "started", started, "nothing says what is started: it has no image, and no pod that is known"
    for name in COMMANDS:
        yield (
            f"command:{name}",
            bool(getattr(subject.commands, name)),
            f"it documents no command for it (commands.{name})",
        )
    yield "command:recovery", bool(subject.commands.recovery), "it documents no recovery (commands.recovery)"
    for name in TIERS:
        yield f"tier:{name}", bool(subject.tiers.get(name)), f"it has no tier {name} (tiers)"
    yield "plain-start", "box" not in subject.profiles, "how it starts is proven mode by mode (profiles)"
    yield from _of_a_machine(subject)
    named = {
        "compose": (subject.compose.file, "it has no Compose file (compose.file)"),
        "compose-socket": (subject.compose.socket, _no_socket(subject)),
        "sandbox": (subject.sandbox.command, "it has no sandbox (sandbox.command)"),
        "mcp": (subject.mcp.config, "it names no MCP servers (mcp.config)"),
        "skill": (subject.mcp.skill, "it names no skill of its tools (mcp.skill)"),
        "clone": (subject.config_clone.component, "nothing clones its configuration (config_clone)"),
        "storage": (subject.storage.component, "no volume outlives its claim (storage.component)"),
        "workflows": (any(map(subject.path, WORKFLOWS)), "it has no workflows (.github/workflows)"),
        "package-lock": (_is_locked(subject), f"it has no {package_lock.LOCK}"),
        "recorded-size": (subject.budgets.recorded_bytes, "no size is recorded (budgets.recorded_bytes)"),
        "facts": (subject.facts, "it lists no facts its documents state (facts)"),
        "golden": (subject.roles.golden, "it keeps no reviewed list of rights (roles.golden)"),
        "config-dir": (subject.config_dir, "it names no directory that keeps state (config_dir)"),
        "token": (subject.start.token_env or "box" in subject.profiles, "it has no login (start.token_env)"),
    }  # fmt: skip
    for name, (value, why) in named.items():
        yield name, bool(value), why


def _of_a_machine(subject: Subject) -> Iterator[tuple[str, bool, str]]:
    """Give whether it says a way to start it where there is no cluster."""
    found = subject.compose.file or subject.commands.run or shipped.development(subject)
    lacks = "it says no way to start it without a cluster (compose.file, commands.run, devcontainer.json)"
    yield "without-cluster", bool(found), lacks


def _is_locked(subject: Subject) -> bool:
    """Return whether a lock holds its packages; the harness's own box is held to have one."""
    context = subject.path(subject.image.context)
    return "box" in subject.profiles or (context is not None and (context / package_lock.LOCK).is_file())


def _no_socket(subject: Subject) -> str:
    """Return why no file offers the engine's socket on request: a service that has it unasked offers none."""
    path = subject.path(subject.compose.file)
    services = compose_file.services(path) if path is not None else {}
    given = compose_file.engine_socket(services.get(subject.compose.service) or {})
    if given:
        return f"its service has the engine's socket unasked ({given}), and no file adds it (compose.socket)"
    return "it offers no engine's socket (compose.socket)"


def demand_named(subject: Subject) -> None:
    """Raise SubjectFault for what subject.toml names and its files lack: an object, a stage, a service."""
    build_contexts.demand(subject)
    dockerfile.demand_stage(subject)
    package_lock.demand_whole(subject.directory / subject.image.context)
    compose_file.demand_service(subject)
    if subject.source == "files":
        pod_specs.demand_named(sources.literal(subject), subject)
    for where, name, needed in (
        ("manifests.kustomize", subject.manifests.kustomize, sources.KUSTOMIZATION),
        ("chart.directory", subject.chart.directory, (shipped.CHART,)),
    ):
        if name and not any((subject.directory / name / each).is_file() for each in needed):
            raise SubjectFault(
                f"{where}={short(name)!r} has no {needed[0]}", hint="name the directory that has"
            )


def _of_image(subject: Subject) -> Iterator[tuple[str, bool, str]]:
    about = subject.image
    path = subject.path(about.dockerfile) if not about.reference else None
    text = dockerfile.text_of(path) if path is not None and path.is_file() else ""
    recipe = dockerfile.read(text, about.args, about.target, about.contexts) if text else None
    windows = recipe is not None and dockerfile.is_for_windows(recipe)
    text = "" if windows else text
    why = "its image is given by reference" if subject.image.reference else "it has no Dockerfile"
    why = "its image is one of Windows, which nothing here can start" if windows else why
    lacks = why if windows else "it has no image: neither Dockerfile nor reference"
    yield "image", bool(text or subject.image.reference), lacks
    yield "dockerfile", bool(text), f"{why} (image.dockerfile)"
    for name, there, lacks in _of_recipe(text, recipe):
        yield name, there, lacks if text else f"{why} (image.dockerfile)"
    tools = subject.path(subject.image.tools) is not None
    yield "tools", tools, "it has no list of its tools (image.tools)"
    yield (
        "entrypoints",
        bool(subject.image.entrypoints),
        "it names no script that starts it (image.entrypoints)",
    )
    lock = (subject.directory / subject.image.context / "packages.lock").is_file()
    yield "lock", lock, "its packages are not locked (packages.lock in image.context)"


def _of_recipe(text: str, recipe: Recipe | None) -> Iterator[tuple[str, bool, str]]:
    """Give what a Dockerfile may have."""
    lines = text.replace("\\\n", " ")
    yield "apt", bool(APT.search(lines)), "its Dockerfile installs nothing with apt"
    yield "installs", bool(INSTALLS.search(lines)), "its Dockerfile installs nothing"
    own = recipe is not None and _name(recipe.line[0].base) in SYSTEMS
    yield "system-base", own, "its base is no distribution's own image"
    yield "stages", len(re.findall(r"(?im)^\s*FROM\s", text)) > 1, "its Dockerfile has a single stage"


def _name(image: str) -> str:
    """Return the name of an image without the registry that everybody means, tag and digest."""
    return repository(image).removeprefix("docker.io/").removeprefix("library/")


def _of_manifests(
    subject: Subject, kinds: frozenset[str], objects: Objects
) -> Iterator[tuple[str, bool, str]]:
    written = sources.literal(subject) if subject.source == "files" else []  # rendered ones were placed by us
    pods = bool(kinds & set(sources.WORKLOADS))
    workloads = pods and not _is_custom(subject)  # beside a custom resource they are its operator's
    held = _holds_template(subject, objects or written)
    templated = held or (workloads and not subject.pod_selector)
    yield from _of_pod(subject, is_known=workloads or bool(subject.pod_selector), templated=templated)
    yield "deployed", pods or templated or bool(subject.compose.file or subject.pod_selector), NOT_DEPLOYED
    told = objects or (written if templated else ())
    proxied = "box" in subject.profiles or "https_proxy" in json.dumps(told, default=str).lower()
    yield "proxy", proxied, "its agent is told of no proxy"
    for name, wanted in KINDS.items():
        other = name == "statefulset" and subject.kind not in ("", *wanted)
        why = (
            f"its agent is a {subject.kind} (kind)"
            if other
            else f"its manifests hold no {' or '.join(wanted)}"
        )
        yield name, bool(kinds & set(wanted)) and not other, why
    claimed = bool(kinds & {"PersistentVolumeClaim", "StatefulSet"}) or any(map(_claims, written))
    if objects:
        claimed = any(_claims(each) for each in objects)
    yield "volume", claimed, "its pod has no volume that lasts"
    own = any((pod_spec(each) or {}).get("serviceAccountName") for each in objects) if objects else True
    yield "account", own and "ServiceAccount" in kinds, "its manifests hold no ServiceAccount"
    spaced = not written or any((each.get("metadata") or {}).get("namespace") for each in written)
    if subject.source == "chart":
        spaced = any(PLACE.search(path.read_text(errors="replace")) for path in sources.templates(subject))
    yield "namespace", spaced and bool(kinds), "its objects name no namespace: whoever applies them chooses"
    kustomize, scripts = subject.manifests.components, subject.manifests.node_scripts
    yield (
        "components",
        subject.source == "base" and subject.path(kustomize) is not None,
        "it has no components (manifests.components)",
    )
    cilium = bool(kustomize) and subject.path(f"{kustomize}/cilium") is not None
    yield "cilium", cilium, "it has no policy for Cilium"
    yield "node-scripts", bool(scripts), "it has no scripts for a node (manifests.node_scripts)"
    yield "node-tools", bool(subject.manifests.node_tools), "it has no pod for a node (manifests.node_tools)"
    yield "chart", bool(subject.chart.directory), "it has no chart (chart.directory)"
    yield "fleet", bool(subject.chart.fleet), "its chart is not for several agents (chart.fleet)"
    both = bool(subject.chart.directory) and subject.source != "chart"
    yield "chart-beside", both, "there are no manifests beside a chart to compare"


def _is_custom(subject: Subject) -> bool:
    return subject.kind not in ("", *sources.WORKLOADS)


def _holds_template(subject: Subject, objects: Objects) -> bool:
    """Return whether a custom resource, of which an operator makes the agent's pods, says all of these."""
    own = (pod_spec(each) or {} for each in objects if each["kind"] == subject.kind)
    return _is_custom(subject) and any(each.get("containers") for each in own)


def _of_pod(subject: Subject, *, is_known: bool, templated: bool) -> Iterator[tuple[str, bool, str]]:
    """Give what depends on the agent's pod: whether a cluster shows it, and whether its template stands."""
    lacks = "it has no manifests of a workload"
    if _is_custom(subject):
        lacks = (
            f"an operator makes the pods of its {subject.kind}: nothing says which these are (pod_selector)"
        )
    yield "workload", is_known, lacks
    yield "pod", is_known or templated, lacks
    yield "no-workload", not is_known, "its manifests say as whom it runs: that is proven in its pod"
    kept = bool(subject.uid) or is_known
    yield "file-modes", kept, "no mode keeps root from a file: it is tried (uid)"
    operated = _is_custom(subject) or bool(subject.pod_selector)
    unread = "an operator makes its pod: no manifest holds its template"
    yield "template", templated, unread if operated else lacks
    alone = not subject.tiers and templated  # what stands there is the only tier
    yield "default-tier", "default" in subject.tiers or alone, "it declares no default tier (tiers.default)"


def _claims(manifest: Mapping[str, Any]) -> bool:
    spec = pod_spec(manifest) or {}
    mounted = any(set(each) & set(VOLUMES) for each in spec.get("volumes") or ())
    return mounted or bool((manifest.get("spec") or {}).get("volumeClaimTemplates"))


def areas(subject: Subject, paths: Iterable[Path]) -> tuple[str, ...]:
    """Return the areas that the changed ``paths`` touch, each once; () for what is no part of the subject."""
    found: dict[str, None] = {}
    for path in paths:
        found |= dict.fromkeys(_areas_of(subject, path))
    return tuple(found)


def watched(subject: Subject) -> tuple[Path, ...]:
    """Return the files and directories of the subject whose edits count."""
    parts = (subject.image.context, subject.manifests.base, subject.manifests.components, "subject.toml")
    return tuple(found for each in parts if (found := subject.path(each)))


def _areas_of(subject: Subject, path: Path) -> tuple[str, ...]:
    directory = subject.directory.resolve()
    inside = path.resolve()
    if inside == directory / "subject.toml":
        return (*IMAGE, *PROGRAMS, *EVERYTHING_APPLIED)
    if inside.is_relative_to(directory / subject.image.context):
        where = inside.relative_to(directory / subject.image.context)
        return PROGRAMS if where.parts[0] == "rootfs" else IMAGE
    named = (subject.manifests.base, subject.manifests.components)
    manifests = [directory / each for each in named if each]
    if any(inside.is_relative_to(each) for each in manifests):
        return _areas_of_manifest(inside)
    return ()


def _areas_of_manifest(path: Path) -> tuple[str, ...]:
    try:
        kinds = [each.get("kind", "") for each in yaml.safe_load_all(path.read_text()) if each]
    except (OSError, AttributeError, yaml.YAMLError):  # gone, or not what it will be when it is saved again
        return EVERYTHING_APPLIED
    if not kinds or not set(kinds) <= set(KINDS_OF_AREA):
        return EVERYTHING_APPLIED
    return tuple(area for kind in kinds for area in KINDS_OF_AREA[kind])
