"""cyclonus, which makes NetworkPolicies and tries each: how it is called, its answers, known deviations."""

from __future__ import annotations

import re
import time
import tomllib
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from boxproof.core.settings import ROOT, Settings
from boxproof.host.fetch import golang
from boxproof.kube.client import Kube, Object
from boxproof.kube.exec import exec_in
from boxproof.kube.network_policies import Direction
from boxproof.probes.connectivity import BY_THEN, POLICY
from boxproof.probes.reach import DENIED, Reach
from pytest_claims import pace
from pytest_claims.faults import DeadlineExceeded, EnvironmentFault, UsageError, nearest
from pytest_claims.waiting import until

MODULE = ROOT / "cluster/modules/cyclonus"
PACKAGE = "github.com/mattfenwick/cyclonus/cmd/cyclonus"
NAMESPACES = ("x", "y", "z")
PODS = ("a", "b", "c")  # in each namespace
PORT, CONTAINER = 80, "cont-80-tcp"
FURTHER = ("y-2",)  # a namespace that one of the cases makes
LEFT_OUT = ("multi-peer", "upstream-e2e", "example")  # as it does by itself: pairs of peers are 90 cases more
TRIES = 3  # seconds for one connection
POD_START = 120  # seconds for its pods
CASE = re.compile(r"^test #(\d+): (.*)\n - tags: (.*)$", re.MULTILINE)
COUNT = re.compile(r"^testing (\d+) cases$", re.MULTILINE)
NAME = "cluster/conformance.toml"
CASE_MARK = re.compile(r"^starting test case #(\d+)$", re.MULTILINE)
STEP = re.compile(r"^step (\d+) on ", re.MULTILINE)
FOUND = re.compile(r"^Discrepancy found:(\d+) wrong", re.MULTILINE)
EXPECTED, SEEN = "Expected combined:", "kube results, try 0:"
SAYS = {".": "open", "X": "denied"}

Table = Mapping[tuple[str, str], Mapping[str, str]]  # (source, target) -> port/protocol -> "." or "X"
ROUTES = 60.0  # seconds for new pods to be routed to across nodes
WITHIN = 3  # seconds a connection may take
POD_SAYS = {
    "TIMEOUT": Reach.FILTERED,
    "REFUSED": Reach.REFUSED,
    "OTHER": Reach.NO_ROUTE,
    "DNS": Reach.NO_NAME,
}
DIRECTIONS: tuple[Direction, ...] = ("Egress", "Ingress")


class Case(BaseModel):
    """One case: what cyclonus says it is about, and whether packets did what its policies allow."""

    model_config = ConfigDict(frozen=True)

    description: str
    tags: tuple[str, ...]
    passed: bool | None = None  # not tried yet
    wrong: tuple[str, ...] = ()  # connections, as discrepancies.wrong says them
    known: str = ""  # why just these go wrong under this engine


def program(settings: Settings) -> Path:
    """Return cyclonus; raises EnvironmentFault if it cannot be had."""
    return golang.build(MODULE, PACKAGE, name="cyclonus", settings=settings, ldflags="-s -w")


def version() -> str:
    """Return the version that is pinned."""
    match = re.search(r"cyclonus v(\S+)", (MODULE / "go.mod").read_text())
    assert match is not None
    return match[1]


def words(registry: str, tags: Sequence[str], wait: int) -> list[str]:
    """Return the words of a run that tries each connection once, ``wait`` seconds after each change.

    A pod's connection to itself does not count: by the API no policy can deny it. SCTP needs a module of the
    kernel, so nothing listens over it.
    """
    return [
        "generate", f"--image-registry={registry}", "--server-protocol=TCP,UDP", "--ignore-loopback=true",
        "--retries=0", f"--perturbation-wait-seconds={wait}", f"--job-timeout-seconds={TRIES}",
        f"--pod-creation-timeout-seconds={POD_START}", f"--exclude={','.join(LEFT_OUT)}",
        *([f"--include={','.join(tags)}"] if tags else []),
    ]  # fmt: skip


def announced(output: str) -> list[Case]:
    """Return the cases of a dry run; raises EnvironmentFault if they are none, or others than it counts."""
    count = COUNT.search(output)
    found = [
        Case(description=text.strip(), tags=tuple(tags.split(", "))) for _, text, tags in CASE.findall(output)
    ]
    if count is None or int(count[1]) != len(found):
        said = count[0] if count else "nothing"
        raise EnvironmentFault(f"cyclonus names {len(found)} cases and says: {said}")
    return found


def chosen(cases: Sequence[Case], tags: Sequence[str]) -> list[Case]:
    """Return the cases with one of the tags, all without any; raises UsageError for a tag without cases."""
    known = {tag for each in cases for tag in each.tags}
    for tag in tags:
        if tag not in known:
            raise UsageError(f"no case has the tag {tag!r}", hint=nearest(tag, known))
    return [each for each in cases if not tags or set(tags) & set(each.tags)]


def judged(report: Path, output: str, cases: Sequence[Case]) -> list[Case]:
    """Return the cases with what a run's JUnit file says of them, and the wrong connections its output has.

    Raises EnvironmentFault if there is no file, it is not about each of the cases, or the two differ:
    cyclonus itself ends well whether cases fail or not.
    """
    try:
        found = list(ET.parse(report).getroot().iter("testcase"))
    except (OSError, ET.ParseError) as error:
        raise EnvironmentFault(f"cyclonus left no result: {error}") from error
    names = [str(each.get("name")).strip() for each in found]
    if names != [each.description for each in cases]:
        raise EnvironmentFault(f"cyclonus judged {len(names)} cases, not the {len(cases)} it announced")
    wrong = wrong_cells(output)
    failed = {number for number, each in enumerate(found, 1) if each.find("failure") is not None}
    if failed != set(wrong):
        raise EnvironmentFault(
            f"cyclonus: cases {sorted(failed)} failed, {sorted(wrong)} have wrong connections"
        )
    return [
        case.model_copy(update={"passed": number not in failed, "wrong": wrong.get(number, ())})
        for number, case in enumerate(cases, 1)
    ]


class Known(BaseModel):
    """A case that fails under an engine, ``network``, with just these connections ``wrong``, and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    network: str
    case: str
    wrong: tuple[str, ...]
    why: str


class Entry(BaseModel):
    """Cases that fail alike; a description stands as often as there are cases of that name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    network: str
    why: str
    cases: tuple[str, ...]
    wrong: tuple[str, ...]


class Catalogue(BaseModel):
    """All that is known; ``why`` explains by a name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    why: dict[str, str]
    known: tuple[Entry, ...]

    def of(self, network: str) -> list[Known]:
        """Return what is known of an engine, with the reasons in full."""
        return [
            Known(network=network, case=case, wrong=each.wrong, why=self.why[each.why])
            for each in self.known
            if each.network == network
            for case in each.cases
        ]


def known_deviations(path: Path = ROOT / NAME) -> Catalogue:
    """Return what is known; raises EnvironmentFault if the file is not usable."""
    try:
        found = Catalogue.model_validate(tomllib.loads(path.read_text()))
    except (OSError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise EnvironmentFault(f"{path.name}: {error}") from error
    for each in found.known:
        if each.why not in found.why or not each.wrong:
            raise EnvironmentFault(f"{path.name}: {each.cases}: no reason {each.why!r}, or nothing wrong")
    return found


def explained(cases: Sequence[Case], known: Sequence[Known]) -> tuple[list[Case], list[Known]]:
    """Return the cases, with the reason where just the known connections went wrong; and what did not show.

    A known deviation that its case was tried for and that did not show is not true any more.
    """
    left, found = list(known), list[Case]()
    for case in cases:
        met = next((each for each in left if (each.case, each.wrong) == (case.description, case.wrong)), None)
        if met is not None:
            left.remove(met)
        found.append(case.model_copy(update={"known": met.why if met else ""}))
    tried = {each.description for each in cases}
    return found, [each for each in left if each.case in tried]


def wrong_cells(output: str) -> dict[int, tuple[str, ...]]:
    """Return the wrong connections by the number of their case, such as ``x/a -> y/b open: TCP/80, UDP/80``.

    What did not happen by the policies of a later step starts with ``step 2: ``. Raises EnvironmentFault if
    the tables are not understood: they have to have as many wrong pairs as cyclonus counts.
    """
    return {number: found for number, text in _parts(CASE_MARK, output) if (found := tuple(_of_case(text)))}


def _parts(mark: re.Pattern[str], text: str) -> Iterator[tuple[int, str]]:
    """Return the number of each mark, and the text between it and the next."""
    _, *parts = mark.split(text)
    return ((int(number), part) for number, part in zip(parts[::2], parts[1::2], strict=True))


def _of_case(text: str) -> Iterator[str]:
    for step, part in _parts(STEP, text):
        if count := FOUND.search(part):
            found = list(_differences(_table(part, EXPECTED), _table(part, SEEN)))
            if len({tuple(each.split()[:3]) for each in found}) != int(count[1]):
                raise EnvironmentFault(f"cyclonus counts {count[1]} wrong, its tables have {found}")
            yield from (f"step {step}: {each}" if step > 1 else each for each in found)


def _differences(expected: Table, seen: Table) -> Iterator[str]:
    """Say what ended otherwise than expected; a pod's connection to itself does not count."""
    for (source, target), ports in seen.items():
        ends: dict[str, list[str]] = {}
        for port, end in ports.items():
            if source != target and expected[source, target][port] != end:
                ends.setdefault(SAYS[end], []).append(port)
        yield from (f"{source} -> {target} {end}: {', '.join(at)}" for end, at in ends.items())


def _table(text: str, title: str) -> Table:
    """Return the table under a title; its head has a port in each of the first cells below each other."""
    lines = text.partition(f"\n{title}\n")[2].splitlines()
    rows: list[list[str]] = []
    for line in lines:
        if not line.startswith(("|", "+")):
            break
        if line.startswith("|"):
            rows.append([cell.strip() for cell in line.strip("|").split("|")])
    head = [row[0] for row in rows if "/" in row[0] and row[0].partition("/")[2].isdigit()]
    targets = [cell.lower() for cell in rows[0][1:]] if rows else []
    found = {
        (row[0], target): dict(zip(head, cell.split(), strict=True))
        for row in rows[len(head) :]
        for target, cell in zip(targets, row[1:], strict=True)
    }
    if not found:
        raise EnvironmentFault(f"cyclonus printed no table {title!r}")
    return found


@dataclass(frozen=True)
class Peer:
    """One of the pods."""

    namespace: str
    name: str
    address: str

    @property
    def text(self) -> str:
        """How it is called."""
        return f"{self.namespace}/{self.name}"


def peers(kube: Kube) -> list[Peer]:
    """Return the pods; raises NotFound."""
    live = [kube.get("Pod", name, namespace) for namespace in NAMESPACES for name in PODS]
    return [
        Peer(each["metadata"]["namespace"], each["metadata"]["name"], each["status"]["podIP"])
        for each in live
    ]


def connect(kube: Kube, source: Peer, target: Peer) -> Reach:
    """Return how a connection ends, as agnhost says it; raises EnvironmentFault if it cannot be run."""
    limit = pace.stretched(WITHIN)
    argv = ["/agnhost", "connect", f"{target.address}:{PORT}", f"--timeout={limit}s", "--protocol=tcp"]
    done = exec_in(kube, source.namespace, source.name, CONTAINER, argv, timeout=limit + 30)
    if done.ok:
        return Reach.OPEN
    said = done.stderr.partition(":")[0].strip()
    if done.code != 1 or said not in POD_SAYS:
        raise EnvironmentFault(f"agnhost broke in {source.text}: {done.code} {done.stderr.strip()[-200:]}")
    return POD_SAYS[said]


def in_force(kube: Kube, found: Sequence[Peer]) -> dict[str, float]:
    """Deny all pods everything, one way and then the other, and return the seconds until each is denied.

    Before and after, each connection has to be open. Raises EnvironmentFault, which names the pods.
    """
    ring = dict(zip(found, [*found[1:], found[0]], strict=True))
    seconds: dict[str, float] = {}
    _all(kube, ring, frozenset({Reach.OPEN}), ROUTES, "no connection without a policy")
    for direction in DIRECTIONS:
        policies = [denial(each, direction) for each in NAMESPACES]
        kube.apply(policies)
        try:
            took = _all(kube, ring, DENIED, BY_THEN, f"policies of {direction.lower()} are not in force")
        finally:
            kube.delete(policies)
        named = {source.text: (source if direction == "Egress" else ring[source]).text for source in ring}
        seconds |= {f"{named[text]}, {direction.lower()}": each for text, each in took.items()}
        _all(kube, ring, frozenset({Reach.OPEN}), BY_THEN, "no connection after the policy is gone")
    return seconds


def denial(namespace: str, direction: Direction) -> Object:
    """Return a policy that denies every pod of a namespace everything in one direction."""
    return {
        "apiVersion": POLICY,
        "kind": "NetworkPolicy",
        "metadata": {"name": f"deny-{direction.lower()}", "namespace": namespace},
        "spec": {"podSelector": {}, "policyTypes": [direction]},
    }


def _all(
    kube: Kube, ring: Mapping[Peer, Peer], wanted: frozenset[Reach], within: float, otherwise: str
) -> dict[str, float]:
    """Return the seconds until each source's connection ended as wanted; an attempt counts from its start."""
    started = time.monotonic()
    seconds: dict[str, float] = {}

    def look() -> bool:
        asked = round(time.monotonic() - started, 2)
        waiting = [each for each in ring if each.text not in seconds]
        with ThreadPoolExecutor(len(waiting)) as pool:
            ends = list(pool.map(lambda each: connect(kube, each, ring[each]), waiting))
        seconds.update({each.text: asked for each, end in zip(waiting, ends, strict=True) if end in wanted})
        return len(seconds) == len(ring)

    with suppress(DeadlineExceeded):
        until(look, timeout=within, what=otherwise, every=0.2)
        return seconds
    late = ", ".join(f"{each.text} -> {to.text}" for each, to in ring.items() if each.text not in seconds)
    raise EnvironmentFault(f"{otherwise}, after {within:.0f} s: {late}")
