"""Documents in the vault: what the storefront said of an order, and what an ERP answered word for word."""

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, and_, delete, exists, func, or_, select, update

from integration.errors import Rejected
from integration.store import Transaction, schedule
from integration.store.tables import document, job, vault_key
from integration.vault import Vault, VaultError


def _data_key(tx: Transaction, vault: Vault, job_id: int) -> bytes:
    row = tx.execute(select(vault_key).where(vault_key.c.job_id == job_id)).one_or_none()
    if row is not None:
        return vault.unwrap(job_id, row.master, row.wrapped)
    master, wrapped, key = vault.new_key(job_id)
    tx.execute(tx.insert(vault_key).values(job_id=job_id, master=master, wrapped=wrapped))
    return key


def fingerprint_key(tx: Transaction, vault: Vault) -> bytes:
    """The store's own key for fingerprints, kept wrapped; made when first asked for, wrapped anew after a rotation."""
    told = schedule.read_cursor(tx, "vault", "fingerprint-key")
    if told is None:
        master, wrapped, key = vault.new_key(0)
    else:
        master, _, text = told.partition(":")
        wrapped = base64.b64decode(text)
        key = vault.unwrap(0, master, wrapped)
        if master == vault.current:
            return key
        master, wrapped = vault.current, vault.wrap(0, key)
    schedule.move_cursor(tx, "vault", "fingerprint-key", f"{master}:{base64.b64encode(wrapped).decode()}")
    return key


def put(
    tx: Transaction, vault: Vault, job_id: int, kind: str, content: bytes, *, only_latest: bool = False
) -> int | None:
    """Seal a document of a job and return its id; `None` when the person's data was erased: then nothing is kept."""
    try:
        key = _data_key(tx, vault, job_id)
    except VaultError:
        return None
    if only_latest:
        tx.execute(delete(document).where(document.c.job_id == job_id, document.c.kind == kind))
    sealed = vault.seal(key, content, f"{kind}:{job_id}")
    stored: int | None = tx.scalar(
        tx.insert(document).values(job_id=job_id, kind=kind, sealed=sealed, at=tx.now).returning(document.c.id)
    )
    return stored


def latest(tx: Transaction, vault: Vault, job_id: int, kind: str) -> bytes | None:
    """The newest document of a kind, opened; `None` when there is none. Raises `VaultError` when it cannot be opened."""
    row = tx.execute(
        select(document.c.sealed, vault_key.c.master, vault_key.c.wrapped)
        .join(vault_key, vault_key.c.job_id == document.c.job_id)
        .where(document.c.job_id == job_id, document.c.kind == kind)
        .order_by(document.c.id.desc())
        .limit(1)
    ).one_or_none()
    if row is None:
        return None
    return vault.open(vault.unwrap(job_id, row.master, row.wrapped), row.sealed, f"{kind}:{job_id}")


def kept(tx: Transaction, vault: Vault, job_id: int, kind: str, *, gone: str) -> bytes:
    """The newest document of a kind. Raises `Rejected` of the type `gone` where there is none, or it cannot be opened."""
    try:
        content = latest(tx, vault, job_id, kind)
    except VaultError as error:
        raise Rejected(gone, f"vault:{kind}", f"its document cannot be opened: {error}") from error
    if content is None:
        raise Rejected(gone, f"vault:{kind}", "its document is not in the vault any more")
    return content


def has(tx: Transaction, job_id: int, kind: str) -> bool:
    """Whether a document of a kind is kept and its key is not erased."""
    kept = (
        select(document.c.id)
        .join(vault_key, vault_key.c.job_id == document.c.job_id)
        .where(document.c.job_id == job_id, document.c.kind == kind, vault_key.c.wrapped.is_not(None))
    )
    return tx.scalar(kept.limit(1)) is not None


def newest(tx: Transaction, kind: str, most: int) -> list[Row[Any]]:
    """(id, instance, number) of the newest jobs that are ours to follow and have a document of a kind that can be opened."""
    has = exists().where(document.c.job_id == job.c.id, document.c.kind == kind)
    opens = exists().where(vault_key.c.job_id == job.c.id, vault_key.c.wrapped.is_not(None))
    wanted: Select[Any] = select(job.c.id, job.c.instance, job.c.number).where(job.c.state != "observed", has, opens)
    return list(tx.execute(wanted.order_by(job.c.id.desc()).limit(most)).all())


def by_id(tx: Transaction, vault: Vault, document_id: int) -> bytes:
    """One document, opened. Raises `VaultError` when it is gone or cannot be opened."""
    row = tx.execute(
        select(document.c.job_id, document.c.kind, document.c.sealed, vault_key.c.master, vault_key.c.wrapped)
        .join(vault_key, vault_key.c.job_id == document.c.job_id)
        .where(document.c.id == document_id)
    ).one_or_none()
    if row is None:
        raise VaultError("no such document: retention or erasure removed it")
    return vault.open(vault.unwrap(row.job_id, row.master, row.wrapped), row.sealed, f"{row.kind}:{row.job_id}")


def erase(tx: Transaction, job_id: int) -> bool:
    """Destroy the data key of a job. Its sealed rows stay as noise; ledger, proofs and totals stay true."""
    erased = tx.execute(
        update(vault_key)
        .where(vault_key.c.job_id == job_id, vault_key.c.wrapped.is_not(None))
        .values(wrapped=None, erased_at=tx.now)
    )
    if erased.rowcount == 0 and tx.scalar(select(vault_key.c.job_id).where(vault_key.c.job_id == job_id)) is None:
        tx.execute(tx.insert(vault_key).values(job_id=job_id, master="", wrapped=None, erased_at=tx.now))
        return True
    return erased.rowcount == 1


def expire(tx: Transaction, *, closed_before: datetime) -> int:
    """Retention: remove documents of jobs whose life ended before an instant. Keys, seals and ledger stay."""
    over = or_(
        job.c.closed_at < closed_before,
        and_(job.c.state.in_(("observed", "cancelled", "closed")), job.c.changed_at < closed_before),
    )
    old = select(job.c.id).where(over)
    return tx.execute(delete(document).where(document.c.job_id.in_(old), document.c.at < closed_before)).rowcount


def held(tx: Transaction) -> Mapping[str, Any]:
    """How many documents and living data keys there are."""
    return {
        "documents": tx.scalar(select(func.count()).select_from(document)) or 0,
        "keys": tx.scalar(select(func.count()).where(vault_key.c.wrapped.is_not(None))) or 0,
    }
