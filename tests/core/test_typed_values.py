"""Where programs may be shared, and what a registry may be called: told before anything is asked there."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from boxproof.core import typed_values
from boxproof.core.settings import ROOT, Settings
from boxproof.host.fetch import binary_cache
from pytest_claims.faults import UsageError

SETTING = "BOXPROOF_BINARY_CACHE"
DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    "value",
    [
        "https://host/programs", "https://host:8443", "http://127.0.0.1:8080/x", "http://[::1]:8080/x",
        "http://localhost/x", "oci://host/name", "oci://host:5000/a/b:tag", f"oci://h.example/a_b/c--d@{DIGEST}",
        f"oci://localhost:65535/x:1@{DIGEST}", "wheel:https://index/simple", "wheel:http://localhost:1/simple",
    ],
)  # fmt: skip
def test_an_address_of_shared_programs_is_taken_as_it_is(value: str) -> None:
    assert typed_values.shared_programs(SETTING, value) == value


@pytest.mark.parametrize(
    "value",
    [
        "ftp://host/x", "file:///srv", "s3://bucket", "HTTPS://host", "https:/host", "https://", "https:///x",
        "https://h:99999", "https://h:x", "https://h:0/", "https://a b", "https://[::1", "http://host/programs",
        "http://127.0.0.1.example/x", "oci://", "oci://host", "oci://Host/x", "oci://host/", "oci://h/x:",
        "oci://h/x@sha256:12", "oci://h/../x", "oci://-/x", "oci://h:70000/x", "oci:host/x", "OCI://h/x",
        "wheel:", "wheel: ", "wheel:oci://h/x", "wheel:wheel:x", "wheel:ftp://h", "wheel:http://far.example/s",
        "Wheel:x", "/etc/passwd", "/etc/passwd/below", "/dev/null", "/proc/x", "/sys/x/y",
        "wheel:/nonexistent",
    ],
)  # fmt: skip
def test_what_is_no_place_of_shared_programs_is_told_at_once(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv(SETTING, value)
    with pytest.raises(UsageError, match=SETTING) as fault:
        Settings.load()
    assert value.strip()[:20] in str(fault.value) and "(" in str(fault.value)


def test_a_directory_is_made_by_what_is_first_put_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(SETTING, "below/programs")
    cache = Settings.load().binary_cache
    assert cache == str(tmp_path / "below/programs")
    assert not (tmp_path / "below").exists()
    (tmp_path / "program").write_text("x")
    binary_cache.store(cache, "a-1", tmp_path / "program")
    assert binary_cache.holds(cache, "a-1")


def an_empty_directory(path: Path) -> None:
    """Make a directory."""
    path.mkdir()


def a_link_to_nothing(path: Path) -> None:
    """Make a link that leads nowhere."""
    path.symlink_to("nowhere")


def a_pipe(path: Path) -> None:
    """Make a pipe."""
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("scheme", "put"),
    [
        ("wheel:", an_empty_directory),
        *((scheme, put) for scheme in ("", "wheel:") for put in (a_link_to_nothing, a_pipe, Path.touch)),
    ],
)
def test_what_is_no_directory_is_told(tmp_path: Path, scheme: str, put: Callable[[Path], None]) -> None:
    put(tmp_path / "x")
    with pytest.raises(UsageError, match=r"is no directory|has no wheel in it"):
        typed_values.shared_programs(SETTING, f"{scheme}{tmp_path / 'x'}")


def test_a_directory_with_a_wheel_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a-1-py3-none-any.whl").touch()
    monkeypatch.chdir(tmp_path)
    assert typed_values.shared_programs(SETTING, "wheel:.") == f"wheel:{tmp_path}"


@pytest.mark.parametrize(
    "value",
    [
        "h:0",
        "h:65536",
        "h:99999",
        "-",
        ".",
        "..",
        "a..b",
        "h/..",
        "h/-a",
        "h/a-",
        "h/.a",
        "h//a",
        "h/",
        "-h",
        "h:",
    ],
)
def test_what_is_no_registry_is_told(value: str) -> None:
    assert not typed_values.REGISTRY.fullmatch(value)


@pytest.mark.parametrize(
    "value", ["h", "localhost:5000", "h.example:65535/a/b_c", "10.0.0.1:1/x", "a-b/c--d"]
)
def test_a_registry_is_taken(value: str) -> None:
    assert typed_values.REGISTRY.fullmatch(value)


@pytest.mark.parametrize("name", ["CACHE", "STATE"])
@pytest.mark.parametrize("place", ["/", "home", "above the home", "checkout", "above the checkout", "link"])
def test_what_others_keep_things_in_is_nobodys_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, place: str
) -> None:
    home = tmp_path / "home/me"
    home.mkdir(parents=True)
    (tmp_path / "link").symlink_to(home)
    monkeypatch.setenv("HOME", str(home))
    where = {
        "/": "/", "home": "~", "above the home": str(home.parent), "checkout": str(ROOT),
        "above the checkout": str(ROOT.parent), "link": str(tmp_path / "link"),
    }[place]  # fmt: skip
    monkeypatch.setenv(f"BOXPROOF_{name}", where)
    with pytest.raises(UsageError, match=rf"BOXPROOF_{name}=.* is in it \(give a directory of its own"):
        Settings.load()
    monkeypatch.setenv(f"BOXPROOF_{name}", str(home / "own"))
    assert typed_values.emptied("x", str(home / "own"), ROOT) == home / "own"
    Settings.load()


@pytest.mark.parametrize(
    "put", [a_link_to_nothing, a_pipe, Path.touch, lambda path: path.symlink_to(path.name)]
)
def test_a_cache_that_is_no_directory_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, put: Callable[[Path], None]
) -> None:
    put(tmp_path / "x")
    monkeypatch.setenv("BOXPROOF_CACHE", str(tmp_path / "x"))
    with pytest.raises(UsageError, match=r"BOXPROOF_CACHE=.* is no directory \(give one"):
        Settings.load()
