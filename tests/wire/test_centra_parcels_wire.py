"""Centra's shipments, returns and refunds as nodes: what is read, and what is refused by its field and never by its value."""

import copy
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from integration.centra.nodes import BadNode, ids, rows
from integration.centra.refund_wire import read_refunds
from integration.centra.return_wire import read_return, refund_mark, return_stamp
from integration.centra.shipment_wire import read_shipments, shipment_input, tracking_numbers
from integration.domain.credit import FAILED, PENDING, SETTLED, arithmetic
from integration.domain.shipment import Dispatch, Parcel, ShippedLine
from integration.errors import Unavailable

AT = "2026-05-04T09:00:00+00:00"


def money(value, currency="GBP"):
    return {"value": value, "currency": {"code": currency}}


def shipment(id=7, total="24.00", **more):
    line = {"id": 3, "quantity": 2, "orderLine": {"id": 11, "productSize": {"SKU": "A"}}}
    told = {
        "id": id, "number": f"12-{id}", "isGoodToGo": True, "isPaid": False, "isCaptured": False, "isShipped": False,
        "numberOfPackages": 2, "trackingNumber": "1Z", "lines": [line], "grandTotal": money(Decimal(total)),
        "carrierInformation": {"carrierName": "DHL", "serviceName": "Parcel"},
    }  # fmt: skip
    return told | more


def capture(status, value="24.00", kind="CAPTURE_REQUEST"):
    return {"status": status, "entryType": kind, "value": {"value": Decimal(value)}}


def parcels(*shipments, history=()):
    return {"number": 12, "shipments": list(shipments), "paymentHistory": list(history)}


RETURN = {
    "id": 5, "createdAt": AT, "returnStatus": "PENDING", "returnedToStock": False, "grandTotal": money(Decimal("12.00")),
    "order": {"number": 12}, "lines": [{"id": 1, "quantity": 1, "orderLine": {"id": 11, "productSize": {"SKU": "A"}}}],
}  # fmt: skip


def entry(id, kind="REFUND", status="SUCCESS", value="12.00", reference="", method="card"):
    return {
        "id": id, "createdAt": AT, "entryType": kind, "status": status, "externalReference": reference,
        "paymentMethod": method, "value": money(Decimal(value)),
    }  # fmt: skip


def order(*history, added=None, **more):
    line = {
        "id": 11, "quantity": 2, "taxPercent": 20, "productSize": {"SKU": "A"}, "net": {"value": Decimal("20.00")},
        "gross": {"value": Decimal("24.00")},
    }  # fmt: skip
    totals = {"taxAdded": {"value": Decimal(added)}} if added else None
    told = {"number": 12, "grandTotal": money(24), "totals": totals, "lines": [line], "paymentHistory": list(history)}
    return told | more


def back(id=5, quantity=1, history=(), **totals):
    amounts = {name: {"value": Decimal(value)} for name, value in totals.items()}
    lines = [{"quantity": quantity, "orderLine": {"id": 11}}]
    return {"id": id, "order": {"number": 12}, "totals": amounts, "lines": lines, "refundPaymentHistory": list(history)}


# ---------------------------------------------------------------------------------------------------------- shipments


def test_a_shipment_is_read_whole():
    (shown,) = read_shipments(parcels(shipment()))
    assert (shown.ref, shown.number, shown.order_number) == ("7", "12-7", "12")
    assert shown.lines == (ShippedLine("11", "A", 2),)
    assert (shown.carrier, shown.service, shown.tracking, shown.packages) == ("DHL", "Parcel", "1Z", 2)
    assert str(shown.total) == "24.00 GBP"
    bare = dict.fromkeys(("numberOfPackages", "trackingNumber", "carrierInformation"))
    (shown,) = read_shipments(parcels(shipment(**bare)))
    assert (shown.carrier, shown.service, shown.tracking, shown.packages) == ("", "", "", 0)


@pytest.mark.parametrize(
    ("captured", "history", "pending"),
    [
        ((False, False), [capture("PENDING")], (True, False)),
        ((False, False), [capture("PENDING"), capture("PENDING")], (True, True)),
        ((True, False), [capture("PENDING")], (False, True)),
        ((True, True), [capture("PENDING")], (False, True)),
        ((False, False), [capture("PENDING", "23.00")], (False, False)),
        ((False, False), [capture("SUCCESS")], (False, False)),
        ((False, False), [capture("PENDING", kind="AUTH")], (False, False)),
        ((False, False), [capture("PENDING", "-24.00", kind="CAPTURE_PENDING")], (True, False)),
    ],
)
def test_a_pending_capture_is_told_to_one_shipment_by_its_amount(captured, history, pending):
    made = [shipment(id=7 + n, isCaptured=flag) for n, flag in enumerate(captured)]
    assert (
        tuple(shown.capture_pending for shown in read_shipments(parcels(*reversed(made), history=history))) == pending
    )


def test_a_dispatch_is_asked_for_line_by_line_and_tracked_by_every_parcel_once():
    lines = (ShippedLine("11", "A", 1), ShippedLine("12", "B", 1), ShippedLine("11", "A", 2))
    tracks = (Parcel("1Z"), Parcel(""), Parcel("2Z"), Parcel("1Z"))
    dispatch = Dispatch("1", "CS1", "12", "done", lines, "DHL", tracks, None, "")
    asked = [{"orderLine": {"id": 11}, "quantity": 3}, {"orderLine": {"id": 12}, "quantity": 1}]
    wanted = {"order": {"id": "abc"}, "lines": asked, "isGoodToGo": True}
    assert shipment_input(dispatch, "abc", paid=False) == wanted
    assert shipment_input(dispatch, "abc", paid=True) == wanted | {"isPaid": True}
    assert tracking_numbers(dispatch) == ["1Z", "2Z"]


# ------------------------------------------------------------------------------------------------------------ returns


def test_what_a_pending_return_does_to_stock_is_not_known_unless_centra_says_so():
    seen = {
        (status, flag): read_return("brand", RETURN | {"returnStatus": status, "returnedToStock": flag}).restocks
        for status in ("PENDING", "COMPLETED")
        for flag in (True, False, None)
    }
    assert [seen["PENDING", flag] for flag in (True, False, None)] == [True, None, None]
    assert [seen["COMPLETED", flag] for flag in (True, False, None)] == [True, False, None]


def test_the_mark_of_refunds_is_empty_without_any_and_differs_with_number_state_and_newest():
    marks = [
        refund_mark([{"entryType": "CAPTURE", "status": "PENDING", "id": 1}]),
        refund_mark([entry(1, "REFUND_REQUEST", "PENDING")]),
        refund_mark([entry(1, "REFUND_REQUEST", "SUCCESS")]),
        refund_mark([entry(1, "REFUND_REQUEST", "SUCCESS"), entry(2)]),
        refund_mark([entry(1, "REFUND_REQUEST", "SUCCESS"), entry(3)]),
    ]
    assert marks[0] == ""
    assert len(set(marks)) == 5
    assert (
        len(return_stamp(RETURN | {"grandTotal": money(Decimal(10) ** 14), "refundPaymentHistory": [entry(2**31)]}))
        <= 80
    )


# ------------------------------------------------------------------------------------------------------------ refunds


@pytest.mark.parametrize(
    ("history", "lives"),
    [
        ([entry(1)], [SETTLED]),
        ([entry(1, value="-12.00")], [SETTLED]),
        ([entry(1, "REFUND_REQUEST", "PENDING")], [PENDING]),
        ([entry(1, "REFUND_REQUEST", "SUCCESS"), entry(2)], [SETTLED]),
        ([entry(1, "REFUND_REQUEST", "SUCCESS")], [SETTLED]),
        ([entry(1, "REFUND_REQUEST", "PENDING"), entry(2)], [SETTLED]),
        ([entry(1, "REFUND_REQUEST", "FAILED"), entry(2, status="FAILED")], [FAILED]),
        ([entry(1, "REFUND_REQUEST", "PENDING"), entry(2, "REFUND_FAILED", "SUCCESS")], [FAILED]),
        ([entry(1, "REFUND_GIFT_CARD", method="gift card")], [SETTLED]),
        ([entry(2), entry(3, "REFUND_REQUEST", "PENDING")], [SETTLED, PENDING]),
        ([entry(1, "REFUND_REQUEST", "PENDING"), entry(2, value="11.00")], [PENDING, SETTLED]),
        ([entry(1, "REFUND_REQUEST", "PENDING"), entry(2, method="gift card")], [PENDING, SETTLED]),
        ([entry(1, "REFUND_REQUEST", "PENDING"), entry(2), entry(3)], [SETTLED, SETTLED]),
        ([entry(1, value="0")], []),
        ([entry(1, "CAPTURE"), entry(2, "AUTH")], []),
    ],
)
def test_every_refund_is_one_by_its_entries(history, lives):
    found = read_refunds("brand", order(*history), [])
    assert [refund.life for refund in found] == lives
    assert all(refund.amount.minor > 0 and refund.goodwill == refund.amount for refund in found)
    assert len({refund.key for refund in found}) == len(lives)


def test_a_refund_has_the_name_of_its_request_and_the_moment_of_its_outcome():
    later = entry(2) | {"createdAt": "2026-05-06T09:00:00+00:00"}
    (refund,) = read_refunds("brand", order(entry(1, "REFUND_REQUEST", "PENDING"), later), [])
    assert refund.key.number == "12-1"
    assert refund.at == datetime(2026, 5, 6, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("history", "of_return"),
    [
        ([entry(1)], [entry(1)]),
        ([entry(1, reference="psp-9")], [entry(77, reference="psp-9")]),
        ([], [entry(1)]),
    ],
    ids=["the same entry", "another id of it", "only on the return"],
)
def test_a_refund_that_stands_in_the_order_and_in_its_return_is_one_refund_of_the_return(history, of_return):
    (refund,) = read_refunds("brand", order(*history), [back(history=of_return)])
    assert (refund.key.number, refund.return_number) == ("12-1", "5")
    assert arithmetic(refund) == ""


def test_two_refunds_of_an_order_are_two_though_they_are_alike():
    found = read_refunds("brand", order(entry(1), entry(2)), [back(history=[entry(3, reference="psp-3")])])
    assert [(refund.key.number, refund.return_number) for refund in found] == [
        ("12-1", ""),
        ("12-2", ""),
        ("12-3", "5"),
    ]


def test_a_return_that_was_paid_in_two_parts_explains_neither():
    two = [entry(1, value="7.00"), entry(2, value="5.00")]
    found = read_refunds("brand", order(*two), [back(history=two)])
    assert [refund.lines for refund in found] == [(), ()]
    assert all("no parts at all" in arithmetic(refund) for refund in found)


@pytest.mark.scenario("CRN-03")
def test_what_does_not_add_up_stays_visible():
    (refund,) = read_refunds("brand", order(entry(1, value="12.50")), [back(history=[entry(1, value="12.50")])])
    assert "together 12.00 GBP, and 12.50 GBP was paid back" in arithmetic(refund)


def test_costs_of_either_sign_are_deductions():
    for fee, voucher in (("2.00", "-1.00"), ("-2.00", "1.00")):
        told = back(history=[entry(1, value="9.00")], returnCost=fee, discounts=voucher)
        (refund,) = read_refunds("brand", order(entry(1, value="9.00")), [told])
        assert (str(refund.fee), str(refund.vouchers), arithmetic(refund)) == ("2.00 GBP", "1.00 GBP", "")


def test_where_prices_exclude_tax_the_returns_own_tax_is_spread_over_what_bears_it():
    told = back(history=[entry(1, value="18.00")], shipping="5.00", taxAdded="3.00")
    (refund,) = read_refunds("brand", order(entry(1, value="18.00"), added="4.00"), [told])
    (line,) = refund.lines
    assert (str(line.net), str(line.gross), str(refund.shipping)) == ("10.00 GBP", "12.00 GBP", "6.00 GBP")
    assert arithmetic(refund) == ""


def test_more_pieces_back_than_the_line_still_has_are_worth_no_more_than_the_line():
    told = [back(5, 2, [entry(1, value="24.00")]), back(6, 1, [entry(2)])]
    first, second = read_refunds("brand", order(entry(1, value="24.00"), entry(2)), told)
    assert (str(first.lines[0].gross), str(second.lines[0].gross)) == ("24.00 GBP", "0.00 GBP")
    assert arithmetic(second) != ""


def test_a_return_of_a_line_that_the_order_has_not_is_refused():
    told = back(history=[entry(1)])
    told["lines"][0]["orderLine"]["id"] = 99
    with pytest.raises(BadNode, match="return 5 names an order line"):
        read_refunds("brand", order(entry(1)), [told])


def test_two_currencies_in_one_order_are_refused():
    foreign = entry(1) | {"value": money(Decimal(12), "EUR")}
    with pytest.raises(BadNode, match="EUR"):
        read_refunds("brand", order(foreign), [])


# ---------------------------------------------------------------------------------------------------- what is refused


NODES = {
    "shipments": (parcels(shipment(), history=[capture("PENDING")]), read_shipments),
    "return": (RETURN, lambda node: read_return("brand", node)),
    "refunds": (order(entry(1)), lambda node: read_refunds("brand", node, [])),
}
REQUIRED = [
    *(("shipments", f"shipments.0.{name}") for name in ("id", "number", "isGoodToGo", "isPaid", "isCaptured", "isShipped")),
    *(("shipments", f"shipments.0.{name}") for name in ("lines", "lines.0.quantity", "lines.0.orderLine", "grandTotal")),
    ("shipments", "shipments"), ("shipments", "number"), ("shipments", "shipments.0.lines.0.orderLine.productSize.SKU"),
    *(("return", name) for name in ("id", "createdAt", "returnStatus", "grandTotal", "order", "order.number", "lines")),
    *(("return", f"lines.0.{name}") for name in ("id", "quantity", "orderLine", "orderLine.id")),
    *(("refunds", f"paymentHistory.0.{name}") for name in ("id", "createdAt", "status", "value")),
    *(("refunds", f"lines.0.{name}") for name in ("id", "quantity", "net", "gross", "productSize")),
    ("refunds", "lines"), ("refunds", "grandTotal"), ("refunds", "number"),
]  # fmt: skip


def place(node, path):
    *way, last = path.split(".")
    for step in way:
        node = node[int(step) if step.isdigit() else step]
    return node, last


@pytest.mark.parametrize(("what", "path"), REQUIRED)
@pytest.mark.parametrize("fault", ["missing", "null", "canary-object", "canary-list"])
def test_a_field_that_cannot_be_read_is_named_and_its_value_is_not_told(what, path, fault):
    told, read = NODES[what]
    node = copy.deepcopy(told)
    read(node)
    inner, last = place(node, path)
    if fault == "missing":
        del inner[last]
    else:
        inner[last] = {"null": None, "canary-object": {"canary": 1}, "canary-list": ["canary"]}[fault]
    with pytest.raises(BadNode) as raised:
        read(node)
    assert path.removeprefix("paymentHistory.0.").split(".")[0] in str(raised.value)
    error = raised.value
    while error is not None:
        assert "canary" not in str(error)
        error = error.__cause__


def test_an_answer_without_its_list_is_no_answer():
    for answer in ({}, {"orders": None}, {"orders": {}}, {"orders": [1]}):
        with pytest.raises(Unavailable):
            rows(answer, "orders")
    assert rows({"orders": [{}]}, "orders") == [{}]


def test_only_what_can_be_a_number_is_asked_for():
    assert ids(["1", "x", "2147483648", "2147483647", "²", "", "-1"]) == [1, 2147483647]
