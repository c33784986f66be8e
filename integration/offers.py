"""Orders that an ERP fetches itself: composed as they are fetched, acknowledged, and missed when they are not.

Fetching is the sending. What leaves is on record before it leaves: from then on the order is in doubt, and the link that posts
resolves the doubt as it does after any call without an answer. Nothing of a document is kept outside the vault.
"""

from collections.abc import Collection
from datetime import timedelta
from typing import Any

import structlog

from integration import orders
from integration.domain.order import Key
from integration.ports import Draft
from integration.store import exceptions, offers
from integration.store.ledger import Job
from integration.wiring import World

log = structlog.get_logger()

SHOWS_WITHIN = timedelta(minutes=1)
"""An acknowledged order that no look-up shows after this is missing."""


def fetch(connection: str, channel: str, most: int, world: World) -> list[Draft]:
    """The orders on offer to a channel, at most so many, now in doubt.

    One that cannot be composed is left out: it is rung, and its own links say why. One that somebody began to work on
    meanwhile is left for the next time.
    """
    with world.store.read() as tx:
        rows = offers.waiting(tx, connection, channel, most)
    erp = world.erp(connection)
    composed = [(row, _composed(row, world)) for row in rows]
    ready = [(row, draft, erp.order_write(draft).wait) for row, draft in composed if draft is not None]
    broken = [row for row, draft in composed if draft is None]
    left = []
    with world.store.write("offers.fetched") as tx:
        offers.send_back(tx, broken)
        for row, draft, wait in ready:
            reason = f"fetched by {erp.name} from {channel}: not acknowledged yet"
            if offers.fetch(tx, row, request=draft.fingerprint, imports_within=wait, reason=reason):
                left.append(draft)
    world.point("offers.committed")
    for row in broken:
        world.ring("take", Key(row.instance, row.kind, row.number))
    return left


def _composed(row: Any, world: World) -> Draft | None:
    job = Job(row, row.fence, 0, "", world.store.now())
    try:
        order, mapping, erp = orders.reread(job, world)
        return erp.compose(order, mapping)
    except Exception as error:  # noqa: BLE001 - a door: whatever one order has, the batch goes on without it
        log.warning("offer.left_out", key=str(job.key), error=type(error).__name__)
        return None


def acknowledge(connection: str, references: Collection[str], world: World) -> list[Key]:
    """The other side says that it has these: look for each at once. One that it never fetched is only logged."""
    erp = world.erp(connection)
    numbers = {number for reference in references if (number := erp.number_of(reference))}
    with world.store.write("offers.acknowledged") as tx:
        found = offers.acknowledge(tx, connection, numbers, shows_within=SHOWS_WITHIN)
    if len(found) < len(references):
        log.warning("offer.unknown_acknowledged", connection=connection, count=len(references) - len(found))
    return [Key(row.instance, row.kind, row.number) for row in found if row.state == "ready"]


def watch(instance: str, world: World) -> None:
    """Open ORDER_EXPORT_NOT_ACKED for what was not acknowledged in time. It stays on offer until a person closes it."""
    with world.store.read() as tx:
        if not offers.overdue(tx, instance):
            return
    with world.store.write("offers.watch") as tx:
        for row in offers.overdue(tx, instance):
            times = f"fetched {row.pulls} times" if row.pulls else "never fetched"
            message = f"on offer to {row.channel} since {row.offered_at:%Y-%m-%d %H:%M} UTC, {times}, not acknowledged"
            case = world.case(
                "ORDER_EXPORT_NOT_ACKED",
                f"{row.channel}: {'not acknowledged' if row.pulls else 'never fetched'}",
                message,
                instance=instance,
                connection=row.connection,
                job_id=row.id,
                money_minor=row.total_minor or 0,
                currency=row.currency or "",
            )
            exceptions.open_case(tx, case)
