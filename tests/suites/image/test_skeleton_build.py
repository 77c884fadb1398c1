"""A recipe with its structure alone."""

from __future__ import annotations

from boxproof.subject.image import dockerfile
from suites.image import skeleton_build

TEXT = """\
FROM ubuntu:24.04 AS builder
RUN --mount=type=cache,target=/c apt-get install -y gcc
RUN make "it"
FROM ubuntu:24.04
COPY --link --from=tools yq /usr/local/bin/yq
COPY --from=builder /out/ /usr/bin/
ENV A=b
"""


def test_the_structure_stays_and_commands_become_words() -> None:
    lines = skeleton_build.dockerfile(dockerfile.parse(TEXT), "base:1").splitlines()
    assert lines[0] == "FROM base:1 AS builder"
    assert lines[1] == "RUN mkdir -p /out/ && : > /out//any"
    assert lines[2].startswith("RUN --mount=type=cache,target=/c : apt-get ")
    assert lines[3].startswith("RUN : nothing ")
    assert lines[4:] == ["FROM base:1 AS stage-1", *TEXT.splitlines()[4:]]


def test_another_command_is_another_step() -> None:
    other = skeleton_build.dockerfile(dockerfile.parse(TEXT.replace("gcc", "gcc make")), "base:1")
    assert other != skeleton_build.dockerfile(dockerfile.parse(TEXT), "base:1")


def test_an_argument_of_the_commit_is_told_from_a_pin() -> None:
    own = (
        "GIT_SHA",
        "BUILD_NONCE=none",
        "BUILD_DATE=",
        "COMMIT",
        "VCS_REF=unknown",
        "REVISION",
        "SOURCE_COMMIT",
    )
    others = ("TOOL_SHA=x", "COMMIT=" + "a" * 40, "GIT_REF=main", "VERSION", "BUILD_DATE=20240101", "REF=v1")
    for each in own:
        assert skeleton_build.of_a_commit(dockerfile.parse(f"FROM a:1\nARG {each}\n")) == [
            each.partition("=")[0]
        ]
    for each in others:
        assert skeleton_build.of_a_commit(dockerfile.parse(f"FROM a:1\nARG {each}\n")) == []


def test_installations_are_told_from_other_steps() -> None:
    assert skeleton_build.is_installation("[2/9] RUN : apt-get 12ab")
    assert skeleton_build.is_installation("[3/9] COPY --from=tools yq /usr/local/bin/yq")
    assert not skeleton_build.is_installation("[4/9] COPY --from=tools tools.json /x")
    assert not skeleton_build.is_installation("[5/9] RUN : nothing 12ab")
