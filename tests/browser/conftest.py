"""A real browser: Debian's Chromium, driven by Playwright, cut off from any network."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.report_samples import bench_page, matrix_page, running, sample

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
HINT = "nox -s browser installs Playwright; Chromium comes from the system: apt-get install chromium"

try:
    from playwright.sync_api import Browser, Page, sync_playwright
except ModuleNotFoundError:
    pytest.exit(f"no Playwright in this environment ({HINT})", returncode=3)


SAID: list[str] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the documents' pictures be written anew."""
    parser.addoption("--pictures", action="store_true", help="write docs/pictures anew")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was measured of the pages."""
    for line in SAID:
        terminalreporter.write_line(line)


@pytest.fixture
def tell() -> Callable[[str], None]:
    """``tell(line)`` has a figure stand below the tests."""
    return SAID.append


@dataclass
class Pages:
    """Pages of every kind, by name."""

    root: Path
    made: dict[str, Path] = field(default_factory=dict)

    def __getitem__(self, kind: str) -> Path:
        """Return the page of a kind, written when it is first asked for."""
        if kind not in self.made:
            root = self.root / kind
            makers: dict[str, Callable[[], Path]] = {
                "refuted": lambda: sample(root)[0] / "index.html",
                "accepted": lambda: sample(root, refuted=0, survived=2)[0] / "index.html",
                "dead": lambda: sample(root, refuted=0, waived=0, blocked=230)[0] / "index.html",
                "running": lambda: running(root),
                "matrix": lambda: matrix_page(root),
                "bench": lambda: bench_page(root),
            }
            self.made[kind] = makers[kind]()
        return self.made[kind]


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Pages:
    """The pages, each written once."""
    return Pages(tmp_path_factory.mktemp("pages"))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium; its absence is an error, not a skip."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.exit(f"no Chromium on this machine ({HINT})", returncode=3)
    with sync_playwright() as play:
        made = play.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield made
        made.close()


@dataclass
class Opened:
    """A page in the browser, and what it asked the network for."""

    page: Page
    asked: list[str]


@pytest.fixture
def opened(browser: Browser, pages: Pages) -> Iterator[Callable[..., Opened]]:
    """``opened(kind, width=1280, dark=False, script=True, link="")`` opens one of the pages."""
    contexts = []

    def go(
        kind: str, *, width: int = 1280, dark: bool = False, script: bool = True, link: str = ""
    ) -> Opened:
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if dark else "light",
            java_script_enabled=script,
        )
        contexts.append(context)
        asked: list[str] = []
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: asked.append(f"error: {error}"))
        page.goto(f"{pages[kind].as_uri()}{link}")
        return Opened(page, asked)

    yield go
    for each in contexts:
        each.close()
