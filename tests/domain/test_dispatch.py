"""The pure rules of a dispatch: whose goods they are, how much they ask for, what is missing, what is due next."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration import dispatch as rules
from integration.dispatch import Past
from integration.domain.money import Money, total
from integration.domain.order import Address, Key, Order, OrderLine, Payment
from integration.domain.shipment import Dispatch, Parcel, ShippedLine, ShownShipment
from integration.errors import Rejected, Unmapped
from mappings import Mapping, parse

TEXT = (Path(__file__).parents[2] / "mappings" / "fulfil.toml").read_text(encoding="utf-8")


def gbp(minor: int) -> Money:
    return Money(minor, "GBP")


def an_order(*quantities: int, each: int = 1000, extra: int = 495) -> Order:
    lines = tuple(
        OrderLine(str(n), f"SKU{n}", "a thing", q, Decimal(20), gbp(q * each * 5 // 6), gbp(q * each))
        for n, q in enumerate(quantities, start=1)
    )
    goods = total([line.gross for line in lines], "GBP")
    return Order(
        key=Key("brand", "order", "7"),
        source_id="f00",
        status="PROCESSING",
        on_hold=False,
        waiting_for_payment=False,
        internal=False,
        placed_at=datetime(2026, 5, 4, tzinfo=UTC),
        store="Europe",
        market="United Kingdom",
        currency="GBP",
        prices_include_tax=True,
        lines=lines,
        shipping=gbp(extra),
        shipping_tax=gbp(0),
        handling=gbp(0),
        discounts=(),
        discount_total=gbp(0),
        tax=gbp(0),
        grand_total=goods + gbp(extra),
        shipping_option="Standard",
        payment_method="adyen",
        payments=(),
        ship_to=Address(),
        bill_to=Address(),
    )


def left(*lines: tuple[str, str, int], service: str = "royal-mail-48", tracking: tuple[str, ...] = ("T1",)) -> Dispatch:
    pieces = tuple(ShippedLine(*line) for line in lines)
    parcels = tuple(Parcel(number) for number in tracking)
    at = datetime(2026, 5, 5, 9, 30, tzinfo=UTC)
    return Dispatch("12", "CS00012", "7", "done", pieces, service, parcels, at, "stamp")


def shown(ref: str, asks: int, *lines: tuple[str, str, int], **flags: bool) -> ShownShipment:
    pieces = tuple(ShippedLine(*line) for line in lines)
    state = {"good_to_go": True, "paid": True, "captured": True, "capture_pending": False, "shipped": True} | flags
    words = {"carrier": "Royal Mail", "service": "Tracked 48", "tracking": "T1", "packages": 1}
    return ShownShipment(ref=ref, number=f"7-{ref}", order_number="7", lines=pieces, total=gbp(asks), **state, **words)


def test_pieces_of_one_line_that_were_picked_in_two_moves_are_one_line() -> None:
    told = rules.in_order_lines(left(("1", "SKU1", 2), ("2", "SKU2", 1), ("1", "SKU1", 1)), an_order(3, 1))
    assert told.lines == (ShippedLine("1", "SKU1", 3), ShippedLine("2", "SKU2", 1))


@pytest.mark.scenario("SHP-08")
@pytest.mark.parametrize(
    ("line", "says"),
    [
        (("9", "SKU9", 1), "SKU9 belongs to no line"),
        (("", "SKU1", 1), "SKU1 belongs to no line"),
        (("1", "SKU2", 1), "SKU1 was ordered on line 1, and the warehouse sent SKU2"),
    ],
)
def test_goods_that_are_not_the_order_s_are_a_conflict(line: tuple[str, str, int], says: str) -> None:
    with pytest.raises(Rejected, match=says) as raised:
        rules.in_order_lines(left(("1", "SKU1", 1), line), an_order(2, 2))
    assert raised.value.type == "SHIPMENT_QTY_CONFLICT"


def test_a_dispatch_of_nothing_is_incomplete() -> None:
    with pytest.raises(Rejected) as raised:
        rules.in_order_lines(left(), an_order(1))
    assert raised.value.type == "SHIPMENT_INCOMPLETE"


@given(st.integers(1, 9), st.integers(0, 9), st.integers(1, 9))
def test_no_more_may_leave_than_was_ordered_and_not_shown_yet(ordered: int, before: int, leaves: int) -> None:
    order, others = an_order(ordered), [shown("1", 0, ("1", "SKU1", before))] if before else []
    told = rules.in_order_lines(left(("1", "SKU1", leaves)), order)
    if before + leaves <= ordered:
        rules.check_room(told, order, others)
    else:
        with pytest.raises(Rejected, match=f"{leaves} of SKU1 left the warehouse; {ordered} are ordered"):
            rules.check_room(told, order, others)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.data())
def test_however_an_order_is_split_what_its_parcels_ask_for_adds_up_to_it(
    quantities: list[int], data: st.DataObject
) -> None:
    order, others = an_order(*quantities, each=997), []
    pieces = [line.id for line in order.lines for _ in range(line.quantity)]
    asked = Money.zero("GBP")
    while pieces:
        some = data.draw(st.integers(1, len(pieces)))
        taken, pieces = pieces[:some], pieces[some:]
        lines = [ShippedLine(id, f"SKU{id}", taken.count(id)) for id in dict.fromkeys(taken)]
        asks = rules.asks(order, lines, others)
        others.append(shown(str(len(others)), asks.minor))
        asked += asks
    assert asked == order.grand_total


@pytest.fixture(scope="module")
def mapping() -> Mapping:
    return parse(TEXT, "fulfil.toml")


def test_nothing_is_missing_from_a_tracked_parcel_of_a_known_service(mapping: Mapping) -> None:
    assert rules.missing(left(), mapping) == ""


@pytest.mark.parametrize("tracking", [(), ("",), ("T1", "")])
def test_a_parcel_without_a_number_lacks_one(mapping: Mapping, tracking: tuple[str, ...]) -> None:
    assert rules.missing(left(tracking=tracking), mapping) == "a tracking number"


def test_a_dispatch_without_a_service_lacks_one_unless_the_mapping_says_what_that_means(mapping: Mapping) -> None:
    assert rules.missing(left(service=""), mapping) == "a carrier service"
    named = parse(TEXT.rstrip() + '\n"" = { carrier = "Our van", tracking = "optional" }\n', "fulfil.toml")
    assert rules.missing(left(service="", tracking=()), named) == ""


@pytest.mark.scenario("SHP-03")
@pytest.mark.parametrize("service", ["royal-mail 48", "Royal-Mail-48", "royal-mail-48 "])
def test_a_service_is_spelt_exactly_and_the_nearest_is_suggested(mapping: Mapping, service: str) -> None:
    with pytest.raises(Unmapped, match="did you mean 'royal-mail-48'") as raised:
        rules.missing(left(service=service), mapping)
    assert raised.value.type == "SHIPMENT_CARRIER_UNMAPPED"


BEGUN = [
    (Past(False, False, False, False, False), "ready", "ready"),
    (Past(True, False, False, False, False), "ready", "ready"),
    (Past(True, True, False, False, False), "created", "captured"),
    (Past(True, True, True, False, False), "captured", "captured"),
    (Past(True, True, True, True, False), "captured", "captured"),
    (Past(True, True, True, True, True), "posted", "posted"),
    (Past(True, True, False, True, True), "posted", "posted"),
]


@pytest.mark.scenario("SHP-14")
@pytest.mark.parametrize(("past", "captures", "elsewhere"), BEGUN)
def test_what_is_due_next_is_never_before_what_is_done(past: Past, captures: str, elsewhere: str) -> None:
    assert rules.next_state(past, captures=True) == captures
    assert rules.next_state(past, captures=False) == elsewhere


def test_a_waybill_comes_back_from_its_bytes() -> None:
    bill = rules.Waybill(left(("1", "SKU1", 2), tracking=("T1", "T2")), "f00", ("3", "4"))
    assert rules.waybill(bill.to_bytes()) == bill
    late = replace(bill, before=(), dispatch=replace(bill.dispatch, stamp="later", dispatched_at=None))
    assert rules.waybill(late.to_bytes()) == late
    assert late.substance() == bill.substance()
    other = replace(bill, dispatch=replace(bill.dispatch, parcels=(Parcel("T3"),)))
    assert other.substance() != bill.substance()


def mark(content: bytes) -> str:
    return content.hex()


def test_what_is_told_and_what_is_shown_are_equal_whatever_the_order_of_the_numbers(mapping: Mapping) -> None:
    dispatch = left(("1", "SKU1", 2), tracking=("T1", "T2"))
    there = replace(shown("1", 0, ("1", "SKU1", 2)), tracking="T2, T1", packages=2)
    assert rules.told(dispatch, mapping.service(dispatch.service), mark) == rules.shown(there, mark)
    assert rules.told(dispatch, None, mark) != rules.shown(there, mark)
    assert rules.told(dispatch, mapping.service("royal-mail-24"), mark) != rules.shown(there, mark)
    for other in ("T1", "T1 T3", ""):
        assert rules.told(dispatch, mapping.service(dispatch.service), mark) != rules.shown(
            replace(there, tracking=other), mark
        )


def paid(order: Order, *amounts: int, status: str = "SHIPPED") -> Order:
    entries = tuple(Payment("CAPTURE", "", "x", gbp(amount), settled=True) for amount in amounts)
    failed = Payment("CAPTURE", "", "x", gbp(5), settled=False)
    return replace(order, payments=(*entries, failed), status=status, ended=status == "SHIPPED")


ALL = (("1", "SKU1", 2), ("2", "SKU2", 1))


def test_an_order_whose_captures_add_up_and_that_is_called_complete_is_in_order() -> None:
    order = paid(an_order(2, 1), 2495, 1000)
    assert rules.trouble(order, [shown("1", 2495, ALL[0]), shown("2", 1000, ALL[1])]) is None


@pytest.mark.scenario("SHP-01")
@pytest.mark.parametrize("second", [0, 999, 1001, 3495])
def test_captures_that_do_not_add_up_show_their_arithmetic(second: int) -> None:
    wrong = rules.trouble(paid(an_order(2, 1), 2495, second), [shown("1", 2495, ALL[0]), shown("2", 1000, ALL[1])])
    assert wrong is not None
    assert wrong.type == "CAPTURE_MISMATCH"
    assert "24.95 + 10.00 = 34.95 GBP" in str(wrong)
    assert str(gbp(2495 + second)) in str(wrong)
    assert str(gbp(second - 1000)) in str(wrong)


def test_money_that_has_not_settled_or_an_order_on_its_way_is_no_trouble() -> None:
    order = paid(an_order(2, 1), 2495, status="PROCESSING")
    pending = [shown("1", 2495, ALL[0]), shown("2", 1000, ALL[1], capture_pending=True)]
    assert rules.trouble(order, pending) is None
    assert rules.trouble(order, [shown("1", 2495, ALL[0])]) is None


@pytest.mark.parametrize(("status", "parcels"), [("PROCESSING", 2), ("SHIPPED", 1)])
def test_a_storefront_that_calls_an_order_what_it_is_not_is_a_mismatch(status: str, parcels: int) -> None:
    there = [shown("1", 2495, ALL[0]), shown("2", 1000, ALL[1])][:parcels]
    wrong = rules.trouble(paid(an_order(2, 1), 2495, 1000, status=status), there)
    assert wrong is not None
    assert wrong.type == "ORDER_COMPLETION_MISMATCH"


def test_pieces_of_which_only_the_sku_is_known_fill_the_orders_lines_in_their_sequence() -> None:
    order = an_order(2, 1, 2)
    order = replace(order, lines=(*order.lines[:2], replace(order.lines[2], sku="SKU1")))
    for quantity, wanted in ((1, {"1": 1}), (3, {"1": 2, "3": 1}), (5, {"1": 2, "3": 3})):
        found = rules.in_order_lines(left(("7", "SKU1", 1), ("8", "SKU1", quantity - 1)), order, by_sku=True)
        assert {line.order_line: line.quantity for line in found.lines} == wanted
    with pytest.raises(Rejected, match="SKU9 belongs to no line"):
        rules.in_order_lines(left(("1", "SKU9", 1)), order, by_sku=True)
