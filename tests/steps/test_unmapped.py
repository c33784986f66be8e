"""What our tables or the ERP's do not know parks the orders it concerns, and no others; the cause gone, they go on."""

from dataclasses import replace

import pytest
from stage import ADDRESS, Stage
from steps.looking import (
    TEXT,
    asked_to_create,
    assert_case,
    assert_proven,
    book,
    case_by_id,
    without,
    without_market,
)

from integration.sandbox import centra_money
from integration.sandbox.catalogue import UNKNOWN_SKUS, VOUCHERS
from integration.sandbox.centra_orders import BasketLine, VoucherUse
from integration.store import exceptions

UNKNOWN = min(UNKNOWN_SKUS)


@pytest.mark.scenario("PRD-01")
def test_an_unknown_sku_parks_its_order_and_the_order_goes_on_once_the_item_exists(stage: Stage) -> None:
    good, bad = stage.order(), stage.order(lines=[BasketLine(stage.sku(), 1), BasketLine(UNKNOWN, 1)])
    stage.hint(good, bad)
    stage.work()
    case = assert_case(stage, bad, "ORDER_UNKNOWN_SKU")
    assert (case.cause, case.owner) == (UNKNOWN, "Merchandising")
    stage.sweep(3)
    assert_proven(stage, good)
    assert stage.row(bad).state == "dead"
    stage.fulfil.add_product(UNKNOWN)
    stage.sweep(4)
    assert_proven(stage, bad)
    assert case_by_id(stage, case.id).resolution.startswith("verified")


@pytest.mark.scenario("MAP-01")
def test_an_unmapped_market_parks_alone_on_one_card_and_is_released_in_order_by_its_mapping(stage: Stage) -> None:
    stage.apply(without_market("Europe / Sweden"))
    swedes, others = [], []
    for _ in range(6):
        swedes.append(stage.order(market_id=3, country="SE"))
        others.append(stage.order())
    stage.hint(*reversed(swedes), *others)
    stage.work()
    stage.sweep(2)
    assert_proven(stage, *others)
    for number in swedes:
        assert_case(stage, number, "ORDER_MARKET_UNMAPPED")
    with stage.store.read() as tx:
        (card,) = exceptions.by_cause(tx)
    money = sum(int(book(stage, number)["grand_total"] * 100) for number in swedes)
    assert (card.members, card.currency, card.money_minor, card.owner) == (6, "SEK", money, "Ecommerce")
    assert card.cause == "fulfil.toml:[markets] Europe / Sweden"
    stage.apply(TEXT)
    stage.sweep(3)
    assert_proven(stage, *swedes)
    made = [e["channel_identifier"] for e in stage.fulfil.books()["effects"] if e["model"] == "sale.sale"]
    released = [f"centra-{number}" for number in swedes]
    assert [identifier for identifier in made if identifier in released] == released
    assert stage.open_cases() == []


@pytest.mark.scenario("MAP-05")
def test_a_code_that_marketing_made_up_goes_by_its_type_and_a_type_nobody_mapped_is_one_card(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for code, type in (("FLASH-FRIDAY", "FIXED_AMOUNT"), ("FLASH-SUNDAY", "FLASH")):
        monkeypatch.setitem(VOUCHERS, code, replace(VOUCHERS["FIVEOFF"], code=code, type=type))
    monkeypatch.setattr(centra_money, "GOODS_VOUCHERS", (*centra_money.GOODS_VOUCHERS, "FLASH"))
    by_type = stage.order(vouchers=[VoucherUse("FLASH-FRIDAY")])
    unmapped = [stage.order(vouchers=[VoucherUse("FLASH-SUNDAY")]) for _ in range(3)]
    stage.hint(by_type, *unmapped)
    stage.work()
    stage.sweep(2)
    assert_proven(stage, by_type)
    with stage.store.read() as tx:
        (card,) = exceptions.by_cause(tx)
    assert (card.type, card.cause, card.members) == ("ORDER_DISCOUNT_UNMAPPED", "fulfil.toml:[vouchers] FLASH", 3)
    stage.apply(TEXT.replace("[vouchers] ", '[vouchers]\nFLASH = "goods"', 1))
    stage.sweep(3)
    assert_proven(stage, *unmapped)


def test_a_market_that_stays_unmapped_is_not_asked_about_again_and_again(stage: Stage) -> None:
    number = stage.order(market_id=7, country="NO")
    stage.hint(number)
    stage.work()
    case = assert_case(stage, number, "ORDER_MARKET_UNMAPPED")
    stage.apply(TEXT + "\n# a change that cures nothing\n")
    stage.sweep(3)
    again = assert_case(stage, number, "ORDER_MARKET_UNMAPPED")
    assert (again.id, again.opened_at, again.act_by) == (case.id, case.opened_at, case.act_by)
    assert again.occurrences == 2


CURES = [
    pytest.param(
        "ORDER_TAX_UNMAPPED", without('"20" = "UK VAT Standard"').replace('GB = "20"', 'GB = "0"'), {}, id="tax"
    ),
    pytest.param("ORDER_SHIPPING_UNMAPPED", without('"Standard" = "royal-mail-48"'), {}, id="carrier"),
    pytest.param(
        "ORDER_DISCOUNT_UNMAPPED",
        without('PERCENTAGE = "goods"'),
        {"vouchers": [VoucherUse("WELCOME10")]},
        id="voucher",
    ),
    pytest.param("ORDER_PAYMENT_UNMAPPED", without('adyen = "adyen"'), {}, id="payment method"),
    pytest.param("ORDER_CURRENCY_REFUSED", TEXT.replace('currency = "GBP"', 'currency = "EUR"'), {}, id="currency"),
    pytest.param(
        "ORDER_MARKET_SUSPECT",
        TEXT.replace('countries = ["DE", "FR", "NL", "IE"]', 'countries = ["FR", "NL", "IE"]'),
        {"market_id": 2, "country": "DE"},
        id="destination",
    ),
]


@pytest.mark.parametrize(("type", "broken", "terms"), CURES)
@pytest.mark.scenario("MON-12")
def test_what_the_mapping_lacks_has_its_own_type_and_owner_and_the_mapping_releases_it(
    stage: Stage, type: str, broken: str, terms: dict[str, object]
) -> None:
    assert broken != TEXT
    stage.apply(broken)
    number = stage.order(**terms)
    stage.hint(number)
    stage.work()
    case = assert_case(stage, number, type)
    assert "fulfil.toml" in case.cause or type == "ORDER_MARKET_SUSPECT"
    assert asked_to_create(stage) == 0
    version = stage.apply(TEXT)
    stage.sweep(3)
    assert_proven(stage, number)
    assert stage.row(number).mapping_version == version
    assert case_by_id(stage, case.id).state == "resolved"


@pytest.mark.parametrize(
    ("word", "type"),
    [("royal-mail-48", "ORDER_SHIPPING_UNMAPPED"), ("UK VAT Standard", "ORDER_TAX_UNMAPPED")],
)
def test_a_word_of_the_mapping_that_fulfil_does_not_know_is_the_same_type(stage: Stage, word: str, type: str) -> None:
    stage.apply(TEXT.replace(f'"{word}"', f'"{word}-x"'))
    number = stage.order()
    stage.hint(number)
    stage.work()
    case = assert_case(stage, number, type)
    assert f"{word}-x" in case.cause
    assert case.document_id is not None  # Fulfil's own words are kept, sealed
    stage.apply(TEXT)
    stage.sweep(3)
    assert_proven(stage, number)


@pytest.mark.parametrize("field", ["address1", "place"])
def test_an_incomplete_address_waits_for_the_customer_and_its_correction_in_centra_releases_it(
    stage: Stage, field: str
) -> None:
    gone = {"city", "zipCode"} if field == "place" else {field}
    number = stage.order(address={name: word for name, word in ADDRESS.items() if name not in gone})
    stage.hint(number)
    stage.work()
    case = assert_case(stage, number, "ORDER_ADDRESS_INVALID")
    assert case.owner == "CX"
    assert ADDRESS["lastName"] not in case.message
    stage.clock.sleep(2)
    stage.centra.edit(int(number), shippingAddress=ADDRESS)
    stage.hint(number)
    stage.work()
    assert_proven(stage, number)


@pytest.mark.scenario("PLT-18")
def test_an_order_that_fulfil_finds_invalid_is_not_sent_again(stage: Stage) -> None:
    stage.fulfil.faults.plan("user-error", operation="create_order", times=9)
    number = stage.order()
    stage.hint(number)
    stage.work()
    stage.sweep(3)
    assert_case(stage, number, "ORDER_REJECTED_BY_ERP")
    assert asked_to_create(stage) == 1


def test_the_answer_of_the_second_copy_of_a_dead_order_is_the_same_case(stage: Stage) -> None:
    number = stage.order(lines=[BasketLine(UNKNOWN, 1)])
    for _ in range(5):
        stage.hint(number)
        stage.work()
    case = assert_case(stage, number, "ORDER_UNKNOWN_SKU")
    assert case.occurrences == 1  # read again, and unchanged: nothing happened
