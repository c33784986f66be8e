"""What a stock test does and looks at: counts in the ERP, levels in the ledger, and what Centra's own book has."""

from typing import Any

from sqlalchemy import select
from stage import Stage, example
from steps.conftest import OpenStage
from steps.looking import run_feed

from integration import stock
from integration.domain.order import Key
from integration.sandbox.catalogue import ERP_SKUS, FULFIL_BUILDINGS, UNKNOWN_SKUS
from integration.sandbox.goods import GOODS
from integration.store.tables import level, unit

SKU = "LS101NVM"
PLAIN = sorted(sku for sku in ERP_SKUS if not GOODS[sku].is_bundle)
MANY = PLAIN[:40]
LONDON = 4
"""The ERP's warehouse behind Centra's warehouse 1."""


def stocked(stages: OpenStage, text: str = "", **terms: Any) -> Stage:
    """A stage whose catalogue and places are read; `text` is a mapping other than the example."""
    stage = stages(stock=True, **terms)
    if text:
        stage.apply(text)
    run_feed(stage, "catalogue")
    run_feed(stage, "places", "fulfil")
    return stage


def with_stock(**words: object) -> str:
    """The example mapping with other values in [stock]."""
    text = example()
    for name, value in words.items():
        told = value if isinstance(value, int) else f'"{value}"'
        head, rest = text.split("[stock]\n", 1)
        lines = [line for line in rest.split("\n") if not line.startswith(f"{name} =")]
        text = f"{head}[stock]\n{name} = {str(told).lower()}\n" + "\n".join(lines)
    return text


def hint(stage: Stage, *skus: str, **terms: Any) -> None:
    """Mark SKUs as a document of ours would, ring, work."""
    with stage.store.write() as tx:
        keys = stock.hint(tx, "fulfil", skus or (SKU,), **terms)
    for key in keys:
        stage.world.ring("take", key)
    stage.work()


def count(stage: Stage, pieces: int, sku: str = SKU, warehouse: int = LONDON) -> None:
    """Somebody counts the shelf in the ERP: so many lie there."""
    stage.fulfil.adjust(sku, pieces, warehouse)


def counted(stage: Stage, pieces: int, *skus: str) -> None:
    """Both systems have so many pieces in London."""
    for sku in skus or (SKU,):
        count(stage, pieces, sku)
    hint(stage, *(skus or (SKU,)), urgency=0)


def levels_of(stage: Stage, sku: str = SKU) -> dict[str, Any]:
    """Levels of a SKU by place."""
    with stage.store.read() as tx:
        return {row.place: row for row in tx.execute(select(level).where(level.c.sku == sku))}


def at(stage: Stage, sku: str = SKU, place: int = 1) -> Any:
    return levels_of(stage, sku)[str(place)]


def shelf(stage: Stage, sku: str = SKU, place: int = 1) -> dict[str, int]:
    """physical, allocated, demand and free in Centra's own book."""
    with stage.centra.guard:
        return stage.centra.book.stock.totals(sku, place)


def free(stage: Stage, sku: str = SKU, place: int = 1) -> int:
    return shelf(stage, sku, place)["free"]


def writes(stage: Stage) -> int:
    """How often setStock was called."""
    return int(stage.centra.requests["setStock"])


def pieces_of(stage: Stage, number: str) -> dict[str, int]:
    with stage.store.read() as tx:
        rows = tx.execute(select(unit).where(unit.c.job_id == stage.row(number).id))
        return {row.sku: row.quantity for row in rows}


def stock_cases(stage: Stage) -> dict[str, list[str]]:
    """Open cases of stock: type to causes. The two SKUs that the sandbox's ERP was never given are left out."""
    found: dict[str, list[str]] = {}
    for case in stage.open_cases():
        if case.type.startswith("STOCK_") and case.cause not in UNKNOWN_SKUS:
            found.setdefault(case.type, []).append(case.cause)
    return found


def the_job(stage: Stage) -> Any:
    (row,) = stage.rows("stock")
    return row


KEY = Key("brand", "stock", "fulfil")
PLACES = {str(id): house for id, house in FULFIL_BUILDINGS.items()}


def stock_case(stage: Stage, type: str) -> Any:
    """The one open case of a type."""
    (found,) = [case for case in stage.open_cases() if case.type == type]
    return found
