"""The engine that enforces policies, held once to cyclonus' cases: they say nothing about the box."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from boxproof.cluster.images import load
from boxproof.cluster.kind.components import MODULES, STRIPPED
from boxproof.cluster.kind.node_image import OWN
from boxproof.core.process import run as command
from boxproof.core.session import RUN_LABEL, ClusterInfo, EngineInfo
from boxproof.core.settings import Settings, whole_number
from boxproof.host import machine
from boxproof.host.engine.docker_cli import docker
from boxproof.host.fetch import golang
from boxproof.kube import owed, pod_status
from boxproof.kube.client import Kube, Object
from boxproof.operations import cyclonus
from boxproof.operations.cyclonus import Case, Known
from boxproof.runs import manual, run_life
from pytest_claims import progress
from pytest_claims.faults import EnvironmentFault, ExitCode, UsageError
from pytest_claims.recording import writing

OURS = {RUN_LABEL: "conformance"}  # the name of no run: what is left of a killed one, the next run sweeps
OWNERS = {"y-2": "y"}  # made by a case, without our label: it is ours where the other one is
OUTPUT, JUNIT, RESULT = "cyclonus.txt", "junit.xml", "conformance.json"
PER_CASE = 240.0  # seconds; one has up to three changes, with a few hundred connections after each
SETUP = 300.0  # seconds
GONE = 120.0  # seconds a namespace may take to go
LONGEST_WAIT = 300
BUSY = 10.0  # processes for each processor; cyclonus alone was seen to make 6


class Conformance(BaseModel):
    """What was found; ``in_force`` are the seconds until policies were, by pod and direction.

    ``outdated`` are the deviations the engine is known for that did not show, though their cases were tried.
    """

    model_config = ConfigDict(frozen=True)

    started: datetime
    finished: datetime
    cyclonus: str
    cluster: str
    kubernetes: str
    pod_network: str
    wait_seconds: int
    load: float = 0.0  # machine.load() at the end
    in_force: dict[str, float]
    cases: tuple[Case, ...]
    outdated: tuple[Known, ...] = ()

    @property
    def failed(self) -> list[Case]:
        """The cases in which packets did something else than the policies say, other than what is known."""
        return [each for each in self.cases if not each.passed and not each.known]

    @property
    def exit_code(self) -> ExitCode:
        """Refuted if a case failed in a way that is not known, or a known one did not."""
        return ExitCode.REFUTED if self.failed or self.outdated else ExitCode.ACCEPTED

    def lines(self) -> Iterator[str]:
        """Give a line a case, below it the wrong connections, and one for all."""
        for number, each in enumerate(self.cases, 1):
            said = "ok" if each.passed else "known" if each.known else "FAILED"
            yield f"{said:8}{number:4}  {each.description}"
            yield from (f"{'':14}{line}" for line in (*([each.known] if each.known else []), *each.wrong))
        for known in self.outdated:
            wrong = "; ".join(known.wrong)
            yield f"OUTDATED      {known.case}: {wrong}: not so any more, see {cyclonus.NAME}"
        passed = sum(bool(each.passed) for each in self.cases)
        explained = len(self.cases) - passed - len(self.failed)
        yield (
            f"{passed} of {len(self.cases)} cases passed, {explained} failed as {self.pod_network} does, "
            f"{len(self.failed)} otherwise (Kubernetes {self.kubernetes})"
        )
        if self.failed and self.load > BUSY:
            yield (
                f"the machine was busy ({self.load:.0f} processes for each processor): where few connections "
                "went wrong the engine may have been late; ask again when it is quiet, or with more --wait"
            )


def main(tags: str, wait: str, as_json: bool) -> int:
    """Try the cases against the cluster as it stands, and print and keep what came of them.

    ``tags`` are cyclonus' own, comma-separated, "" for all; ``wait`` the seconds an engine gets after each
    change. Returns 1 if a case failed in a way that is not known, or a known one did not. Raises UsageError
    for an unusable option or a namespace that is somebody else's, EnvironmentFault if nothing can be judged.
    """
    settings = Settings.load()
    seconds, named = _seconds(wait), tuple(each.strip() for each in tags.split(",") if each.strip())
    with manual.in_cluster(settings) as (engine, cluster):
        asked = Asked(cyclonus.program(settings), named, seconds)
        asked.check()
        found, into = _tried(settings, engine, cluster, asked)
    shown = found.model_dump_json(indent=1) if as_json else "\n".join(found.lines())
    progress.answer(shown, as_json=as_json)
    progress.say(f"report: {into}")
    return int(found.exit_code)


def _seconds(text: str) -> int:
    return whole_number("--wait", text, LONGEST_WAIT)


def _tried(
    settings: Settings, engine: EngineInfo, cluster: ClusterInfo, asked: Asked
) -> tuple[Conformance, Path]:
    """Try the cases, in namespaces of their own, and return what came of them and where it is kept."""
    started, kube = datetime.now(UTC), Kube(cluster.kubeconfig)
    known = cyclonus.known_deviations().of(cluster.cni)
    into = run_life.new_directory(settings.reports / "conformance", started)
    with _owed(settings, kube, cluster), _image(settings, engine, cluster), namespaces(kube):
        cases = asked.announced(cluster)
        with progress.step("policies in force for each pod"):
            seconds = cyclonus.in_force(kube, cyclonus.peers(kube))
        cases, outdated = cyclonus.explained(asked.judged(cluster, cases, into), known)
    found = Conformance(
        started=started, finished=datetime.now(UTC), cyclonus=cyclonus.version(), cluster=cluster.name,
        kubernetes=cluster.kubernetes, pod_network=cluster.cni, wait_seconds=asked.wait, in_force=seconds,
        load=machine.load(),
        cases=tuple(cases), outdated=tuple(outdated),
    )  # fmt: skip
    kube.close()
    writing.write_json(into / RESULT, found.model_dump(mode="json"))
    return found, into


@dataclass(frozen=True)
class Asked:
    """The cases that are asked for, and the program that has them."""

    program: Path
    tags: tuple[str, ...]
    wait: int

    def check(self) -> None:
        """Raise UsageError for a tag that no case has; no cluster is asked."""
        argv: list[str | Path] = [self.program, *cyclonus.words("", (), self.wait), "--mock", "--dry-run"]
        cyclonus.chosen(cyclonus.announced(command(argv, timeout=60).stdout), self.tags)

    def announced(self, cluster: ClusterInfo) -> list[Case]:
        """Make the pods and return the cases; raises EnvironmentFault."""
        with progress.step("pods of cyclonus"):
            done = command([*self._argv, "--dry-run"], timeout=SETUP, env={"KUBECONFIG": cluster.kubeconfig})
        return cyclonus.announced(done.stdout)

    def judged(self, cluster: ClusterInfo, cases: Sequence[Case], into: Path) -> list[Case]:
        """Try the cases and return them with their verdicts; raises EnvironmentFault."""
        begun, limit = 0, len(cases) * (PER_CASE + 3 * self.wait)
        with progress.step(f"{len(cases)} cases") as report:

            def line(text: str) -> None:
                nonlocal begun
                begun += "cluster state reset" in text
                report(f"case {begun} of {len(cases)}")

            done = command(
                [*self._argv, f"--junit-results-file={into / JUNIT}"], timeout=SETUP + limit,
                env={"KUBECONFIG": cluster.kubeconfig}, on_line=line, check=False,
            )  # fmt: skip
        writing.write_text(into / OUTPUT, done.stdout + done.stderr)
        if not done.ok:
            raise EnvironmentFault(f"cyclonus broke, see {into / OUTPUT}: {done.describe()}")
        return cyclonus.judged(into / JUNIT, done.stdout, cases)

    @property
    def _argv(self) -> list[str | Path]:
        return [self.program, *cyclonus.words(REGISTRY, self.tags, self.wait)]


@contextmanager
def _owed(settings: Settings, kube: Kube, cluster: ClusterInfo) -> Iterator[None]:
    """Have it noted that the namespaces are to go, so that any later run sees to it if this one is killed."""
    with ExitStack() as held:
        for name in (*cyclonus.NAMESPACES, *cyclonus.FURTHER):
            if kube.find("Namespace", name) is None:
                path = kube.path("Namespace", name)
                debt = owed.Debt(what=f"the namespace {name}", cluster=cluster.name, path=path)
                held.enter_context(owed.noted(debt, settings.state))
        yield


@contextmanager
def namespaces(kube: Kube) -> Iterator[None]:
    """Have the namespaces of the cases, and remove them with all that is in them.

    Raises UsageError if one is there that is not ours; what a killed run left is removed first.
    """
    names = (*cyclonus.NAMESPACES, *cyclonus.FURTHER)
    there = {name: found for name in names if (found := kube.find("Namespace", name)) is not None}
    foreign = [name for name in there if not _ours(there.get(OWNERS.get(name, name)))]
    if foreign:
        hint = f"the cases make and remove namespaces {', '.join(names)}: remove it, or take another cluster"
        raise UsageError(f"there is a namespace {foreign[0]} already", hint=hint)
    _remove(kube, there)
    try:
        kube.apply([_namespace(each) for each in cyclonus.NAMESPACES])
        yield
    finally:
        with progress.step("removing what the cases made"):
            _remove(kube, names)


def _ours(found: Object | None) -> bool:
    return found is not None and OURS.items() <= (found["metadata"].get("labels") or {}).items()


def _namespace(name: str) -> Object:
    """Return a namespace with our label, and the one that cyclonus would give it."""
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": OURS | {"ns": name}},
    }


def _remove(kube: Kube, names: Iterable[str]) -> None:
    found = [_namespace(each) for each in names]
    kube.delete(found)
    for each in found:
        pod_status.gone(kube, "Namespace", each["metadata"]["name"], timeout=GONE)


@contextmanager
def _image(settings: Settings, engine: EngineInfo, cluster: ClusterInfo) -> Iterator[None]:
    """Have the image of cyclonus' pods on every node."""
    reference = ensure(settings, engine)
    try:
        load.load(engine, cluster, [reference])
        yield
    finally:
        load.remove(engine, cluster, [reference])
        docker(engine, "image", "rm", "--force", reference, check=False)


REGISTRY = OWN
REFERENCE = f"{REGISTRY}/e2e-test-images/agnhost:2.43"  # how cyclonus 0.5.6 calls it below its registry
LABEL = "boxproof.dev/recipe"


def ensure(settings: Settings, engine: EngineInfo) -> str:
    """Return the image's reference, made if the engine lacks it; raises EnvironmentFault."""
    program = golang.build(MODULES / "agnhost", ".", name="agnhost", settings=settings, ldflags=STRIPPED)
    recipe = program.parent.name
    template = f'{{{{index .Config.Labels "{LABEL}"}}}}'
    found = docker(engine, "image", "inspect", "--format", template, REFERENCE, check=False)
    if found.stdout.strip() != recipe:
        with progress.step(f"importing {REFERENCE}"):
            words = ["import", f"--change=LABEL {LABEL}={recipe}", "-", REFERENCE]
            docker(engine, *words, stdin=archive(program), timeout=120)
    return REFERENCE


def archive(program: Path) -> bytes:
    """Return the root of the image: the program, and nothing else."""
    data, whole = program.read_bytes(), io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as tar:
        entry = tarfile.TarInfo("agnhost")
        entry.size, entry.mode = len(data), 0o755
        tar.addfile(entry, io.BytesIO(data))
    return whole.getvalue()
