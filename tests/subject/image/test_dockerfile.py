"""What is read out of a Dockerfile."""

from __future__ import annotations

import pytest

from boxproof.subject.image import dockerfile
from pytest_claims.faults import SubjectFault

DIGEST = "@sha256:" + "a" * 64
TWO_STAGES = f"""\
ARG BASE=ubuntu:24.04{DIGEST}
FROM ${{BASE}} AS builder
RUN --mount=type=cache,target=/var/cache/apt,sharing=locked --mount=type=cache,target=/var/lib/apt \\
    apt-get update -q && apt-get install -qy --no-install-recommends gcc make
FROM builder AS tested
FROM ${{BASE}}
# a word
RUN export A=b \\
    # in between
    && apt-get update && DEBIAN_FRONTEND=noninteractive apt-get -o X=y install -y \\
        curl jq && {{ rm -rf /var/lib/apt/lists/* || true; }}
COPY --link --from=builder /x /x
"""


def test_stages_know_what_they_start_from() -> None:
    found = dockerfile.parse(TWO_STAGES)
    assert [each.name for each in found.stages] == ["builder", "tested", "2"]
    assert found.bases == {"builder": f"ubuntu:24.04{DIGEST}", "2": f"ubuntu:24.04{DIGEST}"}
    assert (found.untagged(), found.undigested()) == ({}, {})


@pytest.mark.parametrize(
    ("lines", "untagged", "undigested"),
    [
        ("FROM ubuntu", True, True),
        ("FROM ubuntu:latest", True, True),
        ("ARG V=latest\nFROM ubuntu:${V}", True, True),
        ("FROM host:5000/ubuntu", True, True),
        (f"FROM ubuntu{DIGEST}", True, False),
        ("FROM host:5000/ubuntu:24.04", False, True),
        (f"FROM ubuntu:24.04{DIGEST} AS x", False, False),
    ],
)
def test_a_base_is_pinned_by_a_tag_and_by_a_digest(lines: str, untagged: bool, undigested: bool) -> None:
    found = dockerfile.parse(lines)
    assert (bool(found.untagged()), bool(found.undigested())) == (untagged, undigested)


def test_build_arguments_count() -> None:
    found = dockerfile.parse("ARG V=24.04\nFROM ubuntu:${V}", {"V": "latest"})
    assert found.untagged() == {"0": "ubuntu:latest"}


def test_installs_and_updates_are_seen_in_their_run() -> None:
    found = dockerfile.parse(TWO_STAGES)
    (first,) = found.stages[0].steps
    second, copy = found.final.steps
    assert first.installs[0].packages == ("gcc", "make")
    assert not first.installs[0].recommends
    (install,) = second.installs
    assert (install.options, install.packages) == (("-o", "X=y", "-y"), ("curl", "jq"))
    assert install.recommends
    assert (first.updates, second.updates) == (1, 1)
    assert copy.option("from") == "builder"
    assert copy.rest == "/x /x"


def test_a_cache_mount_or_a_removal_keeps_a_path_out_of_the_layer() -> None:
    found = dockerfile.parse(TWO_STAGES)
    (first,), second = found.stages[0].steps, found.final.steps[0]
    assert [first.cleans(each) for each in dockerfile.CLEANED] == [True, True]
    assert [first.caches(each) for each in dockerfile.CLEANED] == [True, True]
    assert [second.cleans(each) for each in dockerfile.CLEANED] == [True, False]


def test_commands_are_not_split_inside_quotes_and_substitutions() -> None:
    line = 'apt-get install -y a "$(x >/dev/null 2>&1 && echo b || echo c)" && { rm -f "/d;e" || true; }'
    first, second, third = dockerfile.simple_commands(line)
    assert first.endswith('echo c)"')
    assert (second, third) == ('rm -f "/d;e"', "true")
    step = dockerfile.Step("RUN", line)
    assert step.installs[0].packages == ("a", "$(x >/dev/null 2>&1 && echo b || echo c)")


def test_no_from_is_the_subjects_fault() -> None:
    with pytest.raises(SubjectFault, match="no FROM"):
        dockerfile.parse("RUN true\n")


def test_the_line_of_the_image_begins_on_what_is_not_made_here() -> None:
    text = "FROM a:1 AS tools\nFROM b:1 AS b\nFROM b AS middle\nFROM middle\nCOPY --from=tools /x /x\n"
    assert [each.name for each in dockerfile.parse(text).line] == ["b", "middle", "3"]
    assert [each.name for each in dockerfile.parse("FROM x:1 AS x\nUSER 1\n").line] == ["x"]


def test_a_step_is_known_to_the_end_of_its_last_installation() -> None:
    installs = "apt-get install -y a && apt-get install -y b"
    text = f"FROM a:1\nRUN --mount=type=tmpfs,target=/t {installs} && rm /c\nRUN x && y\n"
    install, other = dockerfile.parse(text).final.steps
    assert install.installation == installs
    assert other.installation == "x && y"


def test_a_here_document_is_read_as_the_shell_does() -> None:
    text = "FROM a:1\nRUN --network=none <<EOF\n# a remark\napt-get install -y \\\n  gcc\nEOF\nUSER 7\n"
    stage = dockerfile.parse(text).final
    assert [each.packages for each in stage.steps[0].installs] == [("gcc",)]
    assert [each.word for each in stage.steps] == ["RUN", "USER"]


def test_every_image_that_a_build_takes_is_one_of_its_bases() -> None:
    text = (
        "# syntax=docker/dockerfile:1\nFROM a:1 AS b\nRUN --mount=from=c,target=/c true\n"
        "FROM b\nCOPY --from=b /x /x\nCOPY --from=0 /x /x\nCOPY --from=tools jq /\n"
        "COPY --from=d:latest /x /x\n"
    )
    found = dockerfile.parse(text)
    taken = {"b": "a:1", "b, RUN from": "c", "1, COPY from": "d:latest", "syntax": "docker/dockerfile:1"}
    assert found.bases == taken
    assert set(found.untagged()) == {"b, RUN from", "1, COPY from"}


@pytest.mark.parametrize(
    ("lines", "left"),
    [
        ("RUN apt-get install -y jq", ["/var/lib/apt/lists"]),
        ("RUN apt-get install -y jq && rm -rf /var/lib/apt/lists/*", []),
        (
            "RUN rm /etc/apt/apt.conf.d/docker-clean\nRUN apt-get install -y jq",
            ["/var/lib/apt/lists", "/var/cache/apt"],
        ),
        ("RUN rm /x/docker-clean && apt-get install -y jq && apt-get clean && rm -rf /var/lib/apt/lists", []),
    ],
)
def test_what_an_install_leaves_in_its_layer(lines: str, left: list[str]) -> None:
    found = dockerfile.parse(f"FROM a:1\n{lines}\n").final.unclean()
    assert [path for paths in found.values() for path in paths] == left


def test_an_install_within_another_command_ends_with_what_it_is_written_in() -> None:
    text = "FROM a:1\nRUN x && sh -c 'apt-get update; apt-get install -y a' && rm -rf /x\n"
    (step,) = dockerfile.parse(text).final.steps
    assert [each.packages for each in step.installs] == [("a",)]
    assert step.installation == "x && sh -c 'apt-get update; apt-get install -y a'"
    assert step.updates == 1
