"""The page as people use it: found in six steps, at any width, by keyboard, in print, without a network."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.conftest import Opened, Pages

Open = Callable[..., Opened]
Tell = Callable[[str], None]
KINDS = ("refuted", "accepted", "dead", "running", "matrix", "bench")
OF_CLAIMS = KINDS[:4]
WIDTHS = (360, 390, 768, 1280)
PICTURES = Path(__file__).resolve().parents[2] / "docs/pictures"
FIRST = "rbac-no-wildcards"
EXPAND = "document.querySelectorAll('details').forEach((each) => { each.open = true; })"
LINES = """[...document.querySelectorAll('th:not(.said), td.nowrap, summary .word')].filter((each) => {
  const range = document.createRange();
  range.selectNodeContents(each);
  const tops = [...range.getClientRects()].map((box) => box.top);
  return Math.max(...tops) - Math.min(...tops) > 8;
}).map((each) => each.textContent)"""
OUTSIDE = """[...document.querySelectorAll('body *')].filter((each) => {
  const box = each.getBoundingClientRect();
  return box.width > 0 && box.right > innerWidth + 1 && !each.closest('.scroll') && !each.closest('.skip')
    && !each.closest('svg');
}).map((each) => each.outerHTML.slice(0, 80))"""


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_wider_than_the_window(opened: Open, kind: str) -> None:
    for width in WIDTHS:
        page = opened(kind, width=width).page
        page.evaluate(EXPAND)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, (kind, width)
        assert page.evaluate(OUTSIDE) == [], (kind, width)
        assert page.evaluate(LINES) == [], (kind, width)


@pytest.mark.parametrize(("dark", "widths"), [(False, WIDTHS), (True, (1280,))], ids=["light", "dark"])
@pytest.mark.parametrize("kind", KINDS)
def test_axe_finds_nothing(opened: Open, kind: str, dark: bool, widths: tuple[int, ...]) -> None:
    page = opened(kind, dark=dark).page
    page.evaluate(
        "for (const one of document.querySelectorAll('.claim > details')) { one.open = true; break; }"
    )
    for width in widths:
        page.set_viewport_size({"width": width, "height": 900})
        found = Axe().run(page).response["violations"]
        assert [(width, each["id"], each["nodes"][0]["html"][:200]) for each in found] == []


def test_axe_finds_nothing_in_an_open_claim(opened: Open) -> None:
    page = opened("refuted", link=f"#{FIRST}").page
    page.evaluate(
        f"document.getElementById('{FIRST}').querySelectorAll('details').forEach((e) => e.open = true)"
    )
    found = Axe().run(page, context="#open")
    assert [(each["id"], each["nodes"][0]["html"][:200]) for each in found.response["violations"]] == []


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_fetched_and_no_script_fails(opened: Open, pages: Pages, tell: Tell, kind: str) -> None:
    asked = opened(kind).asked
    tell(f"page {kind}: {pages[kind].stat().st_size:,} bytes")
    assert [each for each in asked if not each.startswith("data:image/svg")] == [pages[kind].as_uri()]
    assert pages[kind].stat().st_size < 2_000_000


def test_verdict_image_why_since_when_and_evidence_in_six_steps(opened: Open, tell: Tell) -> None:
    page = opened("refuted").page
    steps = ["open the page: the first screen says the verdict, the image, who waived what until when"]
    for shown in ("h1", ".first code:has-text('claude-in-a-box:')", "text=the storage team"):
        box = page.locator(shown).first.bounding_box()
        assert box and box["y"] + box["height"] <= 900, shown
    assert page.locator("h1").inner_text() == "Refuted"
    page.locator(".top a").first.click()
    steps.append("click the first refuted claim: it opens with its reason and since when")
    card = page.locator("article.claim.here")
    assert card.locator(".tone").first.is_visible()
    assert "2 runs in a row" in card.locator(".since").inner_text()
    card.locator(".evidence a").first.click()
    steps.append("click its evidence: the file opens")
    page.wait_for_url("**/observations.json")
    assert len(steps) <= 6
    for number, step in enumerate(steps, 1):
        tell(f"step {number}: {step}")
    assert json.loads(page.locator("pre").inner_text()) == []


def test_the_first_refuted_claim_is_at_most_five_tab_stops_away(opened: Open, tell: Tell) -> None:
    page = opened("refuted").page
    for stop in range(1, 6):
        page.keyboard.press("Tab")
        if FIRST in str(page.evaluate("document.activeElement.getAttribute('href')")):
            tell(f"the first refuted claim: tab stop {stop}")
            break
    else:
        pytest.fail("not in five stops")
    page.keyboard.press("Enter")
    assert page.locator(f"#{FIRST}").is_visible()


def test_the_skip_link_leads_to_what_is_not_proven(opened: Open) -> None:
    page = opened("refuted").page
    page.keyboard.press("Tab")
    assert page.locator(".skip").bounding_box()["x"] >= 0  # type: ignore[index]
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "open"


def shown(page: Any) -> list[str]:
    """Return the ids of the claims that are shown, folded or not."""
    found: list[str] = page.evaluate(
        "[...document.querySelectorAll('article.claim:not(.gone) .body')].map((each) => each.id)"
    )
    return found


def test_search_and_filters_narrow_what_is_shown(opened: Open) -> None:
    page = opened("refuted").page
    assert len(shown(page)) == 230
    page.fill("[name=q]", "wildcards")
    assert FIRST in shown(page) and len(shown(page)) < 20
    assert page.locator("#count").inner_text() == f"{len(shown(page))} of 230 claims"
    page.fill("[name=q]", "no such words")
    assert shown(page) == []
    page.fill("[name=q]", "")
    page.select_option("[name=verdict]", "refuted")
    assert len(shown(page)) == 3
    assert all(page.locator(f"article:has(> details > #{each})").is_visible() for each in shown(page))
    page.select_option("[name=area]", "NET")
    assert shown(page) == []
    page.select_option("[name=verdict]", "")
    area = shown(page)
    page.select_option("[name=standard]", "PSS")
    some = shown(page)
    page.select_option("[name=tier]", "netraw")
    assert 0 < len(shown(page)) < len(some) < len(area)
    page.reload()
    assert 0 < len(shown(page)) < len(some), "the filter is not in the address"


def test_the_counts_are_filters(opened: Open) -> None:
    page = opened("refuted").page
    page.locator(".counts a.waived").click()
    assert len(shown(page)) == 2
    assert page.input_value("[name=verdict]") == "waived"


def test_everything_expands_and_folds(opened: Open) -> None:
    page = opened("refuted").page
    opens = "document.querySelectorAll('.claim > details[open]').length"
    page.click("#expand")
    assert page.evaluate(opens) == 230
    page.click("#expand")
    assert page.evaluate(opens) == 0


@pytest.mark.parametrize("script", [True, False])
@pytest.mark.parametrize("claim", [FIRST, "pvc-bound", "image-user-nonroot"])
def test_a_link_opens_its_claim_and_marks_it(opened: Open, claim: str, script: bool) -> None:
    page = opened("refuted", link=f"#{claim}", script=script).page
    card = page.locator(f"article:has(> details > #{claim})")
    assert card.locator(f"#{claim}").is_visible()
    box = card.bounding_box()
    assert box and 0 <= box["y"] < 900
    assert card.evaluate("(each) => getComputedStyle(each).outlineStyle") == "solid" if script else True


def test_a_claim_says_its_own_link(opened: Open) -> None:
    page = opened("refuted").page
    anchor = page.locator(f"a.anchor[href='#{FIRST}']")
    page.evaluate(EXPAND)
    anchor.click()
    assert page.url.endswith(f"#{FIRST}")


def test_a_link_to_what_the_filter_hides_shows_it(opened: Open) -> None:
    page = opened("refuted").page
    page.select_option("[name=verdict]", "waived")
    page.evaluate(f"location.hash = '#{FIRST}'")
    page.wait_for_selector(f"#{FIRST}", state="visible")


def test_without_script_everything_is_there(opened: Open) -> None:
    page = opened("refuted", script=False).page
    assert page.locator("#tools").is_hidden()
    assert page.locator("article.claim").count() == 230


def test_one_cause_is_one_card(opened: Open) -> None:
    page = opened("dead").page
    assert page.locator("#open .cause").count() == 1
    assert "230 claims, one cause" in page.locator("#open h3").first.inner_text()
    assert page.evaluate("document.documentElement.scrollHeight") < 16_000


def test_a_survivor_is_said_beside_the_verdict(opened: Open) -> None:
    page = opened("accepted").page
    assert page.locator("h1").inner_text() == "Accepted, but 2 sabotages survived"
    assert page.locator("#sabotages").is_visible()


@pytest.mark.parametrize(
    ("kind", "most"), [*dict.fromkeys(OF_CLAIMS, 16).items(), ("matrix", 2), ("bench", 1)]
)
def test_each_page_prints_on_few_sheets(opened: Open, tell: Tell, kind: str, most: int) -> None:
    page = opened(kind, width=794).page
    printed = page.pdf(format="A4", prefer_css_page_size=True)
    number = len(re.findall(rb"/Type\s*/Page\b(?!s)", printed))
    tell(f"page {kind}: {number} sheets of A4")
    assert 1 <= number <= most


def test_it_prints_the_verdict_and_the_waivers_first(opened: Open) -> None:
    page = opened("refuted", width=794).page
    page.emulate_media(media="print")
    for first in ("h1", ".first", "text=the storage team"):
        box = page.locator(first).first.bounding_box()
        assert box and box["y"] + box["height"] < 1000, first
    assert page.locator("#tools").is_hidden()
    assert page.locator("article.claim").first.evaluate("(e) => getComputedStyle(e).breakInside") == "avoid"


def test_a_run_in_progress_says_how_far_it_is(opened: Open) -> None:
    page = opened("running").page
    assert re.match(
        r"Running 115 of 230 checks done, about \d+ min \d+ s left", page.locator("h1").inner_text()
    )
    assert page.locator("article.claim.waiting").count() == 115
    assert page.locator(".counts").inner_text() == "1 refuted, 115 waiting, 2 waived, 112 proven"


@pytest.mark.parametrize("width", [390, 1280])
def test_the_documents_show_the_page_as_it_is(
    opened: Open, request: pytest.FixtureRequest, width: int
) -> None:
    kept = PICTURES / f"report-{width}.png"
    shot = opened("refuted", width=width).page.screenshot()
    if request.config.getoption("--pictures"):
        kept.write_bytes(shot)
    assert kept.read_bytes()[16:24] == shot[16:24], "another size: nox -s browser -- --pictures"
