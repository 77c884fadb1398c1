"""Who reaches whom, under which name: answers of connections and of DNS; a probe outside the cluster."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from docker.errors import DockerException
from docker.models.containers import Container

from boxproof.core.process import Result
from boxproof.core.session import RUN_LABEL
from boxproof.probes.pods.probe_pods import PROGRAM
from boxproof.probes.probe_program import ANSWER, Prober, ask
from pytest_claims import pace
from pytest_claims.faults import DeadlineExceeded, EnvironmentFault
from pytest_claims.own_process import PROCESS
from pytest_claims.recording.observations import record
from pytest_claims.waiting import until

WITHIN = 3.0  # seconds a connection may take before it counts as filtered
OPENS = 60.0  # seconds in which one that must be open comes to be: routes, policies, a listener that is late
TCP_MOST = 4.0  # times that long on a slow machine: then a lost SYN was sent three times more
NETWORK = "kind"
KILLED = 137  # what timeout(1) ends with once it has sent KILL


class Reach(StrEnum):
    """How a connection attempt ended."""

    OPEN = "open"
    REFUSED = "refused"
    FILTERED = "filtered"
    NO_ROUTE = "no route"
    NO_NAME = "no name"


DENIED = frozenset({Reach.REFUSED, Reach.FILTERED})
NOWHERE = DENIED | {Reach.NO_ROUTE}


class Gone(EnvironmentFault):
    """A listener that had ended before it was stopped: what was said of it may be about nobody."""


@dataclass(frozen=True)
class Listener:
    """Something that listens and says who it is: each connection is answered with ``token``."""

    address: str
    port: int
    token: str
    udp: bool = False
    on: Prober | None = None

    def stop(self) -> None:
        """End it; raises EnvironmentFault if that fails, and Gone if it had ended before."""
        if self.on is not None and not ask(self.on, "stop", "--token", self.token)["stopped"]:
            raise Gone(f"the listener at {self.address}:{self.port} had ended before its time")

    def dead(self) -> str:
        """Return why it no longer says who it is where it runs, whatever is between; "" while it does."""
        if self.on is None:
            return ""
        own = "::1" if ":" in self.address else "127.0.0.1"
        words = ["connect", own, str(self.port), "--identity", *(["--udp"] if self.udp else [])]
        try:
            said = ask(self.on, *words)
        except EnvironmentFault as fault:
            return f"the listener at {self.address}:{self.port}: {fault.message}"
        if said.get("identity") == self.token:
            return ""
        return (
            f"the listener at {self.address}:{self.port} does not answer in {self.on.label}: {said['reach']}"
        )


class Leaned(Protocol):
    """Something of ours that a check leans on: a listener, a registry, a stub of its own."""

    def dead(self) -> str:
        """Return why it no longer serves, "" while it does."""
        ...


class Standing(list[Leaned]):
    """What the running check leans on."""


@contextmanager
def standing() -> Iterator[list[Leaned]]:
    """Give a list to be filled: until the end of the block ``dead`` asks those that are in it."""
    now = PROCESS.get(Standing)
    before = list(now)
    try:
        yield now
    finally:
        now[:] = before


def dead() -> str:
    """Return what of ours the running check leans on and does not answer, "" where all of it does."""
    return next(filter(None, (each.dead() for each in PROCESS.get(Standing))), "")


def reach(
    source: Prober,
    target: str | Listener,
    port: int = 0,
    *,
    udp: bool = False,
    within: float = WITHIN,
) -> Reach:
    """Return how a connection from ``source`` ends.

    ``target`` is a listener, or a name or address with ``port``; ``within`` is seconds, more on a slow
    machine: there an answer is late, and that is no denial.

    Raises EnvironmentFault if the probe breaks, or something other than the listener answers.
    """
    listener = target if isinstance(target, Listener) else None
    host = listener.address if listener else str(target)
    number = listener.port if listener else port
    by_datagram = udp or bool(listener and listener.udp)
    limit = pace.stretched(within) if by_datagram else min(pace.stretched(within), TCP_MOST * within)
    words = ["connect", host, str(number), "--within", str(limit)]
    if by_datagram:
        words.append("--udp")
    if listener and listener.token:
        words.append("--identity")
    answer = ask(source, *words, timeout=2 * limit + ANSWER)
    found = Reach(answer["reach"])
    if listener and listener.token and found is Reach.OPEN and answer["identity"] != listener.token:
        text = f"{host}:{number} was answered by something else than the listener: {answer['identity']!r}"
        raise EnvironmentFault(text)
    record("reach", f"{source.label} -> {host}:{number}{'/udp' if '--udp' in words else ''}", found)
    return found


def reached(
    source: Prober, target: str | Listener, port: int = 0, *, udp: bool = False, within: float = OPENS
) -> Reach:
    """Return how a connection ends once it is open, or how it still ends after ``within`` seconds.

    For one that must get through: what is late is waited for. Otherwise as ``reach``.
    """
    last = Reach.NO_ROUTE

    def look() -> bool:
        nonlocal last
        last = reach(source, target, port, udp=udp)
        return last is Reach.OPEN

    with suppress(DeadlineExceeded):  # how it ends instead is the answer
        until(look, timeout=within, what=f"{source.label} gets through")
    return last


def listen(
    on: Prober, port: int = 0, *, token: str, udp: bool = False, address: str | None = None
) -> Listener:
    """Start a listener and return it; port 0 takes a free one, an IPv6 ``address`` one of that family.

    Raises EnvironmentFault if it cannot bind.
    """
    words = ["listen", str(port), "--token", token]
    if address and ":" in address:
        words.append("--six")
    if udp:
        words.append("--udp")
    answer = ask(on, *words)
    return Listener(address or on.address, int(answer["port"]), token, udp, on)


TIMEOUT = "TIMEOUT"
UNREACHABLE = "UNREACHABLE"
RESOLVES = 60.0  # seconds in which a name that must resolve comes to: a resolver may be late


@dataclass(frozen=True)
class Names:
    """The answer about one name: ``rcode`` as "NOERROR", "NXDOMAIN", …, or TIMEOUT or UNREACHABLE."""

    rcode: str
    answers: tuple[str, ...] = ()
    server: str = ""

    @property
    def ok(self) -> bool:
        """Whether there was an answer with an address."""
        return self.rcode == "NOERROR" and bool(self.answers)

    @property
    def answered(self) -> bool:
        """Whether a resolver answered at all, whatever it said."""
        return self.rcode not in (TIMEOUT, UNREACHABLE)


def lookup(source: Prober, name: str, tcp: bool = False, *, server: str = "", within: float = 3.0) -> Names:
    """Return what the resolver of ``source`` (or ``server``) answers about the A records of ``name``.

    ``within`` is seconds, for one attempt, and more on a slow machine. Search domains are tried as the
    resolver configuration says. Raises EnvironmentFault if the probe breaks.
    """
    limit = pace.stretched(within)
    words = ["resolve", name, "--within", str(limit)]
    words += ["--tcp"] if tcp else []
    words += ["--server", server] if server else []
    answer = ask(source, *words, timeout=8 * limit + ANSWER)
    found = Names(str(answer["rcode"]), tuple(answer["answers"]), str(answer["server"]))
    record("names", f"{source.label}: {name} over {'tcp' if tcp else 'udp'}", found)
    return found


def resolved(source: Prober, name: str, tcp: bool = False, *, within: float = RESOLVES) -> Names:
    """Return the answer about a name once it has an address, or the last one after ``within`` seconds.

    For a name that must resolve: what is late is waited for. Otherwise as ``lookup``.
    """
    last = Names(TIMEOUT)

    def look() -> bool:
        nonlocal last
        last = lookup(source, name, tcp)
        return last.ok

    with suppress(DeadlineExceeded):  # what is said instead is the answer
        until(look, timeout=within, what=f"{source.label} resolves {name}")
    return last


class Outside:
    """A container of the probe image, started when it is first asked; ``docker`` is a docker client."""

    label = "outside the cluster"

    def __init__(self, docker: Any, image: str, run: str, network: str = NETWORK) -> None:
        self.docker = docker
        self.image = image
        self.run = run
        self.network = network
        self._made: Container | None = None

    @property
    def made(self) -> Container:
        """The running container; raises EnvironmentFault if it cannot be started."""
        if self._made is None:
            try:
                self._made = self.docker.containers.run(
                    self.image, ["idle"], detach=True, network=self.network, labels={RUN_LABEL: self.run},
                    name=f"boxproof-outside-{secrets.token_hex(3)}", stop_signal="KILL",
                )  # fmt: skip
                self._made.reload()
            except DockerException as error:
                raise EnvironmentFault(f"no probe outside the cluster: {error}") from error
        return self._made

    @property
    def address(self) -> str:
        """Its address on the cluster's network."""
        return str(self.made.attrs["NetworkSettings"]["Networks"][self.network]["IPAddress"])

    def probe(self, *words: str, timeout: float = 30) -> Result:
        """Run the probe program; raises EnvironmentFault if it cannot be run or does not end in time."""
        started, limit = time.monotonic(), pace.stretched(timeout)
        argv = ["timeout", "--signal=KILL", str(limit), PROGRAM, *words]
        try:
            code, (out, err) = self.made.exec_run(argv, demux=True)
        except DockerException as error:
            raise EnvironmentFault(f"the probe outside the cluster broke: {error}") from error
        if code == KILLED:
            raise EnvironmentFault(
                f"the probe outside the cluster: no end within {limit:.0f} s: {' '.join(words)}"
            )
        texts = [(each or b"").decode(errors="replace") for each in (out, err)]
        return Result(tuple(argv), int(code), texts[0], texts[1], time.monotonic() - started)

    @property
    def six(self) -> str:
        """Its IPv6 address on the cluster's network, "" where that has none."""
        return str(
            self.made.attrs["NetworkSettings"]["Networks"][self.network].get("GlobalIPv6Address") or ""
        )

    @property
    def table(self) -> str:
        """Its IPv6 addresses, as the kernel lists them."""
        return self.root(["cat", "/proc/net/if_inet6"])

    def take(self, addresses: Sequence[str]) -> None:
        """Have it take further IPv4 addresses for its own; raises EnvironmentFault."""
        lines = [f"ip route replace local {each}/32 dev lo" for each in addresses]
        self.root(["sh", "-ec", "\n".join(lines)])

    def root(self, argv: Sequence[str]) -> str:
        """Run a command in it as root and return what it says; raises EnvironmentFault if it fails."""
        try:
            code, said = self.made.exec_run(list(argv), privileged=True, user="0:0")
        except DockerException as error:
            raise EnvironmentFault(f"the probe outside the cluster broke: {error}") from error
        if code:
            raise EnvironmentFault(
                f"the probe outside the cluster: {argv[0]} ends with {code}: {said[-300:]!r}"
            )
        return str(said.decode(errors="replace"))

    def remove(self) -> None:
        """Remove the container, if there is one."""
        if self._made is None:
            return
        try:
            self._made.remove(force=True)
        except DockerException as error:
            raise EnvironmentFault(f"cannot remove {self._made.name}: {error}") from error
        self._made = None
