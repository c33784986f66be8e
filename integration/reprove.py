"""The back-check: what an ERP really has under our references, held against the ledger.

It finds what no message of ours can tell: a call that took effect long after everybody gave up on it, a document that a
person changed or cancelled, a reference of ours that belongs to no order we know.
"""

from datetime import datetime, timedelta

from integration.domain.order import Key
from integration.ports import CANCELLATION, Standing
from integration.store import Transaction, documents, effects, exceptions, ledger, schedule
from integration.wiring import World

OVERLAP = timedelta(minutes=15)
FIRST_LOOK = timedelta(days=2)


def back_check(connection: str, world: World) -> None:
    """Read what changed in the ERP since the last look and send the orders concerned where they belong."""
    now = world.store.now()
    with world.store.read() as tx:
        told = schedule.read_cursor(tx, connection, "back-check")
    since = datetime.fromisoformat(told) - OVERLAP if told else now - FIRST_LOOK
    erp = world.erp(connection)
    instance = next(m.centra for m in world.connections() if m.connection == connection)
    found = erp.changed_since(since)
    with world.store.write("back-check") as tx:
        for standing in found:
            number = erp.number_of(standing.reference)
            if number:
                _hold_against_ledger(tx, world, Key(instance, "order", number), standing, connection)
        schedule.move_cursor(tx, connection, "back-check", now.isoformat())


def _hold_against_ledger(tx: Transaction, world: World, key: Key, standing: Standing, connection: str) -> None:
    row = ledger.find(tx, key)
    alive = standing.life != "cancelled"
    if row is None:
        ledger.mark_in(tx, [key], "back-check")
    elif row.state == "cancelled" and alive:
        effects.void(tx, row.id, CANCELLATION)
        ledger.cancel_again(tx, row.id, connection, standing.ref)
    elif row.state == "observed" and alive:
        _phantom(tx, world, row.id, key, standing, connection)
    elif row.state == "observed":
        exceptions.resolve_of_job(tx, row.id, "verified: cancelled in the ERP")
    elif row.state == "dead" and row.posted_version and standing.stamp != row.erp_stamp:
        ledger.look_again(tx, row.id, standing.stamp)
    elif row.state == "proven" and standing.stamp != row.erp_stamp and documents.has(tx, row.id, "order"):
        ledger.prove_again(tx, row.id)


def _phantom(tx: Transaction, world: World, job_id: int, key: Key, standing: Standing, connection: str) -> None:
    case = world.case(
        "ORDER_UNKNOWN_IN_CENTRA",
        standing.reference,
        f"{connection} has {standing.number or standing.ref} under our reference; {key} was never posted by us",
        instance=key.instance,
        connection=connection,
        job_id=job_id,
    )
    exceptions.open_case(tx, case)
