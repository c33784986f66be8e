"""What the links of order post do to one order: everything between the ledger and the two systems."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from integration import items, release, stock
from integration.domain.order import Order
from integration.domain.proof import compare, seal
from integration.errors import NotReady, Rejected, Unavailable
from integration.ports import ERP, SALES_ORDER, Fetched, Offer, Standing, Write
from integration.store import Transaction, deliveries, documents, effects, exceptions, levels, offers, proofs
from integration.store.ledger import Job
from integration.wiring import World
from mappings import Mapping as Mapped

VISIBLE_WITHIN = timedelta(seconds=60)
"""An accepted order that no search shows after this is missing. Unconfirmed; longer than any lag reported."""
PROCESSED_WITHIN = timedelta(minutes=10)
"""An accepted order that is still a draft after this needs a person."""
ASK_AGAIN = timedelta(seconds=5)


def take(job: Job, fetched: Fetched | None, mappings: Sequence[Mapped], world: World) -> None:
    """Decide what an order that was just read needs, and keep what was read in the vault."""
    now = world.store.now()
    job.values |= {"clean_seq": job.row.dirty_seq, "read_at": now}
    if fetched is not None:
        _keep(job, fetched, mappings, world)
    past = _past(job, world)
    decision = release.decide(past, fetched, mappings, now)
    job.then(decision.state, decision.reason)
    if decision.connection and not past.sent:
        mapping = next(m for m in mappings if m.connection == decision.connection)
        job.values |= {"connection": mapping.connection, "mapping_version": mapping.version}
    elif decision.state == "ready" and job.row.state in ("dead", "seen") and _another(fetched, past):
        job.values["mapping_version"] = _newest(mappings, job.row.connection, job.row.mapping_version)
    if decision.state == "ready" and job.row.released_at is None:
        job.values["released_at"] = now
    if decision.state == "cancelling":
        job.values["rung_at"] = None  # the sweeper rings the cancellation at once: no chain of posting leads there
    if job.row.state == "held" and not past.sent and decision.state != "ready":
        job.also(lambda tx: offers.withdraw(tx, job.id))
    if decision.state == "held":
        job.values["not_before"] = decision.not_before or now + world.settings.reread_every
    if decision.state == "cancelled" and job.row.state != "cancelled":
        job.values["done_at"] = now
        job.also(both_agree(job, "obsolete: cancelled in Centra before anything was sent"))
        if fetched is not None and fetched.order is not None and decision.connection:
            job.also(moved(decision.connection, fetched.order, _home(fetched.order, mappings)))


def _another(fetched: Fetched | None, past: release.Past) -> bool:
    """Whether an order in doubt is not what was sent any more: should that not be there, what goes is a new document, and by
    the mapping of today. Whatever was sent is looked for, proved and cancelled by the mapping that it was sent with.
    """
    return fetched is not None and fetched.fingerprint != past.posted_version


def _newest(mappings: Sequence[Mapped], connection: str, otherwise: int) -> int:
    return next((m.version for m in mappings if m.connection == connection), otherwise)


def _keep(job: Job, fetched: Fetched, mappings: Sequence[Mapped], world: World) -> None:
    job.values |= {"source_version": fetched.fingerprint, "source_stamp": fetched.stamp}
    if fetched.order is not None:
        job.values |= release.facts_of(fetched.order)
        ended = fetched.order.ended
        job.values["closed_at"] = (job.row.closed_at or job.values["read_at"]) if ended else None
        over = ended and job.row.state == "proven"  # Centra holds nothing for it any more, and the ERP knows it
        pieces = {} if over else _pieces(fetched.order, _home(fetched.order, mappings))
        job.also(lambda tx: levels.put_units(tx, job.id, pieces))
    same = (fetched.fingerprint, fetched.stamp) == (job.row.source_version, job.row.source_stamp)
    content = fetched.content
    job.also(lambda tx: _seal(tx, world, job.id, content, same=same))


def _home(order: Order, mappings: Sequence[Mapped]) -> Mapped | None:
    """The mapping that knows what the order's bundles consist of: its market's, else any of the storefront's."""
    return next((m for m in mappings if order.market in m.markets), mappings[0] if mappings else None)


def _pieces(order: Order, mapping: Mapped | None) -> dict[str, int]:
    """What an order takes from stock: nothing once it is cancelled; cancelled pieces are in no line any more."""
    return {} if order.cancelled else stock.pieces(((line.sku, line.quantity) for line in order.lines), mapping)


def moved(connection: str, order: Order, mapping: Mapped | None) -> Callable[[Transaction], None]:
    """Ask for the stock of an order's SKUs: the ERP has taken them, or given them back."""
    skus = set(stock.pieces(((line.sku, line.quantity) for line in order.lines), mapping))

    def act(tx: Transaction) -> None:
        stock.hint(tx, connection, skus, market=order.market, look=False)

    return act


def _seal(tx: Transaction, world: World, job_id: int, content: bytes, *, same: bool) -> None:
    """Keep the newest reading; one that retention removed is kept again when the order comes to life again."""
    if not (same and documents.has(tx, job_id, "order")):
        documents.put(tx, world.vault, job_id, "order", content, only_latest=True)


def offered(job: Job, write: Write, world: World) -> Write:
    """The same; one that the ERP fetches itself is held while it is on offer, so that a hint wakes it."""

    def offer(terms: Offer) -> str:
        job.then("held")
        with world.store.write("offered") as tx:
            offers.put(tx, job.id, terms)
        return write.send()

    terms = write.offer
    return write if terms is None else replace(write, send=lambda: offer(terms))


def unhurried(write: Write, mapping: Mapped, world: World) -> Write:
    """The same; what waits in an ERP does not go on in its closed hours, so that absence proves nothing in them."""
    answered = world.store.now() + write.takes
    return replace(write, wait=mapping.schedule.open_for(write.wait, answered, mapping.time_zone) - answered)


def still_released(job: Job, order: Order, mapping: Mapped, world: World) -> Callable[[], None]:
    """Asked before a doubtful call is repeated: an order that was put on hold meanwhile is only looked up, and one that the
    ERP has acknowledged and does not show is no order that never arrived.
    """

    def ask() -> None:
        with world.store.read() as tx:
            acknowledged = offers.is_acknowledged(tx, job.id)
        if acknowledged:
            job.also(lambda tx: offers.withdraw(tx, job.id))  # whoever replays it puts it on offer again
            message = "the ERP said that it has imported this order, and does not show it"
            raise Rejected("ORDER_MISSING_IN_ERP", "acknowledged, then gone", message)
        why = release.unreleased(order, mapping)
        if why:
            with world.store.write("offer.withdrawn") as tx:
                offers.withdraw(tx, job.id)
            job.then("held", why)
            raise NotReady(
                f"the ERP does not have it, and {why}", until=world.store.now() + world.settings.reread_every
            )

    return ask


def _past(job: Job, world: World) -> release.Past:
    row = job.row
    with world.store.read() as tx:
        sent = effects.of(tx, job.id, SALES_ORDER) if row.posted_version else None
    return release.Past(
        state=row.state,
        read_before=row.read_at is not None,
        connection=row.connection,
        posted_version=row.posted_version,
        source_version=row.source_version,
        answered=sent is not None and sent.answer is not None,
        undone=sent is not None and sent.state in ("void", "refused"),
    )


def look_up_items(page: Sequence[Job], found: Mapping[str, Fetched], world: World) -> None:
    """Ask each ERP once for all SKUs of a page that it was not asked for lately, so that posting need not.

    An ERP that is away, or refuses this read, must not keep orders from being taken: they may be another's, and posting
    asks again and says of each order what became of it.
    """
    wanted: dict[str, set[str]] = {}
    for job in page:
        fetched = found.get(job.key.number)
        if job.state == "ready" and fetched is not None and fetched.order is not None:
            connection = job.values.get("connection") or job.row.connection
            wanted.setdefault(connection, set()).update(line.sku for line in fetched.order.lines)
    for connection, skus in sorted(wanted.items()):
        erp = world.erp(connection)
        if world.gates[connection].is_slow():
            continue  # the page holds other connections' orders, too: they must not wait for this one
        with contextlib.suppress(Unavailable, Rejected):
            items.known(world.store, erp, skus)


def reread(job: Job, world: World) -> tuple[Order, Mapped, ERP]:
    """The order as last read, the mapping frozen for it, and its ERP."""
    with world.store.read() as tx:
        content = documents.kept(tx, world.vault, job.id, "order", gone="ORDER_VANISHED")
    order = world.storefronts[job.key.instance].reread(content)
    return order, world.mapping(job.row.connection, job.row.mapping_version), world.erp(job.row.connection)


def beware_of_a_twin(job: Job, order: Order, erp: ERP, world: World) -> None:
    """An order that is a person's case and was surely not sent may have been typed into the ERP meanwhile, without our reference.

    Raises `Rejected` (ORDER_DUPLICATE_SUSPECT) where something looks like it, once: who replays it then has seen that.
    """
    with world.store.read() as tx:
        case = exceptions.open_of_job(tx, job.id)
    if case is None or _past(job, world).sent:
        return
    looks = ", ".join(erp.keyed_by_hand(order))
    cause = f"looks like {looks}"
    if looks and case.cause != cause:
        message = (
            f"{erp.name} has {looks} without a reference, of the same goods and the same total, made since this order was placed. "
            f"Is it this sale, give it the reference {erp.reference(order.number)} there and press Replay: it is adopted. Is it "
            "another one, press Replay: this order is posted beside it"
        )
        raise Rejected("ORDER_DUPLICATE_SUSPECT", cause, message)


def prove(job: Job, found: Sequence[Standing], world: World) -> None:
    """Compare the read-back with Centra's values; store the proof; raise `Rejected` on any difference."""
    standing = _only(job, found, world)
    if standing.refusal is not None:
        raise standing.refusal
    order, mapping, erp = reread(job, world)
    if job.row.erp_ref not in (None, standing.ref):
        refs = f"{job.row.erp_ref} and {standing.ref}"
        raise Rejected("ORDER_DUPLICATE_SUSPECT", "another sales order", f"the ERP has had two sales orders: {refs}")
    job.values |= {"erp_ref": standing.ref, "erp_stamp": standing.stamp}
    if standing.life == "cancelled":
        raise Rejected(
            "ORDER_CHANGED_AFTER_POST",
            "cancelled in the ERP",
            f"{erp.name} has cancelled {standing.number}, Centra has not",
        )
    if job.row.posted_version != job.row.source_version:
        shown = _edit(order, mapping, erp, standing)
        raise Rejected("ORDER_EDIT_BLOCKED", "edited after posting", f"edited in Centra after it was posted: {shown}")
    draft = erp.compose(order, mapping)
    proof = compare(draft.components, standing.components, draft.carried)
    if standing.life == "draft":
        _still_draft(job, standing, world)
    document = proof.document()
    job.also(lambda tx: proofs.keep(tx, job.id, document, seal(document), equal=proof.equal))
    if not proof.equal:
        first = proof.differences[0]
        shown = "; ".join(str(d) for d in proof.differences[:3])
        type = "ORDER_CHANGED_AFTER_POST" if job.row.done_at else "ORDER_ERP_RECALCULATED"
        raise Rejected(type, f"{erp.name}: {_kind(first.name)}", f"read back unequal: {shown}")
    job.then(
        "proven", f"proved equal to the minor unit as {standing.number or standing.ref}", done_at=world.store.now()
    )
    job.also(both_agree(job, "verified: read back equal"))
    job.also(lambda tx: deliveries.let_follow(tx, job.key))
    job.also(moved(mapping.connection, order, mapping))


def _edit(order: Order, mapping: Mapped, erp: ERP, standing: Standing) -> str:
    """What an edit changed, in words: it may have brought in what no ERP could be told, or what the mapping does not have."""
    try:
        draft = erp.compose(order, mapping)
    except Rejected as refused:
        return str(refused)
    differences = compare(draft.components, standing.components, draft.carried).differences
    return "; ".join(str(each) for each in differences[:3]) or "an address, name or option changed"


def _kind(component: str) -> str:
    """`line 68 net` and `line 71 net` are one cause."""
    words = component.split()
    return f"line {words[-1]}" if words[0] == "line" else component


def _only(job: Job, found: Sequence[Standing], world: World) -> Standing:
    living = [s for s in found if s.life != "cancelled"] or list(found)
    if len(living) == 1:
        return living[0]
    if living:
        refs = ", ".join(s.ref for s in living)
        raise Rejected(
            "ORDER_DUPLICATE_SUSPECT", f"{len(living)} sales orders", f"the ERP has {len(living)} sales orders: {refs}"
        )
    since = world.store.now() - (job.row.posted_at or job.row.changed_at)
    if since < VISIBLE_WITHIN:
        raise NotReady("accepted by the ERP, not yet visible there", until=world.store.now() + ASK_AGAIN)
    raise Rejected("ORDER_MISSING_IN_ERP", "accepted, then gone", "the ERP accepted this order and does not show it")


def _still_draft(job: Job, standing: Standing, world: World) -> None:
    """Accepted is not processing: a channel exception is a case at once, a plain draft after a while."""
    if standing.problem:
        raise Rejected(
            "ORDER_STUCK_IN_ERP",
            "channel exception",
            f"{standing.number} was accepted and held back: {standing.problem}",
        )
    since = world.store.now() - (job.row.posted_at or job.row.changed_at)
    if since < PROCESSED_WITHIN:
        raise NotReady(f"{standing.number} is accepted and not yet processing", until=world.store.now() + ASK_AGAIN)
    raise Rejected("ORDER_STUCK_IN_ERP", "still a draft", f"{standing.number} is still a draft after {since}")


def certain_ref(job: Job, erp: ERP, world: World) -> str | None:
    """The ERP's id of what was sent; `None` once it is certain that there is nothing. Raises `NotReady` while in doubt."""
    with world.store.read() as tx:
        sent = effects.of(tx, job.id, SALES_ORDER)
        now = tx.now
    if sent is not None and sent.answer is not None:
        return str(sent.answer)
    found = [s.ref for s in erp.standing([erp.reference(job.key.number)])[erp.reference(job.key.number)]]
    if len(found) > 1:
        raise Rejected("ORDER_DUPLICATE_SUSPECT", f"{len(found)} sales orders", f"the ERP has {', '.join(found)}")
    if found:
        with world.store.write("adopt") as tx:
            effects.answer(tx, job.id, SALES_ORDER, found[0])
        return found[0]
    if sent is not None and sent.state in effects.PENDING and sent.unknown_until and sent.unknown_until > now:
        raise NotReady("cancelled in Centra while its posting was in doubt", until=sent.unknown_until)
    if sent is not None and sent.state == effects.ACCEPTED:
        message = (
            "cancelled in Centra after the ERP had accepted it, and it is not there: it may still wait for its import, and must "
            "then be cancelled. This ends by itself when it appears; press Replay where its import has surely failed"
        )
        raise Rejected("ORDER_MISSING_IN_ERP", "accepted, then gone", message)
    return None


def give_back(job: Job, world: World) -> None:
    """After a cancellation in the ERP: what it had taken is free again.

    An order that was erased meanwhile has no SKUs to tell; the ERP's own movements do.
    """
    with contextlib.suppress(Rejected):
        order, mapping, _ = reread(job, world)
        job.also(moved(mapping.connection, order, mapping))


def both_agree(job: Job, how: str) -> Callable[[Transaction], None]:
    """Close the order's exception: both systems were read and agree."""

    def act(tx: Transaction) -> None:
        exceptions.resolve_of_job(tx, job.id, how)

    return act
