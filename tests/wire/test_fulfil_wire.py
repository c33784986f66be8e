"""Our order as Fulfil wants it: money to the minor unit, people to the letter, and refusals that name no person."""

from dataclasses import fields, replace
from decimal import Decimal
from pathlib import Path

import pytest
from domain.order_shapes import order_of, orders
from hypothesis import given

import mappings
from integration.domain.money import Money, total
from integration.domain.order import Address, Discount, Payment
from integration.erp.fulfil.adapter import Fulfil
from integration.errors import Rejected, Unmapped
from integration.translation import priced

TEXT = (Path(mappings.__file__).parent / "fulfil.toml").read_text()
MAPPING = mappings.parse(TEXT, "fulfil.toml")
FULFIL = Fulfil("fulfil", None)
HOMES = {
    "GBP": ("Europe / United Kingdom", "GB"), "EUR": ("Europe / Eurozone", "DE"), "SEK": ("Europe / Sweden", "SE"),
    "USD": ("America / United States", "US"), "JPY": ("Asia / Japan", "JP"), "KWD": ("Asia / Kuwait", "KW"),
}  # fmt: skip
EVERY_TAX = "\n".join(
    f"[taxes.{c}]\n"
    + "\n".join(f'"{p}" = "Tax {p}"' for p in ("0", "5.5", "6", "7", "8.875", "10", "12", "19", "20", "21", "23", "25"))
    for c in ("GB", "DE", "SE", "US", "JP", "KW", "FR", "NL", "IE")
)


def lenient(percent="20", decimals=4, payments="authorised"):
    """The example's mapping with every tax in every country, and one tax on charges."""
    head, _, _ = TEXT.partition("# Centra gives a percentage")
    charges = "[shipping_tax]\n" + "\n".join(
        f'{c} = "{percent}"' for c in ("GB", "DE", "SE", "US", "JP", "KW", "FR", "NL", "IE")
    )
    tail = "[vouchers]" + TEXT.partition("[vouchers]")[2]
    head = head.replace("unit_price_decimals = 4", f"unit_price_decimals = {decimals}").replace(
        '"authorised"', f'"{payments}"'
    )
    return mappings.parse(f"{head}\n{EVERY_TAX}\n{charges}\n{tail}", "fulfil.toml")


def home(order):
    market, country = HOMES[order.currency]
    return replace(order, market=market, ship_to=replace(order.ship_to, country=country))


def check_money(order, request, mapping):
    """Every row is what Fulfil will compute it to be, and the rows are what the storefront said."""
    currency = order.currency
    nets, taxes = [], []
    for row in request["sale_lines"]:
        amount = Money.of(row["amount"], currency)
        assert Money.of(row["unit_price"] * row["quantity"], currency) == amount
        assert row["quantity"] > 0
        assert -row["unit_price"].as_tuple().exponent <= max(4, -amount.decimal.as_tuple().exponent)
        nets.append(amount)
        taxes += [Money.of(t["amount"], currency) for t in row["tax_lines"]]
    for row in request["shipping_lines"]:
        nets.append(Money.of(row["amount"], currency))
        taxes += [Money.of(t["amount"], currency) for t in row["tax_lines"]]
    found = priced(order, mapping)
    assert total(nets, currency) + total(taxes, currency) == found.total == Money.of(request["amount"], currency)
    assert total(taxes, currency) == order.tax
    ids = [row["channel_identifier"] for row in request["sale_lines"] + request["shipping_lines"]]
    assert len(ids) == len(set(ids))
    for part in found.lines:
        mine = [r for r in request["sale_lines"] if r["channel_identifier"].split("/")[0] == part.id]
        assert sum(r["quantity"] for r in mine) == part.quantity
        assert total([Money.of(r["amount"], currency) for r in mine], currency) == part.net


@given(orders())
def test_any_order_is_sent_in_rows_that_give_its_totals_back_exactly(drawn):
    order, percent = home(drawn[0]), drawn[1]
    mapping = lenient(format(percent.normalize(), "f"))
    draft = FULFIL.compose(order, mapping)
    check_money(order, draft.request["order"], mapping)
    assert draft.components["total"] == draft.components["untaxed"] + draft.components["tax"]


def test_a_line_that_no_unit_price_gives_is_split_and_each_row_proves_itself():
    mapping = lenient(decimals=0)
    order = order_of([(3, "3.33", 20), (7, "0.01", 20)], discounts=[("FIXED_AMOUNT", "0.05")])
    request = FULFIL.compose(order, mapping).request["order"]
    check_money(order, request, mapping)
    ids = [row["channel_identifier"] for row in request["sale_lines"]]
    assert any(i.endswith("/2") for i in ids)
    assert FULFIL.compose(order, mapping).components[f"line {ids[0]} quantity"] == request["sale_lines"][0]["quantity"]


@pytest.mark.parametrize(("currency", "price", "digits"), [("JPY", "999", 0), ("KWD", "9.995", 3), ("GBP", "9.99", 2)])
def test_amounts_keep_the_decimals_of_their_currency(currency, price, digits):
    percent = {"JPY": 10, "KWD": 0, "GBP": 20}[currency]
    order = home(order_of([(1, price, percent)], currency=currency, shipping=1, percent=percent))
    request = FULFIL.compose(order, MAPPING).request["order"]
    for amount in (request["amount"], request["sale_lines"][0]["amount"], request["shipping_lines"][0]["amount"]):
        assert -amount.as_tuple().exponent == digits
    check_money(order, request, MAPPING)


def test_shipping_and_handling_have_rows_of_their_own_and_only_shipping_a_carrier():
    rows = FULFIL.compose(order_of([(1, "10", 20)], shipping="4.95", handling="2.50"), MAPPING).request["order"][
        "shipping_lines"
    ]
    assert [row["channel_identifier"] for row in rows] == ["shipping", "handling"]
    assert rows[0]["carrier_service_code"] == "royal-mail-48"
    assert "carrier_service_code" not in rows[1]
    assert rows[0]["tax_lines"] == [{"name": "UK VAT Standard", "rate": Decimal("0.2"), "amount": Decimal("0.83")}]


def test_no_discount_is_sent_and_every_one_is_kept_in_the_proof():
    order = order_of(
        [(2, "10", 20)], shipping="5", discounts=[("PERCENTAGE", 10), ("FREE_SHIPPING", 0), ("GIFT_CARD", 3)]
    )
    draft = FULFIL.compose(order, MAPPING)
    assert "discounts" not in str(draft.request)
    assert draft.carried == {
        "discount 1 PERCENTAGE (goods)": "2.00 GBP",
        "discount 2 FREE_SHIPPING (shipping)": "5.00 GBP",
        "discount 3 GIFT_CARD (tender)": "3.00 GBP",
    }


@pytest.mark.parametrize(("choice", "told"), [("authorised", ["ref-a"]), ("captured", ["ref-c"]), ("none", [])])
def test_the_mapping_says_which_payments_are_told(choice, told):
    pound = Money(1000, "GBP")
    payments = tuple(
        Payment(kind, "", reference, pound, settled)
        for kind, reference, settled in (
            ("AUTH", "ref-a", True),
            ("CAPTURE", "ref-c", True),
            ("AUTH", "ref-failed", False),
        )
    )
    order = replace(order_of([(1, "13", 20)], discounts=[("GIFT_CARD", 3)]), payments=payments)
    order = replace(order, discounts=(replace(order.discounts[0], code="CARD-1"),))
    rows = FULFIL.compose(order, lenient(payments=choice)).request["order"]["payments"]
    assert rows[0] == {
        "amount": Decimal("3.00"),
        "provider_reference": "CARD-1",
        "method": "gift_card",
        "state": "success",
    }
    assert [row["provider_reference"] for row in rows[1:]] == told


CANARY = {f.name: f"canary {f.name} O'Brien 😀 \u202e" for f in fields(Address) if f.name != "country"}


def personal():
    """An order in which every word about a person is unique."""
    ship = Address(**{name: f"ship {word}" for name, word in CANARY.items()}, country="GB")
    bill = Address(**{name: f"bill {word}" for name, word in CANARY.items()}, country="GB")
    order = order_of([(1, "10", 20)], shipping="5")
    return replace(order, ship_to=ship, bill_to=bill, customer_email="canary customer")


def test_every_word_of_a_customer_reaches_the_request():
    text = str(FULFIL.compose(personal(), MAPPING).request)
    for place in ("ship", "bill"):
        for name, word in CANARY.items():
            assert f"{place} {word}"[:20] in text, (place, name)
    assert "canary customer" in text


BREAKS = {
    "market": {"market": "Europe / Norway"},
    "currency": {"currency": "EUR"},
    "no country": {"ship_to": replace(personal().ship_to, country="")},
    "no street": {"ship_to": replace(personal().ship_to, line1="")},
    "no place": {"ship_to": replace(personal().ship_to, city="", postcode="")},
    "another country": {"ship_to": replace(personal().ship_to, country="DE")},
    "carrier": {"shipping_option": "Drone"},
    "tax": {"lines": (replace(personal().lines[0], tax_percent=Decimal(21)),)},
    "voucher": {"discounts": (Discount("c", "n", "MYSTERY", Money(0, "GBP")),)},
    "total": {"grand_total": Money(1, "GBP")},
    "impossible tax": {"lines": (replace(personal().lines[0], tax_percent=Decimal(150)),), "tax": Money(0, "GBP"),
                       "discounts": (Discount("c", "n", "PERCENTAGE", Money(1, "GBP")),), "discount_total": Money(1, "GBP")},
}  # fmt: skip
TYPES = {
    "market": "ORDER_MARKET_UNMAPPED", "currency": "ORDER_CURRENCY_REFUSED", "no country": "ORDER_ADDRESS_INVALID",
    "no street": "ORDER_ADDRESS_INVALID", "no place": "ORDER_ADDRESS_INVALID", "another country": "ORDER_MARKET_SUSPECT",
    "carrier": "ORDER_SHIPPING_UNMAPPED", "tax": "ORDER_TAX_UNMAPPED", "voucher": "ORDER_DISCOUNT_UNMAPPED",
    "total": "ORDER_TOTAL_INCONSISTENT", "impossible tax": "ORDER_TOTAL_INCONSISTENT",
}  # fmt: skip


@pytest.mark.parametrize("name", BREAKS)
def test_what_cannot_be_sent_is_a_business_case_that_names_no_person(name):
    with pytest.raises(Rejected) as raised:
        FULFIL.compose(replace(personal(), **BREAKS[name]), MAPPING)
    assert raised.value.type == TYPES[name]
    error = raised.value
    while error is not None:
        assert "canary" not in str(error)
        error = error.__cause__ or error.__context__
    assert "canary" not in raised.value.cause + raised.value.evidence


def test_an_unknown_payment_method_is_a_case():
    order = replace(personal(), payment_method="barter", payments=(Payment("AUTH", "", "r", Money(1, "GBP"), True),))
    with pytest.raises(Unmapped) as raised:
        FULFIL.compose(order, MAPPING)
    assert (raised.value.type, raised.value.key) == ("ORDER_PAYMENT_UNMAPPED", "barter")


@pytest.mark.parametrize(
    "street", ["x" * 300, "1 Straße «Ünïcödé» 😀", 'O\'Brien & "Sons" <b>', "=cmd()", "line\nbreak"]
)
def test_an_address_is_sent_whole_and_to_the_letter(street):
    order = order_of([(1, "10", 20)])
    order = replace(order, ship_to=replace(order.ship_to, line1=street, line2="Flat 2", company="Co"))
    sent = FULFIL.compose(order, MAPPING).request["order"]["shipping_address"]
    assert (sent["address1"], sent["address2"]) == (street, "Flat 2, Co")


def test_a_company_without_a_person_is_named():
    order = order_of([(1, "10", 20)])
    place = replace(order.ship_to, name="", company="Example Ltd")
    request = FULFIL.compose(replace(order, ship_to=place, bill_to=place), MAPPING).request["order"]
    assert request["customer"]["name"] == request["shipping_address"]["name"] == "Example Ltd"
    assert request["shipping_address"]["address2"] == ""


def test_a_free_order_is_sent_with_nothing_to_pay():
    order = order_of([(2, "10", 20)], shipping="5", discounts=[("PERCENTAGE", 100), ("FREE_SHIPPING", 0)])
    request = FULFIL.compose(order, MAPPING).request["order"]
    assert request["amount"] == 0
    assert [row["unit_price"] for row in request["sale_lines"]] == [0]
    check_money(order, request, MAPPING)
