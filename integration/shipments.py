"""What the links of shipment update do to one dispatch: everything between the ledger and the two systems."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from integration import captures, stock
from integration import dispatch as rules
from integration.dispatch import Past, Waybill
from integration.domain.money import Money
from integration.domain.order import Order
from integration.domain.proof import compare, seal
from integration.domain.shipment import Dispatch, ShippedLine, ShownShipment
from integration.errors import NotReady, Rejected
from integration.ports import CAPTURE, COMPLETION, SHIPMENT, Fetched
from integration.store import Transaction, deliveries, documents, effects, exceptions, ledger, levels, proofs, views
from integration.store.deliveries import CAPTURE_PENDING
from integration.store.ledger import Job
from integration.wiring import World
from mappings import Mapping as Mapped

VISIBLE_WITHIN = timedelta(seconds=60)
"""What one system has accepted or announced and does not show after this is missing. Unconfirmed."""
ASK_AGAIN = timedelta(seconds=5)
TAKEN_BACK = ("cancelled", "open")
"""Lives of a dispatch that has not left, or not any more."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What both systems and the ledger say of a page of dispatches: by ref, by order number, by job.

    `mapping` is the newest one: what a customer is told is decided when it is told.
    """

    mapping: Mapped
    dispatches: Mapping[str, Dispatch]
    orders: Mapping[str, Fetched]
    shown: Mapping[str, Sequence[ShownShipment]]
    rows: Mapping[str, Any]
    writes: Mapping[int, Mapping[str, Any]]


def read(page: Sequence[Job], world: World) -> Reading:
    """Read a page: dispatches from the ERP, their orders and shipments from the storefront."""
    found = world.erp(page[0].row.connection).dispatches([ref_of(job) for job in page])
    numbers = sorted({dispatch.order_number for dispatch in found.values()})
    return _with_orders(page, found, numbers, world)


def read_back(page: Sequence[Job], world: World) -> Reading:
    """Read what the storefront shows of a page's orders."""
    return _with_orders(page, {}, sorted({job.row.order_number for job in page}), world)


def _with_orders(page: Sequence[Job], found: Mapping[str, Dispatch], numbers: Sequence[str], world: World) -> Reading:
    instance = page[0].key.instance
    storefront = world.storefronts[instance]
    orders, shown = (storefront.fetch(numbers), storefront.shipments(numbers)) if numbers else ({}, {})
    with world.store.read() as tx:
        rows, writes = deliveries.orders(tx, instance, numbers), deliveries.writes(tx, [job.id for job in page])
    mapping = next(m for m in world.connections() if m.connection == page[0].row.connection)
    return Reading(mapping, found, orders, shown, rows, writes)


def ref_of(job: Job) -> str:
    """The ERP's ref of a dispatch, from its key `<connection>-<ref>`."""
    return job.key.number.removeprefix(f"{job.row.connection}-")


# ---------------------------------------------------------------------------------------------------------------- take


def take(job: Job, reading: Reading, world: World) -> None:
    """Decide what a dispatch that was just read needs, and keep what was read in the vault."""
    mapping, dispatch = reading.mapping, reading.dispatches.get(ref_of(job))
    job.values |= {"clean_seq": job.row.dirty_seq, "read_at": world.store.now(), "mapping_version": mapping.version}
    if dispatch is None:
        return _absent(job, world)
    _keep_facts(job, dispatch, mapping)
    if job.row.source_status in TAKEN_BACK:
        job.values["source_status"] = ""
    past = _past(reading.writes[job.id])
    if job.row.state == "closed":
        return job.then("closed", "closed by a person; read again and left alone")
    if dispatch.life != "done":
        return _not_dispatched(job, dispatch, past, mapping, world)
    order = _order(job, dispatch, reading, world)
    if order is None:
        return None
    bill = _waybill(job, dispatch, order, reading, past, world)
    others = [s for s in reading.shown.get(order.number, ()) if s.ref != _shown_as(reading, job)]
    job.values |= {"market": order.market, "currency": order.currency}
    job.values["total_minor"] = _worth(job, bill, order, others, reading).minor
    if not past.create_begun:
        rules.check_room(bill.dispatch, order, others)
    if not past.complete_begun and _waits(job, bill.dispatch, mapping, world):
        return None
    job.then(rules.next_state(past, captures=captures.are_ours(mapping)), f"{dispatch.number} has left the warehouse")
    return None


def _absent(job: Job, world: World) -> None:
    since = world.store.now() - job.row.first_seen_at
    if job.row.erp_ref is None and since < VISIBLE_WITHIN:
        return _hold(job, "announced by the ERP and not yet visible there", ASK_AGAIN, world)
    message = f"{job.row.connection} does not show the dispatch {ref_of(job)}, or not in a form that can be read"
    raise Rejected("SHIPMENT_INCOMPLETE", "not shown by the ERP", message)


def _keep_facts(job: Job, dispatch: Dispatch, mapping: Mapped) -> None:
    """The columns that a dispatch fills, and its pieces: what has left the shelf counts at once, whatever else waits."""
    left = dispatch.dispatched_at or job.row.occurred_at or job.row.first_seen_at
    job.values |= {"order_number": dispatch.order_number, "source_stamp": dispatch.stamp, "erp_ref": dispatch.ref}
    job.values["occurred_at"] = left if dispatch.life == "done" else job.row.occurred_at
    gone = dispatch.lines if dispatch.life == "done" else ()
    pieces = stock.pieces([(line.sku, line.quantity) for line in gone], mapping)
    job.also(lambda tx: levels.put_units(tx, job.id, pieces))


def _past(done: Mapping[str, Any]) -> Past:
    def begun(name: str) -> bool:
        return name in done and (done[name].answer is not None or done[name].state in effects.PENDING)

    def answered(name: str) -> bool:
        return name in done and done[name].answer is not None

    return Past(begun(SHIPMENT), answered(SHIPMENT), answered(CAPTURE), begun(COMPLETION), answered(COMPLETION))


def _shown_as(reading: Reading, job: Job) -> str | None:
    made = reading.writes[job.id].get(SHIPMENT)
    return made.answer if made is not None else None


def _not_dispatched(job: Job, dispatch: Dispatch, past: Past, mapping: Mapped, world: World) -> None:
    """A label is no dispatch, and a cancelled shipment none any more: nothing is sent; what was sent is a case."""
    if past.create_begun:
        _moved(job, dispatch.lines, mapping)
        if past.created:
            raise _reversed(job, dispatch, dispatch.life)
        job.values["source_status"] = dispatch.life
        return job.then(
            "ready", f"{dispatch.life} in the ERP, and Centra may have been told: it is asked, and told nothing"
        )
    if dispatch.life == "open":
        return _hold(job, "not dispatched yet: a label alone sends nothing", world.settings.reread_every, world)
    job.then("cancelled", "cancelled in the ERP before anything was told", done_at=world.store.now())
    job.also(agree(job, "obsolete: cancelled in the ERP before anything was told"))
    return None


def _reversed(job: Job, dispatch: Dispatch, life: str) -> Rejected:
    message = f"{dispatch.number} is {life} in {job.row.connection}, and Centra was told that it left"
    return Rejected("SHIPMENT_REVERSED", f"{life} in the ERP", message)


def _order(job: Job, dispatch: Dispatch, reading: Reading, world: World) -> Order | None:
    """The order as Centra has it now; `None` where the dispatch waits for it. Raises `Rejected` for a cancelled one."""
    row, fetched = reading.rows.get(dispatch.order_number), reading.orders.get(dispatch.order_number)
    if row is not None and row.state == "observed":
        job.then("observed", "its order is observed, not ours to follow")
        return None
    if fetched is not None and fetched.order is None:
        cause = f"centra:order {fetched.problem}"
        raise Rejected("SCHEMA_CHANGE", cause, f"Centra's answer about its order is not readable: {fetched.problem}")
    order = fetched.order if fetched else None
    if (order is not None and order.cancelled) or (row is not None and row.state in ("cancelling", "cancelled")):
        message = f"{dispatch.number} left the warehouse, and order {dispatch.order_number} is cancelled in Centra"
        raise Rejected("SHIPMENT_OF_CANCELLED", "order cancelled", message)
    why = _unproved(row) if order is not None else "Centra does not show its order"
    if not why:
        return order
    moves = row is not None and row.state in ("seen", "ready", "posted")
    _hold(job, why, timedelta(seconds=30) if moves else world.settings.reread_every, world)
    return None


def _unproved(row: Any) -> str:
    """Why an order's dispatches wait for it; empty when they need not."""
    if row is None:
        return "its order is not in the ledger yet"
    proved = row.state == "proven" or (row.state == "posted" and row.done_at is not None)
    if proved or (row.state == "closed" and row.connection is not None):
        return ""
    return f"its order is not proved in the ERP yet: {row.state}, {row.reason}"


def _hold(job: Job, why: str, wait: timedelta, world: World) -> None:
    job.then("held", why, not_before=world.store.now() + wait)


def _waybill(job: Job, dispatch: Dispatch, order: Order, reading: Reading, past: Past, world: World) -> Waybill:
    """The dispatch in its order's lines, sealed with the commit of this attempt."""
    before = tuple(s.ref for s in reading.shown.get(order.number, ()))
    if past.create_begun and not past.created:
        before = reread(job, world).before
    by_sku = not _keeps_lines(job, reading.rows[order.number], reading.mapping, world)
    bill = Waybill(rules.in_order_lines(dispatch, order, by_sku=by_sku), order.source_id, before)
    content = bill.to_bytes()
    job.values["source_version"] = world.vault.fingerprint(bill.substance())
    job.also(lambda tx: _seal(tx, world, job.id, content))
    return bill


def _keeps_lines(job: Job, order: Any, newest: Mapped, world: World) -> bool:
    """Whether the dispatch names order lines: by the mapping that its order was posted with, not by what was switched since."""
    ours = order.connection == job.row.connection
    mapping = world.mapping(order.connection, order.mapping_version) if ours else newest
    return world.erp(job.row.connection).keeps_lines(mapping)


def _seal(tx: Transaction, world: World, job_id: int, content: bytes) -> None:
    documents.put(tx, world.vault, job_id, "dispatch", content, only_latest=True)


def _worth(job: Job, bill: Waybill, order: Order, others: Sequence[ShownShipment], reading: Reading) -> Money:
    """The money that waits for this dispatch: what its shipment asks for, or will."""
    ref = _shown_as(reading, job)
    own = next((s for s in reading.shown.get(order.number, ()) if s.ref == ref), None)
    return own.total if own else rules.asks(order, bill.dispatch.lines, others)


def _waits(job: Job, dispatch: Dispatch, mapping: Mapped, world: World) -> bool:
    """Whether something is missing that may still come. Raises `Rejected` (SHIPMENT_INCOMPLETE) when its time is over."""
    lacks = rules.missing(dispatch, mapping)
    if not lacks:
        return False
    patience = timedelta(minutes=mapping.shipments.tracking_within_minutes)
    over, now = job.values["occurred_at"] + patience, world.store.now()
    if now >= over:
        message = f"{dispatch.number} left at {job.values['occurred_at']:%Y-%m-%d %H:%M} UTC and still lacks {lacks}"
        raise Rejected("SHIPMENT_INCOMPLETE", f"no {lacks.removeprefix('a ')}", message)
    _hold(job, f"{dispatch.number} lacks {lacks}; waited for until {over:%H:%M} UTC", over - now, world)
    return True


# ---------------------------------------------------------------------------------------------------- create, complete


def reread(job: Job, world: World) -> Waybill:
    """The waybill as last read. Raises `Rejected` (SHIPMENT_INCOMPLETE) when its document cannot be opened."""
    with world.store.read() as tx:
        return rules.waybill(documents.kept(tx, world.vault, job.id, "dispatch", gone="SHIPMENT_INCOMPLETE"))


def create(job: Job, world: World) -> None:
    """Show the dispatch, one of an order at a time: two in doubt could not be told apart."""
    bill, mapping = reread(job, world), captures.frozen(job, world)
    with world.store.read() as tx:
        siblings = [row.shown_as for row in deliveries.of_order(tx, job.key.instance, job.row.order_number)]
    bound = {ref for ref in siblings if ref} | set(bill.before)
    write = captures.storefront(job, world).create_shipment(
        bill.dispatch, bill.order_id, bound=bound, paid=not captures.are_ours(mapping)
    )
    if job.row.source_status in TAKEN_BACK:
        world.effect(job, write, may_intend=_alone(job, world), may_send=_never(job, world))
        raise _reversed(job, bill.dispatch, job.row.source_status)
    ref = world.effect(job, write, may_intend=_alone(job, world))
    job.then("created" if captures.are_ours(mapping) else "captured", f"Centra has it as shipment {ref}")


def _alone(job: Job, world: World) -> Callable[[Transaction], None]:
    def ask(tx: Transaction) -> None:
        if deliveries.others_in_doubt(tx, job):
            raise NotReady("another dispatch of its order is being shown at this moment", until=tx.now + ASK_AGAIN)

    return ask


def _never(job: Job, world: World) -> Callable[[], None]:
    """What did not come about before its dispatch was taken back never shall: others of its order need wait no longer."""

    def ask() -> None:
        with world.store.write("shipment.void") as tx:
            ledger.hold(tx, job)
            effects.record(tx, job.id, SHIPMENT, "void")
        job.then("held")
        raise NotReady("taken back in the ERP, and Centra was never told of it", until=world.store.now())

    return ask


def complete(job: Job, world: World) -> None:
    """Tell Centra that it has left, with carrier and tracking: the customer is told, once."""
    bill, mapping, ref = reread(job, world), captures.frozen(job, world), captures.made(job, world)
    service = mapping.service(bill.dispatch.service)
    write = captures.storefront(job, world).complete_shipment(ref, bill.dispatch, service.carrier, service.service)
    try:
        world.effect(job, write, posted_version=job.row.source_version)
    except Rejected:
        own = captures.look(job, ref, world)
        if own is None or own.paid or not captures.are_ours(mapping):
            raise
        return captures.unpaid(job, own, world)
    job.then("posted", f"Centra was told that shipment {ref} has left; not yet read back", posted_at=world.store.now())
    return None


# --------------------------------------------------------------------------------------------------------------- prove


def prove(job: Job, reading: Reading, world: World) -> None:
    """Compare what Centra shows with what left the warehouse; store the proof; then look at the money."""
    all_shown, ref = reading.shown.get(job.row.order_number, ()), _shown_as(reading, job)
    own = next((s for s in all_shown if s.ref == ref), None)
    if own is None:
        return _invisible(job, world)
    job.values |= {"total_minor": own.total.minor, "currency": own.total.currency}
    mapping = captures.frozen(job, world)
    _moved(job, own.lines, mapping)
    if not _erased(job, world):
        _compare(job, own, mapping, world)
    return _shown_equal(job, own, mapping, reading, world)


def _erased(job: Job, world: World) -> bool:
    """Whether a dispatch that was proved once has lost its words to a person's right: then only its money is looked at."""
    with world.store.read() as tx:
        return job.row.done_at is not None and views.erased_at(tx, job.id) is not None


def _compare(job: Job, own: ShownShipment, mapping: Mapped, world: World) -> None:
    bill, fingerprint = reread(job, world), world.vault.fingerprint
    service = mapping.shipments.services.get(bill.dispatch.service)
    proof = compare(rules.told(bill.dispatch, service, fingerprint), rules.shown(own, fingerprint))
    document = proof.document()
    job.also(lambda tx: proofs.keep(tx, job.id, document, seal(document), equal=proof.equal))
    if proof.equal:
        return
    differs = "; ".join(str(d) for d in proof.differences[:3])
    if job.row.posted_version != job.row.source_version or job.row.done_at:
        message = f"{bill.dispatch.number} is not what the customer was told any more: {differs}"
        raise Rejected("SHIPMENT_REVERSED", "differs from what was told", message)
    message = f"Centra shows shipment {own.number} otherwise than it was sent: {differs}"
    raise Rejected("SHIPMENT_NOT_ACKED", "read back unequal", message)


def _invisible(job: Job, world: World) -> None:
    if world.store.now() - (job.row.posted_at or job.row.changed_at) < VISIBLE_WITHIN:
        raise NotReady("accepted by Centra, not yet visible there", until=world.store.now() + ASK_AGAIN)
    raise Rejected("SHIPMENT_NOT_ACKED", "accepted, then gone", "Centra accepted this shipment and does not show it")


def _shown_equal(job: Job, own: ShownShipment, mapping: Mapped, reading: Reading, world: World) -> None:
    """The customer is told, and rightly. Whether the money came is another fact, with a case of its own."""
    now = world.store.now()
    if captures.are_ours(mapping) and not own.capture_pending and not own.captured:
        return captures.again(job, own, "the provider did not settle it", world)
    status = CAPTURE_PENDING if own.capture_pending else "captured" if own.captured else "paid elsewhere"
    job.then("proven", f"Centra shows shipment {own.number} as it left the warehouse; {status}")
    job.values |= {"source_status": status, "done_at": job.row.done_at or now, "closed_at": now}
    wrong = _wrong_as_a_whole(job, reading, world)
    if wrong is not None:
        job.also(captures.open_case(job, wrong, world))
    else:
        job.also(agree(job, "verified: shown equal in Centra", but=captures.TYPES if own.capture_pending else ()))
    return None


def _wrong_as_a_whole(job: Job, reading: Reading, world: World) -> Rejected | None:
    """What is wrong with the order. It was read before its shipments: a capture that settled in between looks as if it were
    missing, so what looks wrong must be so in the order as it is afterwards, too.
    """
    number = job.row.order_number

    def wrong_in(orders: Mapping[str, Fetched]) -> Rejected | None:
        fetched = orders.get(number)
        return rules.trouble(fetched.order, reading.shown[number]) if fetched and fetched.order else None

    if wrong_in(reading.orders) is None:
        return None
    return wrong_in(captures.storefront(job, world).fetch([number]))


def _moved(job: Job, lines: Iterable[ShippedLine], mapping: Mapped) -> None:
    """What the storefront was told to have left is off its shelf, or may be, whatever becomes of the dispatch: it is looked at."""
    skus = stock.pieces([(line.sku, line.quantity) for line in lines], mapping)

    def act(tx: Transaction) -> None:
        stock.hint(tx, mapping.connection, skus)

    job.also(act)


def agree(job: Job, how: str, but: Collection[str] = ()) -> Callable[[Transaction], None]:
    """Close the dispatch's exception: both systems were read and agree. Those of a type in `but` stay."""

    def act(tx: Transaction) -> None:
        exceptions.resolve_of_job(tx, job.id, how, but=but)

    return act
