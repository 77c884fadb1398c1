"""A recipe's installations alone, in its own words, and what differs between two days."""

from __future__ import annotations

from boxproof.subject.image import dockerfile
from suites.image import two_days

RECIPE = """ARG BASE=system:1@sha256:00
FROM tools:1 AS builder
RUN apt-get update && apt-get install -y gcc
FROM ${BASE} AS under
ENV A=b
COPY lock /lock
COPY --from=builder /made /made
RUN --mount=type=cache,target=/var/lib/apt --mount=type=secret,id=x --network=host hold /lock \\
    && apt-get install -y jq "$(apt-cache show perf && echo perf || echo tools)" && rm -rf /tmp/x
RUN echo nothing
FROM under AS image
RUN apt-get install -y git
COPY later /later
ARG NONCE
"""


def test_the_installations_keep_their_words_and_lose_caches_and_network() -> None:
    text = two_days.dockerfile(dockerfile.parse(RECIPE).line, "here/base:1")
    head = f"RUN --network=none --mount=type=bind,from={two_days.ARCHIVE},target={two_days.PLACE}"
    assert text.splitlines() == [
        "FROM here/base:1 AS day",
        "ENV A=b",
        "COPY lock /lock",
        f"{head} --mount=type=secret,id=x hold /lock     && apt-get install -y jq "
        '"$(apt-cache show perf && echo perf || echo tools)"',
        f"{head} apt-get install -y git",
        "FROM scratch",
        "COPY --from=day /var/lib/dpkg/status /status",
    ]


def test_what_upgrades_all_that_is_there_is_carried_out_too() -> None:
    written = dockerfile.parse(
        "FROM a:1\nRUN apt-get update && apt-get upgrade -y && rm -rf /tmp/x\n"
        "RUN apt-get -y dist-upgrade && apt-get install -y jq && true\nRUN echo upgrade\n"
    )
    runs = [each for each in two_days.dockerfile(written.line, "here/base:1").splitlines() if "RUN" in each]
    assert [each.rpartition(two_days.PLACE)[2].strip() for each in runs] == [
        "apt-get update && apt-get upgrade -y",
        "apt-get -y dist-upgrade && apt-get install -y jq",
    ]


def test_what_other_stages_install_is_not_asked_for() -> None:
    found = two_days.asked(dockerfile.parse(RECIPE))
    assert {"jq", "git", "perf", "tools"} <= found
    assert "gcc" not in found


def test_what_differs_is_told_in_both_directions() -> None:
    before, after = {"a": "1", "b": "1", "c": "1"}, {"a": "1", "b": "2", "d": "1"}
    assert two_days.changed(before, after) == {"b": "1 -> 2", "c": "1 -> none", "d": "none -> 1"}
    assert two_days.changed(before, dict(before)) == {}


def test_versions_are_of_what_is_installed() -> None:
    status = "Package: {}\nStatus: {}\nVersion: 1\n"
    removed = status.format("b", "deinstall ok config-files")
    assert two_days.versions(status.format("a", "install ok installed") + "\n" + removed) == {"a": "1"}
