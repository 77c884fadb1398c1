"""What an engine changes of the machine's network and leaves so: noted before, restored when it ends."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from boxproof.core.process import run
from boxproof.host import process_table
from pytest_claims import progress as log

SYSCTLS = (
    "net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding", "net/bridge/bridge-nf-call-iptables",
    "net/bridge/bridge-nf-call-ip6tables",
)  # fmt: skip
PROC = Path("/proc/sys")
POLICY = re.compile(r"-P FORWARD (ACCEPT|DROP)")
DAEMON = "dockerd"


def note(path: Path, iptables: Path, *, proc: Path = PROC) -> None:
    """Write what the machine has now, unless that was noted before an engine that is not ended yet."""
    if path.exists():
        return
    found = {name: text for name in SYSCTLS if (text := _read(proc / name)) is not None}
    path.write_text(json.dumps({"sysctls": found, "iptables": str(iptables), "forward": _policy(iptables)}))


def restore(path: Path, *, proc: Path = PROC) -> list[str]:
    """Put back what was noted, and return what that changed; nothing while another engine runs."""
    try:
        noted = json.loads(path.read_text())
    except (OSError, ValueError):
        return []
    if others := [
        pid for pid, words in process_table.mentioning(DAEMON).items() if Path(words[0]).name == DAEMON
    ]:
        log.say(f"another engine runs (process {others[0]}): the machine's forwarding stays as it is")
        return []
    changed = _restored(noted.get("sysctls", {}), proc)
    wanted, iptables = noted.get("forward", ""), Path(noted.get("iptables", ""))
    if wanted and _policy(iptables) not in ("", wanted):
        run([iptables, "-P", "FORWARD", wanted], timeout=20, check=False)
        changed.append(f"FORWARD {wanted}")
    path.unlink()
    return changed


def _restored(noted: Mapping[str, str], proc: Path) -> list[str]:
    changed = []
    for name, value in noted.items():
        if _read(proc / name) not in (None, value):
            with suppress(OSError):  # read-only, in a container
                (proc / name).write_text(value)
                changed.append(f"{name} {value}")
    return changed


def _read(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None


def _policy(iptables: Path) -> str:
    """Return the policy of the chain FORWARD, "" where it cannot be told."""
    if not iptables.is_file():
        return ""
    done = run([iptables, "-S", "FORWARD"], timeout=20, check=False)
    found = POLICY.search(done.stdout)
    return found[1] if found else ""
