"""What bounds logs and /tmp is read from options in each form that a right box may have."""

from __future__ import annotations

import pytest

from suites.resources.option_bounds import compose_bound, log_bound, tmp_is_tight


@pytest.mark.parametrize(
    ("words", "size"),
    [
        ("--log-driver json-file --log-opt max-size=10m --log-opt max-file=3", 30_000_000),
        ("--log-opt=max-size=10m", 10_000_000),
        ("--log-opt max-size=1g -it", 1_000_000_000),
        ("--log-driver local", 100_000_000),
        ("--log-driver=local --log-opt max-file=2", 40_000_000),
        ("--log-driver local --log-opt max-size=1M", 5_000_000),
        ("", 0),
        ("--log-opt max-file=3", 0),
        ("--log-opt max-size=-1", 0),
        ("--log-driver syslog --log-opt max-size=1m", 0),
    ],
)
def test_logs_may_take_what_the_options_say(words: str, size: int) -> None:
    assert log_bound(words.split()) == size


def test_a_service_is_bounded_by_each_driver_that_keeps_a_size() -> None:
    assert compose_bound({"driver": "local"})
    assert compose_bound({"driver": "json-file", "options": {"max-size": "50m", "max-file": 3}})
    assert not compose_bound({"driver": "local", "options": {"max-size": "50g"}})
    assert not compose_bound({"driver": "json-file"})
    assert not compose_bound({})


@pytest.mark.parametrize(
    ("words", "tight"),
    [
        ("--tmpfs /tmp:rw,noexec,nosuid,nodev,size=256m", True),
        ("--tmpfs=/tmp:size=64k", True),
        ("--mount type=tmpfs,dst=/tmp,tmpfs-size=256m", True),
        ("--mount type=tmpfs,dst=/tmp", False),
        ("--tmpfs /tmp", False),
        ("--tmpfs /run:size=1m", False),
        ("--tmpfs /tmp:size=256m,exec", False),
        ("", False),
    ],
)
def test_tmp_is_tight_with_a_size_and_without_programs(words: str, tight: bool) -> None:
    assert tmp_is_tight(words.split()) == tight
