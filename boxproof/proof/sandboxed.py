"""The subject's sandbox on a stage: its commands, and sessions that probes are run in."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import httpx

from boxproof.errors import EnvironmentFault, SubjectFault
from boxproof.host import sandboxtools
from boxproof.kube.exec import ExecResult
from boxproof.probes import ledger
from boxproof.probes.image import PROGRAMS
from boxproof.probes.stage import Stage
from boxproof.run import Result, Started, started
from boxproof.session import StubInfo
from boxproof.settings import ROOT, Settings
from boxproof.stubs import certificates
from boxproof.stubs.anthropic import NAMES, Stub
from boxproof.subject.model import Subject
from boxproof.wait import until

PYTHON = "/usr/bin/python3"
LIBRARY = "usr/local/lib/boxproof/"
START = 60.0  # seconds until a session has answered once
AGENT = """
import json, subprocess, sys
for line in sys.stdin:
    asked = json.loads(line)
    try:
        options = {"capture_output": True, "timeout": asked["timeout"], "stdin": subprocess.DEVNULL}
        done = subprocess.run(asked["argv"], **options)
        said = [done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")]
    except (OSError, subprocess.TimeoutExpired) as error:
        said = [127, "", str(error)]
    print(json.dumps(said), flush=True)
"""
SERVER = """
import signal, sys
sys.path.insert(0, {root!r})
signal.pthread_sigmask(signal.SIG_BLOCK, {{signal.SIGTERM, signal.SIGINT}})
from boxproof.stubs.server.stub import main
main({directory!r}, control_path={control!r})
"""
PROBE = """
import sys
sys.path.insert(0, {library!r})
from boxproof.probes.program_files.probe import main
sys.exit(main())
"""


def programs(settings: Settings) -> Path:
    """Return a directory with bwrap, slirp4netns, nft and ip; raises EnvironmentFault, with the remedy."""
    sandboxtools.demand()
    return sandboxtools.ensure(settings)


class Inside:
    """A session of the sandbox with a payload of ours in it: commands, and the probe program."""

    address = "127.0.0.1"

    def __init__(self, process: Started, label: str, library: str) -> None:
        self.process = process
        self.label = label
        self._library = library
        self._answered = 0

    def run(self, argv: Sequence[str], *, timeout: float = 30) -> ExecResult:
        """Run a command inside; raises SubjectFault if the session has ended."""
        self.process.write(json.dumps({"argv": list(argv), "timeout": timeout}) + "\n")

        def answered() -> bool:
            if self.process.process.poll() is not None and len(self._lines()) <= self._answered:
                said = self.process.complained.strip()[-400:]
                raise SubjectFault(f"the session ended with {self.process.process.returncode}: {said}")
            return len(self._lines()) > self._answered

        until(answered, timeout=timeout + START, every=0.01, what=f"an answer from inside ({self.label})")
        code, out, err = json.loads(self._lines()[self._answered])
        self._answered += 1
        return ExecResult(tuple(argv), code, out, err, 0.0)

    def _lines(self) -> list[str]:
        return [each for each in self.process.said.split("\n")[:-1] if each.startswith("[")]

    def sh(self, script: str, *, timeout: float = 30) -> ExecResult:
        """Run a line of shell inside."""
        return self.run(["sh", "-c", script], timeout=timeout)

    def probe(self, *words: str, timeout: float = 30) -> ExecResult:
        """Run the probe program inside."""
        return self.run([PYTHON, "-c", PROBE.format(library=self._library), *words], timeout=timeout)


class Api:
    """The stub API in the world of a stage, by the real one's names; ``env`` is what the CLI needs for it."""

    def __init__(self, stage: Stage) -> None:
        authority = certificates.issue(NAMES)
        self.ca = stage.directory / "ca.pem"
        self.ca.write_text(authority.ca)
        (stage.directory / "tls.crt").write_bytes(authority.chain)
        (stage.directory / "tls.key").write_bytes(authority.key)
        self.env = {"NODE_EXTRA_CA_CERTS": str(self.ca)}
        control = stage.directory / "control"
        code = SERVER.format(root=str(ROOT), directory=str(stage.directory), control=str(control))
        served = stage.serve([sys.executable, "-u", "-c", code])
        until(
            lambda: control.exists() or served.process.poll() is not None,
            timeout=START,
            every=0.02,
            what="the stub of a stage",
        )
        info = StubInfo(address="", ca=authority.ca, control="http://stage")
        transport = httpx.HTTPTransport(uds=str(control))
        self.stub = Stub(info, client=httpx.Client(transport=transport, base_url="http://stage", timeout=10))


class Sandbox:
    """The launcher; raises SubjectFault where the subject has none."""

    def __init__(self, subject: Subject, stage: Stage) -> None:
        if not subject.sandbox.command:
            raise SubjectFault("subject.toml names no sandbox: sandbox.command")
        if not Path(PYTHON).exists():
            raise EnvironmentFault(f"no {PYTHON} on this machine", hint="install the package python3")
        self.part = subject.sandbox
        self.stage = stage
        filled = {"python": PYTHON, "subject": str(subject.directory)}
        self.command = [each.format(**filled) for each in self.part.command]
        self.state = stage.home / self.part.state

    def library(self, project: Path) -> str:
        """Return a directory in the project with the probe program, put there if need be."""
        home = project / ".probe"
        if not home.is_dir():
            for name, source in PROGRAMS.items():
                if name.startswith(LIBRARY):
                    target = home / name.removeprefix(LIBRARY)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(source, target)
        return str(home)

    def options(
        self, tier: str = "", *, profile: str = "", yes: bool = True, more: Sequence[str] = ()
    ) -> list[str]:
        """Return the options of a launch."""
        words = [each.format(tier=tier) for each in self.part.tier] if tier else []
        words += [each.format(name=profile) for each in self.part.profile] if profile else []
        return [*words, *(self.part.yes if yes else ()), *more]

    def argv(
        self, execute: Sequence[str] = (), tier: str = "", *, arguments: Sequence[str] = (), **options: object
    ) -> list[str]:
        """Return the command of a launch, of a payload (``execute``) or of the CLI with ``arguments``."""
        end = [*self.part.execute, *execute] if execute else [*self.part.arguments, *arguments]
        return [*self.command, *self.options(tier, **options), *end]  # type: ignore[arg-type]

    def run(
        self,
        execute: Sequence[str] = (),
        tier: str = "",
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float = 60,
        **options: object,
    ) -> Result:
        """Launch and wait for the end, whatever its exit code."""
        argv = self.argv(execute, tier, **options)  # type: ignore[arg-type]
        return self.stage.as_user(argv, cwd=cwd, env=env, timeout=timeout)

    def sh(self, script: str, tier: str = "", **options: object) -> Result:
        """Launch with a line of shell as payload."""
        return self.run(["sh", "-c", script], tier, **options)  # type: ignore[arg-type]

    def says(self, *words: str, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Result:
        """Run the launcher with these words alone."""
        return self.stage.as_user([*self.command, *words], cwd=cwd, env=env)

    def instance(self, cwd: Path) -> str:
        """Return the instance of a directory; raises SubjectFault if it is refused."""
        result = self.says(*self.part.instance, cwd=cwd)
        found = result.stdout.strip()
        ledger.record("instance", str(cwd.name), found or result.stderr.strip())
        if not result.ok:
            raise SubjectFault(result.describe())
        return found

    def shown(self, tier: str, execute: Sequence[str], **options: object) -> list[list[str]]:
        """Return the commands of a dry run."""
        more = tuple(self.part.dry_run)
        result = self.run(execute, tier, more=more, **options)  # type: ignore[arg-type]
        if not result.ok:
            raise SubjectFault(result.describe())
        return list(_commands(result.stdout))

    def background(
        self,
        execute: Sequence[str] = (),
        tier: str = "",
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        terminal: bool = False,
        **options: object,
    ) -> AbstractContextManager[Started]:
        """Start a launch; its pid is the launcher's."""
        argv = self.argv(execute, tier, **options)  # type: ignore[arg-type]
        return started(self.stage.command(argv, cwd=cwd, env=env), terminal=terminal)

    @contextmanager
    def session(
        self,
        tier: str = "",
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        **options: object,
    ) -> Iterator[Inside]:
        """Give a session that runs commands; raises SubjectFault if it does not start."""
        project = cwd or self.stage.project
        library = self.library(project)
        payload = [PYTHON, "-u", "-c", AGENT]
        with self.background(payload, tier, cwd=project, env=env, **options) as process:  # type: ignore[arg-type]
            inside = Inside(process, f"sandbox ({tier or 'default'})", library)
            inside.run(["true"])
            yield inside
            process.close()
            process.wait(START)


def _commands(text: str) -> Iterator[list[str]]:
    """Yield the commands in a dry run; a quoted word may go on over several lines."""
    begun = ""
    for line in text.split("\n"):
        if not begun and not line.startswith("/"):
            continue
        begun += line
        try:
            yield shlex.split(begun)
        except ValueError:
            begun += "\n"
        else:
            begun = ""
