"""The demo's books, one for each connection: Centra's orders of its markets, its ERP, and our rows and exceptions of these."""

from collections.abc import Mapping
from typing import Any

from integration.sandbox.catalogue import (
    CENTRA_WAREHOUSES,
    FULFIL_BUILDINGS,
    FULFIL_WAREHOUSES,
    GOODS,
    MARKETS,
    ORDERWISE_MARKETS,
    STORES,
    UNMAPPED_MARKET,
    WAREHOUSE_OF_MARKET,
)
from integration.store import Store, counts
from integration.store.lives import LIVES
from tasks.books import Books, Ground, Row, Rows
from tasks.books_orderwise import in_shared_rows
from tasks.stack import Stack

NOWHERE = ""
"""The building of a market that is not served from any of an ERP's."""


def markets_of(connection: str) -> set[int]:
    """Centra's markets that a connection's mapping has."""
    ours = set(ORDERWISE_MARKETS)
    return ours if connection == "orderwise" else set(MARKETS) - ours - {UNMAPPED_MARKET}


def ground(connection: str) -> Ground:
    """The sandbox's own warehouses and bundles."""
    if connection == "orderwise":
        place = {id: house.name for id, house in CENTRA_WAREHOUSES.items() if not house.fulfil_id}
    else:
        place = {house.id: FULFIL_WAREHOUSES[house.fulfil_id].code for house in FULFIL_BUILDINGS.values()}
    return Ground(
        building={market: place.get(house, NOWHERE) for market, house in WAREHOUSE_OF_MARKET.items()},
        place=place,
        parts={sku: dict(good.parts) for sku, good in GOODS.items() if good.is_bundle},
        homeless=(UNMAPPED_MARKET,),
    )


def read_books(stack: Stack, store: Store) -> dict[str, Books]:
    """Everything as it stands now, by connection."""
    with store.read() as tx:
        jobs, cases = [row for kind in LIVES for row in counts.all_of(tx, kind)], counts.open_cases(tx)
    return books_beside(stack, jobs, cases)


def books_beside(stack: Stack, jobs: Rows, cases: Rows) -> dict[str, Books]:
    """The systems as they stand now beside these rows of ours, by connection. Orders of the market that nobody mapped are in
    every one of them.
    """
    centra = [_with_store(order) for order in stack.ask(stack.centra_url, "/_sandbox/books")]
    whole = stack.ask(stack.centra_url, "/_sandbox/ledger")
    erps = {name: stack.ask(stack.url_of(name), "/_sandbox/books") for name in stack.texts}
    if "orderwise" in erps:
        erps["orderwise"] = in_shared_rows(erps["orderwise"])
    return {name: of_connection(name, centra, whole, erp, jobs, cases) for name, erp in erps.items()}


def _with_store(order: Row) -> Row:
    """Two storefronts may have a market of the same name."""
    own = f"{STORES[order['store_id']].name} / {order['market']}"
    return {**order, "market": own} if order["market_id"] in ORDERWISE_MARKETS else order


def of_connection(name: str, centra: Any, whole: Mapping[str, Any], erp: Row, jobs: Any, cases: Any) -> Books:
    """The part of the books that concerns one connection; what concerns no order is in all of them."""
    markets = markets_of(name) | {UNMAPPED_MARKET}
    theirs = {str(order["number"]) for order in centra if order["market_id"] not in markets}
    order_of = {(job["kind"], job["number"]): str(_order_of(job) or "") for job in jobs}
    return Books(
        centra=[order for order in centra if order["market_id"] in markets],
        whole=_without(whole, theirs) | {"stock": whole["stock"]},
        erp=erp,
        jobs=[job for job in jobs if order_of[job["kind"], job["number"]] not in theirs],
        cases=[case for case in cases if order_of.get((case["kind"], case["number"]), "") not in theirs],
        ground=ground(name),
        connection=name,
    )


def _order_of(job: Row) -> Any:
    """The number of the order that a row is about; nothing where it is about none, or nobody knows yet."""
    return job["number"] if job["kind"] == "order" else job["order_number"]


def _without(whole: Mapping[str, Any], theirs: set[str]) -> dict[str, Any]:
    """Centra's ledger without the orders of others."""
    lists = {name: rows for name, rows in whole.items() if isinstance(rows, list)}
    return {
        name: [row for row in rows if str(row["number" if name == "orders" else "order"]) not in theirs]
        for name, rows in lists.items()
    }
