"""Every ERP adapter on a bench of its own: the adapter, its sandbox, and the verbs that the contracts need of both."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from stage import Stage, example

from integration.domain.credit import SETTLED, Refund, RefundedLine
from integration.domain.money import Money, total
from integration.domain.order import Key, Order
from integration.domain.returns import Return, ReturnLine
from integration.ports import ERP, Draft
from integration.sandbox import catalogue
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
    places: tuple[int, ...]
    """Warehouses of the ERP, `warehouse` the first of them."""
    cancel: Callable[[str], object]
    """An order of ours is cancelled in the ERP: by our call where it has one (`cancels`), else by a person."""
    cancels: bool
    announce: Callable[[Order, str, dict[str, int], str], str]
    """A return of these pieces is expected in the ERP under our reference: by our call, or by a person who keys it."""
    announced: Callable[[str], list[dict[str, Any]]]
    """Returns in the sandbox's books by our reference."""
    tells_arrival: bool
    """Whether the ERP says when a return arrived."""
    shipments: Callable[[str], list[str]]
    """Refs of an order's shipments in the sandbox's books."""
    add_product: Callable[[str], object]
    requests: Callable[[], int]
    """Calls that the sandbox has answered."""

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


def return_of(order: Order, number: str, pieces: dict[str, int]) -> Return:
    ids = {line.sku: line.id for line in order.lines}
    lines = tuple(ReturnLine(f"{number}{n}", ids[sku], sku, q) for n, (sku, q) in enumerate(pieces.items(), 1))
    key = Key("brand", "return", number)
    return Return(key, order.number, lines, False, True, Money.zero(order.currency), order.placed_at)


def fulfil() -> Bench:
    stage = Stage()
    erp, mapping = stage.world.erp("fulfil"), stage.world.mapping("fulfil", 1)

    def documents(reference: str) -> list[dict[str, Any]]:
        return [s for s in stage.fulfil.books()["sales"] if s["channel_identifier"] == reference]

    def fault(name: str, call: str = "create_order", **terms: Any) -> None:
        stage.fulfil.faults.plan(name, operation=call, **terms)

    def credit_by_hand(reference: str) -> None:
        invoices = [int(id) for sale in documents(reference) for id in sale["invoices"]]
        first = next(i["id"] for i in stage.fulfil.books()["invoices"] if i["id"] in invoices and float(i["total"]) > 0)
        with stage.fulfil._changing():
            stage.fulfil._states.invoices.credit(stage.fulfil._records.get("account.invoice", first))

    def announce(order: Order, ref: str, pieces: dict[str, int], number: str) -> str:
        return erp.open_return(return_of(order, number, pieces), ref, mapping).send()

    return Bench(
        stage=stage,
        erp=erp,
        mapping=mapping,
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
        places=(4, 65, 66),
        cancel=lambda reference: erp.cancel_write(reference, str(documents(reference)[0]["id"])).send(),
        cancels=True,
        announce=announce,
        announced=documents,
        tells_arrival=True,
        shipments=lambda reference: documents(reference)[0]["shipments"],
        add_product=stage.fulfil.add_product,
        requests=stage.fulfil.requests.total,
    )


EVERY_MARKET = "".join(
    f"""
[markets."{catalogue.STORES[market.store_id].name} / {market.name}"]
channel = {20 + market.id}
warehouse = 12
currency = "{market.currency}"
countries = {json.dumps(market.countries)}

[carriers."{catalogue.STORES[market.store_id].name} / {market.name}"]
"Standard" = "1"
"Express" = "2"
"""
    for market in catalogue.MARKETS.values()
    if market.id <= 6
) + "".join(
    f"""
[taxes.{country}]
{chr(10).join(f'"{tax.percent.normalize():f}" = "{id}"' for id, tax in enumerate(catalogue.FULFIL_TAXES, 1) if tax.country == country)}
"""
    for country in ("DE", "FR", "NL", "IE", "SE", "US", "JP", "KW")
)
"""The markets that the example mapping leaves to Fulfil: OrderWise's sandbox has a session for each of them."""


def orderwise() -> Bench:
    """With the example's strategies: cancels, returns and credits are a person's."""
    stage = Stage(erps=("orderwise",))
    rates = {"DE": 19, "FR": 20, "NL": 21, "IE": 23, "SE": 25, "US": "8.875", "JP": 10, "KW": 0}
    charges = "[shipping_tax]\n" + "".join(f'{country} = "{rate}"\n' for country, rate in rates.items())
    text = example("orderwise", stock=False).replace("[shipping_tax]\n", charges) + EVERY_MARKET
    mapping = stage.world.mapping("orderwise", stage.apply(text, "orderwise"))
    tenant, erp = stage.orderwise, stage.world.erp("orderwise")

    def documents(reference: str) -> list[dict[str, Any]]:
        return [order for order in tenant.books()["orders"] if order["reference"] == reference]

    def fault(name: str, call: str = "create_order", **terms: Any) -> None:
        times = 2 if name == "unauthorised" else 1  # the first may only say that a token has run out
        tenant.faults.plan(name, operation=call, **({"times": times} | terms))

    def announce(order: Order, ref: str, pieces: dict[str, int], number: str) -> str:
        return str(tenant.raise_return(int(ref), pieces, erp.return_reference(number)))

    def of_returns(reference: str) -> list[dict[str, Any]]:
        return [each for each in tenant.books()["returns"] if each["reference"] == reference]

    def shipments(reference: str) -> list[str]:
        return [f"{order['id']}-{delivery}" for order in documents(reference) for delivery in order["deliveries"]]

    return Bench(
        stage=stage,
        erp=erp,
        mapping=mapping,
        warehouse=12,
        fault=fault,
        documents=documents,
        finish=tenant.pack,
        count=tenant.adjust,
        ship=tenant.ship,
        relabel=tenant.relabel,
        receive=tenant.receive_return,
        inspect=tenant.inspect_return,
        memos=lambda reference: [each for each in tenant.books()["credits"] if each["reference"] == reference],
        close_books=lambda day: None,
        credit_by_hand=tenant.credit,
        calls={},
        places=(12, 13),
        cancel=tenant.cancel,
        cancels=False,
        announce=announce,
        announced=of_returns,
        tells_arrival=False,
        shipments=shipments,
        add_product=tenant.add_product,
        requests=tenant.requests.total,
    )


ERPS: dict[str, Callable[[], Bench]] = {"fulfil": fulfil, "orderwise": orderwise}
ANNOUNCING = ("fulfil",)
"""Those that are told of a return by a call of ours; in the others a person keys it."""
BOOKING = ("fulfil",)
"""Those that book a credit memo by a call of ours."""


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
