"""What a directory shows of a box: each fact for subject.toml with the place it comes from."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from boxproof.subject.image import dockerfile
from boxproof.subject.image.dockerfile import Recipe
from boxproof.subject.manifests.pod_specs import KINDS, pod_spec
from boxproof.subject.manifests.sources import BUILDERS, KIND, KUSTOMIZATION
from pytest_claims.faults import SubjectFault
from pytest_claims.selection import LARGEST

SKIPPED = frozenset(
    {".git", ".github", ".venv", "node_modules", "vendor", "reports", "__pycache__", "testdata"}
)
RECIPES = re.compile(r"(Docker|Container)file(\..+)?|.+\.(docker|container)file", re.IGNORECASE)
COMPOSE = re.compile(r"(docker-)?compose(\.[\w-]+)?\.ya?ml")
CLAUDE = re.compile(r"@anthropic-ai/claude-code|claude\.ai/install\.sh|CLAUDE_CODE_\w+|CLAUDE_CONFIG_DIR")
LOGIN = re.compile(r".*(TOKEN|API_KEY|APIKEY)$")
HELPERS = re.compile(r"redis|postgres|mysql|mariadb|mongo|minio|nginx|caddy|proxy|operator|controller|rabbit")
BUILT_IN = re.compile(r"^(v1|apps/v1|batch/v1|policy/v1|autoscaling/.*|[\w-]+(\.[\w-]+)*\.k8s\.io/.*)$")
ACCOUNT = re.compile(r"\b(?:useradd|adduser)\b([^&;|\n]*)")
UID = re.compile(r"(?:-u|--uid)[ =](\d+)")
HOME = re.compile(r"(?:-d|-h|--home-dir|--home)[ =](\S+)")
NAMED_VOLUME = re.compile(r"\w[\w.-]*")  # what is a path begins with . or / or ~
ACTION, FILLING = re.compile(r"\{\{.*\}\}"), re.compile(r"\"?\{\{.*?\}\}\"?")  # lines and words of a template
FILLED_IN = "filled-in"


@dataclass(frozen=True)
class Fact:
    """One line of subject.toml: where it stands, its value, and what shows it."""

    table: str
    key: str
    value: object
    source: str


@dataclass
class Detected:
    """All facts, and remarks on what a person has to say."""

    facts: list[Fact] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def add(self, name: str, value: object, source: str) -> None:
        """Note a fact, "table.key" or "key", unless it says nothing."""
        table, _, key = name.rpartition(".")
        if value not in ("", None, (), [], {}):
            self.facts.append(Fact(table, key, value, source))

    def get(self, name: str) -> object:
        """Return a fact's value, None where there is none."""
        table, _, key = name.rpartition(".")
        return next((each.value for each in self.facts if (each.table, each.key) == (table, key)), None)


@dataclass(frozen=True)
class Placed:
    """An object with the file and line it stands at."""

    item: dict[str, Any]
    path: Path
    line: int


class Directory:
    """A directory of somebody's box; paths in what it returns are relative to it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @cached_property
    def files(self) -> list[Path]:
        """Every file that may say something, the shallowest first."""
        found = []
        for top, names, files in os.walk(self.root):
            names[:] = sorted(name for name in names if name not in SKIPPED)
            found += [Path(top, name).relative_to(self.root) for name in files if _may_say(Path(top, name))]
        return sorted(found, key=lambda path: (len(path.parts), str(path)))

    @cached_property
    def charts(self) -> list[Path]:
        """The directories with a Chart.yaml, those within another one left out."""
        every = [path.parent for path in self.files if path.name == "Chart.yaml"]
        return [each for each in every if not any(other in each.parents for other in every)]

    @cached_property
    def composes(self) -> list[Path]:
        """The Compose files."""
        return [path for path in self.files if COMPOSE.fullmatch(path.name)]

    @cached_property
    def objects(self) -> list[Placed]:
        """Every object of Kubernetes in plain YAML, none of a chart's templates."""
        return [
            each
            for path in self.files
            if path.suffix in (".yaml", ".yml") and path not in self.composes
            if not any(chart in path.parents for chart in self.charts)
            for each in self._objects_in(path)
        ]

    def _objects_in(self, path: Path) -> Iterator[Placed]:
        line = 1
        for text in re.split(r"(?m)^---.*$", (self.root / path).read_text(errors="replace")):
            found = _parsed(text)
            if isinstance(found, dict) and found.get("kind") and found.get("apiVersion"):
                at = line + next(
                    (n for n, each in enumerate(text.splitlines()) if each.startswith("kind:")), 0
                )
                yield Placed(found, path, at)
            line += text.count("\n")

    def recipe(self, path: Path) -> Recipe | None:
        """Return what a Dockerfile says, None for one that cannot be read."""
        try:
            return dockerfile.parse((self.root / path).read_text(errors="replace"))
        except (SubjectFault, ValueError, StopIteration):
            return None

    def line_of(self, path: Path, word: str) -> int:
        """Return the line of the last occurrence of ``word`` at a line's start, 1 for none."""
        lines = (self.root / path).read_text(errors="replace").splitlines()
        found = [
            number for number, each in enumerate(lines, 1) if each.strip().upper().startswith(word.upper())
        ]
        return found[-1] if found else 1


def _may_say(path: Path) -> bool:
    """Return whether it is a plain file of a size that people write: no pipe, and no link to nowhere."""
    return path.is_file() and path.stat().st_size <= LARGEST


def _parsed(text: str) -> object:
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError):
        return None


def detect(root: Path) -> Detected:
    """Return what the directory shows of a box; asks nothing and makes nothing."""
    found, here = Detected(), Directory(root)
    found.add("name", re.sub(r"[^\w.-]+", "-", root.resolve().name), "the name of the directory")
    _compose(here, found)
    _recipe(here, found)
    _manifests(here, found)
    _profiles(here, found)
    return found


def _compose(here: Directory, found: Detected) -> None:
    for path in here.composes[:1]:
        written = _parsed((here.root / path).read_text(errors="replace"))
        services = written.get("services") if isinstance(written, dict) else None
        if not isinstance(services, dict) or not services:
            continue
        built = {
            name: each for name, each in services.items() if isinstance(each, dict) and each.get("build")
        }
        name = next(iter(built or services))
        found.add("compose.file", str(path), str(path))
        found.add("compose.service", str(name), f"{path}, services")
        for kept in _kept_by_name(services[name]):
            found.add("config_dir", kept, f"{path}, services.{name}.volumes")
        build = built.get(name, {}).get("build")
        build = {"context": build} if isinstance(build, str) else build or {}
        if build:
            context = os.path.normpath(path.parent / str(build.get("context", ".")))
            recipe = os.path.normpath(Path(context) / str(build.get("dockerfile", "Dockerfile")))
            if (here.root / recipe).is_file():
                found.add("image.context", context, f"{path}, services.{name}.build")
                found.add("image.dockerfile", recipe, f"{path}, services.{name}.build")
        elif services[name].get("image"):
            found.add("image.reference", str(services[name]["image"]), f"{path}, services.{name}.image")


def _kept_by_name(service: object) -> list[str]:
    """Return where a service has its first volume of a name mounted, nothing for one without."""
    every = service.get("volumes") or () if isinstance(service, dict) else ()
    told = [
        (str(each.get("source", "")), str(each.get("target", "")))
        if isinstance(each, dict)
        else (str(each).partition(":")[0], str(each).partition(":")[2].partition(":")[0])
        for each in every
    ]
    return [place for name, place in told if NAMED_VOLUME.fullmatch(name) and place.startswith("/")][:1]


def _recipe(here: Directory, found: Detected) -> None:
    known = found.get("image.dockerfile")
    every = [Path(str(known))] if known else [path for path in here.files if RECIPES.fullmatch(path.name)]
    if not every:
        return
    path = every[0]
    recipe = here.recipe(path)
    if len(every) > 1:
        found.remarks.append(f"other Dockerfiles: {', '.join(map(str, every[1:5]))}")
    if not known:
        found.facts = [each for each in found.facts if (each.table, each.key) != ("image", "reference")]
        found.add("image.context", _context(here, path, recipe), f"{path}, what it copies")
        found.add("image.dockerfile", str(path), str(path))
    found.add("image.name", str(found.get("name")).lower(), "the name of the directory")
    if recipe is not None:
        _user(here, found, path, recipe)


def _context(here: Directory, path: Path, recipe: Recipe | None) -> str:
    """Return the directory that what a Dockerfile copies is in: its own, or the top."""
    copied = [
        word
        for stage in (recipe.stages if recipe else ())
        for step in stage.steps
        if step.word in ("COPY", "ADD") and not step.image
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
    found.add("home", env.get("HOME") or (home[1] if home else guessed), f"{path}, its user")
    found.add("workdir", said.get("WORKDIR", ""), f"{path}:{here.line_of(path, 'WORKDIR')}")
    found.add("config_dir", env.get("CLAUDE_CONFIG_DIR", ""), f"{path}, ENV CLAUDE_CONFIG_DIR")


def _is_of(words: str, user: str) -> bool:
    """Return whether the words after useradd or adduser make a user, by its name or its number."""
    uid = UID.search(words)
    return words.split()[-1:] == [user] or (uid is not None and uid[1] == user)


def _manifests(here: Directory, found: Detected) -> None:
    placed = [each for each in here.objects if each.item["kind"] not in BUILDERS]
    custom = [each for each in placed if not BUILT_IN.match(each.item["apiVersion"])]
    pods = [each for each in placed if pod_spec(each.item) and each.item["kind"] in KINDS]
    agents = [each for each in pods if not HELPERS.search(str(each.item["metadata"].get("name", "")))]
    definitions = {
        each.item["spec"]["names"]["kind"]
        for each in placed
        if each.item["kind"] == "CustomResourceDefinition"
    }
    chosen = next((each for each in custom if each.item["kind"] in definitions), None)
    if chosen is None and (agents or pods):
        chosen = min(agents or pods, key=lambda each: KINDS.index(each.item["kind"]))
    if chosen is None:
        _chart(here, found, alone=True)
        return
    _sources(here, found, chosen, placed)
    _workload(found, chosen, placed, custom=chosen in custom)
    _chart(here, found, alone=False)


def _sources(here: Directory, found: Detected, chosen: Placed, placed: list[Placed]) -> None:
    """Note where the objects come from: the kustomize directory of the workload, else the files around it."""
    place = chosen.path.parent
    built = [each for each in (place, *place.parents) if _builds(here, each)]
    if built:
        found.add("manifests.kustomize", str(built[0]), f"{built[0]}/kustomization.yaml")
        others = {str(path.parent) for path in here.files if path.name in KUSTOMIZATION} - {str(built[0])}
        if others:
            told = "names may differ"
            found.remarks.append(
                f"manifests.kustomize: {', '.join(sorted(others)[:5])} can be built too ({told})"
            )
        return
    around = sorted({each.path for each in placed if each.path.parent == place})
    every = [path for path in here.files if path.parent == place and path.suffix == chosen.path.suffix]
    glob = str(place / f"*{chosen.path.suffix}")
    found.add(
        "manifests.files", [glob] if around == sorted(every) else [str(each) for each in around], str(place)
    )
    away = sorted({str(each.path.parent) for each in placed} - {str(place)})
    if away:
        found.remarks.append(f"objects elsewhere were left out: {', '.join(away)} (manifests.files)")


def _builds(here: Directory, directory: Path) -> bool:
    return any((here.root / directory / name).is_file() for name in KUSTOMIZATION)


def _workload(found: Detected, chosen: Placed, placed: list[Placed], *, custom: bool) -> None:
    where, item = f"{chosen.path}:{chosen.line}", chosen.item
    meta = item["metadata"]
    spaces = [each for each in placed if each.item["kind"] == "Namespace"]
    space = meta.get("namespace") or (spaces[0].item["metadata"]["name"] if len(spaces) == 1 else "")
    found.add("kind", item["kind"], where)
    found.add("workload", meta.get("name", ""), where)
    found.add(
        "namespace", space, where if meta.get("namespace") else str(spaces[0].path) if spaces else where
    )
    if custom:
        guess = f'pod_selector = "app.kubernetes.io/instance={meta.get("name")}"'
        told = f"an operator makes the pods of this {item['kind']}: where it is in the cluster, their labels"
        found.remarks.append(
            f"{told} say which they are ({guess}); without them the proof ends with the image"
        )
        return
    spec = pod_spec(item) or {}
    container = _agents_container(spec)
    found.add("container", container.get("name", ""), where)
    found.add("service_account", spec.get("serviceAccountName", ""), where)
    runs = (container.get("securityContext") or {}).get(
        "runAsUser", (spec.get("securityContext") or {}).get("runAsUser")
    )
    if runs is not None:
        found.facts = [each for each in found.facts if (each.table, each.key) != ("", "uid")]
        found.add("uid", runs, f"{where}, runAsUser")
    _config_dir(found, item, spec, container, where)
    _needed(
        found,
        spec,
        container,
        {each.item["metadata"]["name"] for each in placed if each.item["kind"] == "Secret"},
        where,
    )
    if found.get("image.dockerfile") is None and found.get("image.reference") is None:
        found.add("image.reference", container.get("image", ""), where)


def _agents_container(spec: dict[str, Any]) -> dict[str, Any]:
    every: list[dict[str, Any]] = spec.get("containers") or [{}]
    return next((each for each in every if not HELPERS.search(str(each.get("name", "")))), every[0])


def _config_dir(
    found: Detected, item: dict[str, Any], spec: dict[str, Any], container: dict[str, Any], where: str
) -> None:
    """Note the mount of the volume that lasts, where one is mounted and nothing named the directory yet."""
    lasting = {each["name"] for each in spec.get("volumes") or () if "persistentVolumeClaim" in each}
    lasting |= {each["metadata"]["name"] for each in item["spec"].get("volumeClaimTemplates") or ()}
    mounts = [each["mountPath"] for each in container.get("volumeMounts") or () if each["name"] in lasting]
    hidden = [each for each in mounts if "/." in each] or mounts
    if found.get("config_dir") is None and hidden:
        found.add("config_dir", hidden[0], f"{where}, the mount of its volume")


def _needed(
    found: Detected, spec: dict[str, Any], container: dict[str, Any], made: set[str], where: str
) -> None:
    """Note the login's variable, and the Secrets that users make by hand."""
    secrets: dict[str, dict[str, str]] = {}
    for each in container.get("env") or ():
        reference = (each.get("valueFrom") or {}).get("secretKeyRef") or {}
        if reference.get("name") and reference["name"] not in made and not reference.get("optional"):
            secrets.setdefault(str(reference["name"]), {})[str(reference["key"])] = "test-value"
        if LOGIN.fullmatch(each["name"]) and found.get("start.token_env") is None:
            found.add("start.token_env", each["name"], f"{where}, env")
    for each in container.get("envFrom") or ():
        name = (each.get("secretRef") or {}).get("name", "")
        if name and name not in made:
            secrets.setdefault(name, {})
    for each in spec.get("volumes") or ():
        name = (each.get("secret") or {}).get("secretName", "")
        if name and name not in made and not each["secret"].get("optional"):
            secrets.setdefault(name, {}).setdefault("token", "test-value")
    found.add("start.secrets", secrets, f"{where}, Secrets that no file makes")


def _chart(here: Directory, found: Detected, *, alone: bool) -> None:
    if not here.charts:
        return
    chart = here.charts[0]
    found.add("chart.directory", str(chart), f"{chart}/Chart.yaml")
    if not alone:
        return
    templates = [path for path in here.files if chart / "templates" in path.parents]
    kinds = [
        (kind, path)
        for path in templates
        for kind in KIND.findall((here.root / path).read_text(errors="replace"))
    ]
    workloads = [(kind, path) for kind, path in kinds if kind in KINDS[:3]]
    if len({kind for kind, _ in workloads}) == 1:
        kind, path = workloads[0]
        found.add("kind", kind, str(path))
        template = _untemplated((here.root / path).read_text(errors="replace"), kind)
        if template:
            _of_template(found, template, str(path))


def _untemplated(text: str, kind: str) -> dict[str, Any]:
    """Return a chart's workload with ``FILLED_IN`` where values go, {} where no YAML is left."""
    lines = [each for each in text.splitlines() if not ACTION.fullmatch(each.strip())]
    for part in re.split(r"(?m)^---.*$", FILLING.sub(FILLED_IN, "\n".join(lines))):
        found = _parsed(part)
        if isinstance(found, dict) and found.get("kind") == kind and pod_spec(found):
            return found
    return {}


def _of_template(found: Detected, item: dict[str, Any], where: str) -> None:
    """Note what a chart's workload says whatever its values are."""
    spec = pod_spec(item) or {}
    container = _agents_container(spec)
    said = Detected(list(found.facts))
    said.add("container", container.get("name", ""), where)
    said.add("service_account", spec.get("serviceAccountName", ""), where)
    _config_dir(said, item, spec, container, where)
    _needed(said, spec, container, set(), where)
    found.facts += [each for each in said.facts[len(found.facts) :] if FILLED_IN not in str(each.value)]


def _profiles(here: Directory, found: Detected) -> None:
    named = [str(each) for each in (found.get("image.dockerfile"),) if each]
    shown = [(Path(name), CLAUDE.search((here.root / name).read_text(errors="replace"))) for name in named]
    shown += [(each.path, CLAUDE.search(str(each.item))) for each in here.objects]
    for path, match in shown:
        if match:
            found.add("profiles", ["claude-code"], f"{path}: {match[0]}")
            return
    found.remarks.append(
        'profiles: nothing shows Claude Code; its claims are not applicable (profiles = ["claude-code"])'
    )
