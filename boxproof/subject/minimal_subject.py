"""The smallest subjects there are, with defects on purpose: what a pipeline is tried on in seconds."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

PACKAGE = "needle"  # what our own vulnerability databases know something against
BAD, GOOD = "1.0", "2.0"
SKIPPED = "tool-bump-rebuilds-one-layer"  # its check is skipped, as one tool alone is listed
PROVABLE = "image-user-nonroot"
SUBJECT = """name = "miniature"
[image]
name = "{name}"
tools = "image/tools.toml"
"""
TOOLS = """[[tool]]
name = "needle"
obtain = {{ way = "package", package = "{name}" }}
works = "true"
"""
DOCKERFILE = """FROM scratch
COPY root/ /
{more}USER {user}
"""
OS = 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="none of it"\n'
METADATA = "Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"


@dataclass(frozen=True)
class Miniature:
    """A subject of one package and no program; the defaults have no defect."""

    name: str
    user: str = "1000:1000"
    version: str = GOOD
    builds: bool = True
    waivers: str = ""
    suppressions: str = ""

    def write(self, directory: Path) -> Path:
        """Write it below ``directory``, in place of what was there; returns the subject's directory."""
        subject = directory / "miniature"
        shutil.rmtree(subject, ignore_errors=True)
        root = subject / "image" / "root"
        found = root / f"usr/lib/python3/dist-packages/{PACKAGE}-{self.version}.dist-info"
        files = {
            subject / "subject.toml": SUBJECT.format(name=self.name),
            subject / "image/Dockerfile": DOCKERFILE.format(
                user=self.user, more="" if self.builds else "COPY what-is-not-there /\n"
            ),
            subject / "image/tools.toml": TOOLS.format(name=PACKAGE),
            subject / "waivers.toml": self.waivers,
            subject / "suppressions.toml": self.suppressions,
            root / "etc/passwd": "claude:x:1000:1000::/:/none\n",
            root / "etc/os-release": OS,
            root / "etc/name": f"{self.name}\n",
            found / "METADATA": METADATA.format(name=PACKAGE, version=self.version),
            found / "RECORD": "",
        }
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return subject
