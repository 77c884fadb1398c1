"""A stand-in for the memory of a long session of the CLI, hours of it in some seconds.

The real CLI stays at 1.5 to 2 GB in active use (document C, "Out of Memory Kills"), and cannot be made to
on demand. What it starts comes on top: an MCP server that stays, and tools that come and go.
"""

from __future__ import annotations

MIB = 1 << 20
SERVER = 100  # MiB of the MCP server
GROWTH = (400, 700, 1000, 1300, 1600, 1750)  # MiB of the CLI itself, as its context grows
TOOLS = (150, 300, 400)  # MiB of the tools that run side by side in each phase
PEAK = (GROWTH[-1] + SERVER + sum(TOOLS)) * MIB  # bytes at once, at the end: 2.6 GiB

_HOLD = "held = bytes([1]) * (int(sys.argv[1]) << 20)"
_STAYS = f"import sys; {_HOLD}; print(flush=True); sys.stdin.read()"
_SESSION = f"""
import subprocess, sys
def start(mib):
    started = subprocess.Popen([sys.executable, "-c", {_STAYS!r}, str(mib)], stdin=-1, stdout=-1)
    running.append(started)
    return started
def ready(started):
    return started.stdout.read(1) == b"\\n"
def end(started):
    started.stdin.close()
    return started.wait() == 0
running = []
server = start({SERVER})
held = bytearray()
for size in {GROWTH!r}:
    held += bytes([1]) * ((size << 20) - len(held))
    tools = [start(each) for each in {TOOLS!r}]
    if not all([ready(each) for each in tools]) or not all([end(each) for each in tools]):
        sys.exit("a tool was killed")
sys.exit(0 if ready(server) and end(server) else "the MCP server was killed")
"""
SESSION = ["python3", "-c", _SESSION]  # exits 0 if nothing of it was killed
