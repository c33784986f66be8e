"""OrderWise on a bench."""

import json
from typing import Any

from erp_benches import Bench
from erp_folders import Connection
from stage import Stage, example

from integration.domain.order import Order
from integration.erp.orderwise.client import sql_of
from integration.erp.orderwise.profile import profile_of
from integration.sandbox import catalogue
from integration.sandbox.orderwise import PASSWORD, USER, OrderWise
from integration.sandbox.orderwise_catalogue import TAXES
from integration.store import reference


def paste_exports(stage: Stage) -> None:
    """Somebody saves our export definitions in OrderWise, under the ids that the mapping has."""
    with stage.store.read() as tx:
        version = reference.mapping_versions(tx)["orderwise"]
    for name, id in profile_of(stage.world.mapping("orderwise", version)).exports.items():
        stage.orderwise.paste_export(id, sql_of(name), name)


CONNECTION = Connection(
    sandbox=OrderWise,
    url="https://orderwise.test/OWAPI",
    token=f"{USER}:{PASSWORD}",
    calls={"item": "create_variant"},
    market=8,
    ready=paste_exports,
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


def bench(transport: str = "api") -> Bench:
    """With the example's strategies: cancels, returns and credits are a person's."""
    stage = Stage(erps=("orderwise",))
    rates = {"DE": 19, "FR": 20, "NL": 21, "IE": 23, "SE": 25, "US": "8.875", "JP": 10, "KW": 0}
    charges = "[shipping_tax]\n" + "".join(f'{country} = "{rate}"\n' for country, rate in rates.items())
    text = example("orderwise", stock=False).replace("[shipping_tax]\n", charges) + EVERY_MARKET
    codes = ", ".join(f'"{tax.id}" = "{tax.code}"' for tax in TAXES)
    text = text.replace('tax_codes = { "1" = "T1", "2" = "T0" }', f"tax_codes = {{ {codes} }}")
    text = text.replace('transport = "api"', f'transport = "{transport}"')
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
        calls=CONNECTION.calls,
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
