"""Mapping files: each way to break one is told by file, table and key; look-ups never guess."""

import re
import shutil
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

import mappings
from integration.errors import Unmapped
from integration.sandbox import catalogue
from mappings import BrokenMapping, load, parse, playbook

OWN = Path(mappings.__file__).parent
TEXT = (OWN / "fulfil.toml").read_text(encoding="utf-8")
UK = 'markets."Europe / United Kingdom"'


def test_the_packages_own_mappings_load_and_serve_every_market_but_the_unmapped_one_each_once():
    own = load(OWN)
    assert own["fulfil"][0] == TEXT
    mapping_of = {market: mapping for _, mapping in own.values() for market in mapping.markets}
    names = {
        f"{catalogue.STORES[m.store_id].name} / {m.name}": m
        for m in catalogue.MARKETS.values()
        if m.id != catalogue.UNMAPPED_MARKET
    }
    assert set(mapping_of) == set(names)
    for name, market in names.items():
        mapping = mapping_of[name]
        found = mapping.market(name)
        assert (found.currency, found.countries) == (market.currency, market.countries)
        for option in catalogue.shipping_options_of(market.id):
            assert mapping.carrier(name, option.name)
        for country in market.countries:
            for percent in catalogue.COUNTRIES[country].taxes.values():
                assert mapping.tax_name(country, percent)


def test_a_master_that_nothing_could_enforce_is_refused_with_the_reason() -> None:
    def declared(masters: str) -> mappings.Mapping:
        return parse(f"{TEXT}\n[products]\nmasters = {masters}\n", "fulfil.toml")

    products = declared('{ price = "storefront", ean = "erp" }').products
    assert products is not None
    assert products.masters["price"] == "storefront"
    for masters, reason in (
        ('{ price = "erp" }', "could be held against nothing"),
        ('{ sku = "erp" }', "has no master"),
    ):
        with pytest.raises(BrokenMapping, match=reason) as raised:
            declared(masters)
        assert (raised.value.table, raised.value.key) == ("products", "masters")


@pytest.mark.parametrize(
    ("old", "new", "table", "key"),
    [
        ('time_zone = "Europe/London"', 'time_zone = "Europe/Londres"', "connection", "time_zone"),
        ('time_zone = "Europe/London"', "", "connection", "time_zone"),
        ("start_at = 2026-01-01T00:00:00Z", 'start_at = "2026-01-01"', "connection", "start_at"),
        ('centra = "brand"', 'centra = ""', "connection", "centra"),
        ('centra = "brand"', 'centre = "brand"', "connection", "centra"),
        ("[connection]", "[conection]", "connection", "connection"),
        ('statuses = ["CONFIRMED", "PROCESSING", "SHIPPED"]', "statuses = []", "released", "statuses"),
        ("on_hold = false", 'on_hold = "perhaps"', "released", "on_hold"),
        ("unit_price_decimals = 4", "unit_price_decimals = 4.5", "options", "unit_price_decimals"),
        ("unit_price_decimals = 4", "unit_price_decimals = 11", "options", "unit_price_decimals"),
        ('payments = "authorised"', 'payments = "all"', "options", "payments"),
        ("channel = 1 ", 'channel = "1" ', "markets.Europe / United Kingdom", "channel"),
        ("channel = 1 ", "channel = 0 ", "markets.Europe / United Kingdom", "channel"),
        ("warehouse = 4 ", "warehouse = true ", "markets.Europe / United Kingdom", "warehouse"),
        ('currency = "GBP"', 'currency = "GBB"', "markets.Europe / United Kingdom", "currency"),
        ('currency = "GBP"', 'curency = "GBP"', "markets.Europe / United Kingdom", "currency"),
        ('countries = ["GB"]', 'countries = ["gb"]', "markets.Europe / United Kingdom.countries", "0"),
        ('countries = ["GB"]', 'countries = ["GB", "NO"]', "taxes", "NO"),
        ('"Standard" = "royal-mail-48"', '"Standard" = 48', "carriers.Europe / United Kingdom", "Standard"),
        ('"Standard" = "royal-mail-48"', '"Standard" = ""', "carriers.Europe / United Kingdom", "Standard"),
        (f"[{UK.replace('markets', 'carriers')}]", '[carriers."Europe / UK"]', "carriers", "Europe / United Kingdom"),
        ('"20" = "UK VAT Standard"', '"20 %" = "UK VAT Standard"', "taxes.GB", "20 %"),
        ('"20" = "UK VAT Standard"', '"20.0" = "UK VAT Standard"', "taxes.GB", "20.0"),
        ("[taxes.GB]", "[taxes.gb]", "taxes", "gb"),
        ('"20" = "UK VAT Standard"', '"17" = "UK VAT Standard"', "shipping_tax", "GB"),
        ('GB = "20"', 'GB = "17"', "shipping_tax", "GB"),
        ('GB = "20"', "GB = 20", "shipping_tax", "GB"),
        ('GB = "20"', "", "shipping_tax", "GB"),
        ('PERCENTAGE = "goods"', 'PERCENTAGE = "discount"', "vouchers", "PERCENTAGE"),
        ('adyen = "adyen"', "adyen = []", "tenders", "adyen"),
        ("[vouchers] ", "[vouchers2] ", "vouchers", "vouchers"),
    ],
)
def test_each_way_to_break_a_file_is_told_by_file_table_and_key(old, new, table, key):
    assert TEXT.count(old) >= 1
    with pytest.raises(BrokenMapping) as raised:
        parse(TEXT.replace(old, new, 1), "web-shop.toml")
    error = raised.value
    assert (error.file, error.table, error.key) == ("web-shop.toml", table, key)
    assert str(error).startswith(f"web-shop.toml [{table}]")
    assert error.problem


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not toml at all",
        TEXT + '\n[taxes.GB]\n"5" = "x"\n',
        TEXT + "\n[strange]\nx = 1\n",
        TEXT.replace("]", "", 1),
    ],
)
def test_what_is_not_a_mapping_is_told_by_its_file(text):
    with pytest.raises(BrokenMapping, match=r"^web-shop\.toml"):
        parse(text, "web-shop.toml")


def test_a_file_saved_with_a_mark_or_in_another_encoding(tmp_path):
    (tmp_path / "fulfil.toml").write_text("\ufeff" + TEXT, encoding="utf-8")
    assert set(load(tmp_path)) == {"fulfil"}
    (tmp_path / "fulfil.toml").write_bytes(TEXT.replace("London", "Zürich", 1).encode("cp1252"))
    with pytest.raises(BrokenMapping, match=r"^fulfil\.toml: not UTF-8"):
        load(tmp_path)


@pytest.mark.scenario("MAP-02")
@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("warehouse = 4 ", "warehouse = 66 ", "sells to GB, and the ERP's warehouse 66 sends to US only"),
        ("warehouse = 4 ", "warehouse = 99 ", "sells to GB, and the ERP's warehouse 99 is not in [facilities]"),
        ('4 = ["GB"]', '4 = ["IE"]', "sells to GB, and the ERP's warehouse 4 sends to IE only"),
    ],
)
def test_a_market_in_a_warehouse_that_does_not_send_there_is_refused_before_its_first_order(old, new, says):
    with pytest.raises(BrokenMapping) as raised:
        parse(TEXT.replace(old, new, 1), "web-shop.toml")
    assert (raised.value.table, raised.value.key) == ("markets.Europe / United Kingdom", "warehouse")
    assert says in raised.value.problem
    without = re.sub(r"^\[facilities\].*?(?=^\[)", "", TEXT, flags=re.DOTALL | re.MULTILINE)
    assert without != TEXT
    assert parse(without, "web-shop.toml")  # nothing is held against it where nobody said


def test_a_market_in_two_files_is_refused_by_both_their_names(tmp_path):
    shutil.copy(OWN / "fulfil.toml", tmp_path / "fulfil.toml")
    (tmp_path / "other.toml").write_text(TEXT)
    with pytest.raises(BrokenMapping) as raised:
        load(tmp_path)
    assert "fulfil.toml" in str(raised.value)
    assert "other.toml" in str(raised.value)
    assert "Europe / United Kingdom" in str(raised.value)
    (tmp_path / "other.toml").write_text(TEXT.replace('centra = "brand"', 'centra = "another-brand"'))
    assert set(load(tmp_path)) == {"fulfil", "other"}


@pytest.mark.parametrize(
    ("ask", "type", "table", "near"),
    [
        (lambda m: m.market("Europe / United Kindgom"), "ORDER_MARKET_UNMAPPED", "markets", "Europe / United Kingdom"),
        (lambda m: m.market("Europe / united kingdom"), "ORDER_MARKET_UNMAPPED", "markets", "Europe / United Kingdom"),
        (lambda m: m.market("Mars"), "ORDER_MARKET_UNMAPPED", "markets", ""),
        (
            lambda m: m.carrier("Asia / Japan", "express"),
            "ORDER_SHIPPING_UNMAPPED",
            'carriers."Asia / Japan"',
            "Express",
        ),
        (lambda m: m.carrier("Mars", "Express"), "ORDER_SHIPPING_UNMAPPED", 'carriers."Mars"', ""),
        (lambda m: m.tax_name("FR", Decimal("5.6")), "ORDER_TAX_UNMAPPED", "taxes.FR", ""),
        (lambda m: m.tax_name("NO", Decimal(25)), "ORDER_TAX_UNMAPPED", "taxes.NO", ""),
        (lambda m: m.charge_percent("NO"), "ORDER_TAX_UNMAPPED", "shipping_tax", ""),
        (lambda m: m.voucher_kind("PERCENTAGES"), "ORDER_DISCOUNT_UNMAPPED", "vouchers", "PERCENTAGE"),
        (lambda m: m.tender("payPal"), "ORDER_PAYMENT_UNMAPPED", "tenders", "paypal"),
        (lambda m: m.tender("adyen "), "ORDER_PAYMENT_UNMAPPED", "tenders", "adyen"),
    ],
)
def test_a_word_nobody_mapped_is_never_guessed_but_the_nearest_is_named(ask, type, table, near):
    with pytest.raises(Unmapped) as raised:
        ask(parse(TEXT, "fulfil.toml"))
    error = raised.value
    assert (error.type, error.file, error.table) == (type, "fulfil.toml", table)
    assert error.cause == f"fulfil.toml:[{table}] {error.key}"
    assert (f"did you mean {near!r}?" in str(error)) is bool(near)


@pytest.mark.parametrize("told", ["20", "20.0", "2E+1", "20.000"])
def test_a_percentage_is_the_same_however_it_is_written(told):
    assert parse(TEXT, "fulfil.toml").tax_name("GB", Decimal(told)) == "UK VAT Standard"


@pytest.mark.parametrize(
    ("told", "instant"),
    [
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-01T08:00:00", datetime(2026, 3, 1, 8, tzinfo=UTC)),
        ("2026-03-01T08:00:00+02:00", datetime(2026, 3, 1, 6, tzinfo=UTC)),
    ],
)
def test_a_start_is_an_instant(told, instant):
    assert parse(TEXT.replace("2026-01-01T00:00:00Z", told), "fulfil.toml").start_at == instant


RULES = (OWN / "playbook.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "table", "key"),
    [
        ('owner = "Merchandising"', 'owner = "Nobody"', "ORDER_UNKNOWN_SKU", "owner"),
        ("act_within_minutes = 120", "act_within_minutes = 0", "ORDER_UNKNOWN_SKU", "act_within_minutes"),
        ('deputy = "Ecommerce"\n', "", "ORDER_UNKNOWN_SKU", "deputy"),
        ('deputy = "Ecommerce"\n', 'deputy = "Ecommerce"\nmood = "x"\n', "ORDER_UNKNOWN_SKU", "mood"),
        ("[DEAD_LETTER]", "[DEAD_LETTERS]", "DEAD_LETTER", ""),
    ],
)
def test_a_broken_playbook_is_told_by_file_type_and_line(tmp_path, old, new, table, key):
    (tmp_path / "playbook.toml").write_text(RULES.replace(old, new, 1))
    with pytest.raises(BrokenMapping) as raised:
        playbook(tmp_path)
    assert (raised.value.file, raised.value.table, raised.value.key) == ("playbook.toml", table, key)


def test_a_folder_without_a_playbook_has_the_packages_own(tmp_path):
    assert playbook(tmp_path) == playbook()


def test_a_type_nobody_wrote_a_rule_for_is_the_integrations_dead_letter():
    rule = playbook().rule("NEVER_HEARD_OF")
    assert (rule.type, rule.owner) == ("DEAD_LETTER", "Integration")


@pytest.mark.parametrize(
    ("line", "key", "word"),
    [
        ('trigger = "sometimes"', "trigger", "Must be one of"),
        ("settle_minutes = 0", "settle_minutes", "greater"),
        ("settle_minutes = 300", "at_most_minutes", "shorter than settle_minutes"),
        ("every_minutes = 7", "every_minutes", "drift"),
        ('closed = ["22-06"]', "closed", "match"),
        ('closed = ["00:00-23:50"]', "closed", "no time of the day"),
    ],
)
def test_a_schedule_that_cannot_be_kept_is_refused_by_its_key(line: str, key: str, word: str) -> None:
    trigger = "" if line.startswith("trigger") else 'trigger = "schedule"\n'
    with pytest.raises(BrokenMapping) as refused:
        parse(TEXT + f"\n[schedule]\n{trigger}{line}\n", "fulfil.toml")
    assert key in str(refused.value)
    assert word in str(refused.value)
