"""What the links of credit memo do to one refund: money only. Its goods are another document with a life of their own.

Every link reads the refund, its siblings and its order from Centra as they are at that moment: nothing of money is
remembered and then trusted. In a refund's row, `occurred_at` is when the money went back.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, timedelta

from integration import origin
from integration.domain import credit as money
from integration.domain.credit import FAILED, PENDING, Refund
from integration.domain.order import Key, Order
from integration.domain.proof import compare, seal
from integration.effects import duplicate
from integration.errors import NotReady, Rejected
from integration.origin import Origin
from integration.ports import CREDIT_MEMO, ERP, Draft, Memo
from integration.store import Transaction, aftersales, deliveries, effects, exceptions, ledger, proofs
from integration.store.ledger import Job
from integration.translation import RefundPart, parts_of
from integration.wiring import World
from mappings import Mapping as Mapped

VISIBLE_WITHIN = timedelta(seconds=60)
"""What the ERP accepted and no search shows after this is missing. Unconfirmed; longer than any lag reported."""
ASK_AGAIN = timedelta(seconds=5)
DRAFT_ASKED = timedelta(minutes=5)
"""How often a memo that a person has keyed and not posted is looked at."""
SETTLES_WITHIN = timedelta(days=5)
"""A refund that its provider has not settled by then is somebody's business: the house's proposal."""
ORDER_WITHIN = timedelta(hours=4)
"""A refund whose order is not in the ERP by then is somebody's business: the house's proposal."""
WORK_LIST = ("CREDIT_MISSING",)
"""Cases that end when a person has keyed a memo into the ERP, and it reads back equal."""
WAITING = ("REFUND_PENDING", "CREDIT_WAITS_FOR_ORDER")


@dataclass(frozen=True, slots=True)
class Books:
    """What Centra has of an order at this moment, and where it stands in an ERP; `None` for what cannot be read."""

    order: Order | None
    refunds: Sequence[Refund] | None
    origin: Origin

    def find(self, number: str) -> Refund | None:
        return next((refund for refund in self.refunds or () if refund.key.number == number), None)


def books(instance: str, numbers: Collection[str], world: World) -> dict[str, Books]:
    """The books of these orders, by number: two requests to Centra, whatever their number."""
    wanted = sorted({number for number in numbers if number})
    if not wanted:
        return {}
    storefront = world.storefronts[instance]
    refunds, orders = storefront.refunds(wanted), storefront.fetch(wanted)
    with world.store.read() as tx:
        rows = deliveries.orders(tx, instance, wanted)
    mappings = world.mappings(instance)
    return {
        number: Books(
            orders[number].order if number in orders else None,
            refunds.get(number),
            origin.of(number, rows.get(number), mappings),
        )
        for number in wanted
    }


def stamp(refund: Refund) -> str:
    """Tells that a refund changed: its life, its amount, what it is made of."""
    parts = "+".join(str(amount.minor) for _, amount in money.components(refund))
    return f"{refund.life} {refund.amount.minor}={parts}"[:80]


def take(job: Job, found: Books | None, world: World) -> None:
    """Decide what a refund needs next, by what Centra says of it at this moment."""
    job.values |= {"clean_seq": job.row.dirty_seq, "read_at": world.store.now()}
    refund = found.find(job.key.number) if found else None
    if job.row.state == "closed":
        job.then("closed", "closed by a person; read again and left alone")
    elif found is not None and found.refunds is None and (found.order or job.row.posted_version):
        raise Rejected(
            "SCHEMA_CHANGE", "centra:refunds", f"the refunds of order {job.row.order_number} are not readable"
        )
    elif found is None or refund is None:
        _gone(job)
    else:
        _note(job, refund, found.origin, world)
        _follow(job, refund, found, world)


def _was_sent(job: Job) -> bool:
    """Whether the ERP has a memo, or may have: one that was sent, or one that a person keyed and that was found."""
    row = job.row
    return row.posted_version is not None or row.posted_at is not None or row.state in ("posted", "proven")


def _gone(job: Job) -> None:
    if _was_sent(job):
        message = "Centra does not show this refund any more, and the ERP has its credit memo"
        raise Rejected("CREDIT_WITHOUT_REFUND", "the refund is gone", message)
    job.then("observed", "Centra shows no such refund for us: another store's, or a mistaken hint")


def _note(job: Job, refund: Refund, order: Origin, world: World) -> None:
    job.values |= {
        "order_number": refund.order_number,
        "return_number": refund.return_number or None,
        "market": order.market,
        "currency": refund.amount.currency,
        "total_minor": refund.amount.minor,
        "occurred_at": refund.at,
        "source_status": refund.life,
        "source_stamp": stamp(refund),
        "source_version": world.vault.fingerprint(repr(refund).encode()),
    }
    if order.mapping and not _was_sent(job):
        job.values |= {"connection": order.mapping.connection, "mapping_version": order.mapping.version}
    if order.verdict == origin.UNKNOWN:
        job.also(lambda tx: _learn_of(tx, Key(job.key.instance, "order", refund.order_number)))


def _learn_of(tx: Transaction, order: Key) -> None:
    ledger.mark_in(tx, [order], "refund")


def _follow(job: Job, refund: Refund, found: Books, world: World) -> None:
    sent, order = _was_sent(job), found.origin
    if refund.life == FAILED and not sent:
        job.then("observed", "it failed at the payment provider: nothing was paid back, nothing is credited")
        job.also(_agree(job, "verified: nothing was paid back"))
    elif sent:
        _sent(job, refund, world)
    elif not refund.amount:
        job.then("observed", "nothing was paid back: no memo of nothing")
    elif refund.life == PENDING:
        _hold(job, "the payment provider has not settled it yet", world)
        _case_after(job, refund, SETTLES_WITHIN, WAITING[0], "the provider has not settled", world)
    elif order.verdict == origin.NONE or (order.mapping and refund.at < order.mapping.start_at):
        job.then("observed", order.words or "paid before this connection's start: observed, not credited")
    else:
        _check(refund, found)
        _send(job, refund, order, world)


def _sent(job: Job, refund: Refund, world: World) -> None:
    """A memo is in the ERP, or may be: only what reads back there moves it on."""
    with world.store.read() as tx:
        told = effects.of(tx, job.id, CREDIT_MEMO)
    if told is not None and told.answer is None:
        job.then("ready", "its memo is in doubt: the ERP is asked before anything is sent")
    elif job.row.state == "proven" and stamp(refund) == job.row.source_stamp:
        job.then("proven", job.row.reason)
    else:
        job.then("posted", "sent before; now to be proved")


def _send(job: Job, refund: Refund, order: Origin, world: World) -> None:
    if order.verdict == origin.BY_HAND:
        words = f"{order.words}; to be credited by hand: {money.in_words(refund)}"
        raise Rejected(WORK_LIST[0], "order closed by hand", words)
    if order.verdict != origin.READY:
        _hold(job, f"waits: {order.words}", world)
        _case_after(job, refund, ORDER_WITHIN, WAITING[1], "the order is not in the ERP", world)
        return
    job.then("ready", f"paid back: {money.in_words(refund)}")
    job.also(lambda tx: _over(tx, job.id))


def _over(tx: Transaction, job_id: int) -> None:
    aftersales.resolve_only(tx, job_id, WAITING, "verified: it waits no longer")


def _hold(job: Job, why: str, world: World) -> None:
    job.then("held", why, not_before=world.store.now() + world.settings.reread_every)


def _case_after(job: Job, refund: Refund, within: timedelta, type: str, cause: str, world: World) -> None:
    """Past its promise, a waiting refund is a case; it goes on waiting."""
    if world.store.now() - refund.at < within:
        return
    paid = refund.at.astimezone(UTC)
    case = world.case(
        type,
        cause,
        f"{refund.amount} of order {refund.order_number}, paid back {paid:%Y-%m-%d %H:%M} UTC: {job.note}",
        instance=job.key.instance,
        connection=job.values.get("connection") or job.row.connection or "",
        job_id=job.id,
        money_minor=refund.amount.minor,
        currency=refund.amount.currency,
    )
    job.also(lambda tx: _open(tx, case))


def _open(tx: Transaction, case: exceptions.Case) -> None:
    exceptions.open_case(tx, case)


def _check(refund: Refund, found: Books) -> None:
    """Whether this refund may have a memo at all. Raises `Rejected` with the arithmetic."""
    order = found.order
    if order is None:
        words = f"order {refund.order_number}, which this refund belongs to, is not readable"
        raise Rejected("SCHEMA_CHANGE", "centra:order of a refund", words)
    if refund.amount.currency != order.currency:
        words = f"the order is in {order.currency}, {refund.amount} was paid back"
        raise Rejected("CREDIT_MISMATCH", "other currency than the order", words)
    elsewhere = found.origin.mapping is not None and found.origin.mapping.shipments.capture == "elsewhere"
    taken = order.grand_total if elsewhere else money.captured(order)
    excess = money.excess(refund, found.refunds or (), order, taken)
    if excess:
        raise Rejected("REFUND_EXCEEDS", "more than was captured or sold", excess)
    wrong = money.arithmetic(refund)
    if wrong:
        raise Rejected("CREDIT_MISMATCH", "the refund's parts do not add up", wrong)


def _terms(order: Origin, world: World) -> Mapped:
    """The words of today with the rates of the sale: what was taxed at 20 % is given back at 20 %."""
    assert order.mapping is not None
    sale = world.mapping(order.mapping.connection, order.version or order.mapping.version)
    return replace(order.mapping, shipping_tax=sale.shipping_tax)


def post(job: Job, world: World) -> None:
    """Create and post the memo, adopt what is there, or say in words what a person has to key."""
    found = books(job.key.instance, [job.row.order_number], world).get(job.row.order_number)
    refund = found.find(job.key.number) if found else None
    if found is None or refund is None or found.order is None or found.origin.mapping is None:
        job.then("held", "Centra answers otherwise than a moment ago")
        return
    mapping, erp = found.origin.mapping, world.erp(job.row.connection)
    if job.row.posted_version is None and (refund.life != money.SETTLED or found.origin.verdict != origin.READY):
        job.then("held", "it is not settled any more, or its order has changed: decided anew")
        return
    if mapping.credit.strategy == "off":
        ref = _keyed(refund, found.order, found.origin, erp, _terms(found.origin, world))
    else:
        draft = erp.compose_memo(refund, found.order, found.origin.ref, _terms(found.origin, world))
        may_send = _still_due(job, refund, found, world)
        if job.row.posted_version is None:
            _check(refund, found)
        ref = world.effect(job, erp.memo_write(draft), may_send=may_send, posted_version=job.row.source_version)
    job.then("posted", f"{erp.name} has its memo as {ref}; not yet proved", posted_at=world.store.now())


def _keyed(refund: Refund, order: Order, sale: Origin, erp: ERP, terms: Mapped) -> str:
    """The memo that a person has keyed under our reference. Raises `Rejected` (CREDIT_MISSING) with all there is to key."""
    reference = erp.memo_reference(refund)
    living = [memo for memo in erp.memos([reference]).get(reference, ()) if memo.life != "cancelled"]
    if living:
        return living[0].ref
    against = f"sales order {sale.ref} ({erp.reference(refund.order_number)})"
    parts = "; ".join(_to_key(part) for part in parts_of(refund, order, terms))
    words = f"to be credited by hand under the reference {reference}, against {against}: {parts}; total {refund.amount}"
    raise Rejected(WORK_LIST[0], "memos are keyed by hand", words)


def _to_key(part: RefundPart) -> str:
    """A part of a memo as it is read back: what vouchers took off goods or shipping is off their amounts already."""
    what = f"{part.quantity} × {part.sku} (order line {part.order_line}):" if part.sku else part.title
    taxed = "without tax" if part.percent is None else f"at {part.percent.normalize():f} %, net {part.net}"
    return f"{what} {part.net + part.tax} {taxed}"


def _still_due(job: Job, refund: Refund, found: Books, world: World) -> Callable[[], None]:
    """Asked before a doubtful call is repeated: what failed meanwhile, or is too much by now, is only looked up."""

    def ask() -> None:
        if refund.life == money.SETTLED:
            _check(refund, found)
            return
        with world.store.write("memo.void") as tx:
            ledger.hold(tx, job)
            effects.record(tx, job.id, CREDIT_MEMO, "void")
        job.then("observed" if refund.life == FAILED else "held")
        why = "it is not settled any more, and the ERP never got its memo"
        raise NotReady(why, until=world.store.now() + world.settings.reread_every)

    return ask


def memos_of(page: Sequence[Job], found: Mapping[str, Books], world: World) -> Mapping[str, Sequence[Memo]]:
    """What the ERP has of a page's refunds, by our references; a page is of one connection."""
    erp = world.erp(page[0].row.connection)
    refunds = [books.find(job.key.number) for job in page if (books := found.get(job.row.order_number))]
    return erp.memos({erp.memo_reference(refund) for refund in refunds if refund})


def prove(job: Job, found: Books | None, memos: Mapping[str, Sequence[Memo]], world: World) -> None:
    """Compare the memo with the refund, component by component; store the proof; raise `Rejected` on any difference."""
    refund = found.find(job.key.number) if found else None
    if found is None or refund is None or found.order is None or found.origin.mapping is None:
        job.then("held", "Centra answers otherwise than a moment ago")
        return
    erp = world.erp(job.row.connection)
    memo = _only(job, refund, memos.get(erp.memo_reference(refund), ()), world)
    if memo is None:
        return
    if refund.life == FAILED:
        words = (
            f"the refund failed after {memo.number or memo.ref} had been booked: reverse it by a document that names it"
        )
        raise Rejected("CREDIT_REVERSAL", "failed after its memo", words)
    if memo.life == "draft":
        _still_draft(job, refund, memo, found.origin.mapping, world)
    draft = erp.compose_memo(refund, found.order, found.origin.ref, _terms(found.origin, world))
    _proved(job, draft, memo, erp, world)


def _proved(job: Job, draft: Draft, memo: Memo, erp: ERP, world: World) -> None:
    proof = compare(draft.components, memo.components, draft.carried)
    document = proof.document()
    job.also(lambda tx: proofs.keep(tx, job.id, document, seal(document), equal=proof.equal))
    job.values |= {"erp_ref": job.row.erp_ref or memo.ref, "erp_stamp": memo.stamp}
    if not proof.equal:
        shown = "; ".join(str(difference) for difference in proof.differences[:3])
        raise Rejected(
            "CREDIT_MISMATCH", f"{erp.name}: {_kind(proof.differences[0].name)}", f"read back unequal: {shown}"
        )
    now, name = world.store.now(), memo.number or memo.ref
    job.then("proven", f"proved equal to the minor unit as {name}", done_at=now, closed_at=now)
    job.also(_agree(job, "verified: read back equal"))


def _kind(component: str) -> str:
    """`line 68 net` and `line 71 net` are one cause."""
    words = component.split()
    return f"line {words[-1]}" if words[0] == "line" else component


def _only(job: Job, refund: Refund, found: Sequence[Memo], world: World) -> Memo | None:
    """The one living memo. `None` when there is rightly none, because the money never went back."""
    living = [memo for memo in found if memo.life != "cancelled"]
    if len(living) > 1:
        refs = ", ".join(memo.number or memo.ref for memo in living)
        raise Rejected(duplicate("refund"), f"{len(living)} memos", f"the ERP has credited this refund as {refs}")
    if living:
        return living[0]
    if found and refund.life == FAILED:
        job.then("cancelled", "the refund failed, and its memo is cancelled", done_at=world.store.now())
        job.also(_agree(job, "verified: the memo of a failed refund is cancelled"))
        return None
    if found:
        words = (
            f"the memo {found[0].number or found[0].ref} was cancelled in the ERP, and the refund stands in Centra: "
        )
        raise Rejected("CREDIT_MISSING", "cancelled in the ERP", words + money.in_words(refund))
    if world.store.now() - (job.row.posted_at or job.row.changed_at) < VISIBLE_WITHIN:
        raise NotReady("accepted by the ERP, not yet visible there", until=world.store.now() + ASK_AGAIN)
    if refund.life == FAILED:
        job.then("cancelled", "the refund failed, and the ERP has no memo of it any more", done_at=world.store.now())
        job.also(_agree(job, "verified: the refund failed, and no memo of it is there"))
        return None
    words = "the ERP accepted the memo and does not show it: "
    raise Rejected("CREDIT_MISSING", "accepted, then gone", words + money.in_words(refund))


def _still_draft(job: Job, refund: Refund, memo: Memo, mapping: Mapped, world: World) -> None:
    """A draft books nothing yet."""
    within = timedelta(minutes=mapping.credit.memo_within_minutes)
    words = f"{memo.number or memo.ref} is a draft: it books nothing until it is posted"
    if world.store.now() - refund.at > within:
        raise Rejected("CREDIT_MISSING", "still a draft", words)
    raise NotReady(words, until=world.store.now() + DRAFT_ASKED)


def _agree(job: Job, how: str) -> Callable[[Transaction], None]:
    """Close the refund's case: both systems were read and agree."""

    def act(tx: Transaction) -> None:
        exceptions.resolve_of_job(tx, job.id, how)

    return act
