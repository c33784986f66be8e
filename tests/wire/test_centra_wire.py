"""Centra's node to our order: what is read, and what is refused by the name of its field and never by its value."""

import copy
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from integration.centra.client import query
from integration.centra.wire import MAX_LINES, BadOrder, from_bytes, read_order, substance, to_bytes
from integration.domain.money import Money
from integration.http import parse_json
from integration.sandbox.call import graphql
from integration.sandbox.centra import Centra
from integration.sandbox.centra_switches import CentraSwitches
from integration.sandbox.clock import HandClock
from integration.sandbox.generator import Generator, Mishaps, play

START = datetime(2026, 5, 4, 9, tzinfo=UTC)


def nodes(centra):
    numbers = sorted(centra.orders)
    answer = graphql(centra.app, query("orders"), {"numbers": numbers, "limit": len(numbers)})
    return parse_json(answer.body)["data"]["orders"]


@pytest.fixture(scope="module")
def day():
    """Every node of a generated day of 200 orders, and the shop's own books."""
    clock = HandClock(START)
    centra = Centra(clock)
    play(centra, Generator(5).day(200, 3600, Mishaps(3, 3, 3)), clock)
    clock.pass_time(86_400)
    return nodes(centra), {book["number"]: book for book in centra.books()}


@pytest.fixture
def node(day):
    """A node with every optional thing in it."""
    rich = next(n for n in day[0] if n["discountsApplied"] and n["paymentHistory"] and n["status"] == "CONFIRMED")
    return copy.deepcopy(rich)


def test_every_order_of_a_day_is_read_as_the_shop_has_it_booked(day):
    seen = set()
    for told in day[0]:
        order, book = read_order("brand", told), day[1][told["number"]]
        money = {
            "grand_total": order.grand_total,
            "shipping": order.shipping,
            "handling": order.handling,
            "tax": order.tax,
        }
        assert {name: amount.decimal for name, amount in money.items()} == {name: book[name] for name in money}
        assert -order.discount_total.decimal == book["discounts"]
        assert (order.currency, order.status, order.on_hold) == (book["currency"], book["status"], book["on_hold"])
        assert order.cancelled == (book["status"] == "CANCELLED")
        lines = [line for line in book["lines"] if line["quantity"]]
        if not order.cancelled:
            assert [(x.sku, x.quantity, x.net.decimal, x.gross.decimal) for x in order.lines] == [
                (x["sku"], x["quantity"], x["net"], x["gross"]) for x in lines
            ]
        assert [d.amount.decimal for d in order.discounts] == [-v["value"] for v in book["vouchers"]]
        seen.add(order.currency)
        seen.add(order.status)
    assert seen >= {"GBP", "EUR", "SEK", "USD", "JPY", "KWD", "CONFIRMED", "CANCELLED"}


def test_what_the_vault_keeps_reads_the_same(day):
    for told in day[0]:
        assert read_order("brand", from_bytes(to_bytes(told))) == read_order("brand", told)


@pytest.mark.parametrize("status", ["CANCELLED", "DELETED"])
def test_both_words_for_cancelled_are_read(status):
    centra = Centra(HandClock(START), CentraSwitches(cancelled_status=status))
    centra.cancel(centra.place_order(Generator(1).basket()))
    (told,) = nodes(centra)
    order = read_order("brand", told)
    assert (order.status, order.cancelled) == (status, True)


def test_an_order_of_no_lines_is_cancelled_whatever_its_status_says(node):
    for lines in ([], [{**line, "quantity": 0} for line in node["lines"]]):
        order = read_order("brand", {**node, "lines": lines})
        assert order.cancelled
        assert order.lines == ()


def test_a_cancelled_line_is_no_line(node):
    extra = {**node["lines"][0], "id": 999_999, "quantity": 0}
    assert read_order("brand", {**node, "lines": [*node["lines"], extra]}).lines == read_order("brand", node).lines


def test_more_lines_than_any_order_has_are_refused_by_name(node):
    line = node["lines"][0]
    read_order("brand", {**node, "lines": [line] * MAX_LINES})
    with pytest.raises(BadOrder, match=r"at lines$"):
        read_order("brand", {**node, "lines": [line] * (MAX_LINES + 1)})


@pytest.mark.parametrize("tail", ["00000000000001", "0000000000000000001", "0049"])
def test_the_tail_of_a_float_is_the_amount_without_it_now_and_from_the_vault(node, tail):
    plain = read_order("brand", node)
    value = Decimal(str(node["lines"][0]["gross"]["value"]))
    digits = format(value, "f") + ("" if "." in format(value, "f") else ".")
    node["lines"][0]["gross"]["value"] = Decimal(digits + "0" * 4 + tail)
    order = read_order("brand", node)
    assert order.lines[0].gross == plain.lines[0].gross
    assert read_order("brand", from_bytes(to_bytes(node))) == order


def test_the_dust_of_a_float_around_zero_is_zero_now_and_from_the_vault(node):
    node["totals"]["handling"] = {"value": Decimal("5.551115123125783E-17")}
    assert read_order("brand", node).handling == Money(0, read_order("brand", node).currency)
    assert read_order("brand", from_bytes(to_bytes(node))).handling.minor == 0


REQUIRED = (
    "id", "number", "status", "isOnHold", "createdAt", "store", "store.name", "grandTotal", "grandTotal.value",
    "grandTotal.currency", "grandTotal.currency.code", "totals", "lines", "lines.0.id", "lines.0.quantity",
    "lines.0.taxPercent", "lines.0.productSize", "lines.0.productSize.SKU", "lines.0.net", "lines.0.net.value",
    "lines.0.gross", "discountsApplied.0.value", "paymentHistory.0.value",
)  # fmt: skip
WRONG = {
    "a float": 12.5,
    "a text": "secret-words",
    "a list": ["secret-words"],
    "an object": {"secret-words": 1},
    "an infinite number": Decimal("1E+99"),
}
FITS = {("a text", "id"), ("a text", "status"), ("a text", "store.name"), ("a text", "lines.0.productSize.SKU")}
FITS |= {("an object", "totals")}  # each total may be missing: it counts as nothing, and pricing proves the sum


def place(node, path):
    *way, last = path.split(".")
    for step in way:
        node = node[int(step) if step.isdigit() else step]
    return node, last


def named(error, path):
    """The refusal names the field, or the amount that the field belongs to."""
    words = str(error)
    return words.endswith((f" {path}", f" {path.removesuffix('.value')}"))


@pytest.mark.parametrize("path", REQUIRED)
def test_a_required_field_that_is_missing_is_named(node, path):
    inner, last = place(node, path)
    del inner[last]
    with pytest.raises(BadOrder) as raised:
        read_order("brand", node)
    assert named(raised.value, path)


@pytest.mark.parametrize("path", REQUIRED)
@pytest.mark.parametrize("kind", WRONG)
def test_a_required_field_of_the_wrong_type_is_named_and_its_value_is_not_told(node, path, kind):
    if (kind, path) in FITS:
        assert read_order("brand", node)  # a text is what this field holds
        return
    inner, last = place(node, path)
    inner[last] = WRONG[kind]
    with pytest.raises(BadOrder) as raised:
        read_order("brand", node)
    assert path.split(".")[0] in str(raised.value)
    for error in (raised.value, raised.value.__cause__):
        assert "secret-words" not in str(error)
        assert "12.5" not in str(error)


@pytest.mark.parametrize("path", [p for p in REQUIRED if p != "lines.0.taxPercent"])
def test_a_required_field_that_is_null_is_named(node, path):
    inner, last = place(node, path)
    inner[last] = None
    with pytest.raises(BadOrder) as raised:
        read_order("brand", node)
    assert path.split(".")[0] in str(raised.value)


@pytest.mark.parametrize("quantity", [-1, 1_000_001, Decimal("1.5"), "2", True, None])
def test_a_quantity_is_a_whole_number_of_pieces(node, quantity):
    node["lines"][0]["quantity"] = quantity
    with pytest.raises(BadOrder, match=r"lines\.0\.quantity$"):
        read_order("brand", node)


@pytest.mark.parametrize("number", ["١٢", Decimal("10.7"), "12", True])
def test_a_number_is_a_number_and_is_never_cast(node, number):
    node["number"] = number
    with pytest.raises(BadOrder, match=r"number$"):
        read_order("brand", node)


@pytest.mark.parametrize("percent", [Decimal(101), Decimal(-1), "secret-words", 5.5, Decimal("1E-9999")])
def test_a_tax_percentage_is_between_nothing_and_all(node, percent):
    node["lines"][0]["taxPercent"] = percent
    with pytest.raises(BadOrder, match=r"lines\.0\.taxPercent$"):
        read_order("brand", node)


@pytest.mark.parametrize("code", ["ZZZ", "gbp", "XAU", "secret-words", ""])
def test_a_currency_nobody_knows_is_named_by_its_field(node, code):
    node["grandTotal"]["currency"]["code"] = code
    with pytest.raises(BadOrder, match=r"grandTotal\.currency\.code$"):
        read_order("brand", node)


@pytest.mark.parametrize("sku", ["", "x" * 129])
def test_a_sku_has_a_length(node, sku):
    node["lines"][0]["productSize"]["SKU"] = sku
    with pytest.raises(BadOrder, match=r"lines\.0\.productSize\.SKU$"):
        read_order("brand", node)


@pytest.mark.parametrize("sku", [" A 1", "00012", "a/b", "é", "e\u0301", "1E5"])
def test_a_sku_is_read_to_the_letter(node, sku):
    node["lines"][0]["productSize"]["SKU"] = sku
    assert read_order("brand", node).lines[0].sku == sku


@pytest.mark.parametrize("stamp", ["2026-05-04T09:00:00", "yesterday", "", "2026-13-01T00:00:00Z"])
def test_an_instant_without_a_zone_is_no_instant(node, stamp):
    node["createdAt"] = stamp
    with pytest.raises(BadOrder, match=r"createdAt$"):
        read_order("brand", node)


def test_an_instant_is_the_same_in_any_zone(node):
    node["createdAt"] = "2026-05-04T11:00:00+02:00"
    assert read_order("brand", node).placed_at == START


@pytest.mark.parametrize(
    "name",
    ["market", "shippingPriceGroup", "paymentMethod", "shippingAddress", "billingAddress", "customer", "isInternal"],
)
def test_what_may_be_null_may_be_null(node, name):
    order = read_order("brand", {**node, name: None})
    assert order.number == str(node["number"])


def test_without_a_billing_address_the_shipping_address_is_billed(node):
    order = read_order("brand", {**node, "billingAddress": None})
    assert order.bill_to == order.ship_to


def test_a_word_nobody_knows_is_passed_over(node):
    assert read_order("brand", {**node, "newField": {"a": 1}}) == read_order("brand", node)


@pytest.mark.parametrize(
    "name", ["updatedAt", "status", "isOnHold", "isWaitingForPayment", "isInternal", "paymentHistory"]
)
def test_substance_is_blind_to_what_the_erp_need_not_know(node, name):
    assert substance({**node, name: "changed"}) == substance(node)


@pytest.mark.parametrize(
    "path", ["lines.0.quantity", "lines.0.net.value", "grandTotal.value", "shippingAddress.city", "customer.email"]
)
def test_substance_sees_everything_else(node, path):
    before = substance(node)
    inner, last = place(node, path)
    inner[last] = "changed"
    assert substance(node) != before


def test_no_word_of_a_customer_is_in_what_a_refusal_says(node):
    """The canary: every text of the node is unique, and one field at a time is broken."""
    for where in ("shippingAddress", "billingAddress"):
        node[where] = {name: f"canary-{where}-{name}" for name in node[where] if name not in ("country", "state")}
    node["customer"] = {"email": "canary-email"}
    for path in REQUIRED:
        broken = copy.deepcopy(node)
        inner, last = place(broken, path)
        inner[last] = ["canary-value"]
        with pytest.raises(BadOrder) as raised:
            read_order("brand", broken)
        error = raised.value
        while error is not None:
            assert "canary-" not in str(error)
            error = error.__cause__ or error.__context__
