"""What sabotages edit with sed in the image's own files is there, and is changed."""

from __future__ import annotations

import re
import subprocess

from boxproof.core.own_project import OURS
from boxproof.core.settings import ROOT
from boxproof.deployment.sabotage_ways import ImageSabotage

SED = re.compile(r"cp (?P<path>/\S+) /tmp/was && sed -i -E '(?P<edit>.*)' (?P=path) &&", re.DOTALL)
FILES = ROOT / "image" / "rootfs"


def test_every_edit_of_the_image_changes_the_file_as_it_stands() -> None:
    wrong, seen = [], 0
    for key, each in sorted(OURS.sabotages().items()):
        found = SED.search(each.dockerfile) if isinstance(each, ImageSabotage) else None
        path = FILES / found["path"].lstrip("/") if found else None
        if found is None or path is None or not path.is_file():
            continue
        seen += 1
        # through a shell, as the build does: quotes mean the same
        done = subprocess.run(
            ["sh", "-c", f"sed -E '{found['edit']}' {path}"], capture_output=True, text=True, check=False
        )
        if done.returncode or done.stdout == path.read_text():
            wrong.append(f"{key}: {done.stderr.strip() or 'changes nothing'}")
    assert seen
    assert wrong == []
