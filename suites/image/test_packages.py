"""What the distribution's packages bring into the image, and what they leave out of it."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import pytest

from boxproof.core.session import EngineInfo, ImageInfo, Session
from boxproof.core.settings import Settings
from boxproof.probes.eventually import eventually
from boxproof.subject.image import dockerfile, image_build, layers, packages, trial_build
from boxproof.subject.image.bad_images import layered
from boxproof.subject.image.base_image import Base
from boxproof.subject.image.dockerfile import Recipe, Stage, Step
from boxproof.subject.image.image_files import reader
from boxproof.subject.image.layers import Layer
from boxproof.subject.model import Subject
from boxproof.subject.supply_chain import provenance
from pytest_claims import claim, control, observe, scope

pytestmark = scope("image")

COMPILERS = "gcc cc g++ c++ cpp clang ld as make cmake cargo rustc go"
HEADERS = "/usr/include/stdio.h /usr/include/stdlib.h /usr/local/include/stdio.h"
BUILD_TOOLS = (
    f'for each in {COMPILERS}; do command -v "$each" || true; done; '
    f'for each in {HEADERS}; do [ ! -e "$each" ] || echo "$each"; done'
)
LIST = "var/lib/apt/lists/mirror_dists_bookworm_main_binary-amd64_Packages"
ARCHIVE = "var/cache/apt/archives/jq_1.6-2.1_amd64.deb"
STATUS = "/var/lib/dpkg/status"
MOUNTS = (
    "type=cache,target=/var/cache/apt,sharing=locked", "type=cache,target=/var/lib/apt,sharing=locked",
    "type=secret,id=apt-conf", "type=secret,id=apt-sources", "type=secret,id=host-ca",
)  # fmt: skip
LENT = " ".join(f"--mount={each}" for each in MOUNTS)
APT = "export APT_CONFIG=/run/secrets/apt-conf DEBIAN_FRONTEND=noninteractive"
RECOMMENDS_MORE = "iproute2"  # a small package that recommends another small one


@claim("multistage-no-build-tools")
def test_no_compiler_reaches_the_image(
    engine: EngineInfo, subject: Subject, written: Recipe, base: Base, image: ImageInfo, tmp_path: Path
) -> None:
    text = (subject.directory / subject.image.dockerfile).read_text()
    assert len(written.stages) > 1, "the only stage is the image"
    builders = [each.name for each in written.stages[:-1] if any(step.installs for step in each.steps)]
    context = subject.directory / subject.image.context
    with (
        control("the same question in a builder stage finds its compiler and headers"),
        image_build.options(Settings.load(), subject, base, image.nonce) as options,
    ):
        stage = builders[0] if builders else written.stages[0].name
        found = trial_build.asked(engine, stage, BUILD_TOOLS, context, before=text, options=options)
        assert observe("build tools", f"stage {stage}", found)
    found = trial_build.asked(engine, image.reference, BUILD_TOOLS, tmp_path)
    assert observe("build tools", image.reference, found) == []


@claim("apt-cleanup-same-layer")
def test_no_layer_holds_lists_or_archives(
    session: Session, docker: Any, written: Recipe, image: ImageInfo, image_layers: list[Layer]
) -> None:
    gone = {str(Path(each).with_name(f".wh.{Path(each).name}")): b"" for each in (LIST, ARCHIVE)}
    with (
        control("a list and an archive that a later layer deletes are seen all the same"),
        layered(docker, [{LIST: b"Package: jq", ARCHIVE: b"!<arch>"}, gone], run=session.run) as made,
    ):
        found = packages.left_behind(layers.layers(session.engine, made))
        assert observe("left behind", made, found) == sorted([LIST, ARCHIVE])
    assert observe("left behind", image.reference, packages.left_behind(image_layers)) == []
    for stage in written.stages:
        for step in stage.steps:
            unclean = [path for path in dockerfile.CLEANED if step.installs and not step.cleans(path)]
            assert not unclean, f"stage {stage.name} installs and leaves {unclean} in its layer"


@claim("apt-no-install-recommends")
def test_every_package_is_asked_for_or_depended_upon(
    session: Session,
    docker: Any,
    engine: EngineInfo,
    written: Recipe,
    base: Base,
    image: ImageInfo,
    tmp_path: Path,
) -> None:
    with reader(docker, base.reference, run=session.run) as read:
        under = set(packages.installed(read(STATUS) or ""))
    if not under:
        pytest.skip("the image is not made of Debian packages")
    with control("an install without the flag brings what nothing asked for"), image_build.lent(base) as lent:
        lines = [
            f"FROM {base.reference} AS more",
            f"RUN --network=host {LENT} {APT} && apt-get update -q && apt-get install -qy {RECOMMENDS_MORE}",
            f"FROM scratch\nCOPY --from=more {STATUS} /status",
        ]
        text = trial_build.content(engine, "\n".join(lines), tmp_path, "status", [*lent, "--network=host"])
        found = packages.unneeded(packages.installed(text), under | {RECOMMENDS_MORE})
        assert observe("packages only recommended", f"{RECOMMENDS_MORE} without the flag", found)
    installs = [each for stage in written.stages for step in stage.steps for each in step.installs]
    assert installs
    assert [each.text for each in installs if each.recommends] == []
    asked = packages.named(word for each in installs for word in each.packages)
    with reader(docker, image.reference, run=session.run) as read:
        have = packages.installed(read(STATUS) or "")
    assert len(have) > len(under)
    assert observe("packages only recommended", image.reference, packages.unneeded(have, under | asked)) == []


def fetching(stage: Stage, step: Step, base: Base, *, network: str, mounts: bool = True) -> str:
    """Return a Dockerfile that only fetches what a step installs, in the step's own words."""
    told = [f"{each.word} {each.value}" for each in stage.steps if each.word in ("ARG", "ENV")]
    flags = [each for each in step.flags if mounts or "type=cache" not in each]
    once = f"ENV BOXPROOF_ONCE={secrets.token_hex(8)}"  # --no-cache would begin with empty cache mounts
    run = f"RUN --network={network} {' '.join(flags)} {step.installation} --download-only"
    return "\n".join([f"FROM {base.reference}", once, *told, run]) + "\n"


@claim("buildkit-and-apt-cache-mounts")
def test_a_second_build_needs_no_mirror(
    engine: EngineInfo, subject: Subject, written: Recipe, base: Base, image: ImageInfo
) -> None:
    context = subject.directory / subject.image.context
    how = provenance.of(Settings.load().cache, image).get("buildType", "")
    assert "buildkit" in how, f"the image was built by {how!r}"
    for stage in written.stages:
        assert sum(step.updates for step in stage.steps) <= 1, f"stage {stage.name} updates the lists again"
    stage = written.final
    steps = [step for step in stage.steps if step.installs]
    assert steps
    with image_build.lent(base, 'Acquire::Retries "0"') as lent:
        options = ["--network=host", *lent]
        for step in steps:
            trial_build.must(
                trial_build.build_once(engine, fetching(stage, step, base, network="host"), context, options)
            )
            with control("without its cache mounts the same step needs the mirror"):
                bare = fetching(stage, step, base, network="none", mounts=False)
                built = trial_build.build_once(engine, bare, context, options)
                assert not observe("fetches offline", "without cache mounts", built.ok)
            built = trial_build.build_once(
                engine, fetching(stage, step, base, network="none"), context, options
            )
            assert observe("fetches offline", "with the step's own mounts", built.ok), (
                f"it ends: {built.said[-500:]}"
            )
    bound, used = trial_build.cache_bound(engine), trial_build.cache_used(engine)
    assert used > 0
    eventually(
        lambda: trial_build.cache_used(engine) <= bound, timeout=120, every=5, what="the builder cleans up"
    )
    used = trial_build.cache_used(engine)  # it does so some time after a build, and others build too
    assert used <= bound, f"the build cache holds {used} bytes, its bound is {bound}"
