"""Whose fault a build is that failed: of the machine, of what it fetches from, or of the recipe."""

from __future__ import annotations

import re
import secrets
import tempfile
from pathlib import Path

from boxproof.core.labels import labels_here
from boxproof.core.process import CommandTimedOut, run
from boxproof.core.session import EngineInfo
from boxproof.host.engine import engine_client
from pytest_claims.faults import BoxproofError, EnvironmentFault, SubjectFault

REFERENCE = "boxproof-reference"
TIMEOUT = 300.0
# parts of the subject that are nothing without its image: their claims are refuted, others not judged
SPOILT = frozenset({"image", "box", "claude-code", "config-dir", "entrypoints", "statefulset", "volume"})
OURS = re.compile(  # what a build says when the environment failed it
    r"Temporary failure resolving|Could not (connect|resolve)|Failed to fetch|failed to do request"
    r"|no space left|disk quota exceeded|i/o timeout|connection (refused|reset|timed out)|TLS handshake"
    r"|certificate verif|Unable to fetch some archives|Hash Sum mismatch|unexpected size"
    r"|Clearsigned file isn't valid|too ?many ?requests|(status|error|code)\W{0,12}429\b|\b429 Too"
    r"|unexpected status.*\b5\d\d\b|\b(500|502|503|504) +(Internal|Bad|Service|Gateway)"
    r"|(returned|requested URL returned|HTTP)\W{0,3}(error:? ?)?(429|50[0234])\b"
    r"|temporary failure in name resolution|no such host|server misbehaving|EAI_AGAIN|ETIMEDOUT|ECONNRESET"
    r"|network is unreachable|unexpected EOF|context deadline exceeded|DeadlineExceeded"
    r"|cannot allocate memory|out of memory|signal: killed|exit code: 137\b|exit status 137\b"
    r"|(not yet valid|not valid yet|has expired)"
    r"|/var/lib/(docker|containerd|buildkit).*read-only file system",
    re.IGNORECASE,
)


def blamed(engine: EngineInfo, said: str, *, base: str | None = None) -> BoxproofError:
    """Return the fault of a build that ended with ``said``: the environment's or the subject's.

    Where it sounds like the recipe's, a reference build on the same ``base`` ("" for none) has to succeed;
    without a ``base`` there is no such build.
    """
    lines = [each for each in said.splitlines() if each.strip()][-25:]
    message = "the image does not build:\n" + "\n".join(lines)
    if OURS.search(said) or not engine_client.server_version(engine.host):
        return EnvironmentFault(message, hint="inv doctor says what this machine lacks")
    why = "" if base is None else reference_build(engine, base)
    if why:
        return EnvironmentFault(f"{message}\nand a reference build on the same base fails too: {why}")
    return SubjectFault(message, spoils=SPOILT)


def reference_build(engine: EngineInfo, base: str) -> str:
    """Build next to nothing on ``base`` and return "", or why that fails; nothing of it stays."""
    tag = f"{REFERENCE}:{secrets.token_hex(4)}"
    owned = [f"LABEL {key}={value}" for key, value in labels_here().items()]
    lines = [f"FROM {base or 'scratch'}", "COPY nonce /boxproof-reference", *owned]
    lines += ["RUN true"] if base else []
    argv = [
        engine.client,
        "buildx",
        "build",
        "--builder=default",
        "--load",
        "--progress=plain",
        f"--tag={tag}",
    ]
    with tempfile.TemporaryDirectory(prefix="boxproof-reference-") as below:
        (Path(below) / "Dockerfile").write_text("\n".join(lines) + "\n")
        (Path(below) / "nonce").write_text(f"{tag}\n")
        try:
            done = run([*argv, f"--tag={tag}", below], env=engine.env, timeout=TIMEOUT, check=False)
        except CommandTimedOut as fault:
            return fault.message
    run([engine.client, "image", "rm", "--force", tag], env=engine.env, timeout=60, check=False)
    return "" if done.ok else (done.stderr.strip().splitlines() or ["the engine said nothing"])[-1]
