"""The money of a shipment: asked for once the goods have left, a fact of its own, with a case of its own.

Centra completes no unpaid shipment, so a refused capture keeps the customer from being told. A capture that is only
requested (Adyen, Klarna) counts as waiting until Centra shows it settled; whether Centra calls a shipment paid before that
is unconfirmed.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from integration.domain.money import Money
from integration.domain.shipment import ShownShipment
from integration.errors import Rejected
from integration.ports import CAPTURE, SHIPMENT, Storefront
from integration.store import Transaction, documents, effects, exceptions
from integration.store.deliveries import CAPTURE_PENDING, CAPTURE_REFUSED
from integration.store.ledger import Job
from integration.wiring import World
from mappings import Mapping as Mapped

LOOK_FIRST, LOOK_EVERY = timedelta(seconds=20), timedelta(minutes=10)
"""How often a shipment that Centra will not complete before it is paid is looked at: ever less."""
AGAIN_AFTER = (timedelta(hours=1), timedelta(hours=6), timedelta(hours=24), timedelta(hours=24))
"""How long after each refusal the money is asked for again; after the last only a person asks."""
TYPES = ("CAPTURE_WAITING", "CAPTURE_FAILED", "CAPTURE_MISMATCH")


def are_ours(mapping: Mapped) -> bool:
    """Whether captures are asked for here; else the money is taken elsewhere."""
    return mapping.shipments.capture == "on shipment"


def ask(job: Job, world: World) -> None:
    """Ask for the shipment's money. A refusal leaves the shipment as it is, and is asked about again."""
    ref = made(job, world)
    try:
        world.effect(job, storefront(job, world).capture_shipment(ref, job.row.order_number))
    except Rejected as error:
        if error.type != "CAPTURE_FAILED":
            raise
        _refused(job, ref, error, world)
    else:
        job.then("captured", f"the money of shipment {ref} was asked for", source_status=CAPTURE_PENDING)


def _refused(job: Job, ref: str, error: Rejected, world: World) -> None:
    """Somebody may have captured it by hand meanwhile; else Finance hears of it."""
    own = look(job, ref, world)
    if own is not None and own.paid:
        job.then("captured", f"shipment {ref} is paid for, though not by our request", source_status=CAPTURE_PENDING)
    else:
        again(job, own, "the provider refused", world, evidence=error.evidence)


def unpaid(job: Job, own: ShownShipment, world: World) -> None:
    """A shipment that Centra would not complete: wait for its capture, or ask again where that came to nothing."""
    if own.capture_pending:
        why = f"Centra completes no unpaid shipment, and the capture of {own.total} has not settled"
        age = world.store.now() - _asked(job, world).intent_at
        job.then("captured", why, not_before=world.store.now() + min(LOOK_EVERY, max(LOOK_FIRST, age)))
    else:
        again(job, own, "the provider took it back", world)


def again(job: Job, own: ShownShipment | None, why: str, world: World, *, evidence: str = "") -> None:
    """Open CAPTURE_FAILED and ask once more later. Raises it when it was asked for often enough."""
    tries = _asked(job, world).tries
    amount = own.total if own else Money(job.row.total_minor or 0, job.row.currency)
    job.values |= {"total_minor": amount.minor, "currency": amount.currency, "source_status": CAPTURE_REFUSED}
    job.also(lambda tx: effects.void(tx, job.id, CAPTURE))
    told = own is not None and own.shipped
    known = "the customer knows" if told else "Centra completes no unpaid shipment, so the customer is not told"
    message = f"{amount} not captured: {why} {tries} times. The goods have left; {known}"
    error = Rejected("CAPTURE_FAILED", "capture refused", message, evidence=evidence)
    if tries > len(AGAIN_AFTER):
        raise error
    at = world.store.now() + AGAIN_AFTER[tries - 1]
    job.also(open_case(job, error, world))
    job.then("created", f"{message}; asked again at {at:%Y-%m-%d %H:%M} UTC", not_before=at)


def _asked(job: Job, world: World) -> Any:
    with world.store.read() as tx:
        return effects.of(tx, job.id, CAPTURE)


def look(job: Job, ref: str, world: World) -> ShownShipment | None:
    """One shipment as Centra shows it now."""
    found = storefront(job, world).shipments([job.row.order_number]).get(job.row.order_number, ())
    return next((s for s in found if s.ref == ref), None)


def made(job: Job, world: World) -> str:
    """The storefront's ref of a shipment that was created."""
    with world.store.read() as tx:
        row = effects.of(tx, job.id, SHIPMENT)
    assert row is not None
    return str(row.answer)


def storefront(job: Job, world: World) -> Storefront:
    return world.storefronts[job.key.instance]


def frozen(job: Job, world: World) -> Mapped:
    """The mapping by which the dispatch was taken."""
    return world.mapping(job.row.connection, job.row.mapping_version)


def open_case(job: Job, error: Rejected, world: World) -> Callable[[Transaction], None]:
    """An act that opens a case of a dispatch that goes on; its money is the capture that waits."""

    def act(tx: Transaction) -> None:
        sealed = None
        if error.evidence:
            sealed = documents.put(tx, world.vault, job.id, "evidence", error.evidence.encode("utf-8", "replace"))
        told = {**job.row._mapping, **job.values}
        case = world.case(
            error.type,
            error.cause,
            str(error),
            instance=job.key.instance,
            connection=job.row.connection,
            job_id=job.id,
            document_id=sealed,
            money_minor=told["total_minor"] or 0,
            currency=told["currency"] or "",
        )
        exceptions.open_case(tx, case)

    return act
