"""Every ERP adapter on a bench of its own: the adapter, its sandbox, and the verbs that the contracts need of both."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from stage import Stage

from integration.domain.credit import SETTLED, Refund, RefundedLine
from integration.domain.money import Money, total
from integration.domain.order import Key, Order
from integration.ports import ERP, Draft
from integration.sandbox.centra_orders import BasketLine
from mappings import Mapping as Mapped

SHIRT, SOCKS = "LS101NVS", "LS106NVM"


@dataclass
class Bench:
    """An adapter with its sandbox. `fault(name, call)` plans one; `documents(reference)` reads the sandbox's books."""

    stage: Stage
    erp: ERP
    mapping: Mapped
    warehouse: int
    fault: Callable[..., Any]
    documents: Callable[[str], list[dict[str, Any]]]
    finish: Callable[[str], None]
    """The warehouse packs an order's parcel: too late for a cancel."""
    count: Callable[[str, float, int], object]
    """A count in a warehouse finds so many pieces of a SKU."""
    ship: Callable[..., object]
    """An order leaves, or the part of it that `lines` (SKU to pieces) says, in parcels with these `tracking` numbers."""
    relabel: Callable[..., object]
    """What has left gets another label."""
    receive: Callable[..., object]
    """A return arrives, by our reference; with `dispositions` it is inspected at once, `quantities` by SKU arrived."""
    inspect: Callable[..., object]
    """What arrived is judged: one word of `DISPOSITIONS`, or pieces by word, or either by SKU."""
    memos: Callable[[str], list[dict[str, Any]]]
    """Credit memos in the sandbox's books."""
    close_books: Callable[[str], None]
    """Nothing can be posted on this day (ISO) or before."""
    credit_by_hand: Callable[[str], object]
    """Somebody credits all that an order was invoiced for, without our reference."""
    calls: Mapping[str, str]
    """What the sandbox calls the write that `fault` is to hit: "return", "memo" and "post"."""

    def order(self, **terms: Any) -> Order:
        return self.read(self.stage.order(**terms))

    def read(self, number: str) -> Order:
        fetched = self.stage.world.storefronts["brand"].fetch([number])[number]
        assert fetched.order is not None
        return fetched.order

    def draft(self, **terms: Any) -> Draft:
        return self.erp.compose(self.order(**terms), self.mapping)

    def posted(self, **terms: Any) -> tuple[Order, str]:
        """An order and its sales order's id."""
        order = self.order(**terms)
        return order, self.erp.order_write(self.erp.compose(order, self.mapping)).send()


def fulfil() -> Bench:
    stage = Stage()

    def documents(reference: str) -> list[dict[str, Any]]:
        return [s for s in stage.fulfil.books()["sales"] if s["channel_identifier"] == reference]

    def fault(name: str, call: str = "create_order", **terms: Any) -> None:
        stage.fulfil.faults.plan(name, operation=call, **terms)

    def credit_by_hand(reference: str) -> None:
        invoices = [int(id) for sale in documents(reference) for id in sale["invoices"]]
        first = next(i["id"] for i in stage.fulfil.books()["invoices"] if i["id"] in invoices and float(i["total"]) > 0)
        with stage.fulfil._changing():
            stage.fulfil._states.invoices.credit(stage.fulfil._records.get("account.invoice", first))

    return Bench(
        stage=stage,
        erp=stage.world.erp("fulfil"),
        mapping=stage.world.mapping("fulfil", 1),
        warehouse=4,
        fault=fault,
        documents=documents,
        finish=stage.fulfil.pack,
        count=stage.fulfil.adjust,
        ship=stage.fulfil.ship,
        relabel=stage.fulfil.relabel,
        receive=stage.fulfil.receive_return,
        inspect=stage.fulfil.inspect_return,
        memos=lambda reference: [i for i in stage.fulfil.books()["invoices"] if i["reference"] == reference],
        close_books=lambda day: stage.fulfil.switches.change({"closed_until": day}),
        credit_by_hand=credit_by_hand,
        calls={"return": "return_order", "memo": "create_invoice", "post": "post"},
    )


ERPS: dict[str, Callable[[], Bench]] = {"fulfil": fulfil}


def refund_of(
    bench: Bench, order: Order, number: str = "81", pieces: dict[str, int] | None = None, **charges: str
) -> Refund:
    """A refund of so many pieces at the order's own prices, and of `shipping`, `fee`, `vouchers`, `goodwill` in major units."""
    currency = order.currency
    lines = []
    for line in order.lines:
        quantity = (pieces or {}).get(line.sku, 0)
        if quantity:
            gross, net = (amount.allocate([quantity, line.quantity - quantity])[0] for amount in (line.gross, line.net))
            lines.append(RefundedLine(line.id, line.sku, quantity, line.tax_percent, net, gross))
    names = ("shipping", "handling", "fee", "vouchers", "goodwill")
    told = {name: Money.of(charges.get(name, "0"), currency) for name in names}
    amount = total([line.gross for line in lines], currency) + told["shipping"] + told["handling"] + told["goodwill"]
    return Refund(
        key=Key("brand", "refund", number),
        order_number=order.number,
        return_number="",
        at=bench.stage.clock.now(),
        life=SETTLED,
        amount=amount - told["fee"] - told["vouchers"],
        lines=tuple(lines),
        method="adyen",
        **told,
    )


def sold(bench: Bench, **terms: Any) -> tuple[Order, str]:
    lines = {"lines": [BasketLine(SHIRT, 2), BasketLine(SOCKS, 3)]}
    order, ref = bench.posted(**(lines | terms))
    bench.ship(bench.erp.reference(order.number))
    bench.stage.clock.sleep(3600)
    return order, ref
