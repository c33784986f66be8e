"""Penny proofs: kept with the order, sealed, re-checkable."""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row, func, select

from integration.domain.proof import seal
from integration.store import Transaction
from integration.store.tables import proof


def keep(tx: Transaction, job_id: int, document: Mapping[str, object], sealed: str, *, equal: bool) -> None:
    """Store a proof."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    tx.execute(tx.insert(proof).values(job_id=job_id, at=tx.now, equal=equal, document=text, seal=sealed))


def latest(tx: Transaction, job_id: int) -> Row[Any] | None:
    """The newest proof of an order."""
    return tx.execute(select(proof).where(proof.c.job_id == job_id).order_by(proof.c.id.desc()).limit(1)).one_or_none()


def broken(tx: Transaction) -> list[int]:
    """Ids of proofs whose document does not fit its seal."""
    return [row.id for row in tx.execute(select(proof)) if seal(json.loads(row.document)) != row.seal]


def count(tx: Transaction) -> int:
    return tx.scalar(select(func.count()).select_from(proof)) or 0
