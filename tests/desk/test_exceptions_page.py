"""The pages as a person sees them: cards, cases, one case, one cause, one order. Nothing is changed here."""

import shutil
import subprocess
from pathlib import Path
from urllib.parse import quote

import pytest
from desk.morning import WHO
from desk.visitor import PASSWORD, USER, Desk, Visitor

NORWAY = "/exceptions/cause?type=ORDER_MARKET_UNMAPPED&cause=fulfil.toml%3A%5Bmarkets%5D+Norway"
OURS = ["/exceptions", "/exceptions?view=cases", "/exceptions/1", NORWAY, f"{NORWAY}&plan=yes", "/orders?number=100271"]
OURS += ["/orders/brand/100271"]


@pytest.fixture
def visitor(desk: Desk) -> Visitor:
    return desk.visitor()


@pytest.mark.parametrize("path", OURS)
@pytest.mark.parametrize("credentials", [None, f"{USER}:wrong", "somebody:else"])
def test_nobody_comes_in_without_the_right_name_and_password(desk: Desk, path: str, credentials: str | None) -> None:
    answer = desk.visitor(credentials).get(path)
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic")
    assert "Norway" not in answer.text


@pytest.mark.parametrize("verb", ["replay", "assign", "comment", "snooze", "resolve", "evidence"])
def test_nobody_acts_without_a_name(desk: Desk, verb: str) -> None:
    assert desk.visitor(None).post(f"/exceptions/1/{verb}", to="me", text="x", reason="x").status == 401


def test_a_cause_is_one_card_with_its_orders_money_owner_and_deadline(visitor: Visitor) -> None:
    words = visitor.get("/exceptions").words
    card = words[words.index("This market has no home in the ERP") :]
    for told in ("fulfil.toml:[markets] Norway", "12 orders", "10,146.00 NOK", "534.00 EUR", "Ecommerce", "oldest 2 h"):
        assert told in card
    assert "late by 1 h 4" in card


def test_the_page_adds_up_what_is_open_and_never_adds_two_currencies(visitor: Visitor) -> None:
    words = visitor.get("/exceptions").words
    assert "22 cases to decide" in words
    assert "Causes past their deadline 1 Open causes 6" in words
    assert "Money at risk 10,146.00 NOK 2,247.00 SEK 1,134.40 EUR 298.00 GBP 18,400 JPY" in words


def test_the_nearest_deadline_comes_first(visitor: Visitor) -> None:
    words = visitor.get("/exceptions").words
    causes = ["[markets] Norway", "fulfil: line net", "PARKA-OLV-M", "2 sales orders", "[taxes.SE] 12", "subdivision"]
    places = [words.index(cause) for cause in causes]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("filters", "there", "gone"),
    [
        ("owner=Finance", "fulfil.toml:[taxes.SE] 12", "PARKA-OLV-M"),
        ("type=ORDER_UNKNOWN_SKU", "PARKA-OLV-M", "fulfil.toml:[taxes.SE] 12"),
        ("text=parka", "PARKA-OLV-M", "fulfil.toml:[markets] Norway"),
        ("text=sweden", "fulfil.toml:[taxes.SE] 12", "PARKA-OLV-M"),
        ("text=fulfil&view=cases", "Order 100230", "No case fits"),
        ("text=100263&view=cases", "No case fits this search", "Order 100262"),
        ("text=100262&view=cases", "Order 100262", "Order 100261"),
        ("view=cases&cause=PARKA-OLV-M", "Order 100250", "Order 100230"),
        ("state=resolved", "Order 100190", "Order 100230"),
        ("view=cases&state=all", "Order 100190", "No case fits"),
        ("view=cases&state=acknowledged", "No case fits this search", "Order 100230"),
    ],
)
def test_filters_and_search_show_what_was_asked_for(visitor: Visitor, filters: str, there: str, gone: str) -> None:
    words = visitor.get(f"/exceptions?{filters}").words
    assert there in words
    assert gone not in words


@pytest.mark.parametrize(
    "odd", ["state=nonsense", "page=-1", "page=99999999999999999999", "view=&owner=%00%ff", "text=%25_'"]
)
def test_an_odd_address_is_answered_calmly(visitor: Visitor, odd: str) -> None:
    assert visitor.get(f"/exceptions?{odd}").status in (200, 400)


def test_a_case_says_what_happened_and_what_to_do(visitor: Visitor) -> None:
    words = visitor.get("/exceptions/1").words
    assert "This market has no home in the ERP" in words
    assert "has no entry for 'Norway'" in words
    assert "Run lockstep mappings check , then lockstep mappings apply" in words
    assert "Closed when: The mapping in force names the market" in words
    assert "If Ecommerce is away: Integration" in words
    assert "lockstep opened" in words
    assert "1 attempt to work on it" in words
    assert "12 cases of this cause" in words


def test_the_penny_proof_marks_the_components_that_differ(desk: Desk, visitor: Visitor) -> None:
    page = visitor.get(f"/exceptions/{desk.cases['proof'][0]}")
    assert page.text.count('class="desk-differs"') == 2
    assert "2 components of 8 differ." in page.words
    assert "line 71 net (differs) 39.92 EUR 39.93 EUR total (differs) 153.90 EUR 153.91 EUR line 68 net" in page.words
    assert "Carried inside other components: voucher WELCOME10 13.24 EUR." in page.words


def test_a_resolved_case_can_be_read_and_offers_nothing_to_press(desk: Desk, visitor: Visitor) -> None:
    page = visitor.get(f"/exceptions/{desk.cases['done'][0]}")
    assert "verified: read back equal" in page.words
    assert 'method="post"' not in page.text


@pytest.mark.parametrize(
    "path", ["/exceptions/999999", "/orders/brand/1", "/exceptions/cause?type=NONE&cause=none", "/orders?number=1"]
)
def test_what_is_not_there_is_a_calm_404(visitor: Visitor, path: str) -> None:
    answer = visitor.get(path)
    assert answer.status == 404
    assert "Traceback" not in answer.text


def test_the_search_box_leads_to_the_orders_story(visitor: Visitor) -> None:
    answer = visitor.get("/orders?number=100271")
    assert (answer.status, answer.goes_to) == (303, "/orders/brand/100271")
    words = visitor.get(answer.goes_to).words
    assert "Order 100271 of brand (153.90 EUR, Germany) stands still" in words
    assert "Who acts next Finance" in words
    assert "NOT equal to Centra" in words


def test_no_page_shows_what_is_sealed(desk: Desk, visitor: Visitor) -> None:
    paths = [*OURS, *(f"/exceptions/{case}" for cases in desk.cases.values() for case in cases), "/orders/brand/100277"]
    for path in paths:
        text = visitor.get(path).text
        assert not [word for word in WHO.split(", ") if word in text], path


@pytest.mark.parametrize("path", OURS)
def test_a_browser_is_told_to_run_nothing_but_flowers_scripts_and_to_frame_nothing(visitor: Visitor, path: str) -> None:
    answer = visitor.get(path)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["Cache-Control"] == "no-store"
    assert "<script>" not in answer.text
    assert "style=" not in answer.text


# ------------------------------------------------------------------------------------------------------- a real browser

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"]
FLAGS += ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--enable-logging=stderr"]


@pytest.mark.skipif(CHROMIUM is None, reason="a browser (no chromium on this machine)")
def test_a_real_browser_shows_the_page_with_its_style(desk: Desk, tmp_path: Path) -> None:
    url = f"http://{USER}:{quote(PASSWORD)}@127.0.0.1:{desk.flower.port}/exceptions"
    picture = tmp_path / "page.png"
    # The scripts that a browser runs add `data-bs-theme`; the picture proves that style sheets passed the policy.
    drawn = subprocess.run(
        [
            str(CHROMIUM),
            *FLAGS,
            f"--user-data-dir={tmp_path / 'profile'}",
            "--window-size=1280,1000",
            "--dump-dom",
            url,
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert 'data-bs-theme="light"' in drawn.stdout
    assert "22 cases to decide" in drawn.stdout
    assert "Content Security Policy" not in drawn.stderr  # nothing of the page was held back
    subprocess.run(
        [
            str(CHROMIUM),
            *FLAGS,
            f"--user-data-dir={tmp_path / 'profile'}",
            "--window-size=1280,1000",
            f"--screenshot={picture}",
            url,
        ],
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert picture.stat().st_size > 60_000
