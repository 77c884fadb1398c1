"""``inv harness``: this harness as an image, for runners whose steps are containers."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from boxproof.cli import fresh
from boxproof.core.process import run
from boxproof.core.settings import CHECKOUT, ROOT, Settings
from boxproof.host.engine import engine_choice
from boxproof.subject.image import base_image, build_mark, image_build
from pytest_claims import progress
from pytest_claims.faults import UsageError
from pytest_claims.selection import short

RECIPE = Path(".ci/harness/Containerfile")
NAME = "boxproof-harness:latest"
TIMEOUT = 3600.0
REFERENCE = re.compile(r"[a-z0-9][a-z0-9._/-]*(:[0-9]+/[a-z0-9._/-]+)?(:[\w][\w.-]{0,127})?")


def build(name: str = "") -> str:
    """Build the image of this checkout and return its name.

    Raises UsageError outside a checkout, EnvironmentFault if the build fails.
    """
    if ROOT != CHECKOUT:
        hint = "clone the repository: the image is made of it"
        raise UsageError("this is no checkout of boxproof", hint=hint)
    if name and not REFERENCE.fullmatch(name):
        hint = "allowed: [HOST[:PORT]/]NAME[:TAG], in lower case but for the tag"
        raise UsageError(f"--name={short(name)!r}", hint=hint)
    settings, recipe = Settings.load(), ROOT / RECIPE
    engine = engine_choice.ensure(settings)
    base = base_image.choose(settings, engine, recipe.read_text())
    words = ["buildx", "build", "--builder=default", "--load", "--progress=plain", "--provenance=false"]
    words += ["--network=host", f"--tag={name or NAME}", f"--file={recipe}"]
    words += [f"--build-arg=BASE_IMAGE={base.reference}"] if base else []
    with image_build.lent(base) as apt, index() as pip, progress.step(name or NAME) as report:
        argv = [engine.client, *words, *apt, *pip, str(ROOT)]
        run(argv, env=engine.env, timeout=TIMEOUT, on_line=report)
    return name or NAME


@contextmanager
def index() -> Iterator[list[str]]:
    """Give the options that lend a build the Python index of this machine, and its CA bundle."""
    with tempfile.TemporaryDirectory(prefix="boxproof-harness-") as below:
        conf = Path(below) / "pip.conf"
        conf.write_text(fresh.registries()["pip.conf"])
        bundle = next((each for each in build_mark.CA_BUNDLES if Path(each).is_file()), "/dev/null")
        yield [f"--secret=id=pip-conf,src={conf}", f"--secret=id=pip-ca,src={bundle}"]
