"""Kills for want of memory are told of once each, by a control group of files."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from boxproof.core.process import run
from boxproof.core.settings import ROOT

LIB = ROOT / "image/rootfs/usr/local/lib/box"
LOOKS = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(LIB)!r})
from kills import Kills
group = Path(sys.argv[1])
def now(count): (group / "memory.events").write_text(f"oom 9\\noom_kill {{count}}\\n")
now(2)
kills = Kills(group)
for count in (2, 3, 3, 0, 1):
    now(count)
    kills.look()
(group / "memory.events").unlink()
kills.look()
"""


def test_what_came_since_the_last_look_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").touch()

    found = run([sys.executable, "-c", LOOKS, str(tmp_path)], timeout=60)

    told = [json.loads(each) for each in found.stderr.splitlines()]
    assert [each["oom_kills"] for each in told] == [3, 1]
    assert {each["level"] for each in told} == {"warning"}
