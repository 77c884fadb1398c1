"""A run's inputs: asked for before anything else, named in one line where they cannot be had, no verdict."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from boxproof.cli import e2e
from boxproof.cluster.kind import components
from boxproof.core.settings import ROOT, Settings
from boxproof.host.engine import engine_choice, engine_programs
from boxproof.host.fetch import apt, go_proxy, golang, npm
from boxproof.probes import probe_program
from boxproof.runs import bringup, inputs
from boxproof.subject import model
from boxproof.subject.image import tools
from pytest_claims.faults import EnvironmentFault, ExitCode
from tests.support import archives, registries
from tests.support.registries import Registries

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        not all(map(shutil.which, ("go", "npm", "apt-get", "dpkg-deb"))),
        reason="no go, npm, apt-get and dpkg-deb",
    ),
]
NPM = {
    "npm_config_fetch_timeout": "60000", "npm_config_fetch_retries": "1",
    "npm_config_fetch_retry_mintimeout": "50", "npm_config_fetch_retry_maxtimeout": "100",
}  # fmt: skip
PINNED = registries.integrity(registries.TARBALLS[registries.SERVED])
NAMES = (
    *probe_program.PACKAGES,
    "git",
    "docker-registry",
    *components.PACKAGES,
    *engine_programs.RUNTIME,
    *engine_programs.NETWORK,
)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Registries]:
    """Registries of modules and packages, in force for go and npm."""
    with registries.serving() as found:
        monkeypatch.setenv("GOPROXY", f"{found.address}/go")
        monkeypatch.setenv("npm_config_registry", f"{found.address}/npm/")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setattr(go_proxy, "PAUSE", 0.05)
        monkeypatch.setattr(npm, "PATIENCE", NPM)
        yield found


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive with every package that a run may ask for."""
    found = tmp_path_factory.mktemp("stock")
    archives.write(found, "bookworm", "1.0-1", dict.fromkeys(NAMES, ()))
    return found


@pytest.fixture
def settings(tmp_path: Path, stock: Path, served: Registries, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A machine without caches, whose archive has every package; a module and an npm package are wanted."""
    archive = Path(shutil.copytree(stock, tmp_path / "archive"))
    etc = archives.sources(tmp_path / "etc", f"file:{archive}")
    monkeypatch.setattr(inputs, "Apt", lambda cache: _debian(cache, etc))
    tool = golang.Build(registries.go_directory(tmp_path / "module"), registries.MODULE, "tool")
    monkeypatch.setattr(inputs, "recipes", lambda *_: [tool])
    package = (registries.PACKAGE, registries.NUMBER, PINNED)
    monkeypatch.setattr(tools, "npm_packages", lambda *_: [package])
    monkeypatch.setattr(engine_choice, "user_host", lambda: f"unix://{tmp_path}/none.sock")
    return Settings(cache=tmp_path / "cache", state=tmp_path / "state", reports=tmp_path / "reports")


def _debian(cache: Path, etc: Path) -> apt.Apt:
    found = apt.Apt(cache, etc=etc)
    found.distribution, found.codename = "debian", "bookworm"
    return found


def test_what_is_served_lets_the_run_go_on(settings: Settings, served: Registries) -> None:
    inputs.check(settings, model.load(ROOT))
    assert not [path for path in served.asked if path.endswith((".zip", ".tgz"))], "nothing is fetched"


@pytest.mark.parametrize(
    ("only", "mode", "said"),
    [
        ("/go/", "410", f"Go module {registries.MODULE}@{registries.VERSION}: 410"),
        ("/go/", "503", "the Go module proxy does not answer"),
        ("/go/", registries.HANG, "the Go module proxy does not answer"),
        (
            "/npm/",
            "404",
            f"npm package {registries.PACKAGE}@{registries.NUMBER}: the registry does not have it",
        ),
        ("/npm/", registries.REPLACED, "its integrity is"),
        ("/npm/", registries.HANG, "the npm registry does not answer"),
    ],
)
def test_a_run_ends_blocked_before_the_engine_is_started(
    settings: Settings, served: Registries, only: str, mode: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(_: Any) -> Any:
        raise AssertionError("the engine is asked for")

    monkeypatch.setattr(bringup, "engine_of", never)
    if only == "/go/":  # a client less to start; that all are asked side by side another test shows
        monkeypatch.setattr(tools, "npm_packages", lambda *_: [])
    else:
        monkeypatch.setattr(inputs, "recipes", lambda *_: [])
    served.only, served.mode = only, mode
    if mode == registries.HANG:
        monkeypatch.setattr(go_proxy, "PATIENCE", 0.3)
        monkeypatch.setattr(golang, "CONFIRM_TIMEOUT", 1.0)
        monkeypatch.setattr(npm, "PATIENCE", NPM | {"npm_config_fetch_timeout": "700"})
    found = e2e.prove(settings)
    assert found.exit_code is ExitCode.BLOCKED
    written = json.loads(next(settings.reports.glob("2*/results.json")).read_text())
    assert written["verdict"] == "blocked"
    assert written["counts"]["refuted"] == 0
    assert "inputs" in written["timings"]
    assert said in json.dumps(written, ensure_ascii=False)


def test_a_package_that_vanished_is_named(settings: Settings, tmp_path: Path) -> None:
    next((tmp_path / "archive/pool/bookworm").glob("socat_*")).unlink()
    archives.write(tmp_path / "archive", "bookworm", "1.0-1", {})
    with pytest.raises(EnvironmentFault, match="package socat: bookworm does not have it") as raised:
        inputs.check(settings, model.load(ROOT))
    assert "\n" not in str(raised.value)
    assert "/etc/apt" in raised.value.hint
    assert "inv doctor" in raised.value.hint


def test_every_input_that_is_lacking_is_in_one_line(
    settings: Settings, served: Registries, tmp_path: Path
) -> None:
    served.mode = "404"
    shutil.rmtree(tmp_path / "archive/dists")
    with pytest.raises(
        EnvironmentFault, match=r"3 inputs cannot be had: Go module .*; npm .*; the package archive"
    ):
        inputs.check(settings, model.load(ROOT))


def test_the_doctor_shows_what_is_not_served_and_what_mends_it(
    settings: Settings, served: Registries, tmp_path: Path
) -> None:
    served.mode = "404"
    asked = inputs.survey(settings, model.load(ROOT))
    module = asked["Go modules"]()
    package = asked[f"npm package {registries.PACKAGE}"]()
    assert f"{registries.MODULE}@{registries.VERSION}: 404" in module.missing
    assert "go get" in module.mend
    assert "the registry does not have it" in package.missing
    assert "npm view" in package.mend
    assert not settings.cache.exists(), "a survey creates nothing"
    served.mode = registries.SERVED
    asked = inputs.survey(settings, model.load(ROOT))
    assert asked["Go modules"]().met
    assert asked[f"npm package {registries.PACKAGE}"]().met


def test_a_run_wants_every_program_it_is_made_of(tmp_path: Path) -> None:
    settings = Settings(cache=tmp_path)
    names = {each.name for each in inputs.recipes(settings, model.load(ROOT))}
    assert {"kind", "kubernetes", "containerd", "etcd", "kubectl", "helm", "kubeconform"} <= names
    of_theirs = Settings(cache=tmp_path, context="prod", publish="r.example")
    assert not {"kind", "kubernetes"} & {each.name for each in inputs.recipes(of_theirs, model.load(ROOT))}
    with_registry = Settings(cache=tmp_path, registry="r.example")
    names = {each.name for each in inputs.recipes(with_registry, model.load(ROOT))}
    assert "kind" in names
    assert "kubernetes" not in names


def test_a_cell_of_packages_asks_for_them(tmp_path: Path) -> None:
    settings = Settings(cache=tmp_path, state=tmp_path, kind="0.27.0", containerd="1.6", claims=("kind-*",))
    found = inputs.wanted(settings, model.load(ROOT)).packages
    assert "kind" in found["trixie"]
    assert "containerd" in found["bookworm"]


def test_every_row_of_the_list_of_inputs_is_shown_by_a_test() -> None:
    rows = [line for line in (ROOT / "docs/inputs.md").read_text().splitlines() if line.startswith("| ")]
    named = [re.findall(r"`((?:tests|suites)/[^`]*::test_[^`]*)`", row) for row in rows[1:]]
    assert len(named) > 12
    for row, tests in zip(rows[1:], named, strict=True):
        assert tests, row
        for each in tests:
            path, _, name = each.partition("::")
            assert f"def {name}(" in (ROOT / path).read_text(), each
