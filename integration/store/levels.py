"""Stock per connection and SKU: what was hinted, read, reckoned, pushed and read back; and the pieces of documents.

Whoever writes levels holds the connection's stock job first (`ledger.mark_in` or `ledger.hold`), so that two
transactions never wait for each other's levels.
"""

from collections.abc import Collection, Mapping

from sqlalchemy import case, delete, func

from integration.store import Transaction
from integration.store.tables import level, unit

SOME = 500
"""Rows in one statement: far below what either database binds."""


def mark(tx: Transaction, connection: str, skus: Collection[str], urgency: int | None = None) -> None:
    """Note that the stock of these SKUs may have changed. `urgency`: lower goes first; as a rule the units left."""
    wanted, now = sorted(set(skus)), tx.now
    for start in range(0, len(wanted), SOME):
        rows = [
            {"connection": connection, "sku": sku, "state": "hinted", "dirty_seq": 1, "clean_seq": 0}
            | {"urgency": urgency or 0, "waits_since": now}
            for sku in wanted[start : start + SOME]
        ]
        insert = tx.insert(level).values(rows)
        left = func.coalesce(level.c.desired, 0)
        sooner = left if urgency is None else case((left < urgency, left), else_=urgency)
        hinted = {
            "dirty_seq": level.c.dirty_seq + 1,
            "urgency": sooner,
            "waits_since": func.coalesce(level.c.waits_since, now),
        }
        tx.execute(insert.on_conflict_do_update(index_elements=["connection", "sku"], set_=hinted))


def put_units(tx: Transaction, job_id: int, pieces: Mapping[str, int]) -> None:
    """Replace the pieces per SKU of a document; what has none left is forgotten."""
    tx.execute(delete(unit).where(unit.c.job_id == job_id, unit.c.sku.not_in(sorted(pieces))))
    rows = [{"job_id": job_id, "sku": sku, "quantity": pieces[sku]} for sku in sorted(pieces) if pieces[sku] > 0]
    for start in range(0, len(rows), SOME):
        insert = tx.insert(unit).values(rows[start : start + SOME])
        replaced = insert.on_conflict_do_update(
            index_elements=["job_id", "sku"], set_={"quantity": insert.excluded.quantity}
        )
        tx.execute(replaced)
