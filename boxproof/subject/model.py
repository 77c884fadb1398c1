"""The subject as its ``subject.toml`` describes it: everything a suite knows about a box comes from here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from boxproof.core.typed_values import IMAGE, IMAGE_NAME
from boxproof.subject import word_places
from pytest_claims.faults import UsageError, mistakes, nearest
from pytest_claims.selection import exists, is_directory, is_file, read_toml, short, there

FILE = "subject.toml"
FILES = {  # what names a file of the subject, or files, by table
    "": ("facts",),
    "image": ("dockerfile", "tools", "entrypoints"),
    "manifests": ("node_tools",),
    "chart": ("rules", "values", "fleet", "applicationset"),
    "compose": ("file", "socket"),
    "storage": ("pod",),
}
DIRECTORIES = {  # and what names a directory
    "image": ("context",),
    "manifests": ("kustomize", "base", "components", "node_scripts"),
    "chart": ("directory",),
    "roles": ("golden",),
}
Whole = Annotated[int, Field(strict=True, ge=0)]
LABEL = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
Label = Annotated[str, Field(pattern=LABEL)]
HIGHEST_UID = (1 << 32) - 2


def _seen(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must be one line of characters that are seen")
    return text


def _command(words: tuple[str, ...]) -> tuple[str, ...]:
    if words and (not words[0].strip() or any("\0" in each for each in words)):
        raise ValueError("must be a list of words, a program the first of them")
    return words


def _like(form: str, told: str) -> AfterValidator:
    """Return a validator that takes text of a form, and says of any other what it must be."""

    def checked(text: str) -> str:
        if not re.fullmatch(form, text):
            raise ValueError(f"must be {told}")
        return text

    return AfterValidator(checked)


SUBDOMAIN = r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*"
OBJECT = "the name of an object: lower-case letters, digits, dashes and dots"
KEY = r"([a-z0-9.-]+/)?[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?"
VALUE = r"([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?"
TERM = rf" *(!?{KEY}|{KEY} *(==?|!=) *{VALUE}|{KEY} +(in|notin) +\([^()]*\)) *"
PRINTED = "[ -<>-~]"  # what a variable's name may have in it
Shown = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_seen)]  # at the head of reports
# What may be left out may be "" too.
Kind = Annotated[str, _like("([A-Za-z][A-Za-z0-9]{0,62})?", "a kind of object, for example StatefulSet")]
Name = Annotated[str, _like(f"({SUBDOMAIN})?", OBJECT)]
ContainerName = Annotated[
    str, _like(f"({LABEL.strip('^$')})?", "at most 63 lower-case letters, digits and dashes")
]
Labels = Annotated[str, _like(f"({TERM}(,{TERM})*)?", "labels as kubectl takes them, for example app=agent")]
Place = Annotated[str, _like(r"(/|[A-Za-z]:[\\/])[^\0-\x1f]*", "an absolute path in the box")]
SomePlace = Annotated[str, _like(r"((/|[A-Za-z]:[\\/])[^\0-\x1f]*)?", "an absolute path in the box")]
BelowHome = Annotated[str, _like(r"(?!/)(?!(.*/)?\.\.(/|$))[^\0-\x1f]+", "a path below the home, without ..")]
Variable = Annotated[str, _like(f"{PRINTED}+", "the name of a variable")]
SomeVariable = Annotated[str, _like(f"{PRINTED}*", "the name of a variable")]
SecretName = Annotated[str, _like(SUBDOMAIN, OBJECT)]
SecretKey = Annotated[str, _like("[A-Za-z0-9._-]{1,253}", "letters, digits, dots, dashes and underscores")]
BuildName = Annotated[str, _like(r"[^\s=]+", "a name without spaces and =")]
Image = Annotated[str, _like(f"({IMAGE})?", "the name of an image, for example ghcr.io/example/agent:1.2")]
ImageName = Annotated[str, _like(IMAGE_NAME, "the name of an image without a tag, in lower case")]
Settled = Annotated[str, _like(r"(?s).*\S.*", "ready, running, or a text of the log")]
Mode = Annotated[str, _like(r"\S+", "a word")]
Command = Annotated[tuple[str, ...], AfterValidator(_command)]


class Part(BaseModel):
    """Base of all parts: a name the schema does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ImagePart(Part):
    """The image recipe; paths are relative to the subject.

    ``reference`` is an image that exists, in the place of a recipe. ``target`` is the stage that is built,
    the last one without it. ``contexts`` are build contexts by their names: directories, addresses, and
    images as "docker-image://NAME".
    """

    name: ImageName = "box"
    reference: Image = ""
    context: str = "image"
    dockerfile: str = "image/Dockerfile"
    tools: str = ""
    cli: SomePlace = "/usr/local/bin/claude"
    entrypoints: tuple[str, ...] = ()
    args: dict[BuildName, str] = Field(default_factory=dict)
    contexts: dict[BuildName, str] = Field(default_factory=dict)
    target: str = ""
    base: Image = ""


class ManifestsPart(Part):
    """Where the objects come from: plain ``files`` (paths and globs), or a kustomize directory.

    ``kustomize`` is built in place, whatever it refers to; of ``base`` a copy is built together with the
    ``components`` that a check asks for. ``node_tools`` is the pod that runs the box's tools on a node,
    ``node_scripts`` the directory of what is run in it: enter.sh, remove.sh, oom.sh and trace.sh.
    """

    files: tuple[str, ...] = ()
    kustomize: str = ""
    base: str = "manifests/base"
    components: str = "manifests/components"
    node_tools: str = ""
    node_scripts: str = ""


class ChartPart(Part):
    """The Helm chart; ``rules`` says how its templates are made of the manifests.

    Helm's options for what a user would choose: ``components`` in the place of each kustomize component
    (``{files}`` is a directory with what users put beside it, ``{subject}`` the subject's), ``image`` for
    ``{name}`` and ``{tag}``, and ``agent`` for an agent ``{name}`` beside others. ``fleet`` is a values file
    of several agents, ``applicationset`` the same for Argo CD. Where there are no other manifests the chart
    is the source of the objects, with its ``values`` files and the options ``options``.
    """

    directory: str = ""
    rules: str = ""
    values: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    image: tuple[str, ...] = ()
    agent: tuple[str, ...] = ()
    components: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    fleet: str = ""
    applicationset: str = ""


class ComposePart(Part):
    """The Compose file and its service; ``socket`` is the file that adds the engine's socket.

    ``uses_socket`` is a command of the box that lists the engine's containers, ``documented`` the page on it.
    The image is told as CLAUDE_IMAGE, the socket and its group as DOCKER_SOCKET and DOCKER_GID.
    """

    file: str = ""
    service: str = ""
    socket: str = ""
    documented: str = ""
    uses_socket: tuple[str, ...] = ()


class Mcp(Part):
    """The MCP servers of every session: the file in the box that names them, the cluster's name in it.

    ``skill`` is the file, in the box, of the skill made of the tool list.
    """

    config: SomePlace = ""
    server: str = "kubernetes"
    skill: SomePlace = ""


class ConfigClone(Part):
    """The component whose init container clones the configuration out of a private repository.

    ``secret`` names the Secret with the keys repository, token, ca.crt and credentials.json; ``directory`` is
    where the clone is in the init ``container``.
    """

    component: str = ""
    container: ContainerName = ""
    secret: Name = ""
    directory: SomePlace = ""


class SandboxPart(Part):
    """The launcher of a sandbox on a person's own machine; its commands are run as an ordinary user.

    ``{python}`` is a Python and ``{subject}`` the subject's directory. ``tier`` chooses one of ``tiers``,
    ``profile`` a profile ``{name}``, ``yes`` answers for the user, ``execute`` comes before a command that
    takes the CLI's place and ``arguments`` before the CLI's own; ``state`` is where it keeps its things
    below the home.
    """

    command: Command = ()
    tiers: tuple[str, ...] = ("full", "internet", "offline")
    tier: tuple[str, ...] = ("--network", "{tier}")
    profile: tuple[str, ...] = ("--profile", "{name}")
    yes: tuple[str, ...] = ("--yes",)
    force: tuple[str, ...] = ("--force",)
    dry_run: tuple[str, ...] = ("--dry-run",)
    instance: tuple[str, ...] = ("--print-instance",)
    execute: tuple[str, ...] = ("--exec", "--")
    arguments: tuple[str, ...] = ("--",)
    repair: tuple[str, ...] = ("repair",)
    link: tuple[str, ...] = ("auth", "link")
    state: BelowHome = ".claudebox"


class Storage(Part):
    """The component with which the agent's volume outlives its claim, and a manifest of a pod on it."""

    component: str = ""
    pod: str = ""


class Roles(Part):
    """``golden`` is a directory with what each tier may do, reviewed."""

    golden: str = ""


class Budgets(Part):
    """Upper bounds in bytes, of use where they are tighter than the claims' own, which are the defaults.

    ``recorded_bytes`` is no bound but what the last accepted build took, compressed; 0 is not recorded.
    """

    compressed_bytes: Whole = 2_000_000_000
    layer_bytes: Whole = 500_000_000
    wasted_bytes: Whole = 20_000_000
    context_bytes: Whole = 5_000_000
    recorded_bytes: Whole = 0


class Commands(Part):
    """Commands the subject documents; ``{image}``, ``{cluster}`` and the like are filled in.

    ``tag`` prints the tag its build gives the image; without one the build names it by its content.
    ``capture`` puts a debugging container into the agent's pod that captures its packets.
    ``private`` builds the image with a dependency that asks for a password.
    ``test`` proves the box, ``scan`` scans its image, ``release`` does both and publishes to ``{registry}``;
    they are run in the subject's directory and end with the exit codes of this harness.
    ``prune`` keeps the builder's cache within a bound that stands in it.
    ``run`` starts it without a cluster: "docker", "run" and options that end before the image.
    ``up``, ``build``, ``deploy`` and ``down`` are the steps from a machine to a running agent and back;
    ``preflight`` says beforehand whether KIND can load into the nodes' containerd. ``stale`` says what runs
    something else than the build, ``mend`` mends it, ``rotate`` gives the agent the token in ``{file}``.
    """

    tag: Command = ()
    run: Command = ()
    load: Command = ()
    recovery: tuple[Annotated[Command, Field(min_length=1)], ...] = ()
    capture: Command = ()
    private: Command = ()
    test: Command = ()
    scan: Command = ()
    prune: Command = ()
    release: Command = ()
    up: Command = ()
    preflight: Command = ()
    build: Command = ()
    deploy: Command = ()
    down: Command = ()
    stale: Command = ()
    mend: Command = ()
    rotate: Command = ()


class ProofPart(Part):
    """Claims, checks and sabotages that the subject brings of its own; read by ``own_project.of``."""

    prefix: str
    claims: str = "proof/claims"
    suites: str = "proof/suites"
    sabotage: str = "proof/sabotage"


class Start(Part):
    """What an instance needs to come up here, put into the agent's container by the harness.

    ``env`` are variables; ``secrets`` are Secrets that users make by hand, each with its keys and values,
    test values all of them. ``token_env`` and ``ca_env`` name the variables for a login and for the file of
    the CA, by which it talks to the stub of the API. ``settled`` says when it is up: "ready", "running", or a
    text that its log shows.
    """

    env: dict[Variable, str] = Field(default_factory=dict)
    secrets: dict[SecretName, dict[SecretKey, str]] = Field(default_factory=dict)
    token_env: SomeVariable = ""
    ca_env: SomeVariable = ""
    settled: Settled = "ready"


class Subject(Part):
    """A box: recipe, manifests, names, users, budgets; ``facts`` lists what its documents have to state.

    ``profiles`` are the groups of claims beyond those about any box: "claude-code" where its CLI is Claude
    Code, "box" where it starts as this repository's. ``kind`` and ``workload`` choose the agent's workload,
    ``container`` its container; ``pod_selector`` its pod where a custom resource stands for it.
    """

    directory: Path
    name: Shown
    profiles: tuple[Literal["claude-code", "box"], ...] = ()
    namespace: Label = "default"
    kind: Kind = ""
    workload: Name = ""
    pod_selector: Labels = ""
    container: ContainerName = ""
    service_account: Name = "default"
    uid: Annotated[Whole, Field(le=HIGHEST_UID)] = 1000
    home: Place = "/root"
    config_dir: SomePlace = ""
    workdir: Place = "/"
    facts: str = ""
    default_mode: str = ""
    modes: tuple[Mode, ...] = ()
    image: ImagePart = ImagePart()
    manifests: ManifestsPart = ManifestsPart()
    chart: ChartPart = ChartPart()
    compose: ComposePart = ComposePart()
    tiers: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    roles: Roles = Roles()
    budgets: Budgets = Budgets()
    commands: Commands = Commands()
    mcp: Mcp = Mcp()
    config_clone: ConfigClone = ConfigClone()
    storage: Storage = Storage()
    sandbox: SandboxPart = SandboxPart()
    start: Start = Start()
    proof: ProofPart | None = None

    def path(self, relative: str) -> Path | None:
        """Return an existing path of the subject, None if it has none there."""
        found = self.directory / relative
        return found if relative and exists(found) else None

    @property
    def source(self) -> str:
        """Where its objects come from: "files", "kustomize", "base", "chart", or "" for nowhere."""
        ways = {
            "files": bool(self.manifests.files),
            "kustomize": bool(self.manifests.kustomize),
            "base": self.path(self.manifests.base) is not None,
            "chart": bool(self.chart.directory),
        }
        return next((name for name, there in ways.items() if there), "")

    def literal_manifests(self) -> list[dict[str, Any]]:
        """Return every object in its own files as it stands there, before rendering; none of a chart's."""
        from boxproof.subject.manifests import sources

        return sources.literal(self)


def load(directory: Path) -> Subject:
    """Read ``directory``/subject.toml; raises UsageError that names the file and every mistake in it."""
    path = directory / FILE
    if not is_directory(directory):
        raise UsageError(
            f"no subject at {short(str(directory))}", hint="give a directory that holds a subject.toml"
        )
    if not there(path):
        raise UsageError(f"no {FILE} in {directory}", hint="see docs/adding-a-subject.md")
    written = read_toml(path, str(path))
    if "directory" in written:
        raise UsageError(f"{path}: directory is where the file is", hint="leave it out")
    try:
        return _without_strange_components(Subject.model_validate(written | {"directory": directory}))
    except ValidationError as error:
        hint = "docs/adding-a-subject.md lists what may stand there"
        raise UsageError(f"{path}: {mistakes(error.errors(), Subject)}", hint=hint) from error


def _without_strange_components(subject: Subject) -> Subject:
    """Return a subject that has components only where a base is built with them.

    A directory of the default's name may be a kustomize tree's own: its overlays say what they take of it.
    """
    if subject.source == "base" or "components" in subject.manifests.model_fields_set:
        return subject
    alone = subject.manifests.model_copy(update={"components": ""})
    return subject.model_copy(update={"manifests": alone})


def demand_parts(subject: Subject) -> None:
    """Raise UsageError for what subject.toml names and is not there: a slip, unlike a part it leaves out.

    That is a file, a directory, a component, or what a ``{place}`` of a command is to be filled in with.
    """
    named = list(_named(subject))
    gone = [f"{where}={short(path)!r}" for where, path, _ in named if not subject.path(path)]
    if gone:
        hint = f"paths are relative to {subject.directory}; leave out what the subject does not have"
        raise UsageError(f"{FILE}: there is no {', no '.join(gone)}", hint=hint)
    for where, path, is_one in named:
        if not is_one(subject.directory / path):
            other = "file" if is_one is is_file else "directory"
            raise UsageError(f"{FILE}: {where}={short(path)!r} is no {other}", hint="give one")
    if subject.modes and subject.default_mode not in ("", *subject.modes):
        told = f"{FILE}: default_mode={short(subject.default_mode)!r} is none of its modes"
        raise UsageError(told, hint=nearest(subject.default_mode, subject.modes))
    _demand_components(subject)
    word_places.demand(subject)


def _named(subject: Subject) -> Iterator[tuple[str, str, Callable[[Path], bool]]]:
    """Yield each path that the file names, with its place there, and what tells whether it is of its kind."""
    for tables, is_one in ((FILES, is_file), (DIRECTORIES, is_directory)):
        for table, names in tables.items():
            part = getattr(subject, table) if table else subject
            for name in set(names) & part.model_fields_set:
                value = getattr(part, name)
                paths = value if isinstance(value, tuple) else [value] if value else []
                yield from ((f"{table}.{name}".lstrip("."), each, is_one) for each in paths)


def _demand_components(subject: Subject) -> None:
    """Raise UsageError for a component that there is not, neither as a directory nor for the chart."""
    directory = subject.path(subject.manifests.components)
    own = [each.name for each in directory.iterdir() if each.is_dir()] if directory else []
    known = {*own, *subject.chart.components}
    asked = [(f"tiers.{name}", each) for name, tier in subject.tiers.items() for each in tier]
    asked += [("storage.component", subject.storage.component)]
    asked += [("config_clone.component", subject.config_clone.component)]
    for where, name in asked:
        if name and name not in known and (known or subject.source in ("base", "chart")):
            hint = nearest(name, known) if known else "manifests.components, or chart.components, has them"
            raise UsageError(f"{FILE}: {short(where)}: there is no component {short(name)!r}", hint=hint)
