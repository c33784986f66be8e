"""Centra's returns and refunds through our adapter: read in pages, every refund once, its parts exactly its amount."""

from collections import Counter
from datetime import timedelta
from decimal import Decimal

import pytest
import responses

from integration.domain.credit import FAILED, PENDING, SETTLED, arithmetic, captured, excess
from integration.domain.money import total
from integration.domain.order import Key
from integration.domain.shipment import Dispatch, Parcel, ShippedLine
from integration.errors import Rejected, Unavailable, Unknown
from integration.sandbox.catalogue import MARKETS
from integration.sandbox.centra_orders import Basket, BasketLine, VoucherUse
from integration.sandbox.generator import Generator
from integration.sandbox.goods import GOODS

GOOD = sorted(sku for sku, good in GOODS.items() if not good.is_bundle)
ADDRESS = {"firstName": "Ann", "address1": "1 High Street", "city": "London", "zipCode": "N1"}


def ship(shop, centra, basket, parts=None):
    """An order that has left: all of it, or in `parts` of (line, quantity)."""
    number = shop.place_order(basket)
    order = shop.orders[number]
    if order.waiting_for_payment:
        shop.pay(number)
    if order.status == "PENDING":
        shop.confirm(number)
    for n, part in enumerate(parts or [[(line, line.quantity) for line in order.lines]]):
        lines = tuple(ShippedLine(str(line.id), line.good.sku, quantity) for line, quantity in part)
        dispatch = Dispatch(f"{number}-{n}", "CS1", str(number), "done", lines, "DHL", (Parcel("1Z"),), None, "")
        ref = centra.create_shipment(dispatch, order.id, bound=()).send()
        centra.capture_shipment(ref, str(number)).send()
        centra.complete_shipment(ref, dispatch, "DHL", "").send()
    return order


def basket(*quantities, market=1, country="GB", payment="paypal", **terms):
    lines = tuple(BasketLine(GOOD[n], quantity) for n, quantity in enumerate(quantities))
    return Basket(market, country, lines, ADDRESS, "ann@example.com", payment=payment, **terms)


def refunds_of(centra, order):
    return centra.refunds([str(order.number)])[str(order.number)]


# ------------------------------------------------------------------------------------------------------------ returns


def test_a_return_is_read_with_its_lines_and_what_would_be_paid_for_it(shop, centra):
    order = ship(shop, centra, basket(3, 2))
    (id,) = shop.return_items(order.number, {GOOD[0]: 2})
    fetched = centra.returns([str(id), "999"])
    assert list(fetched) == [str(id)]
    document = fetched[str(id)].document
    assert document.key == Key("brand", "return", str(id))
    assert document.order_number == str(order.number)
    assert [(line.order_line, line.sku, line.quantity) for line in document.lines] == [
        (str(order.lines[0].id), GOOD[0], 2)
    ]
    assert document.amount.decimal == 2 * order.lines[0].unit_price
    assert (document.completed, document.restocks) == (False, None)
    assert document.opened_at == shop.clock.now()


@pytest.mark.parametrize(("policy", "restocks"), [("release", True), ("remove", False)])
def test_what_a_return_does_to_stock_is_known_once_it_is_completed(shop, centra, policy, restocks):
    order = ship(shop, centra, basket(3))
    (id,) = shop.return_items(order.number, {GOOD[0]: 1}, stock=policy)
    write = centra.complete_return(str(id))
    assert write.find() == []
    assert write.send() == str(id)
    assert write.find() == [str(id)]
    assert write.send() == str(id), "already completed is completed"
    assert centra.returns([str(id)])[str(id)].document.restocks is restocks
    assert [mail.kind for mail in shop.book.parcels.mails] == ["confirmed", "shipped"]


def test_a_return_that_centra_will_not_complete_is_stalled_with_its_words_as_evidence(shop, centra):
    order = ship(shop, centra, basket(3))
    (id,) = shop.return_items(order.number, {GOOD[0]: 1})
    shop.faults.plan("user-error", "completeReturn")
    with pytest.raises(Rejected) as raised:
        centra.complete_return(str(id)).send()
    assert (raised.value.type, raised.value.cause) == ("RETURN_STALLED", "centra:complete_return")
    assert raised.value.evidence
    shop.faults.plan("timeout-after", "completeReturn")
    with pytest.raises(Unknown):
        centra.complete_return(str(id)).send()
    assert centra.complete_return(str(id)).find() == [str(id)]


def test_a_clean_answer_that_completed_nothing_is_no_success(lonely_centra):
    told = {"return": {"id": 7, "returnStatus": "PENDING"}, "userErrors": [], "userWarnings": [{"message": "hm"}]}
    with responses.RequestsMock() as mock:
        mock.post("https://brand.test/graphql", json={"data": {"completeReturn": told}})
        with pytest.raises(Rejected) as raised:
            lonely_centra.complete_return("7").send()
    assert (raised.value.type, raised.value.evidence) == ("RETURN_STALLED", "hm")


@pytest.mark.scenario("RET-08")
def test_a_return_that_was_deleted_is_left_out(shop, centra):
    order = ship(shop, centra, basket(3))
    (id,) = shop.return_items(order.number, {GOOD[0]: 1})
    shop.cancel_return(id)
    assert centra.returns([str(id)]) == {}


def test_a_window_of_returns_is_read_to_its_end_with_the_stamps_that_reading_gives(shop, centra, clock):
    made = []
    for _ in range(3):
        order = ship(shop, centra, basket(70))
        made += [str(id) for _ in range(70) for id in shop.return_items(order.number, {GOOD[0]: 1})]
    since, until = clock.now() - timedelta(hours=1), clock.now() + timedelta(hours=1)
    first, more = centra.returns_between(since, until, 1)
    assert more
    second, more = centra.returns_between(since, until, 2)
    assert not more
    stamps = {sighting.number: sighting.stamp for sighting in (*first, *second)}
    assert list(stamps) == made
    assert {n: f.stamp for n, f in centra.returns(made[:200]).items()} == {n: stamps[n] for n in made[:200]}
    assert centra.returns_between(until, until, 1) == ([], False)


def test_the_stamp_of_a_return_changes_when_it_is_completed_and_when_it_is_paid(shop, centra):
    shop.switches.refund_completes_return = False
    order = ship(shop, centra, basket(3, payment="klarna"))
    shop.clock.pass_time(60)
    (id,) = shop.return_items(order.number, {GOOD[0]: 1})
    stamps = [centra.returns([str(id)])[str(id)].stamp]
    shop.refund_return(id)
    stamps.append(centra.returns([str(id)])[str(id)].stamp)
    shop.clock.pass_time(60)
    stamps.append(centra.returns([str(id)])[str(id)].stamp)
    shop.complete_return(id)
    stamps.append(centra.returns([str(id)])[str(id)].stamp)
    assert len(set(stamps)) == 4


def test_an_unreadable_return_is_a_problem_of_its_own_that_holds_no_value(lonely_centra):
    rows = [{"id": 7, "returnStatus": ["secret-words"]}]
    with responses.RequestsMock() as mock:
        mock.post("https://brand.test/graphql", json={"data": {"returns": rows}})
        fetched = lonely_centra.returns(["7"])["7"]
    assert fetched.document is None
    assert "cannot be read at" in fetched.problem
    assert "secret-words" not in fetched.problem


# ------------------------------------------------------------------------------------------------------------ refunds


def test_an_order_without_refunds_has_none_and_one_that_does_not_exist_is_left_out(shop, centra):
    order = ship(shop, centra, basket(2))
    shop.return_items(order.number, {GOOD[0]: 1})
    assert centra.refunds([str(order.number), "999"]) == {str(order.number): []}
    assert centra.refunds([]) == {}


def test_the_refund_of_a_return_is_its_goods_and_costs_and_adds_up(shop, centra):
    order = ship(shop, centra, basket(3, 2))
    shipping = order.totals.shipping
    (id,) = shop.return_items(order.number, {GOOD[0]: 2}, shipping=shipping, return_cost=Decimal("2.50"))
    shop.refund_return(id)
    (refund,) = refunds_of(centra, order)
    assert refund.key == Key("brand", "refund", f"{order.number}-{order.payments[-1].id}")
    assert (refund.order_number, refund.return_number, refund.life) == (str(order.number), str(id), SETTLED)
    assert [(line.sku, line.quantity, line.tax_percent) for line in refund.lines] == [(GOOD[0], 2, 20)]
    assert refund.lines[0].gross.decimal == 2 * order.lines[0].unit_price
    assert (refund.shipping.decimal, refund.fee.decimal, refund.goodwill.minor) == (shipping, Decimal("2.50"), 0)
    assert refund.amount.decimal == refund.lines[0].gross.decimal + shipping - Decimal("2.50")
    assert refund.at == shop.clock.now()
    assert arithmetic(refund) == ""


@pytest.mark.scenario("CRN-03")
def test_an_amount_without_a_return_is_goodwill_and_never_all_lines(shop, centra):
    order = ship(shop, centra, basket(3))
    shop.refund(order.number, Decimal("7.00"), "late")
    (refund,) = refunds_of(centra, order)
    assert (refund.goodwill, refund.lines, refund.return_number) == (refund.amount, (), "")
    assert refund.amount.decimal == 7
    assert arithmetic(refund) == ""


@pytest.mark.scenario("CRN-04")
def test_the_pieces_of_a_line_that_come_back_one_by_one_are_worth_exactly_the_line(shop, centra):
    line = BasketLine(GOOD[0], 7, unit_price=Decimal("3.33"))
    order = ship(shop, centra, Basket(1, "GB", (line,), ADDRESS, "a@example.com", payment="paypal"))
    for _ in range(7):
        (id,) = shop.return_items(order.number, {GOOD[0]: 1})
        shop.refund_return(id)
    found = refunds_of(centra, order)
    posted = centra.fetch([str(order.number)])[str(order.number)].order.lines[0]
    lines = [line for refund in found for line in refund.lines]
    assert len(lines) == 7
    assert total([line.net for line in lines], "GBP") == posted.net
    assert total([line.gross for line in lines], "GBP") == posted.gross
    assert max(line.net.minor for line in lines) - min(line.net.minor for line in lines) == 1
    assert [arithmetic(refund) for refund in found] == [""] * 7


@pytest.mark.parametrize(
    "market", [m for m in MARKETS.values() if m.id in (1, 2, 3, 4, 5, 6)], ids=lambda m: m.currency
)
@pytest.mark.parametrize("codes", [(), ("LOYAL15",), ("FIVEOFF", "FREESHIP")], ids=lambda c: "+".join(c) or "plain")
def test_in_every_currency_and_with_vouchers_the_parts_are_the_amount(shop, centra, market, codes):
    vouchers = tuple(VoucherUse(code, Decimal(5) if code == "FIVEOFF" else None) for code in codes)
    wanted = basket(3, 2, 1, market=market.id, country=market.countries[0], vouchers=vouchers)
    order = ship(shop, centra, wanted)
    for items, shipping in (
        ({GOOD[0]: 1}, None),
        ({GOOD[0]: 2, GOOD[1]: 1}, order.totals.shipping),
        ({GOOD[1]: 1}, None),
    ):
        for id in shop.return_items(order.number, items, shipping=shipping):
            shop.refund_return(id)
    found = refunds_of(centra, order)
    assert len(found) == 3
    assert [arithmetic(refund) for refund in found] == ["", "", ""]
    assert sum(refund.amount.decimal for refund in found) == sum(p.value for p in order.payments if p.return_id)


def test_a_whole_day_of_returns_adds_up_and_every_refund_stands_once(shop, centra):
    expected = {}
    generator = Generator(7)
    for n in range(60):
        order = ship(shop, centra, generator.basket())
        shop.clock.pass_time(30)
        sold = {line.good.sku: line.quantity for line in order.lines if line.quantity}
        before = len(order.payments)
        for id in shop.return_items(order.number, dict(list(sold.items())[: 1 + n % 2])) if n % 3 else []:
            if shop.book.parcels.returns[id].grand_total > 0:
                shop.refund_return(id)
        shop.clock.pass_time(30)
        paid = [p for p in order.payments[before:] if p.entry_type == "REFUND" and p.status == "SUCCESS"]
        expected[str(order.number)] = sum(p.value for p in paid)
    numbers = list(expected)
    asked = shop.requests.total()
    found = centra.refunds(numbers[:50]) | centra.refunds(numbers[50:])
    assert shop.requests.total() == asked + 2
    assert {n: sum(r.amount.decimal for r in refunds) for n, refunds in found.items()} == expected
    assert [arithmetic(refund) for refunds in found.values() for refund in refunds if arithmetic(refund)] == []
    assert sum(len(refunds) for refunds in found.values()) > 20


@pytest.mark.parametrize("sign", ["positive", "negative"])
@pytest.mark.scenario("CRN-12")
def test_a_requested_refund_is_one_refund_that_keeps_its_name_when_it_settles_or_fails(shop, centra, sign):
    shop.switches.refund_values = sign
    order = ship(shop, centra, basket(3, 1, payment="klarna"))
    shop.clock.pass_time(60)
    first, second = shop.return_items(order.number, {GOOD[0]: 1}), shop.return_items(order.number, {GOOD[0]: 1})
    shop.refund_return(first[0])
    shop.clock.pass_time(1)
    shop.faults.plan("settlement-fails", "settlement", skip=1)
    shop.refund_return(second[0])
    waiting = refunds_of(centra, order)
    assert [refund.life for refund in waiting] == [PENDING, PENDING]
    shop.clock.pass_time(60)
    over = refunds_of(centra, order)
    assert [refund.life for refund in over] == [SETTLED, FAILED]
    assert [refund.key for refund in over] == [refund.key for refund in waiting]
    assert [refund.return_number for refund in over] == [str(first[0]), str(second[0])]
    assert over[0].amount.minor > 0
    assert over[0].at > waiting[0].at
    assert arithmetic(over[0]) == ""
    assert over[1].lines == ()


def test_a_refund_tried_again_after_a_failure_is_another_refund_with_the_goods(shop, centra):
    order = ship(shop, centra, basket(3, payment="klarna"))
    shop.clock.pass_time(60)
    (id,) = shop.return_items(order.number, {GOOD[0]: 1})
    shop.faults.plan("settlement-fails", "settlement")
    shop.refund_return(id)
    shop.clock.pass_time(60)
    shop.refund_return(id)
    shop.clock.pass_time(60)
    failed, settled = refunds_of(centra, order)
    assert (failed.life, settled.life) == (FAILED, SETTLED)
    assert [line.quantity for line in settled.lines] == [1]
    assert (arithmetic(settled), failed.lines) == ("", ())


def test_no_refund_is_more_than_was_sold_and_captured(shop, centra):
    order = ship(shop, centra, basket(3, 2))
    for items in ({GOOD[0]: 3}, {GOOD[1]: 2}):
        for id in shop.return_items(order.number, items):
            shop.refund_return(id)
    document = centra.fetch([str(order.number)])[str(order.number)].order
    found = refunds_of(centra, order)
    assert captured(document).decimal == order.grand_total
    assert [excess(refund, found, document, captured(document)) for refund in found] == ["", ""]


@pytest.mark.scenario("RET-14")
def test_two_shipments_in_one_parcel_back_are_two_returns_and_two_refunds(shop, centra):
    number = shop.place_order(basket(2, 2))
    order = shop.orders[number]
    shop.confirm(number)
    for line in order.lines:
        lines = (ShippedLine(str(line.id), line.good.sku, 2),)
        dispatch = Dispatch(f"{line.id}", "CS", str(number), "done", lines, "DHL", (), None, "")
        ref = centra.create_shipment(dispatch, order.id, bound=()).send()
        centra.capture_shipment(ref, str(number)).send()
        centra.complete_shipment(ref, dispatch, "DHL", "").send()
    made = shop.return_items(number, {GOOD[0]: 1, GOOD[1]: 1})
    assert len(made) == 2
    for id in made:
        shop.refund_return(id)
    assert [refund.return_number for refund in refunds_of(centra, order)] == [str(id) for id in made]


def test_more_returns_than_an_answer_holds_are_asked_for_in_halves(shop, centra):
    numbers, expected = [], Counter()
    for _ in range(3):
        order = ship(shop, centra, basket(80))
        numbers.append(str(order.number))
        for _ in range(70):
            (id,) = shop.return_items(order.number, {GOOD[0]: 1})
        shop.refund_return(id)
        expected[str(order.number)] += 1
    found = centra.refunds(numbers)
    assert {number: len(refunds) for number, refunds in found.items()} == expected
    assert {refund.lines[0].quantity for refunds in found.values() for refund in refunds} == {1}


def test_one_order_with_more_returns_than_any_has_is_refused(lonely_centra):
    made = [{"id": n, "order": {"number": 12}} for n in range(200)]
    with responses.RequestsMock() as mock:
        mock.post("https://brand.test/graphql", json={"data": {"orders": [], "returns": made}})
        with pytest.raises(Rejected, match="200 returns or more"):
            lonely_centra.refunds(["12"])


def test_a_return_without_its_order_is_no_goodwill(lonely_centra):
    made = [{"id": 7, "order": None}]
    with responses.RequestsMock() as mock:
        mock.post("https://brand.test/graphql", json={"data": {"orders": [], "returns": made}})
        with pytest.raises(Unavailable):
            lonely_centra.refunds(["12"])


def test_an_order_whose_refunds_cannot_be_read_is_left_out_and_its_neighbours_are_not(lonely_centra):
    def node(number, history):
        money = {"value": 10, "currency": {"code": "GBP"}}
        return {"number": number, "grandTotal": money, "totals": None, "lines": [], "paymentHistory": history}

    told = [node(12, []), node(13, [{"entryType": "REFUND", "id": None}])]
    with responses.RequestsMock() as mock:
        mock.post("https://brand.test/graphql", json={"data": {"orders": told, "returns": []}})
        assert lonely_centra.refunds(["12", "13"]) == {"12": []}


def test_the_stamp_of_an_order_changes_when_a_refund_is_added_or_settles_whatever_its_own_stamp_says(shop, centra):
    order = ship(shop, centra, basket(3, payment="klarna"))
    shop.clock.pass_time(60)
    number = str(order.number)
    stamps = [centra.stamps([number])[0].stamp]
    frozen = order.updated_at
    shop.refund(order.number, Decimal(1))
    order.updated_at, order.shown = frozen, None
    stamps.append(centra.stamps([number])[0].stamp)
    assert centra.fetch([number])[number].stamp == stamps[-1]
    shop.clock.pass_time(60)
    order.updated_at, order.shown = frozen, None
    stamps.append(centra.stamps([number])[0].stamp)
    assert len(set(stamps)) == 3
    assert all(len(stamp) <= 80 for stamp in stamps)
    now = shop.clock.now()
    window = (now - timedelta(days=1), now + timedelta(days=1), 1)
    assert centra.placed_between(*window)[0][0].stamp == stamps[-1]
    assert centra.changed_between(*window)[0][0].stamp == stamps[-1]
