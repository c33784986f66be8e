"""What the links of return receipt do to one return: goods only. Its refund is another document with a life of its own.

In a return's row, `posted_at` is when the ERP was told to expect it, `released_at` when all of it had been booked in,
`source_status` whether Centra has completed it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from integration import origin, stock
from integration.domain.order import Key
from integration.domain.returns import (
    AGREED,
    ARRIVED,
    CONFLICTING,
    DIFFERENT,
    EXPECTED,
    WITHDRAWN,
    Finding,
    Receipt,
    Return,
    hold_against,
    in_words,
    pieces,
)
from integration.errors import NotReady, Rejected, Unmapped
from integration.origin import Origin
from integration.ports import EXPECTED_RETURN, RETURN_COMPLETION, FetchedReturn
from integration.store import Transaction, aftersales, deliveries, effects, exceptions, ledger, levels
from integration.store.ledger import Job
from integration.wiring import World
from mappings import Mapping as Mapped

VISIBLE_WITHIN = timedelta(minutes=10)
"""What a system accepted and does not show after this needs a person. Unconfirmed; longer than any lag reported."""
ASK_AGAIN = timedelta(seconds=15)
COMPLETED, PENDING = "COMPLETED", "PENDING"
OVERDUE = ("RETURN_NOT_RECEIVED", "INSPECTION_OVERDUE")
WORK_LIST = ("RETURN_NOT_ANNOUNCED",)
"""Cases that end when a person has keyed something into the ERP, and the ERP shows it."""
_TROUBLE = {DIFFERENT: "RETURN_MISMATCH", WITHDRAWN: "RETURN_MISMATCH", CONFLICTING: "RETURN_STOCK_CONFLICT"}


def origins(instance: str, found: Mapping[str, FetchedReturn], world: World) -> dict[str, Origin]:
    """The sales order behind each of these returns, by order number. Asks no other system."""
    numbers = {each.document.order_number for each in found.values() if each.document}
    with world.store.read() as tx:
        rows = deliveries.orders(tx, instance, numbers)
    mappings = world.mappings(instance)
    return {number: origin.of(number, rows.get(number), mappings) for number in numbers}


def receipts_of(page: Sequence[Job], world: World) -> Callable[[Job], Sequence[Receipt]]:
    """What the ERP has of a page's returns, asked once for all; a page is of one connection, and new ones have none yet.

    Where one return cannot be read, a place without a meaning say, each is asked for on its own and fails on its own.
    """
    connection = page[0].row.connection
    if not connection:
        return lambda job: ()
    try:
        told = _receipts(page, connection, world)
    except Unmapped:
        return lambda job: _receipts([job], connection, world)[job.key.number]
    return lambda job: told[job.key.number]


def _receipts(page: Sequence[Job], connection: str, world: World) -> dict[str, Sequence[Receipt]]:
    """Receipts by return number; what the ERP accepted and expects no goods for yet is left out."""
    erp = world.erp(connection)
    references = {erp.return_reference(job.key.number): job.key.number for job in page}
    told = erp.receipts(references, _newest(connection, world))
    return {
        number: [receipt for receipt in told.get(reference, ()) if receipt.lines or receipt.life == "cancelled"]
        for reference, number in references.items()
    }


def _newest(connection: str, world: World) -> Mapped:
    return next(mapping for mapping in world.connections() if mapping.connection == connection)


def take(
    job: Job, fetched: FetchedReturn | None, orders: Mapping[str, Origin], receipts: Sequence[Receipt], world: World
) -> None:
    """Decide what a return needs next, by what both systems say of it at this moment."""
    job.values |= {"clean_seq": job.row.dirty_seq, "read_at": world.store.now(), "rung_at": None}  # rung at once
    if job.row.state == "closed":
        job.then("closed", "closed by a person; read again and left alone")
    elif fetched is None:
        _gone(job, receipts)
    elif fetched.document is None:
        message = f"Centra's answer is not readable: {fetched.problem}"
        raise Rejected("SCHEMA_CHANGE", f"centra:return {fetched.problem}", message)
    else:
        job.values["source_stamp"] = fetched.stamp
        _follow(job, fetched.document, orders[fetched.document.order_number], receipts, world)


def _gone(job: Job, receipts: Sequence[Receipt]) -> None:
    """Centra does not have it: never ours, or deleted there, and then the ERP must not wait for it."""
    if job.row.read_at is None or job.row.state == "observed":
        job.then("observed", "Centra knows no such return for us: another store's, or a mistaken hint")
    elif job.row.state == "cancelled":
        job.then("cancelled", job.row.reason)
    elif job.row.posted_version or receipts:
        job.then("cancelling", "deleted in Centra; the ERP must follow")
    else:
        job.then("cancelled", "deleted in Centra before the ERP was told of it")
        job.also(_agree(job, "obsolete: deleted in Centra before anything was sent"))


def _follow(job: Job, document: Return, order: Origin, receipts: Sequence[Receipt], world: World) -> None:
    _note(job, document, order, world)
    if receipts:
        job.values["erp_stamp"] = max(receipt.stamp for receipt in receipts)
        finding = hold_against(document, receipts, _components(order))
        _found(job, document, finding, receipts, order, world)
    elif job.row.erp_ref:
        _wait_for_sight(job, world)
    elif job.row.posted_version:
        job.then("ready", "its announcement is in doubt: the ERP is asked before anything is sent")
    elif order.verdict in (origin.WAITS, origin.UNKNOWN):
        job.then("held", f"waits: {order.words}", not_before=world.store.now() + world.settings.reread_every)
    elif order.verdict == origin.NONE or (order.mapping and document.opened_at < order.mapping.start_at):
        job.then("observed", order.words or "made before this connection's start: observed, not announced")
    elif order.verdict == origin.BY_HAND:
        raise Rejected(WORK_LIST[0], "order closed by hand", f"{order.words}; {_to_announce(job, document, '')}")
    else:
        job.then("ready", f"to be announced to {order.mapping.connection if order.mapping else 'the ERP'}")


def _note(job: Job, document: Return, order: Origin, world: World) -> None:
    """The facts that the row shows, and the pieces; Centra's own completion moves its stock, so ours is pushed again."""
    mapping = order.mapping
    completed = COMPLETED if document.completed else PENDING
    counted = pieces(document.lines, _components(order))
    job.values |= {
        "order_number": document.order_number,
        "market": order.market,
        "currency": document.amount.currency,
        "total_minor": document.amount.minor,
        "occurred_at": document.opened_at,
        "source_status": completed,
        "source_version": world.vault.fingerprint(repr((document.order_number, document.lines)).encode()),
    }
    if mapping and not job.row.posted_version:
        job.values |= {"connection": mapping.connection, "mapping_version": mapping.version}
    job.also(lambda tx: levels.put_units(tx, job.id, counted))
    if mapping and document.completed and job.row.source_status != COMPLETED:
        _push_stock(job, counted, mapping.connection)
    if order.verdict == origin.UNKNOWN:
        job.also(lambda tx: _learn_of(tx, Key(job.key.instance, "order", document.order_number)))


def _learn_of(tx: Transaction, order: Key) -> None:
    ledger.mark_in(tx, [order], "return")


def _push_stock(job: Job, counted: Mapping[str, int], connection: str) -> None:
    def act(tx: Transaction) -> None:
        stock.hint(tx, connection, sorted(counted), source="return")

    job.also(act)


def _components(order: Origin) -> Callable[[str], Mapping[str, int]]:
    return order.mapping.components if order.mapping else lambda sku: {sku: 1}


def _wait_for_sight(job: Job, world: World) -> None:
    since = world.store.now() - (job.row.posted_at or job.row.changed_at)
    if since >= VISIBLE_WITHIN:
        words = "the ERP accepted this return and shows no goods that it expects"
        raise Rejected("RETURN_MISMATCH", "accepted, and nothing expected", words)
    job.then(
        "held", "accepted by the ERP, which does not show yet what it expects", not_before=world.store.now() + ASK_AGAIN
    )


def _found(
    job: Job, document: Return, finding: Finding, receipts: Sequence[Receipt], order: Origin, world: World
) -> None:
    """What the ERP has decides; only what agrees to the piece goes on to be completed."""
    early = "; Centra has completed it already, so its stock was pushed again" if document.completed else ""
    if finding.verdict in _TROUBLE:
        raise Rejected(_TROUBLE[finding.verdict], _cause(finding, document), finding.words + early)
    job.values["posted_at"] = job.row.posted_at or world.store.now()
    partly = any(receipt.life == "expected" for receipt in receipts)
    if not partly:
        arrived = [receipt.received_at for receipt in receipts if receipt.received_at is not None]
        job.values["released_at"] = job.row.released_at or (max(arrived) if arrived else job.values["read_at"])
    if finding.verdict == AGREED:
        going_on = job.row.state != "proven" or not document.completed
        job.then("received" if going_on else "proven", finding.words if going_on else job.row.reason)
        return
    if finding.verdict == ARRIVED and not partly:
        _still_to_inspect(receipts, order)
    job.then("opened", finding.words + early)
    late = OVERDUE[0] if partly else OVERDUE[1]
    job.also(lambda tx: _resolve_others(tx, job.id, late))


def _resolve_others(tx: Transaction, job_id: int, late: str) -> None:
    aftersales.resolve_others(tx, job_id, [late], "verified: the ERP has the same pieces")


def _still_to_inspect(receipts: Sequence[Receipt], order: Origin) -> None:
    """Where inspection is not read from the ERP, a person says what was found."""
    if order.mapping is not None and order.mapping.returns.inspection == "off":
        arrived = pieces([line for receipt in receipts for line in receipt.lines], _components(order))
        message = (
            f"{in_words(arrived)} arrived, and this connection reads no inspections: inspect them, complete the return in "
            "Centra by hand if all of it can be sold again, and resolve this case"
        )
        raise Rejected("RETURN_TO_INSPECT", "inspection is off", message)


def _cause(finding: Finding, document: Return) -> str:
    if finding.verdict != CONFLICTING:
        return "withdrawn in the ERP" if finding.verdict == WITHDRAWN else "other pieces than announced"
    action = {True: "restocks", False: "removes from stock", None: "does not say"}[document.restocks]
    return f"Centra {action}, the warehouse did otherwise"


@dataclass(frozen=True, slots=True)
class Reading:
    """A return as both systems have it at this moment."""

    document: Return
    order: Origin
    receipts: Sequence[Receipt]
    finding: Finding | None
    """`None` while the ERP shows nothing."""

    @property
    def pieces(self) -> Mapping[str, int]:
        return pieces(self.document.lines, _components(self.order))


def _read(job: Job, world: World) -> Reading | None:
    """Ask both systems; `None`, and it is taken again, when Centra does not have it any more."""
    fetched = world.storefronts[job.key.instance].returns([job.key.number])
    found = fetched.get(job.key.number)
    if found is None or found.document is None:
        job.then("held", "Centra answers otherwise than a moment ago", rung_at=None)
        return None
    order = origins(job.key.instance, fetched, world)[found.document.order_number]
    receipts = receipts_of([job], world)(job)
    finding = hold_against(found.document, receipts, _components(order)) if receipts else None
    return Reading(found.document, order, receipts, finding)


def announce(job: Job, world: World) -> None:
    """Announce it, or adopt what is there; it is open once the ERP reads back the same pieces."""
    erp, mapping = world.erp(job.row.connection), _newest(job.row.connection, world)
    seen = _read(job, world)
    if seen is None:
        return
    if mapping.returns.announce == "off":
        if seen.finding is None:
            words = _to_announce(job, seen.document, erp.return_reference(job.key.number))
            sale = f"sales order {seen.order.ref} ({erp.reference(seen.document.order_number)})"
            raise Rejected(WORK_LIST[0], "announcing is off", f"{words}, against {sale}")
    else:
        write = erp.open_return(seen.document, seen.order.ref, mapping)
        ref = world.effect(job, write, posted_version=job.row.source_version)
        job.values["erp_ref"] = job.row.erp_ref or ref
        seen = _read(job, world) or seen
    job.values["posted_at"] = job.row.posted_at or world.store.now()
    if seen.finding is not None and seen.finding.verdict == EXPECTED:
        number = seen.receipts[0].number or seen.receipts[0].ref
        job.then("opened", f"{erp.name} expects it as {number}: {seen.finding.words}")
        job.also(_agree(job, "verified: the ERP expects the same pieces"))
    else:
        unseen = f"accepted by {erp.name}, which does not show yet what it expects"
        job.then("held", seen.finding.words if seen.finding else unseen, rung_at=None)


def _to_announce(job: Job, document: Return, reference: str) -> str:
    told = ", ".join(f"{line.quantity} × {line.sku} of order line {line.order_line}" for line in document.lines)
    under = f" under the reference {reference}" if reference else ""
    return f"to be announced by hand: return {job.key.number} of order {document.order_number}, {told}{under}"


def complete(job: Job, world: World) -> None:
    """Complete the return in Centra once both systems, read at this moment, still agree; proven when Centra says so too."""
    seen = _read(job, world)
    if seen is None:
        return
    if seen.finding is None or seen.finding.verdict != AGREED:
        why = seen.finding.words if seen.finding else "the ERP does not show it at this moment"
        job.then("held", why, rung_at=None)
        return
    document, finding = seen.document, seen.finding
    if not document.completed:
        world.effect(job, world.storefronts[job.key.instance].complete_return(job.key.number))
        document = _completed(job, world)
        finding = hold_against(document, seen.receipts, _components(seen.order))
    job.values["source_status"] = COMPLETED
    _push_stock(job, seen.pieces, job.row.connection)
    if finding.verdict != AGREED:
        raise Rejected(_TROUBLE[finding.verdict], _cause(finding, document), finding.words)
    now = world.store.now()
    job.then("proven", f"completed in Centra: {finding.words}", done_at=now, closed_at=now)
    job.also(_agree(job, "verified: received, inspected and completed in both systems"))


def _completed(job: Job, world: World) -> Return:
    """Read back: done is what Centra shows as completed."""
    found = world.storefronts[job.key.instance].returns([job.key.number]).get(job.key.number)
    if found is not None and found.document is not None and found.document.completed:
        return found.document
    with world.store.read() as tx:
        told = effects.of(tx, job.id, RETURN_COMPLETION)
        since = tx.now - told.answered_at if told is not None and told.answered_at is not None else timedelta(0)
    if since < VISIBLE_WITHIN:
        raise NotReady("completed in Centra, which does not show it yet", until=world.store.now() + ASK_AGAIN)
    message = "we completed this return in Centra, and it is open there again: somebody has reopened it"
    raise Rejected("RETURN_STOCK_CONFLICT", "reopened in Centra", message)


def cancel(job: Job, world: World) -> None:
    """Make the ERP stop waiting for a return that Centra deleted; what has arrived is counted for a person."""
    erp, mapping = world.erp(job.row.connection), _newest(job.row.connection, world)
    receipts = receipts_of([job], world)(job)
    living = [receipt for receipt in receipts if receipt.life != "cancelled"]
    arrived = pieces([line for r in living if r.life != "expected" for line in r.lines], mapping.components)
    if arrived:
        words = f"deleted in Centra after {in_words(arrived)} had come back: what the warehouse did with them stands"
        raise Rejected("RETURN_CANCELLED_LATE", "goods had arrived", words)
    if living and mapping.returns.announce == "off":
        words = f"deleted in Centra: withdraw {living[0].number} in the ERP by hand; nothing of it has arrived"
        raise Rejected("RETURN_CANCELLED_LATE", "announcing is off", words)
    answered = _answer(job, world)
    if living or (answered and not receipts):
        world.effect(job, erp.cancel_return(erp.return_reference(job.key.number), answered))
    done = (
        "deleted in Centra, withdrawn in the ERP" if receipts or answered else "deleted in Centra; the ERP has nothing"
    )
    job.then("cancelled", done, done_at=world.store.now())
    job.also(_agree(job, "verified: cancelled in both systems"))


def _answer(job: Job, world: World) -> str:
    """The ERP's id of what was announced, as far as it was told. Raises `NotReady` while it may still turn up."""
    with world.store.read() as tx:
        sent = effects.of(tx, job.id, EXPECTED_RETURN)
        now = tx.now
    if sent is not None and sent.answer is None and sent.state in effects.PENDING and sent.unknown_until > now:
        raise NotReady("deleted in Centra while its announcement was in doubt", until=sent.unknown_until)
    return str(sent.answer) if sent is not None and sent.answer is not None else ""


def _agree(job: Job, how: str) -> Callable[[Transaction], None]:
    """Close the return's case: both systems were read and agree."""

    def act(tx: Transaction) -> None:
        exceptions.resolve_of_job(tx, job.id, how)

    return act
