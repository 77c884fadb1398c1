"""The schema of results.json (version 2) and sabotage.json (1): tools outside this repository rely on it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StrictBool,
    model_serializer,
)

from pytest_claims.faults import ExitCode
from pytest_claims.recording.records import Asserted
from pytest_claims.verdicts import EXIT_CODES, OF_THE_SUBJECT, Verdict
from pytest_claims.waivers import Waiver

CPU = ("cpu_seconds", "nodes_cpu_seconds")
MOST = 5  # checks that took most are named
NOTED = 1.5  # times slower: from here on it is said
RunVerdict = Literal["accepted", "refuted", "blocked", "unproven"]


class Part(BaseModel):
    """Base of all parts: no field that the schema does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Counts(Part):
    """How many claims of each kind; a waived claim is counted as waived only."""

    proven: int = 0
    refuted: int = 0
    blocked: int = 0
    unproven: int = 0
    waived: int = 0
    planned: int = 0
    not_applicable: int = 0


class Image(Part):
    """The box's image by content; sizes in bytes."""

    reference: str = ""
    config_digest: str = ""
    compressed_bytes: int = 0
    unpacked_bytes: int = 0
    base: str = ""  # what it was built on: reference and digest
    base_instead_of: str = ""  # the pinned base, where another took its place

    @model_serializer(mode="wrap")
    def _told(self, handler: SerializerFunctionWrapHandler) -> dict[str, object]:
        left_out = {"base", "base_instead_of"}
        return {name: value for name, value in handler(self).items() if name not in left_out or value}


class SubjectPart(Part):
    """What was under test; ``source`` is git's description or a hash of the tree.

    ``put_in`` is what was put into it so that it comes up where it is tried.
    """

    name: str
    source: str
    image: Image
    put_in: tuple[str, ...] = ()


class MovedPackage(Part):
    """A package that was served in another version than its lock says; ``locked`` is "" for a new one."""

    name: str
    locked: str
    served: str


class Packages(Part):
    """The package lock the image was held to: ``lock`` is its file, relative to results.json.

    ``source`` says where the packages come from: "archive", "snapshot" or "kept", "image" where one of the
    lock was there and the archive did not answer, "nothing" where the lock is silent about the system.
    """

    system: str
    locked: int
    source: str
    moved: tuple[MovedPackage, ...] = ()
    difference: str = ""
    lock: str


class Cell(Part):
    """What the cluster and the engine said they are; "" where there was none.

    ``context`` is that of a cluster which was not made for the run; elsewhere the field is left out.
    """

    kind: str = ""
    containerd: str = ""
    kubernetes: str = ""
    runc: str = ""
    cni: str = ""
    kernel: str = ""
    engine: str = ""
    cgroup: str = ""
    context: str = ""

    @model_serializer(mode="wrap")
    def _told(self, handler: SerializerFunctionWrapHandler) -> dict[str, str]:
        return {name: value for name, value in handler(self).items() if name != "context" or value}


class CheckResult(Part):
    """One check of a claim; ``controls`` counts those that counted, evidence is relative to the file.

    ``slowness`` is how many times slower the machine was at its slowest; at 1 the field is left out.
    ``requirements`` are what it asserted, each beside the control in which it was seen to fail; without
    any the field is left out. ``seen_red`` is the sabotage that last turned it red in its present form; where
    none did, it is left out. ``carried`` is the earlier run that proved it, left out where this one did.
    ``cpu_seconds`` are those of processors that its worker and what that started took, and
    ``nodes_cpu_seconds`` its share of what the cluster's nodes took in that time; at 0 they are left out.
    """

    nodeid: str
    verdict: Verdict
    seconds: float
    controls: int
    evidence: tuple[str, ...]
    slowness: float = 1.0
    requirements: tuple[Asserted, ...] = ()
    seen_red: str = ""
    carried: str = ""
    cpu_seconds: float = 0.0
    nodes_cpu_seconds: float = 0.0

    @model_serializer(mode="wrap")
    def _told(self, handler: SerializerFunctionWrapHandler) -> dict[str, object]:
        left_out: dict[str, object] = {"slowness": 1, "requirements": [], "seen_red": "", "carried": ""}
        left_out |= {"cpu_seconds": 0, "nodes_cpu_seconds": 0}
        return {name: value for name, value in handler(self).items() if _told_apart(left_out, name, value)}

    @property
    def by_requirements(self) -> bool:
        """Whether requirements that were seen to fail prove it."""
        return self.verdict is Verdict.PROVEN and bool(self.requirements)


def _told_apart(left_out: dict[str, object], name: str, value: object) -> bool:
    return name not in left_out or (bool(value) and value != left_out[name])


class ClaimResult(Part):
    """The worst of a claim's checks, and why."""

    id: str
    area: str
    verdict: Verdict
    reason: str
    waiver: Waiver | None
    checks: tuple[CheckResult, ...]

    @property
    def carried(self) -> str:
        """The earlier run that proved it, "" where a check of it ran in this one."""
        runs = {each.carried for each in self.checks}
        return runs.pop() if len(runs) == 1 else ""


class MachinePart(Part):
    """How the machine got on during a run: see docs/busy-machines.md.

    ``slowest`` and ``mean`` are how many times slower it was than an idle one, ``load_…`` are load averages
    of a minute, ``cores`` the processors a quota leaves.
    """

    cores: float
    workers: int
    slowest: float
    mean: float
    load_highest: float
    load_mean: float

    def note(self) -> str:
        """Return it as a sentence."""
        load = f"load average {self.load_mean:g}, at most {self.load_highest:g}, on {self.cores:g} cores"
        if self.slowest < NOTED:
            return f"The machine had room: {load}."
        return (
            f"The machine was up to {self.slowest:g} times slower than an idle one, {self.mean:g} on average "
            f"({load}); deadlines grew with that."
        )


class ProofPart(Part):
    """How the checks of a run prove.

    How many there are, how many are proven by requirements, and how many a sabotage has turned red in their
    present form.
    """

    checks: int
    by_requirements: int
    seen_red: int = 0

    def summary(self) -> str:
        """Return it as part of the verdict line."""
        return (
            f"{self.by_requirements} of {self.checks} checks proven by requirements, "
            f"{self.seen_red} of {self.checks} seen red in their present form"
        )


class KeyPart(Part):
    """What a run is about, by content: subject, harness (claims, checks, sabotages, library) and cell."""

    subject: str
    harness: str
    cell: str


class Results(Part):
    """A run, as written to results.json.

    ``packages``, ``machine``, ``proof``, ``key`` and ``fault``, why the run or its report could not come to
    its end, are left out where there are none.
    """

    schema_version: Literal[2] = Field(default=2, validation_alias="schema", serialization_alias="schema")
    run: str
    started: AwareDatetime
    finished: AwareDatetime
    verdict: RunVerdict
    narrowed: StrictBool
    interrupted: StrictBool
    counts: Counts
    subject: SubjectPart
    cell: Cell
    claims: tuple[ClaimResult, ...]
    timings: dict[str, float]
    packages: Packages | None = None
    machine: MachinePart | None = None
    proof: ProofPart | None = None
    fault: str = ""
    key: KeyPart | None = None

    @model_serializer(mode="wrap")
    def _told(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        left_out = {"packages", "machine", "proof", "fault", "key"}
        return {name: value for name, value in handler(self).items() if name not in left_out or value}

    @property
    def exit_code(self) -> ExitCode:
        """The exit code that says the same."""
        return ExitCode.INTERRUPTED if self.interrupted else EXIT_CODES[self.verdict]

    @property
    def hindrance(self) -> str:
        """What keeps it from being accepted, where none of its claims does."""
        if self.fault or self.interrupted:
            return self.fault or "it was interrupted"
        return "a suite could not be collected" if self.verdict == "blocked" else "nothing is proven"

    @property
    def hindered(self) -> bool:
        """Whether the run is not accepted although each of its claims, for itself, is no hindrance."""
        spared = (Verdict.PROVEN, *OF_THE_SUBJECT)
        return self.verdict != "accepted" and all(
            each.waiver is not None or each.verdict in spared for each in self.claims
        )

    def summary(self) -> str:
        """Return the verdict with the counts, as in "accepted: 57 proven, 143 planned", and what moved."""
        counts = self.counts.model_dump()
        shown = [
            f"{number} {name.replace('_', ' ')}"
            for name, number in counts.items()
            if number or name == "proven"
        ]
        moved = f"; {self.packages.difference}" if self.packages and self.packages.difference else ""
        proof = f"; {self.proof.summary()}" if self.proof else ""
        carried = f"; {self.carried}" if self.carried else ""
        why = f" ({self.fault})" if self.fault else ""
        image = self.subject.image
        if image.base_instead_of:
            pinned = image.base_instead_of.partition("@")[0]
            base = image.base.partition(" ")[0] or "a root of this machine's packages"
            moved += f"; built on {base} instead of {pinned}"
        return f"{self.verdict}: {', '.join(shown)}{carried}{proof}{moved}{why}"

    @property
    def processors(self) -> str:
        """What the checks of this run took of the processors, as a sentence; "" where none is known."""
        ran = {check.nodeid: check for each in self.claims for check in each.checks if not check.carried}
        own, nodes = (sum(getattr(each, name) for each in ran.values()) for name in CPU)
        if not own + nodes:
            return ""
        most = sorted(ran.values(), key=lambda each: each.cpu_seconds + each.nodes_cpu_seconds)[
            : -MOST - 1 : -1
        ]
        taken = {each.nodeid: each.cpu_seconds + each.nodes_cpu_seconds for each in most}
        shown = ", ".join(
            f"{name.rpartition('::')[2]} {seconds:.0f} s" for name, seconds in taken.items() if seconds >= 0.5
        )
        said = f"{own:.0f} s of processor time themselves and {nodes:.0f} s in the nodes"
        return f"The checks took {said}{f'; most: {shown}' if shown else ''}."

    @property
    def carried(self) -> str:
        """How many claims are shown with the proof of an earlier run, and of which; "" where none is."""
        runs = [each.carried for each in self.claims if each.carried]
        return f"{len(runs)} carried from {', '.join(sorted(set(runs)))}" if runs else ""


class CheckUnderSabotage(Part):
    """One check under a sabotage: its verdict before and under it, and whether that killed the sabotage.

    ``form`` is that of its source, ``red`` what turned its body red.
    """

    nodeid: str
    before: Verdict
    verdict: Verdict
    killed: StrictBool
    form: str = ""
    red: str = ""


class SabotageResult(Part):
    """One sabotage; ``also_refuted`` are other claims that it turned red, ``form`` is that of its source.

    ``checks`` are those of its claim: one that is killed kills it.
    """

    id: str
    claim: str
    sentence: str
    diff: str
    baseline: Verdict
    verdict: Verdict
    reason: str
    killed: StrictBool
    also_refuted: tuple[str, ...] = ()
    seconds: float = 0.0
    form: str = ""
    checks: tuple[CheckUnderSabotage, ...] = ()


class CheckKills(Part):
    """One check in the kill table: the sabotages that it saw, and by which it is known to turn red at all."""

    nodeid: str
    claim: str
    killed_by: tuple[str, ...] = ()
    seen_red: str = ""


class KillTable(Part):
    """Every sabotage of a run, as written to sabotage.json, and the checks of their claims.

    ``checks_red`` of ``checks_total`` were seen red in their present form, in this run or an earlier one.
    """

    schema_version: Literal[1] = Field(default=1, validation_alias="schema", serialization_alias="schema")
    killed: int
    total: int
    sabotages: tuple[SabotageResult, ...]
    checks_red: int = 0
    checks_total: int = 0
    checks: tuple[CheckKills, ...] = ()
