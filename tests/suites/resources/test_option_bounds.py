"""What bounds logs and /tmp is read from options in each form that a right box may have."""

from __future__ import annotations

from typing import Any

import pytest

from suites.resources.option_bounds import compose_bound, log_bound, loose_tmp, tmp_is_tight


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
        ("--tmpfs /tmp:size=40%", True),
        ("--tmpfs /tmp:size=90%", False),
        ("--tmpfs /tmp:size=16g", True),
        ("--tmpfs /tmp:size=500G", False),
        ("--tmpfs /tmp:size=1t", False),
        ("--mount type=tmpfs,dst=/tmp,tmpfs-size=268435456", True),
        ("--tmpfs /tmp:size=1m -v cache:/tmp/cache", False),
        ("--tmpfs /tmp:size=1m -v ./ca.crt:/tmp/ca.crt:ro", True),
        ("--tmpfs /tmp:size=1m --mount type=bind,src=/a,dst=/tmp/a", False),
        ("--tmpfs /tmp:size=1m --mount type=bind,src=/a,dst=/tmp/a,readonly", True),
        ("--tmpfs /tmp:size=1m --tmpfs /tmp/build:exec", False),
        ("--tmpfs /tmp:size=1m --tmpfs /tmp/build:size=1m -v home:/home/me", True),
    ],
)
def test_tmp_is_tight_with_a_size_and_without_programs(words: str, tight: bool) -> None:
    assert tmp_is_tight(words.split()) == tight


@pytest.mark.parametrize(
    ("service", "number"),
    [
        ({"tmpfs": ["/tmp:rw,noexec,nosuid,size=256m"]}, 0),
        ({"tmpfs": "/tmp/:size=1m", "volumes": ["home:/home/me", {"type": "bind", "target": "/tmpx"}]}, 0),
        ({"tmpfs": ["/run:size=1m"]}, 1),
        ({"tmpfs": ["/tmp:size=1m", "/tmp:exec,size=1m"]}, 1),
        ({"tmpfs": ["/tmp:size=1m"], "volumes": ["/tmp:/tmp"]}, 1),
        ({"tmpfs": ["/tmp:size=1m"], "volumes": [{"type": "bind", "source": "/a", "target": "/tmp/a"}]}, 1),
        ({}, 1),
        ({"read_only": True}, 0),
        ({"read_only": True, "volumes": ["scratch:/tmp"]}, 1),
        ({"read_only": False}, 1),
        ({"volumes": [{"type": "tmpfs", "target": "/tmp", "tmpfs": {"size": "64m"}}]}, 0),
        ({"volumes": [{"type": "tmpfs", "target": "/tmp/", "tmpfs": {"size": 1 << 26}}, "a:/tmp/a"]}, 1),
        ({"volumes": [{"type": "tmpfs", "target": "/tmp"}]}, 1),
        ({"volumes": [{"type": "tmpfs", "target": "/tmp", "tmpfs": {"size": "500g"}}]}, 1),
        ({"tmpfs": ["/tmp:size=1m", "/tmp/build:exec,size=1m"]}, 1),
        ({"tmpfs": ["/tmp:size=1m"], "volumes": ["./ca.crt:/tmp/ca.crt:ro"]}, 0),
        ({"tmpfs": ["/tmp:size=100%"]}, 1),
    ],
)
def test_the_tmp_of_a_service_is_tight(service: dict[str, Any], number: int) -> None:
    assert len(loose_tmp(service)) == number
