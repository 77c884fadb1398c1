"""Why an image does not build, in a line, and whose fault it is: the subject's, or this machine's."""

from __future__ import annotations

import re
import secrets
import tempfile
from pathlib import Path

from boxproof.core.process import CommandTimedOut, run
from boxproof.core.session import EngineInfo, labels_here
from boxproof.host.engine import engine_client
from pytest_claims.faults import BoxproofError, EnvironmentFault, SubjectFault

REFERENCE = "boxproof-reference"
TIMEOUT = 300.0
LAST = 25  # lines of a build that are shown below its cause
WIDTH = 60  # of a command that is quoted
# parts of the subject that are nothing without its image: their claims are refuted, others not judged
SPOILT = frozenset({"image", "box", "claude-code", "config-dir", "entrypoints", "statefulset", "volume"})
OURS = re.compile(  # what a build says when the environment failed it
    r"Temporary failure resolving|Could not (connect|resolve)|Failed to fetch|failed to do request"
    r"|no space left|disk quota exceeded|i/o timeout|connection (refused|reset|timed out)|TLS handshake"
    r"|certificate verif|self.signed.cert|UNABLE_TO_(GET_ISSUER|VERIFY_LEAF)|unable to get (local )?issuer"
    r"|Unable to fetch some archives|Hash Sum mismatch|unexpected size"
    r"|Clearsigned file isn't valid|too ?many ?requests|(status|error|code)\W{0,12}429\b|\b429 Too"
    r"|unexpected status.*\b5\d\d\b|\b(500|502|503|504) +(Internal|Bad|Service|Gateway)"
    r"|(returned|requested URL returned|HTTP)\W{0,3}(error:? ?)?(429|50[0234])\b"
    r"|temporary failure in name resolution|no such host|server misbehaving|EAI_AGAIN|ETIMEDOUT|ECONNRESET"
    r"|network is unreachable|unexpected EOF|context deadline exceeded|DeadlineExceeded"
    r"|cannot allocate memory|out of memory|signal: killed|exit code: 137\b|exit status 137\b"
    r"|(not yet valid|not valid yet|has expired)"
    r"|exec /bin/\w*sh: exec format error"  # a base for processors of another kind
    r"|/var/lib/(docker|containerd|buildkit).*read-only file system",
    re.IGNORECASE,
)
HEADER = re.compile(r"^(?:#\d+|\s*>) \[")  # of a step: its instruction
EXCERPT = re.compile(r"^\s*\d+ \|")  # of the Dockerfile, around the instruction that failed
QUOTED = re.compile(r'process ".*" did not complete')
FAILED = re.compile(r"^#(\d+) ERROR: (.*)$", re.MULTILINE)
COMMAND = re.compile(r'process "(?:/bin/\w*sh -\w+ )?(.*)" did not complete successfully: (.*)$')
SOLVER = re.compile(r"^ERROR: (?:failed to build: )?(?:failed to solve: )?(.*)$", re.MULTILINE)
TELLING = re.compile(
    r"\b(errors?|fatal|failed|fails|failure|not found|no such|cannot|can't|could not|unable|denied"
    r"|refused|invalid|unknown|unexpected|missing|undefined|panic|killed)\b"
    r"|^E: |\*\*\*|\bERR!|\w(Error|Exception):",
    re.IGNORECASE,
)
ASIDE = re.compile(r"^debconf: |^\(Can't locate |\bwarn(ing)?\b|\bdeprecated\b", re.IGNORECASE)


def blamed(engine: EngineInfo, said: str, *, base: str | None = None) -> BoxproofError:
    """Return the fault of a build that ended with ``said``: the environment's or the subject's.

    Where it sounds like the recipe's, a reference build on the same ``base`` ("" for none) has to succeed;
    without a ``base`` there is no such build. The first line of its message is the cause.
    """
    lines = [each for each in said.splitlines() if each.strip()][-LAST:]
    message = f"the image does not build: {cause(said)}\n" + "\n".join(lines)
    if is_ours(said) or not engine_client.server_version(engine.host):
        return EnvironmentFault(message, hint="inv doctor says what this machine lacks")
    why = "" if base is None else reference_build(engine, base)
    if why:
        return EnvironmentFault(f"{message}\nand a reference build on the same base fails too: {why}")
    return SubjectFault(message, spoils=SPOILT)


def is_ours(said: str) -> bool:
    """Return whether a build, or a pull, says that it was the environment that failed it.

    What its Dockerfile says is no such word: a recipe may well speak of time-outs.
    """
    return bool(OURS.search(_without_recipe(said)))


def of_a_command(said: str) -> bool:
    """Return whether it was a command of the recipe that failed, and not what the builder does itself."""
    return any("did not complete successfully" in each for each in SOLVER.findall(said))


def cause(said: str) -> str:
    """Return in one line why a build failed: what the command that failed said of it, and which one it was.

    It is the first line of that step which tells of a failure, else the step's last one; where no command
    failed, it is what BuildKit says of the Dockerfile.
    """
    failed = FAILED.findall(said)
    if not failed:
        solver = SOLVER.findall(said)
        rest = [each.strip() for each in said.splitlines() if each.strip()]
        return str(solver[-1] if solver else rest[-1] if rest else "the build said nothing")
    step, error = failed[-1]
    command = COMMAND.search(error)
    if command is None:
        return str(error)
    output = [each.strip() for each in re.findall(rf"^#{step} \d+\.\d+ (.*)$", said, re.MULTILINE)]
    telling = [each for each in output if TELLING.search(each) and not ASIDE.search(each)]
    why = (telling[:1] or [each for each in output if each][-1:] or ["no word of why"])[0]
    quoted = command[1] if len(command[1]) <= WIDTH else f"{command[1][:WIDTH].rstrip()} …"
    return f"{why} ({quoted}: {command[2]})"


def _without_recipe(said: str) -> str:
    lines = [each for each in said.splitlines() if not HEADER.match(each) and not EXCERPT.match(each)]
    return QUOTED.sub("process did not complete", "\n".join(lines))


def reference_build(engine: EngineInfo, base: str) -> str:
    """Build next to nothing on ``base`` and return "", or why that fails; nothing of it stays."""
    tag = f"{REFERENCE}:{secrets.token_hex(4)}"
    owned = [f"LABEL {key}={value}" for key, value in labels_here().items()]
    lines = [f"FROM {base or 'scratch'}", "COPY nonce /boxproof-reference", *owned]
    lines += ["RUN true"] if base else []
    argv = [engine.client, "buildx", "build", "--builder=default", "--load", "--progress=plain"]
    with tempfile.TemporaryDirectory(prefix="boxproof-reference-") as below:
        (Path(below) / "Dockerfile").write_text("\n".join(lines) + "\n")
        (Path(below) / "nonce").write_text(f"{tag}\n")
        try:
            done = run([*argv, f"--tag={tag}", below], env=engine.env, timeout=TIMEOUT, check=False)
        except CommandTimedOut as fault:
            return fault.message
    run([engine.client, "image", "rm", "--force", tag], env=engine.env, timeout=60, check=False)
    return "" if done.ok else (done.stderr.strip().splitlines() or ["the engine said nothing"])[-1]
