"""Standing watch: orders that should have moved and did not, and streams that say nothing while orders come in."""

from datetime import timedelta

from integration.store import Transaction, exceptions, lateness, schedule
from integration.wiring import World

STALLED_AFTER = timedelta(hours=1)
"""A released order that is neither proved nor an exception after this is somebody's business."""
HEARTBEAT_WITHIN = timedelta(minutes=10)
SILENCE_WINDOW = timedelta(hours=1)
SILENCE_GRACE = timedelta(minutes=10)
"""A backlog found at the start is no silence: the stream has this long to say something."""
SILENCE_ORDERS = 20
"""So many new orders found by polling alone, and none announced, mean that webhooks and events are silent."""


def watch(instance: str, world: World) -> None:
    """Open ORDER_STALLED for what is late while its systems are up, and EVENT_STREAM_SILENT for a silent storefront."""
    with world.store.write("watch") as tx:
        for row in lateness.stalled(tx, instance, before=tx.now - STALLED_AFTER):
            message = f"released {row.released_at:%Y-%m-%d %H:%M} UTC and still {row.state}: {row.reason}"
            _open(tx, world, "ORDER_STALLED", f"{row.state} for too long", message, instance, row)
        announced, found = lateness.sources(tx, instance, since=tx.now - SILENCE_WINDOW, until=tx.now - SILENCE_GRACE)
        if found >= SILENCE_ORDERS and not announced:
            message = (
                f"{found} new orders in the last hour were found by polling; no webhook or event announced any of them"
            )
            _open(tx, world, "EVENT_STREAM_SILENT", instance, message, instance, None)
        if announced:
            exceptions.resolve_of_connection(tx, instance, ["EVENT_STREAM_SILENT"], "verified: the stream speaks again")
        _listen_for_heartbeats(tx, world)


def _listen_for_heartbeats(tx: Transaction, world: World) -> None:
    """A process that once gave signs of life and gives none: beat, a worker or a broker is gone."""
    for row in schedule.heartbeats(tx):
        if tx.now - row.at > HEARTBEAT_WITHIN:
            message = f"no sign of life of {row.process!r} since {row.at:%Y-%m-%d %H:%M} UTC"
            _open(tx, world, "SCHEDULE_MISSED", row.process, message, row.process, None)
        else:
            exceptions.resolve_of_connection(tx, row.process, ["SCHEDULE_MISSED"], "verified: it gives signs of life")


def _open(
    tx: Transaction, world: World, type: str, cause: str, message: str, instance: str, row: lateness.Late | None
) -> None:
    exceptions.open_case(
        tx,
        world.case(
            type,
            cause,
            message,
            instance=instance,
            connection=(row.connection or "") if row else instance,
            job_id=row.id if row else None,
            money_minor=(row.total_minor or 0) if row else 0,
            currency=(row.currency or "") if row else "",
        ),
    )
