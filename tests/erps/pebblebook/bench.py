"""Pebblebook on a bench. With the adapter, its mapping file and its sandbox beside it, this is all that a third ERP needs."""

from typing import Any

from erp_benches import Bench, return_of
from erp_folders import Connection
from erps.pebblebook.books import WAREHOUSES
from erps.pebblebook.sandbox import TOKEN, Pebblebook
from stage import Stage, example

from integration.domain.order import Order
from integration.sandbox import catalogue

CONNECTION = Connection(
    sandbox=Pebblebook,
    url="https://pebblebook.test",
    token=TOKEN,
    calls={"return": "create returns", "memo": "create credits", "post": "post credits"},
)


def everywhere() -> str:
    """The example mapping, and the markets that it leaves to others: the contracts ask for many currencies and taxes."""
    text = example("pebblebook", stock=False)
    markets = [market for market in catalogue.MARKETS.values() if market.id <= 4]
    countries = [country for market in markets for country in market.countries]
    for table in ("[shipping_tax]\n", "[credit.goodwill_tax]\n"):
        rates = {country: catalogue.COUNTRIES[country].taxes["standard"].normalize() for country in countries}
        text = text.replace(table, table + "".join(f'{country} = "{rate:f}"\n' for country, rate in rates.items()))
    for market in markets:
        name = f"{catalogue.STORES[market.store_id].name} / {market.name}"
        text += f'[markets."{name}"]\nchannel = {market.id}\nwarehouse = 1\ncurrency = "{market.currency}"\n'
        text += f"countries = {list(market.countries)}\n"
        text += f'[carriers."{name}"]\nStandard = "post"\nExpress = "courier"\n'
    for country in countries:
        percents = {f"{percent.normalize():f}" for percent in catalogue.COUNTRIES[country].taxes.values()}
        text += f"[taxes.{country}]\n" + "".join(f'"{each}" = "{country}-{each}"\n' for each in sorted(percents))
    return text


def bench() -> Bench:
    stage = Stage(erps=("pebblebook",))
    erp = stage.world.erp("pebblebook")
    mapping = stage.world.mapping("pebblebook", stage.apply(everywhere(), "pebblebook"))
    tenant = stage.pebblebook

    def fault(name: str, call: str = "create orders", **terms: Any) -> None:
        tenant.faults.plan(name, operation=call, **terms)

    def announced(reference: str) -> list[dict[str, Any]]:
        """A return has no amounts here."""
        rows = tenant.under("returns", reference)
        return [
            {"id": row["id"], "pieces": {line["sku"]: line["quantity"] for line in row["lines"]}, "value": 0}
            for row in rows
        ]

    def announce(order: Order, ref: str, pieces: dict[str, int], number: str) -> str:
        return erp.open_return(return_of(order, number, pieces), ref, mapping).send()

    def cancel(reference: str) -> str:
        return erp.cancel_write(reference, str(tenant.under("orders", reference)[0]["id"])).send()

    return Bench(
        stage=stage,
        erp=erp,
        mapping=mapping,
        warehouse=1,
        fault=fault,
        documents=lambda reference: tenant.under("orders", reference),
        finish=tenant.pack,
        count=tenant.adjust,
        ship=tenant.ship,
        relabel=tenant.relabel,
        receive=tenant.receive_return,
        inspect=tenant.inspect_return,
        memos=lambda reference: tenant.under("credits", reference),
        close_books=lambda day: setattr(tenant.books, "closed_until", day),
        credit_by_hand=tenant.credit,
        calls=CONNECTION.calls,
        places=WAREHOUSES,
        cancel=cancel,
        cancels=True,
        announce=announce,
        announced=announced,
        tells_arrival=True,
        shipments=lambda reference: [str(row["id"]) for row in tenant.under("shipments", reference)],
        add_product=tenant.books.add_item,
        requests=tenant.requests.total,
    )
