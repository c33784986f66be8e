"""What only Fulfil does: merged shipments, kits, answers of several forms, and what a tenant may do otherwise."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from erp_benches import SHIRT, SOCKS, refund_of, sold
from erps.fulfil.bench import bench as fulfil_bench

from integration.domain.money import Money
from integration.domain.order import Key
from integration.domain.returns import InspectedLine, Return, ReturnLine
from integration.domain.shipment import ShippedLine
from integration.erp.fulfil.adapter import Fulfil
from integration.erp.fulfil.tenant import moment_of, of_line, whole
from integration.errors import Rejected, Unknown
from integration.ports import Figure
from integration.sandbox.centra_orders import BasketLine, VoucherUse

KIT = "BX501ST1"
"""One LS104NVM and two LS106NVM."""


@pytest.fixture
def bench():
    made = fulfil_bench()
    yield made
    made.stage.store.close()


def posted(bench, *lines):
    order, ref = bench.posted(lines=list(lines) or [BasketLine(SHIRT, 2)])
    bench.stage.clock.sleep(60)
    return order, int(ref)


def record(bench, model, id):
    return bench.stage.fulfil._records.get(model, int(id))


def change(bench, model, row, **values):
    with bench.stage.fulfil._changing():
        bench.stage.fulfil._records.update(model, row, values)


def made(bench, model, **values):
    with bench.stage.fulfil._changing():
        return bench.stage.fulfil._records.insert(model, values)


def shipment_of(bench, sale):
    return record(bench, "stock.shipment.out", record(bench, "sale.sale", sale)["shipments"][0])


def read(bench, shipment):
    return bench.erp.dispatches([str(shipment["id"])]).get(str(shipment["id"]))


def test_no_part_of_the_adapter_hides_a_method_of_another():
    names = Counter(name for part in Fulfil.__mro__[:-1] for name in vars(part) if not name.startswith("__"))
    assert [name for name, count in names.items() if count > 1] == []


# ------------------------------------------------------------------------------------------------------------- stock


def test_a_warehouse_that_the_answer_passes_over_is_an_error_and_never_a_zero(bench, monkeypatch):
    call = bench.erp.client.call

    def silent(model, method, arguments, **terms):
        answer = call(model, method, arguments, **terms)
        return (
            {id: {"4": places["4"]} for id, places in answer.items()} if method == "get_product_inventory" else answer
        )

    bench.count(SHIRT, 3, 4)
    bench.count(SHIRT, 4, 65)
    assert bench.erp.figures([SHIRT], [4, 65])[SHIRT] == Figure(7, 7)
    monkeypatch.setattr(bench.erp.client, "call", silent)
    with pytest.raises(Rejected) as raised:
        bench.erp.figures([SHIRT], [4, 65])
    assert raised.value.type == "SCHEMA_CHANGE"
    assert "warehouse 65" in str(raised.value)


@pytest.mark.parametrize(("told", "pieces"), [(2.9999, 2), ("3.0", 3), (-2.5, -3), (0.1 + 0.2, 0), (10**9, 10**9)])
def test_parts_of_pieces_are_rounded_down_and_below_zero_too(told, pieces):
    assert whole(told) == pieces


def test_a_line_that_no_unit_price_gives_exactly_is_posted_in_two_rows(bench):
    coarse = replace(bench.mapping, options={**bench.mapping.options, "unit_price_decimals": 0})
    draft = bench.erp.compose(bench.order(lines=[BasketLine(SOCKS, 7)], vouchers=[VoucherUse("STAFF333")]), coarse)
    bench.erp.order_write(draft).send()
    (sale,) = bench.documents(draft.reference)
    assert [sku for sku, *_ in sale["lines"] if sku] == [SOCKS, SOCKS]


def test_a_product_that_was_switched_off_has_no_figure(bench):
    row = bench.stage.fulfil._records.find("product.product", "code", SHIRT)[0]
    change(bench, "product.product", row, active=False)
    assert bench.erp.figures([SHIRT], [4]) == {}
    assert SHIRT not in bench.erp.stocked("")[0]


# --------------------------------------------------------------------------------------------------------- shipments


@pytest.mark.scenario("SHP-11")
def test_two_orders_in_one_shipment_are_a_dispatch_each_with_the_same_parcel(bench):
    (one, first), (two, second) = posted(bench, BasketLine(SHIRT, 2)), posted(bench, BasketLine(SOCKS, 1))
    kept, other = shipment_of(bench, first), shipment_of(bench, second)
    moves = kept["outgoing_moves"] + other["outgoing_moves"]
    change(bench, "stock.shipment.out", kept, outgoing_moves=moves, moves=moves, sales=[first, second])
    change(bench, "stock.shipment.out", other, outgoing_moves=[], moves=[], sales=[], state="cancel")
    bench.stage.fulfil.ship(kept["id"], tracking=["ONE"])
    hints = bench.erp.dispatched_since(bench.stage.clock.now() - timedelta(hours=1))
    wanted = {f"{kept['id']}/{order.number}": order.number for order in (one, two)}
    assert {hint.ref: hint.order_number for hint in hints} == wanted
    found = bench.erp.dispatches(wanted)
    assert {ref: d.order_number for ref, d in found.items()} == wanted
    lines = {d.order_number: [(line.sku, line.quantity) for line in d.lines] for d in found.values()}
    assert lines == {one.number: [(SHIRT, 2)], two.number: [(SOCKS, 1)]}
    assert {parcel.tracking for d in found.values() for parcel in d.parcels} == {"ONE"}
    assert bench.erp.dispatches([str(kept["id"])]) == {}  # it is nobody's alone


def split_kit(bench, sale):
    """Let the components leave in the kit's place, each in a shipment of its own."""
    records, first = bench.stage.fulfil._records, shipment_of(bench, sale)
    (kit_move,) = (record(bench, "stock.move", id) for id in first["outgoing_moves"])
    origin = kit_move["origin"]
    parts = [move for move in records.rows["stock.move"].values() if move["origin"] == f"stock.move,{kit_move['id']}"]
    shipments = []
    for part in parts:
        words = {"state": "waiting", "sales": [sale], "outgoing_moves": [part["id"]], "moves": [part["id"]]}
        words |= {"number": f"CS9{part['id']}", "packages": [], "warehouse": first["warehouse"], "inventory_moves": []}
        shipment = made(bench, "stock.shipment.out", **words)
        reference = f"stock.shipment.out,{shipment['id']}"
        change(bench, "stock.move", part, origin=origin, shipment=reference, to_location=kit_move["to_location"])
        shipments.append(shipment)
    change(bench, "stock.move", kit_move, state="cancel")
    change(bench, "stock.shipment.out", first, state="cancel", outgoing_moves=[])
    change(bench, "sale.sale", record(bench, "sale.sale", sale), shipments=[s["id"] for s in shipments])
    return shipments


def test_a_kit_whose_components_move_is_shipped_when_the_last_of_them_is(bench):
    order, sale = posted(bench, BasketLine(KIT, 2))
    first, last = split_kit(bench, sale)
    bench.stage.fulfil.ship(first["id"], tracking=["A"])
    assert read(bench, first).lines == ()
    bench.stage.clock.sleep(3600)
    bench.stage.fulfil.ship(last["id"], tracking=["B"])
    assert read(bench, first).lines == ()
    assert read(bench, last).lines == (ShippedLine(order.lines[0].id, KIT, 2),)


def test_another_product_than_was_sold_is_told_as_what_it_is(bench):
    order, sale = posted(bench)
    shipment = shipment_of(bench, sale)
    socks = bench.stage.fulfil._records.find("product.product", "code", SOCKS)[0]["id"]
    change(bench, "stock.move", record(bench, "stock.move", shipment["outgoing_moves"][0]), product=socks)
    assert read(bench, shipment).lines == (ShippedLine(order.lines[0].id, SOCKS, 2),)


def test_goods_that_belong_to_no_line_are_told_and_half_a_piece_leaves_the_dispatch_out(bench):
    order, sale = posted(bench)
    shipment = shipment_of(bench, sale)
    move = record(bench, "stock.move", shipment["outgoing_moves"][0])
    extra = made(bench, "stock.move", **{**move, "id": None, "origin": None, "quantity": 1.0})
    change(bench, "stock.shipment.out", shipment, outgoing_moves=[move["id"], extra["id"]])
    assert set(read(bench, shipment).lines) == {ShippedLine(order.lines[0].id, SHIRT, 2), ShippedLine("", SHIRT, 1)}
    change(bench, "stock.move", move, quantity=1.5)
    assert read(bench, shipment) is None


def test_a_shipment_cancelled_after_it_was_done_is_in_the_feed_and_one_that_never_left_is_not(bench):
    _, sale = posted(bench)
    _, other = posted(bench)
    shipment, never = shipment_of(bench, sale), shipment_of(bench, other)
    bench.stage.fulfil.ship(shipment["id"])
    bench.stage.clock.sleep(60)
    since = bench.stage.clock.now() - timedelta(seconds=1)
    change(bench, "stock.shipment.out", shipment, state="cancel")
    change(bench, "stock.shipment.out", never, state="cancel")
    assert [hint.ref for hint in bench.erp.dispatched_since(since)] == [str(shipment["id"])]
    assert read(bench, shipment).life == "cancelled"


def test_a_master_number_beside_the_parcels_is_told_once_and_a_void_label_not_at_all(bench):
    _, sale = posted(bench)
    shipment = shipment_of(bench, sale)
    bench.stage.fulfil.ship(shipment["id"], tracking=["A", "B"])
    master = made(
        bench, "shipment.tracking", tracking_number="M", tracking_url=None, state="in_transit", is_master=True
    )
    change(bench, "stock.shipment.out", shipment, tracking_number=master["id"])
    assert [parcel.tracking for parcel in read(bench, shipment).parcels] == ["M", "A", "B"]
    change(bench, "shipment.tracking", master, state="cancelled")
    assert [parcel.tracking for parcel in read(bench, shipment).parcels] == ["A", "B"]


def test_a_shipment_without_a_service_goes_by_its_carriers_name(bench):
    _, sale = posted(bench)
    shipment = shipment_of(bench, sale)
    assert read(bench, shipment).service == "royal-mail-48"
    change(bench, "stock.shipment.out", shipment, carrier_service=None)
    assert read(bench, shipment).service == "Royal Mail"


STAMP = datetime(2026, 5, 4, 23, 30, tzinfo=UTC)


@pytest.mark.scenario("SHP-15")
@pytest.mark.parametrize(
    ("day", "stamps", "moment"),
    [
        (date(2026, 5, 4), [STAMP - timedelta(hours=1), STAMP], STAMP),
        (date(2026, 5, 5), [STAMP], STAMP),  # the tenant's midnight is not ours
        (date(2026, 4, 30), [STAMP], datetime(2026, 4, 30, 12, tzinfo=UTC)),  # the moves were touched days later
        (date(2026, 4, 30), [], datetime(2026, 4, 30, 12, tzinfo=UTC)),
        (None, [STAMP], STAMP),
        (STAMP, [], STAMP),
        (None, [], None),
    ],
)
def test_when_goods_left_is_their_moves_moment_on_the_shipments_day(day, stamps, moment):
    assert moment_of(day, [{"write_date": stamp, "create_date": None} for stamp in stamps]) == moment


@pytest.mark.parametrize(
    ("origin", "line"), [("sale.line,12", 12), ("stock.move,12", 0), (None, 0), ("", 0), ("sale.line,", 0)]
)
def test_an_origin_names_a_sale_line_or_none(origin, line):
    assert of_line(origin) == line


# ----------------------------------------------------------------------------------------------------------- returns


def announced(bench, order, sale, number="31", pieces=1):
    line = ReturnLine("501", order.lines[0].id, order.lines[0].sku, pieces)
    key = Key("brand", "return", number)
    document = Return(key, order.number, (line,), False, True, Money.zero("GBP"), order.placed_at)
    return bench.erp.open_return(document, str(sale), bench.mapping)


def shipped(bench, **switches):
    bench.stage.fulfil.switches.change(switches)
    order, sale = posted(bench)
    bench.stage.fulfil.ship(bench.erp.reference(order.number))
    bench.stage.clock.sleep(60)
    return order, sale


@pytest.mark.parametrize("form", ["object", "list", "id"])
def test_every_form_of_the_answer_names_the_return(bench, form):
    order, sale = shipped(bench, return_response=form)
    write = announced(bench, order, sale)
    assert [write.send()] == write.find()


def test_an_answer_that_names_nothing_is_unknown_and_looked_up(bench):
    order, sale = shipped(bench, return_response="null")
    write = announced(bench, order, sale)
    with pytest.raises(Unknown):
        write.send()
    assert len(write.find()) == 1


@pytest.mark.parametrize("rule", ["refuse", "return-old"])
def test_a_return_that_is_there_already_is_never_made_twice(bench, rule):
    order, sale = shipped(bench, return_replay=rule)
    write = announced(bench, order, sale)
    first = write.send()
    if rule == "refuse":
        with pytest.raises(Unknown):
            write.send()
    else:
        assert write.send() == first
    assert write.find() == [first]


def test_every_field_of_the_form_is_sent_and_no_exchange(bench, monkeypatch):
    order, sale = shipped(bench)
    sent = []
    act = bench.erp.client.act
    monkeypatch.setattr(bench.erp.client, "act", lambda *args, **terms: (sent.append(args), act(*args, **terms))[1])
    announced(bench, order, sale).send()
    ((_, _, _, form),) = sent
    assert form.keys() == {"channel_identifier", "reference", "warehouse", "lines"}
    assert form["warehouse"] == 4
    (line,) = form["lines"]
    assert line.keys() == {
        "order_line_id", "return_quantity", "unit_price", "channel_identifier", "note", "return_reason",
    }  # fmt: skip
    assert (line["return_quantity"], line["unit_price"]) == (1, "0")
    assert line["return_reason"] == bench.mapping.returns.reason


def test_a_tenant_that_keeps_no_identifier_of_a_return_shows_it_by_its_reference(bench):
    order, sale = shipped(bench)
    write = announced(bench, order, sale)
    ref = write.send()
    change(bench, "sale.sale", record(bench, "sale.sale", ref), channel_identifier=None)
    assert write.find() == [ref]
    assert [r.life for r in bench.erp.receipts(["return-31"], bench.mapping)["return-31"]] == ["expected"]


def test_goods_of_which_a_part_is_put_away_are_received_and_that_part_has_a_disposition(bench):
    order, sale = shipped(bench)
    announced(bench, order, sale, pieces=2).send()
    bench.receive("return-31")
    (crs,) = bench.stage.fulfil._records.rows["stock.shipment.out.return"].values()
    stock = bench.stage.fulfil._states.stock
    move = record(bench, "stock.move", crs["inventory_moves"][0])
    with bench.stage.fulfil._changing():
        piece = stock.split(move, 1.0)
        stock.change(piece, state="done")
    change(bench, "stock.shipment.out.return", crs, inventory_moves=[move["id"], piece["id"]])
    (receipt,) = bench.erp.receipts(["return-31"], bench.mapping)["return-31"]
    assert receipt.life == "received"
    assert set(receipt.lines) == {InspectedLine(SHIRT, 1), InspectedLine(SHIRT, 1, "restock")}


@pytest.mark.scenario("RET-04")
def test_goods_that_nobody_announced_are_listed_without_a_reference_and_a_strangers_are_not(bench):
    order, sale = shipped(bench)
    line = bench.stage.fulfil._records.find("sale.line", "sale", sale)[0]
    since = bench.stage.clock.now()
    bench.stage.clock.sleep(1)
    form = {"reference": "at the door", "lines": [{"order_line_id": line["id"], "return_quantity": 1}]}
    bench.erp.client.act("sale.sale", str(sale), "return_order", form, lane="returns")
    (crs,) = bench.stage.fulfil._records.rows["stock.shipment.out.return"].values()
    bench.stage.fulfil.receive_return(crs["id"])
    (hint,) = bench.erp.received_since(since)
    assert (hint.ref, hint.order_number, hint.number) == ("", order.number, crs["number"])
    change(bench, "sale.sale", record(bench, "sale.sale", sale), channel_identifier="someone-else-7")
    assert bench.erp.received_since(since) == []
    change(bench, "stock.shipment.out.return", crs, sales=[])
    assert [(hint.ref, hint.order_number) for hint in bench.erp.received_since(since)] == [("", "")]


# ------------------------------------------------------------------------------------------------------------ memos


def memo_draft(bench, **mapping):
    order, ref = sold(bench)
    credit = replace(bench.mapping.credit, **mapping)
    refund = refund_of(bench, order, pieces={SHIRT: 1}, shipping="1.20", goodwill="0.60")
    return bench.erp.compose_memo(refund, order, ref, replace(bench.mapping, credit=credit))


def test_a_memos_lines_come_from_the_original_invoice_and_never_from_the_sale(bench):
    draft = memo_draft(bench)
    bench.erp.memo_write(draft).send()
    (memo,) = bench.memos(draft.reference)
    origins = {line[0] or line[1]: line[-1] for line in memo["lines"]}
    assert origins[SHIRT].startswith("account.invoice.line,")
    assert not any(str(origin).startswith("sale.line") for origin in origins.values())
    sale = bench.stage.fulfil.books()["sales"][0]
    assert memo["sales"] == [sale["id"]]
    assert memo["invoice_date"] == "2026-05-04"


def test_an_account_or_a_tax_that_fulfil_does_not_have_is_named(bench):
    with pytest.raises(Rejected) as raised:
        bench.erp.memo_write(memo_draft(bench, account="9999")).send()
    assert raised.value.cause == "fulfil.toml:[credit] account 9999"
    with pytest.raises(Rejected) as raised:
        bench.erp.memo_write(memo_draft(bench, accounts={"goodwill": "Nowhere"})).send()
    assert "Nowhere" in raised.value.cause
    for tax in bench.stage.fulfil._records.rows["account.tax"].values():
        change(bench, "account.tax", tax, name=f"Old {tax['name']}")
    with pytest.raises(Rejected) as raised:
        bench.erp.memo_write(memo_draft(bench)).send()
    assert raised.value.type == "ORDER_TAX_UNMAPPED"


def test_a_part_may_go_to_an_account_of_its_own(bench):
    with bench.stage.fulfil._changing():
        words = {"name": "Goodwill given", "code": "4711", "type": "expense", "active": True}
        account = bench.stage.fulfil._records.insert("account.account", words)
    bench.erp.memo_write(memo_draft(bench, accounts={"goodwill": "4711"})).send()
    lines = bench.stage.fulfil._records.rows["account.invoice.line"].values()
    assert [line["note"] for line in lines if line["account"] == account["id"]] == ["goodwill"]


def test_a_tenant_that_computes_another_tax_gets_no_posted_memo(bench):
    order, ref = sold(bench, lines=[BasketLine(SOCKS, 3)])
    bench.stage.fulfil.switches.change({"tax_amount": "computed"})
    refund = refund_of(bench, order, pieces={SOCKS: 3})
    (line,) = refund.lines
    skewed = replace(refund, lines=(replace(line, net=line.net + Money(1, "GBP")),))
    draft = bench.erp.compose_memo(skewed, order, ref, bench.mapping)
    with pytest.raises(Rejected) as raised:
        bench.erp.memo_write(draft).send()
    assert raised.value.type == "CREDIT_MISMATCH"
    assert [memo["state"] for memo in bench.memos(draft.reference)] == ["cancel"]


def test_a_memo_that_a_person_keyed_is_read_by_products_and_descriptions(bench):
    draft = memo_draft(bench)
    bench.erp.memo_write(draft).send()
    for line in bench.stage.fulfil._records.rows["account.invoice.line"].values():
        change(bench, "account.invoice.line", line, note=None)
    (memo,) = bench.erp.memos([draft.reference])[draft.reference]
    assert dict(memo.components) == dict(draft.components)
