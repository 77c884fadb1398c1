"""What the distribution's packages bring into the image, and what they leave out of it."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from boxproof.core.session import EngineInfo, ImageInfo, Session
from boxproof.core.settings import Settings
from boxproof.subject.copies import carry_out
from boxproof.subject.image import dockerfile, image_build, layers
from boxproof.subject.image.bad_images import layered
from boxproof.subject.image.base_image import Base
from boxproof.subject.image.dockerfile import Recipe, Stage, Step
from boxproof.subject.image.image_files import reader
from boxproof.subject.image.layers import Layer
from boxproof.subject.manifests import shipped
from boxproof.subject.model import Subject
from boxproof.subject.supply_chain import packages, provenance
from pytest_claims import claim, control, needs, observe, require, scope
from pytest_claims.faults import SubjectFault, Unprovable
from suites.image import manager_caches, named_elsewhere, trial_build
from suites.image.named_elsewhere import Texts

pytestmark = scope("image")

COMPILERS = "gcc cc g++ c++ cpp clang ld as make cmake cargo rustc go"
CALLED = re.compile(
    r"(^|/)(s?bin|libexec|gcc(-cross)?|opt)/(.*/)?([\w.]+-(linux-gnu|linux|musl|w64)\w*-)?"
    r"(gcc|g\+\+|cc|c\+\+|cpp|cc1(plus)?|collect2|clang(\+\+)?|tcc|gfortran|ld(\.(bfd|gold|lld))?|as|g?make|cmake|ninja|meson"
    r"|cargo|rustc|javac|go|gccgo|zig|swiftc|ghc|nvcc|nasm|yasm|lld|mold)(-\d[\d.]*)?$"
)
# for whatever machine, and outside of any directory of programs: no other file of some size is called so
COMPILES = re.compile(
    r"(^|/)([\w.]+-)*(gcc|g\+\+|cc1(plus)?|clang(\+\+)?|gfortran|tcc|zig|rustc|javac|swiftc|ghc|nvcc|emcc)"
    r"(-\d[\d.]*)?$"
)
SIZABLE = 64 << 10  # bytes: completions and documents of a compiler are smaller
COMPILER = re.compile(r"(build-essential|gcc|g\+\+|clang|golang|rustc)\b")  # a package that brings one
INCLUDED = re.compile(r"(^|/)include/(c\+\+/|(.*/)?[\w.+-]+\.(h|hh|hpp|hxx)$)")
# what an interpreter or a library of its own language brings with itself: no package leaves it out
BROUGHT = re.compile(
    r"(^|/)(site-packages|dist-packages|node_modules|gems)/|(^|/)include/node/|(^|/)pyconfig\.h$"
    r"|^usr/local/include/(python|ruby)"
)
HEADERS = "/usr/include/stdio.h /usr/include/stdlib.h /usr/local/include/stdio.h"
BUILD_TOOLS = (
    f'for each in {COMPILERS}; do command -v "$each" || true; done; '
    f'for each in {HEADERS}; do [ ! -e "$each" ] || echo "$each"; done'
)
HIDDEN = (
    "usr/bin/x86_64-linux-gnu-gcc-12", "opt/toolchain/bin/clang-14", "usr/lib/gcc/x86_64-linux-gnu/12/cc1",
    "usr/lib/gcc-cross/aarch64-linux-gnu/12/cc1plus", "usr/local/bin/make", "opt/sdk/include/stdio.h",
    "usr/local/go/bin/go", "usr/include/openssl/ssl.h", "usr/include/linux/bpf.h",
    "usr/include/c++/13/vector",
)  # fmt: skip
ANYWHERE = (
    "usr/local/lib/python3/dist-packages/ziglang/zig", "srv/sdk/arm-none-eabi-gcc-13.2", "app/jdk/javac",
)  # fmt: skip
HARMLESS = (
    "usr/share/bash-completion/completions/gcc", "usr/include/node/node.h",
    "usr/include/python3.12/pyconfig.h", "usr/lib/python3/dist-packages/some/include/some/api.h",
)  # fmt: skip
KEPT = (
    "root/.npm/_cacache/index-v5/a", "root/.cache/pip/http-v2/a", "home/claude/.cache/uv/wheels/a",
    "root/go/pkg/mod/cache/download/a", "var/cache/dnf/fedora/a", "tmp/tool_1.2_amd64.deb",
    "opt/npm-cache/_cacache/content-v2/sha512/a", "opt/pip-cache/http/a",
)  # fmt: skip
LIST = "var/lib/apt/lists/mirror_dists_bookworm_main_binary-amd64_Packages"
ARCHIVE = "var/cache/apt/archives/jq_1.6-2.1_amd64.deb"
STATUS = "/var/lib/dpkg/status"
MOUNTS = (
    "type=cache,target=/var/cache/apt,sharing=locked", "type=cache,target=/var/lib/apt,sharing=locked",
    "type=secret,id=apt-conf", "type=secret,id=apt-sources", "type=secret,id=host-ca",
)  # fmt: skip
LENT = " ".join(f"--mount={each}" for each in MOUNTS)
APT = "export APT_CONFIG=/run/secrets/apt-conf DEBIAN_FRONTEND=noninteractive"
NO_TOOLS = require("it has no compiler, no linker, no make and no headers", lambda found: found == [])
CLEAN = require("no layer holds package lists or archives", lambda found: found == [])
CLEANS = require("each RUN that installs leaves nothing of that in its layer", lambda found: found == {})
ASKED_FOR = require("every package is asked for, or needed by one that is", lambda found: found == [])
DECLINED = require("every install declines what is only recommended", lambda found: found == [])
BUILDKIT = require("BuildKit built it", lambda how: "buildkit" in how)
ONCE = require(
    "no stage updates the package lists more than once", lambda updates: max(updates.values()) <= 1
)
OFFLINE = require("a second fetch needs no mirror", bool)
BOUNDED = require(
    "the build cache stays within the bound that is documented",
    lambda seen: 0 <= seen["used"] <= seen["bound"],
)
LIMITS = require("it bounds the cache, at 50 GB or less", lambda found: 0 < found <= 50 << 30)
TOLD = require("users are told of the command", bool)
REMOVED = require("what it removed has to be built anew", bool)
NO_DOWNLOADS = require(
    "no layer holds what another package manager has downloaded", lambda found: found == []
)
SPACE = re.compile(
    r"--(?:max-used-space|keep-storage|reserved-space)[= ](\d+)\s*([kKmMgGtT]?)i?[bB]?(?:\s|$)"
)
NOISE = "FROM scratch\nCOPY . /{}\n"
RECOMMENDS_MORE = "iproute2"  # a small package that recommends another small one


@claim("multistage-no-build-tools")
def test_no_compiler_reaches_the_image(
    engine: EngineInfo, subject: Subject, written: Recipe, base: Base, image: ImageInfo, tmp_path: Path
) -> None:
    text = (subject.directory / subject.image.dockerfile).read_text()
    builders = [each.name for each in written.stages if each not in written.line and compiles(each)]
    context = subject.directory / subject.image.context
    with (
        control("the same question in a builder stage finds its compiler and headers"),
        image_build.options(Settings.load(), engine, subject, base, image.nonce) as options,
    ):
        stage = builders[0] if builders else "boxproof-compiler"
        more = "" if builders else f"\nFROM {base.reference} AS {stage}\nRUN cp /bin/true /usr/bin/gcc\n"
        found = trial_build.asked(engine, stage, BUILD_TOOLS, context, before=text + more, options=options)
        NO_TOOLS.fails(observe("build tools", f"stage {stage}", found))
    found = trial_build.asked(engine, image.reference, BUILD_TOOLS, tmp_path)
    NO_TOOLS(observe("build tools", image.reference, found))


def compiles(stage: Stage) -> bool:
    """Return whether a stage installs a compiler."""
    return any(
        COMPILER.match(word) for step in stage.steps for each in step.installs for word in each.packages
    )


@claim("multistage-no-build-tools")
def test_no_layer_holds_a_build_tool_by_any_name(
    session: Session, docker: Any, image: ImageInfo, image_layers: list[Layer]
) -> None:
    hidden: dict[str, bytes | int] = {**dict.fromkeys(HIDDEN, b"\x7fELF"), **dict.fromkeys(ANYWHERE, SIZABLE)}
    with (
        control("a compiler under its full name, out of PATH, and headers of another target are found"),
        layered(docker, [hidden, dict.fromkeys(HARMLESS, b"x")], run=session.run) as made,
    ):
        found = NO_TOOLS.fails(build_tools(made, layers.layers(session.engine, made)))
        assert found == sorted((*HIDDEN, *ANYWHERE))
    NO_TOOLS(build_tools(image.reference, image_layers))


def build_tools(asked: str, found: list[Layer]) -> list[str]:
    """Return the files of layers that are build tools or headers by their paths; an observation."""
    every = [pair for layer in found for pair in layer.files.items()]
    names = {name for name, size in every if size}
    headers = {each for each in names if INCLUDED.search(each) and not BROUGHT.search(each)}
    sizable = {name for name, size in every if size >= SIZABLE and COMPILES.search(name)}
    tools = {each for each in names if CALLED.search(each)}
    return observe("build tools", asked, sorted(headers | tools | sizable))


@claim("apt-cleanup-same-layer")
@needs("apt")
def test_no_layer_holds_lists_or_archives(
    session: Session, docker: Any, written: Recipe, image: ImageInfo, image_layers: list[Layer]
) -> None:
    gone = {str(Path(each).with_name(f".wh.{Path(each).name}")): b"" for each in (LIST, ARCHIVE)}
    with (
        control("a list and an archive that a later layer deletes are seen all the same"),
        layered(docker, [{LIST: b"Package: jq", ARCHIVE: b"!<arch>"}, gone], run=session.run) as made,
    ):
        found = packages.left_behind(layers.layers(session.engine, made))
        CLEAN.fails(observe("left behind", made, found))
        assert found == sorted([LIST, ARCHIVE])
        bare = dockerfile.parse("FROM a:1\nRUN apt-get update && apt-get install -y jq").final
        CLEANS.fails(observe("left in its layer", "a bare install", bare.unclean()))
    CLEAN(observe("left behind", image.reference, packages.left_behind(image_layers)))
    for stage in written.line:
        CLEANS(observe("left in its layer", f"stage {stage.name}", stage.unclean()))


@claim("apt-cleanup-same-layer")
def test_no_layer_holds_what_another_manager_has_downloaded(
    session: Session, docker: Any, image: ImageInfo, image_layers: list[Layer]
) -> None:
    def kept(asked: str, found: list[Layer]) -> list[str]:
        return observe("left by package managers", asked, manager_caches.left(found))

    gone = {str(Path(each).with_name(f".wh.{Path(each).name}")): b"" for each in KEPT}
    with (
        control(
            "what managers keep, and a package fetched by hand, are seen, though a later layer deletes them"
        ),
        layered(docker, [dict.fromkeys(KEPT, b"x"), gone], run=session.run) as made,
    ):
        found = NO_DOWNLOADS.fails(kept(made, layers.layers(session.engine, made)))
        assert found == sorted(KEPT)
    NO_DOWNLOADS(kept(image.reference, image_layers))


@claim("apt-no-install-recommends")
def test_every_package_is_asked_for_or_depended_upon(
    session: Session,
    docker: Any,
    engine: EngineInfo,
    carried_out: Recipe,
    read_by_it: Texts,
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
        ASKED_FOR.fails(observe("packages only recommended", f"{RECOMMENDS_MORE} without the flag", found))
        DECLINED.fails(
            observe(
                "installs that take more", lines[1], taking_more(dockerfile.parse(lines[0] + "\n" + lines[1]))
            )
        )
    DECLINED(observe("installs that take more", "the Dockerfile and its scripts", taking_more(carried_out)))
    asked = packages.named(asked_for(carried_out, read_by_it))
    with reader(docker, image.reference, run=session.run) as read:
        have = packages.installed(read(STATUS) or "")
    if len(have) <= len(under):
        pytest.skip("nothing is installed on top of the base")
    ASKED_FOR(observe("packages only recommended", image.reference, packages.unneeded(have, under | asked)))


def asked_for(found: Recipe, texts: Texts) -> Iterator[str]:
    """Give the words by which installs of a recipe name packages, also where a list or a variable does."""
    for step in (step for stage in found.stages for step in stage.steps):
        yield from (word for each in step.installs for word in each.packages)
        for words in step.commands if step.installs else ():
            if "install" in words:
                yield from named_elsewhere.packages(step, words, "install", texts)


def taking_more(found: Recipe) -> list[str]:
    """Return the installs of a recipe that take what packages only recommend."""
    steps = (step for stage in found.stages for step in stage.steps)
    return [each.text for step in steps for each in step.installs if each.recommends]


def fetching(stage: Stage, step: Step, base: Base, *, network: str, mounts: bool = True) -> str:
    """Return a Dockerfile that only fetches what a step installs, in the step's own words."""
    told = [f"{each.word} {each.value}" for each in stage.steps if each.word in ("ARG", "ENV")]
    flags = [each for each in step.flags if mounts or "type=cache" not in each]
    once = f"ENV BOXPROOF_ONCE={secrets.token_hex(8)}"  # --no-cache would begin with empty cache mounts
    run = f"RUN --network={network} {' '.join(flags)} {step.installation} --download-only"
    return "\n".join([f"FROM {base.reference}", once, *told, run]) + "\n"


@claim("buildkit-and-apt-cache-mounts")
@needs("apt")
def test_a_second_build_needs_no_mirror(
    engine: EngineInfo, subject: Subject, written: Recipe, base: Base, image: ImageInfo
) -> None:
    context = subject.directory / subject.image.context
    steps = [(stage, step) for stage in written.line for step in stage.steps if step.installs]
    with control("another builder, and lists that are updated in two layers, are seen"):
        BUILDKIT.fails(observe("builder", "the classic one", "https://mobyproject.org/buildType@classic"))
        twice = dockerfile.parse(
            "FROM a:1\nRUN apt-get update && apt-get install -y a\nRUN apt update && apt install -y b"
        )
        ONCE.fails(observe("updates of the lists", "two layers", updates(twice)))
    BUILDKIT(
        observe("builder", image.reference, provenance.of(Settings.load().cache, image).get("buildType", ""))
    )
    ONCE(observe("updates of the lists", "the Dockerfile", updates(written)))
    require.expected(OFFLINE)
    with image_build.lent(base, 'Acquire::Retries "0"') as lent:
        options = ["--network=host", *lent]
        for stage, step in steps:
            trial_build.must(
                trial_build.build_once(engine, fetching(stage, step, base, network="host"), context, options)
            )
            with control("without its cache mounts the same step needs the mirror"):
                bare = fetching(stage, step, base, network="none", mounts=False)
                built = trial_build.build_once(engine, bare, context, options)
                OFFLINE.fails(observe("fetches offline", "without cache mounts", built.ok))
            own = fetching(stage, step, base, network="none")
            built = trial_build.build_once(engine, own, context, options)
            OFFLINE(observe("fetches offline", "with the step's own mounts", built.ok))


def updates(found: Recipe) -> dict[str, int]:
    """Return how often each stage of a recipe fetches the package lists."""
    return {stage.name: sum(step.updates for step in stage.steps) for stage in found.stages}


@claim("buildkit-and-apt-cache-mounts")
@needs("command:prune")
def test_the_documented_command_keeps_the_build_cache_within_its_bound(
    engine: EngineInfo, subject: Subject, tmp_path: Path
) -> None:
    words = subject.commands.prune
    with control("a command without a bound, one that no page has, and a bound below what is kept are seen"):
        LIMITS.fails(observe("bound", "a bare prune", bound_of(("docker", "buildx", "prune", "--force"))))
        TOLD.fails(
            observe(
                "pages with the command", "a command that nobody knows", pages_with(subject, ("prune-it",))
            )
        )
        trial_build.must(trial_build.build_once(engine, NOISE.format(secrets.token_hex(8)), tmp_path))
        used = trial_build.cache_used(engine)
        BOUNDED.fails(observe("build cache", "half of what is kept", {"used": used, "bound": used // 2}))
    bound = LIMITS(observe("bound", " ".join(words), bound_of(words)))
    TOLD(observe("pages with the command", " ".join(words), pages_with(subject, words)))
    done = carry_out(words, {}, engine.env, timeout=300)
    if not done.ok:
        raise SubjectFault(f"the documented command fails: {done.describe()}")
    BOUNDED(observe("build cache", " ".join(words), {"used": trial_build.cache_used(engine), "bound": bound}))


@claim("buildkit-and-apt-cache-mounts")
@needs("command:prune")
def test_the_documented_command_removes_what_is_beyond_its_bound(
    engine: EngineInfo, subject: Subject, tmp_path: Path
) -> None:
    """With a bound of nothing, and of all that is kept about the check's own build alone."""

    def anew(asked: str, words: Sequence[str]) -> bool:
        word = secrets.token_hex(8)
        noise = NOISE.format(word)
        trial_build.must(trial_build.build_once(engine, noise, tmp_path))
        for each in trial_build.cache_ids(engine, word) if words else ():
            done = carry_out([*words, "--filter", f"id={each}"], {}, engine.env, timeout=300)
            if not done.ok:
                raise Unprovable(f"it cannot be told to look at one step alone: {done.describe()}")
        built = trial_build.must(trial_build.build_once(engine, noise, tmp_path))
        return observe("built anew", asked, bool(built.ran("COPY")))

    with control("what nothing removed is there, and what the engine itself removed is not"):
        REMOVED.fails(anew("nothing is carried out", ()))
        own = (engine.client, "buildx", "prune", "--builder=default", "--force")
        assert anew("the engine's own", own), "the engine does not remove one step alone"
    REMOVED(anew(" ".join(subject.commands.prune), to_nothing(subject.commands.prune)))


def to_nothing(words: Sequence[str]) -> list[str]:
    """Return a documented command that lets the build cache keep one byte."""
    text = f"{' '.join(words)} "
    return SPACE.sub(lambda found: f"{found[0][: found.start(1) - found.start()]}1b ", text).split()


def bound_of(words: Sequence[str]) -> int:
    """Return the bytes that a documented command lets the build cache keep, 0 where it has no bound."""
    found = SPACE.search(" ".join(words))
    return int(found[1]) << 10 * (" KMGT".index(found[2].upper()) if found[2] else 0) if found else 0


def pages_with(subject: Subject, words: Sequence[str]) -> list[str]:
    """Return the documents and scripts that have a command of these words."""
    texts = shipped.commands(subject).items() if words else ()
    return [name for name, text in texts if " ".join(words) in " ".join(text.replace("\\\n", " ").split())]
