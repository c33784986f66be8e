"""What was learnt once and is used often: ERP items by SKU, applied mappings, and the audit trail."""

import hashlib
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, func, select

from integration.domain.proof import seal
from integration.store import Transaction
from integration.store.tables import audit, item, mapping

AUDIT_LOCK = 0x10C57E9
"""Our own number for PostgreSQL's advisory lock on the head of the audit chain."""


def items(tx: Transaction, connection: str, skus: Collection[str], *, absent_for: timedelta) -> dict[str, str | None]:
    """Known ERP items: SKU to the ERP's id, or to `None` for a SKU found missing less than `absent_for` ago."""
    rows = tx.execute(select(item).where(item.c.connection == connection, item.c.sku.in_(sorted(skus))))
    fresh = tx.now - absent_for
    return {row.sku: row.ref if row.active else None for row in rows if (row.ref and row.active) or row.at > fresh}


def put_items(tx: Transaction, connection: str, found: Mapping[str, str | None]) -> None:
    """Remember what the ERP said of these SKUs."""
    for sku, ref in sorted(found.items()):
        values = {"ref": ref, "active": ref is not None, "at": tx.now}
        row = tx.insert(item).values(connection=connection, sku=sku, **values)
        tx.execute(row.on_conflict_do_update(index_elements=["connection", "sku"], set_=values))


def apply_mapping(tx: Transaction, connection: str, text: str, *, actor: str) -> int:
    """Store a validated mapping as the next version of its connection; the same text keeps its version."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    last = tx.execute(
        select(mapping.c.version, mapping.c.sha256)
        .where(mapping.c.connection == connection)
        .order_by(mapping.c.version.desc())
        .limit(1)
    ).one_or_none()
    if last is not None and last.sha256 == digest:
        return int(last.version)
    version = (last.version if last else 0) + 1
    tx.execute(
        tx.insert(mapping).values(
            connection=connection, version=version, text=text, sha256=digest, applied_at=tx.now, applied_by=actor
        )
    )
    record_act(tx, actor, "mapping applied", f"{connection} version {version}", digest)
    return version


def mapping_text(tx: Transaction, connection: str, version: int | None = None) -> tuple[int, str] | None:
    """(version, text) of a connection's mapping: the newest, or the one named."""
    wanted = select(mapping.c.version, mapping.c.text).where(mapping.c.connection == connection)
    if version is not None:
        wanted = wanted.where(mapping.c.version == version)
    row = tx.execute(wanted.order_by(mapping.c.version.desc()).limit(1)).one_or_none()
    return (int(row.version), row.text) if row else None


_NEWEST = select(mapping.c.connection, func.max(mapping.c.version)).group_by(mapping.c.connection)


def mapping_versions(tx: Transaction) -> dict[str, int]:
    """The newest version of every connection."""
    return {connection: int(version) for connection, version in tx.execute(_NEWEST)}


def record_act(tx: Transaction, actor: str, action: str, thing: str, reason: str = "") -> None:
    """Append to the audit trail; each row is sealed together with the one before it."""
    if tx.connection.dialect.name == "postgresql":
        # One writer at a time: locking the newest row would not keep a newer one from coming.
        tx.execute(select(func.pg_advisory_xact_lock(AUDIT_LOCK)))
    before = tx.scalar(select(audit.c.seal).order_by(audit.c.id.desc()).limit(1)) or ""
    row = {"at": tx.now, "actor": actor, "action": action, "object": thing, "reason": reason}
    tx.execute(tx.insert(audit).values(**row, seal=seal(_sealed(row), before=before)))


def _sealed(row: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in row.items()}


def who_did(tx: Transaction, action: str, thing: str, since: datetime) -> set[str]:
    """The actors of this act on this thing since an instant."""
    these = (audit.c.action == action, audit.c.object == thing, audit.c.at >= since)
    return set(tx.execute(select(audit.c.actor).where(*these)).scalars())


def audit_trail(tx: Transaction) -> list[Row[Any]]:
    return list(tx.execute(select(audit).order_by(audit.c.id)).all())


def broken_audit_rows(tx: Transaction) -> list[int]:
    """Ids of audit rows whose seal does not fit: changed, removed before, or moved."""
    broken, before = [], ""
    for row in audit_trail(tx):
        told = {"at": row.at, "actor": row.actor, "action": row.action, "object": row.object, "reason": row.reason}
        if seal(_sealed(told), before=before) != row.seal:
            broken.append(int(row.id))
        before = row.seal
    return broken
