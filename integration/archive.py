"""What the links of an archiving do to one SKU: stop selling, drain, deactivate in every ERP, and only then archive.

A storefront's status is of a whole family (a colour with all its sizes), so all SKUs of the family go together, whichever one
was named. In an archiving's row `released_at` is since when nothing of it is on sale, and `posted_version` counts how often a
person began it: each time its writes are made anew. Every step checks again what the one before relied on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from integration.domain.order import Key
from integration.domain.product import ARCHIVED, HELD, ON_SALE, Item, spelt
from integration.errors import NotReady, Rejected
from integration.ports import ARCHIVING, DEACTIVATION, STOP
from integration.products import ASK_AGAIN, LONGEST_NAME, in_erps, not_shown, offers_of
from integration.store import Transaction, effects, exceptions, ledger, listings, reference
from integration.store.ledger import Job
from integration.wiring import World
from mappings import Mapping as Mapped

DRAIN_AGAIN = timedelta(minutes=10)
WINDOW = timedelta(minutes=15)
"""How long after the stop an order of before may still turn up: a lost webhook's polls have come by then. What has turned up
and settles is among the open documents.
"""
LISTED = 20
VIOLATION = "PRODUCT_ARCHIVE_VIOLATION"
WORK_LIST = (VIOLATION, "PRODUCT_BY_HAND", "PRODUCT_STALLED", "SKU_AMBIGUOUS")
"""Cases of an archiving that end when a person has corrected something in either system."""


@dataclass(frozen=True, slots=True)
class Checks:
    """All that an archiving looks at, at this moment. `offer` is `None` where the storefront does not have the SKU.

    `items` are those of the family by connection, `documents` "order 12 (3 × A)" of what is open, `bundles` what is sold with
    a piece of the family in it, `stock` the pieces that are left by connection, `unread` orders of which only the number is
    known.
    """

    offer: Item | None
    skus: tuple[str, ...]
    items: dict[str, list[Item]]
    documents: list[str]
    bundles: list[str]
    stock: dict[str, int]
    unread: int

    @property
    def active(self) -> dict[str, list[Item]]:
        living = {where: [item for item in items if item.status != ARCHIVED] for where, items in self.items.items()}
        return {where: items for where, items in living.items() if items}

    @property
    def open_in_words(self) -> str:
        more = f", and {len(self.documents) - LISTED} more" if len(self.documents) > LISTED else ""
        return f"{len(self.documents)} open: {', '.join(self.documents[:LISTED])}{more}"


def in_words(found: Checks) -> dict[str, str]:
    """What the checks found, for a person: each with what it means for the archiving."""
    status = found.offer.status if found.offer else "not there"
    told = {"goes together": ", ".join(found.skus), "in Centra": status}
    for connection, items in found.items.items():
        left = (
            f"; {found.stock[connection]} pieces on hand will be sold by nobody" if found.stock.get(connection) else ""
        )
        told[f"in {connection}"] = ", ".join(f"{item.sku} {_WORDS[item.status]}" for item in items) + left
    told["orders, dispatches, returns"] = found.open_in_words if found.documents else "none is open"
    if found.unread:
        told["to be read"] = f"{found.unread} orders of which only the number is known"
    if found.bundles:
        told["in the way"] = f"{', '.join(found.bundles)} on sale with a piece of it: archive them first"
    told["comes next"] = _next(found)
    return told


_WORDS = {ON_SALE: "active", HELD: "active", ARCHIVED: "deactivated"}


def _next(found: Checks) -> str:
    if found.bundles:
        return "nothing, until no bundle on sale has a piece of it"
    if found.offer is not None and found.offer.status == ON_SALE:
        return "stop selling it in Centra"
    if found.documents:
        return "wait until nothing open has it"
    if found.active:
        return f"wait {int(WINDOW.total_seconds() // 60)} minutes for late orders, then deactivate it in {', '.join(found.active)}"
    if found.offer is not None and found.offer.status != ARCHIVED:
        return "archive it in Centra"
    return "nothing: it is archived"


def concerned(world: World, instance: str) -> list[Mapped]:
    """The connections whose mapping speaks of products."""
    return [mapping for mapping in world.mappings(instance) if mapping.products is not None]


def check(instance: str, sku: str, world: World) -> Checks:
    """Look at everything, change nothing. Raises `Rejected` (SKU_AMBIGUOUS) where an ERP spells a SKU otherwise."""
    offer = offers_of(instance, [sku], world).get(sku)
    skus = tuple(offer.siblings) if offer else (sku,)
    mappings = concerned(world, instance)
    told = in_erps(mappings, skus, world)
    items: dict[str, list[Item]] = {}
    for connection, found in told.items():
        for one in skus:
            item, alike = spelt(one, found)
            if item is None and alike:
                message = f"{connection} has {alike[0].sku!r} where Centra has {one!r}: nobody guesses which is meant"
                raise Rejected("SKU_AMBIGUOUS", one, message)
            if item is not None:
                items.setdefault(connection, []).append(item)
    with world.store.read() as tx:
        documents = _documents(tx, instance, skus, mappings)
        bundles = _bundles(tx, instance, skus, mappings)
        unread = listings.unread_orders(tx, instance)
    return Checks(offer, skus, items, documents, bundles, _stock(mappings, items, world), unread)


def _documents(tx: Transaction, instance: str, skus: Sequence[str], mappings: Sequence[Mapped]) -> list[str]:
    """What is open with these SKUs. A bundle is known by its pieces: what has all of them may have it."""
    found: list[str] = []
    for one in skus:
        recipe = next((mapping.bundles[one] for mapping in mappings if one in mapping.bundles), {one: 1})
        pieces: dict[tuple[str, str], dict[str, int]] = {}
        for row in listings.open_documents(tx, instance, recipe):
            pieces.setdefault((row.kind, row.number), {})[row.sku] = row.quantity
        for (kind, number), has in pieces.items():
            sets = min(has.get(part, 0) // wanted for part, wanted in recipe.items())
            if sets:
                found.append(f"{kind} {number} ({sets} × {one})")
    return found


def _bundles(tx: Transaction, instance: str, skus: Sequence[str], mappings: Sequence[Mapped]) -> list[str]:
    holding = {
        bundle
        for mapping in mappings
        for bundle, parts in mapping.bundles.items()
        if bundle not in skus and set(parts) & set(skus)
    }
    return sorted(sku for sku, row in listings.of(tx, instance, holding).items() if row.status == ON_SALE)


def _stock(mappings: Sequence[Mapped], items: dict[str, list[Item]], world: World) -> dict[str, int]:
    left = {}
    for mapping in mappings:
        skus = [item.sku.strip() for item in items.get(mapping.connection, ()) if item.status != ARCHIVED]
        if mapping.stock is not None and skus:
            places = {warehouse for place in mapping.stock.places.values() for warehouse in place.warehouses}
            figures = world.erp(mapping.connection).figures(skus, places)
            left[mapping.connection] = sum(figure.on_hand for figure in figures.values())
    return left


def begin(instance: str, sku: str, actor: str, world: World) -> None:
    """A person wants it archived: from the start, whatever became of an earlier time. Audited."""
    key = Key(instance, "archive", sku)
    with world.store.write("archive.begin") as tx:
        ledger.mark_in(tx, [key], "operator")
        listings.restart(tx, key)
        reference.record_act(tx, actor, "archiving begun", str(key))
    world.ring("take", key)


# --------------------------------------------------------------------------------------------------------- take


def take(job: Job, world: World) -> None:
    """Decide which step comes next, by what all systems say at this moment."""
    now, instance = world.store.now(), job.key.instance
    job.values |= {"clean_seq": job.row.dirty_seq, "read_at": now}
    if job.row.state == "closed":
        job.then("closed", "closed by a person; read again and left alone")
        return
    mappings = concerned(world, instance)
    if mappings and not job.row.connection:
        job.values["connection"] = mappings[0].connection
    found = check(instance, job.key.number, world)
    if found.offer is None:
        _gone(job, found)
        return
    job.values["source_status"] = found.offer.status
    if found.bundles:
        message = f"{', '.join(found.bundles)} on sale with a piece of it: archive them first"
        raise Rejected(VIOLATION, f"{job.key.number} in bundles", message)
    if found.offer.status == ON_SALE:
        _stop_first(job, found, mappings, world)
    else:
        _go_on(job, found, mappings, now)


def _gone(job: Job, found: Checks) -> None:
    if found.active:
        named = ", ".join(found.active)
        message = (
            f"Centra has no {job.key.number}, and {named} has it active: deactivate it there, or correct the spelling"
        )
        raise Rejected(VIOLATION, f"{job.key.number} gone", message)
    job.then("proven", "neither system sells it", done_at=job.values["read_at"])
    job.also(_agree(job, "verified: neither system sells it"))


def _stop_first(job: Job, found: Checks, mappings: Sequence[Mapped], world: World) -> None:
    with world.store.read() as tx:
        stopped = effects.of(tx, job.id, _named(job, STOP))
    if stopped is not None and stopped.answer is not None:
        message = f"{', '.join(found.skus)} were taken off sale to be archived, and somebody has put them on sale again"
        raise Rejected(VIOLATION, f"{job.key.number} on sale again", message)
    if not _may_change(mappings):
        raise Rejected("PRODUCT_BY_HAND", "stop by hand", f"take {', '.join(found.skus)} off sale in Centra by hand")
    job.then("ready", f"{', '.join(found.skus)} on sale: to be stopped first")
    job.again = "stop"


def _may_change(mappings: Sequence[Mapped]) -> bool:
    """Whether Lockstep changes what is on sale; else a person does, and it is read."""
    return all(mapping.products is not None and mapping.products.releases for mapping in mappings)


def _go_on(job: Job, found: Checks, mappings: Sequence[Mapped], now: datetime) -> None:
    """Nothing of it is on sale: drain, then deactivate, then archive."""
    since = job.row.released_at or now
    job.values["released_at"] = since
    drained = since + WINDOW
    if found.documents:
        early = [where for where in found.items if where not in found.active]
        if early:
            message = (
                f"deactivated in {', '.join(early)} too early: activate it until these are done; {found.open_in_words}"
            )
            raise Rejected(VIOLATION, job.key.number, message)
        job.then("held", f"off sale; draining, {found.open_in_words}", not_before=now + DRAIN_AGAIN)
    elif found.active and (now < drained or found.unread):
        words = f"off sale; orders of before may turn up until {drained:%Y-%m-%d %H:%M} UTC"
        unread = f"; {found.unread} orders are still to be read" if found.unread else ""
        job.then("held", words + unread, not_before=max(drained, now + ASK_AGAIN))
    elif found.active:
        job.then("created", f"drained: to be deactivated in {', '.join(found.active)}")
        job.again = "deactivate"
    elif found.offer is not None and found.offer.status != ARCHIVED:
        if not _may_change(mappings):
            raise Rejected("PRODUCT_BY_HAND", "archive by hand", f"archive {', '.join(found.skus)} in Centra by hand")
        job.then("posted", "deactivated in every ERP: to be archived in Centra")
        job.again = "archive"
    else:
        job.then("proven", "deactivated in every ERP, archived in Centra", done_at=now, closed_at=now)
        job.also(_agree(job, "verified: deactivated in every ERP, archived in Centra"))


def _agree(job: Job, how: str) -> Any:
    def act(tx: Transaction) -> None:
        exceptions.resolve_of_job(tx, job.id, how)

    return act


# -------------------------------------------------------------------------------------------------------- steps


def stop(job: Job, world: World) -> None:
    """Take the whole family off sale, and read that back; from then on it drains."""
    offer = _offer(job, world)
    if offer is not None and offer.status == ON_SALE:
        world.effect(job, world.storefronts[job.key.instance].set_status(offer, HELD, _named(job, STOP)))
        offer = _shown(job, _named(job, STOP), (HELD, ARCHIVED), world)
    now = world.store.now()
    job.then(
        "held", "taken off sale; what was sold before drains", released_at=job.row.released_at or now, rung_at=None
    )
    job.also(_agree(job, "verified: off sale in Centra"))
    job.again = "take"


def deactivate(job: Job, world: World) -> None:
    """Nothing open has it any more, asked once more as each write is intended: deactivate it, and read that back."""
    instance, number = job.key.instance, job.key.number
    mappings = concerned(world, instance)
    found = check(instance, number, world)
    if found.offer is None or found.offer.status == ON_SALE or found.documents:
        job.then("held", "something has come in between: looked at again", rung_at=None)
        return

    def still_drained(tx: Transaction) -> None:
        left = _documents(tx, instance, found.skus, mappings)
        if left:
            raise NotReady(f"{left[0]} has come in between", until=tx.now + DRAIN_AGAIN)

    by_hand = []
    for connection, items in found.active.items():
        for item in items:
            write = world.erp(connection).deactivate_item(item)
            if write is None:
                by_hand.append(f"{item.sku} (item {item.ref}) in {connection}")
                continue
            name = _named(job, f"{item.ref} {DEACTIVATION} in {connection}")
            world.effect(job, replace(write, name=name), may_intend=still_drained)
    if by_hand:
        raise Rejected("PRODUCT_BY_HAND", "deactivated by hand", f"drained; deactivate by hand: {', '.join(by_hand)}")
    left = check(instance, number, world).active
    if left:
        connection, (item, *_) = next(iter(left.items()))
        effect = _named(job, f"{item.ref} {DEACTIVATION} in {connection}")
        not_shown(job, effect, f"{connection} still shows {item.sku} active", world)
    job.then("held", "deactivated in every ERP", rung_at=None)
    job.also(_agree(job, "verified: deactivated in every ERP"))
    job.again = "take"


def archive(job: Job, world: World) -> None:
    """The last step: archive it in Centra, once no ERP has it active, and read that back."""
    found = check(job.key.instance, job.key.number, world)
    if found.offer is None or found.offer.status == ON_SALE or found.active or found.documents:
        job.then("held", "something has come in between: looked at again", rung_at=None)
        return
    world.effect(job, world.storefronts[job.key.instance].set_status(found.offer, ARCHIVED, _named(job, ARCHIVING)))
    _shown(job, _named(job, ARCHIVING), (ARCHIVED,), world)
    now = world.store.now()
    job.then("proven", "deactivated in every ERP, archived in Centra", done_at=now, closed_at=now)
    job.also(_agree(job, "verified: deactivated in every ERP, archived in Centra"))


def _named(job: Job, write: str) -> str:
    """What a write is called in the ledger, each time that a person began anew."""
    return f"{job.row.posted_version or 1} {write}"[:LONGEST_NAME]


def _offer(job: Job, world: World) -> Item | None:
    return offers_of(job.key.instance, [job.key.number], world).get(job.key.number)


def _shown(job: Job, effect: str, wanted: Sequence[str], world: World) -> Item | None:
    offer = _offer(job, world)
    if offer is not None and offer.status not in wanted:
        not_shown(job, effect, f"Centra still shows it as {offer.status}", world)
    return offer
