"""What a wheel has beside its packages: claims, suites, sabotages, the box, as a run reads them."""

from pathlib import Path

from setuptools import setup

SHIPPED = (
    ".github", "chart", "claims", "cluster", "docs", "examples", "image", "manifests", "sabotage", "sandbox",
    "suites", "CHANGELOG.md", "README.md", "SECURITY.md", "compose.docker.yaml", "compose.yaml",
    "conftest.py", "planned.toml", "pyproject.toml", "subject.toml", "waivers.toml",
)  # fmt: skip
LEFT_OUT = {"__pycache__", "claudebox.egg-info"}
PLACE = "share/boxproof"  # below the prefix: boxproof.core.settings.ROOT


def shipped() -> list[tuple[str, list[str]]]:
    """Return the files by the directory they are installed in."""
    found: dict[str, list[str]] = {}
    for name in SHIPPED:
        root = Path(name)
        for path in sorted(root.rglob("*")) if root.is_dir() else [root]:
            if path.is_file() and not LEFT_OUT & set(path.parts):
                found.setdefault(f"{PLACE}/{path.parent.as_posix()}", []).append(path.as_posix())
    return sorted(found.items())


setup(data_files=shipped())
