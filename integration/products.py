"""What the links of a product launch do to one new SKU of the storefront: nothing is sold before the ERP surely has it.

One launch is of one SKU, in every connection of its storefront that stages; but a storefront puts a whole family on sale (a
colour with all its sizes), so the last of a family releases all of it. In a launch's row `released_at` is when the ERP was
proved to have the SKU complete, `done_at` when nothing was left to do.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from integration.domain.product import ARCHIVED, EAN, HELD, ON_SALE, Item, folded, in_parts, lacking, spelt
from integration.errors import NotReady, Rejected
from integration.ports import HOLD, NEW_ITEM, RELEASE
from integration.store import Transaction, effects, exceptions, listings
from integration.store.ledger import Job
from integration.store.lives import FINAL
from integration.wiring import World
from mappings import Mapping as Mapped

SIBLINGS_AGAIN = timedelta(hours=1)
"""How soon a launch looks at its siblings without being told: they tell when they are done."""
VISIBLE_WITHIN = timedelta(minutes=10)
"""What a system accepted and does not show after this needs a person. Unconfirmed; longer than any lag reported."""
ASK_AGAIN = timedelta(seconds=15)
LONGEST_NAME = 64
EARLY = "PRODUCT_SELLABLE_UNVERIFIED"
BEFORE_ITS_LAUNCH = timedelta(days=1)
"""How long something new may be on sale before the catalogue's reading finds it."""
WORK_LIST = (
    "PRODUCT_BY_HAND",
    "PRODUCT_STAGING_INCOMPLETE",
    "PRODUCT_STALLED",
    "SKU_AMBIGUOUS",
    "SKU_EAN_SHARED",
    "SKU_RENAMED",
)
"""Cases of a launch that end when a person has corrected something in either system."""


def staging(world: World, instance: str) -> list[Mapped]:
    """The connections in which a new SKU of a storefront must be before it is sold."""
    return [mapping for mapping in world.mappings(instance) if mapping.products is not None and mapping.products.stages]


def offers_of(instance: str, skus: Collection[str], world: World) -> dict[str, Item]:
    """What the storefront has of these SKUs at this moment, as far as its catalogue was ever seen to have them."""
    with world.store.read() as tx:
        refs = {row.ref: sku for sku, row in listings.of(tx, instance, skus).items()}
    found = world.storefronts[instance].offers(refs)
    return {item.sku: item for item in found.values() if item.sku in skus}


def in_erps(mappings: Sequence[Mapped], skus: Collection[str], world: World) -> dict[str, Sequence[Item]]:
    """What each connection's ERP has that may be one of these SKUs."""
    return {mapping.connection: world.erp(mapping.connection).definitions(skus) for mapping in mappings}


@dataclass(frozen=True, slots=True)
class Standing:
    """A SKU in one ERP: `item` is it, `alike` are others that may be."""

    connection: str
    item: Item | None
    alike: Sequence[Item]


def standings(sku: str, told: Mapping[str, Sequence[Item]]) -> list[Standing]:
    return [Standing(connection, *spelt(sku, items)) for connection, items in told.items()]


# --------------------------------------------------------------------------------------------------------- take


def take(job: Job, offer: Item | None, told: Mapping[str, Sequence[Item]], world: World) -> None:
    """Decide what a new SKU needs next, by what all systems say of it at this moment."""
    job.values |= {"clean_seq": job.row.dirty_seq, "read_at": world.store.now()}
    connection = next(iter(told), "")
    if connection and not job.row.connection:
        job.values["connection"] = connection
    if job.row.state == "closed":
        job.then("closed", "closed by a person; read again and left alone")
    elif offer is None or offer.status == ARCHIVED:
        job.then("cancelled", "Centra does not have it" if offer is None else "archived in Centra before it was sold")
        job.also(lambda tx: _over(tx, job.id, "obsolete: nothing is to be launched"))
    elif not told:
        job.then("held", "no connection stages products", not_before=world.store.now() + SIBLINGS_AGAIN)
    elif _is_archived(job, world):
        job.then("cancelled", "it is being archived")
    elif job.row.done_at is not None:
        job.then("proven", "launched before; read again and left alone")
    else:
        refuse_doubt(job.key.instance, offer, standings(offer.sku, told), world)
        job.values["source_status"] = offer.status
        job.then("ready", f"to be proved in {', '.join(told)}")


def _over(tx: Transaction, job_id: int, how: str) -> None:
    exceptions.resolve_of_job(tx, job_id, how)


def _is_archived(job: Job, world: World) -> bool:
    with world.store.read() as tx:
        row = listings.jobs(tx, job.key.instance, "archive", [job.key.number]).get(job.key.number)
    return row is not None and row.state not in ("observed", "cancelled", "closed")


def refuse_doubt(instance: str, offer: Item, found: Sequence[Standing], world: World) -> None:
    """Raises `Rejected` where it is not certain which SKU is meant: another spelling, another use, a shared EAN."""
    for standing in found:
        if standing.item is None and standing.alike:
            named = ", ".join(repr(item.sku) for item in standing.alike)
            message = f"Centra's {offer.sku!r} may be {named} in {standing.connection}: it is spelt otherwise, and nobody guesses"
            raise Rejected("SKU_AMBIGUOUS", offer.sku, message)
        if standing.item is not None and standing.item.status == ARCHIVED:
            message = (
                f"{offer.sku} is new in Centra, and {standing.connection} has it as {standing.item.ref}, deactivated: a SKU used "
                "again, or one that is to be activated there"
            )
            raise Rejected("SKU_RENAMED", f"{offer.sku} used again", message)
    ean = offer.fields.get(EAN, "")
    with world.store.read() as tx:
        others = [sku for sku in listings.with_ean(tx, instance, ean) if folded(sku) != folded(offer.sku)]
    if others:
        raise Rejected("SKU_EAN_SHARED", ean, f"Centra has EAN {ean} on {offer.sku} and on {', '.join(others[:10])}")


# ------------------------------------------------------------------------------------------------------- create


def create(job: Job, world: World) -> None:
    """Make it in every ERP that lacks it, read it back, and hold its required fields against what is there."""
    instance, sku = job.key.instance, job.key.number
    offer = offers_of(instance, [sku], world).get(sku)
    mappings = staging(world, instance)
    if offer is None or not mappings:
        job.then("held", "Centra or the mappings say otherwise than a moment ago", rung_at=None)
        return
    told = in_erps(mappings, offer.siblings or [sku], world)
    found = standings(sku, told)
    refuse_doubt(instance, offer, found, world)
    _hold_back(job, offer, told, mappings, world)
    by_hand = [
        mapping
        for mapping, standing in zip(mappings, found, strict=True)
        if standing.item is None and not _made(job, offer, mapping, world)
    ]
    if by_hand:
        raise Rejected("PRODUCT_BY_HAND", f"made by hand in {by_hand[0].connection}", _to_make(offer, by_hand))
    _prove(job, offer, mappings, world)
    named = ", ".join(mapping.connection for mapping in mappings)
    job.then("created", f"complete in {named}", released_at=world.store.now())
    job.also(lambda tx: _verified(tx, job, mappings, f"verified: complete in {named}"))
    job.also(lambda tx: _tell_siblings(tx, instance, offer))


def _verified(tx: Transaction, job: Job, mappings: Sequence[Mapped], how: str) -> None:
    """Its own case is over, and so are those of what was sold, or on sale, before this."""
    _over(tx, job.id, how)
    for mapping in mappings:
        exceptions.resolve_named(tx, mapping.connection, [EARLY], [job.key.number, f"{job.key.number} sold"], how)


def _tell_siblings(tx: Transaction, instance: str, offer: Item) -> None:
    listings.let_go_on(tx, instance, set(offer.siblings) - {offer.sku})


def _hold_back(
    job: Job, offer: Item, told: Mapping[str, Sequence[Item]], mappings: Sequence[Mapped], world: World
) -> None:
    """Take it off sale until it is proved. A family that is partly known sells on: what the ERP does not know has no stock."""
    known = any(spelt(sku, items)[0] for sku in offer.siblings for items in told.values())
    if offer.status == ON_SALE and not known and all(m.products and m.products.releases for m in mappings):
        world.effect(job, world.storefronts[job.key.instance].set_status(offer, HELD, HOLD))


def _made(job: Job, offer: Item, mapping: Mapped, world: World) -> bool:
    """False where the ERP offers no call for it; a copy of a template is no kit of the right pieces."""
    assert mapping.products is not None
    erp, template = world.erp(mapping.connection), mapping.products.template
    write = None if offer.is_bundle else erp.create_item(offer, template)
    if write is None:
        return False
    world.effect(job, replace(write, name=f"{NEW_ITEM} in {mapping.connection}"[:LONGEST_NAME]))
    return True


def _to_make(offer: Item, mappings: Sequence[Mapped]) -> str:
    fields = ", ".join(f"{name} {value}" for name, value in offer.fields.items() if value)
    named = ", ".join(mapping.connection for mapping in mappings)
    kit = f", a kit of {in_parts(mappings[0].bundles.get(offer.sku, {}))}" if offer.is_bundle else ""
    return f"to be made by hand in {named}: SKU {offer.sku}, {fields}{kit}; Centra sells it once it is there"


def _prove(job: Job, offer: Item, mappings: Sequence[Mapped], world: World) -> None:
    """Read back: done is what every ERP shows as an active item with all that is required."""
    gaps = []
    for mapping in mappings:
        assert mapping.products is not None
        erp = world.erp(mapping.connection)
        found, _ = spelt(offer.sku, erp.definitions([offer.sku], parts=offer.is_bundle))
        if found is None:
            not_shown(
                job, f"{NEW_ITEM} in {mapping.connection}", f"{mapping.connection} made it and does not show it", world
            )
            continue
        missing = lacking(erp.item(found.ref), mapping.products.required)
        if missing:
            gaps.append(f"{mapping.connection} has no {' and no '.join(missing)} for {offer.sku} (item {found.ref})")
        ours = mapping.bundles.get(offer.sku, {})
        if offer.is_bundle and not ours:
            gaps.append(f"[bundles] of {mapping.file} does not say what is in {offer.sku}")
        elif found.parts is not None and dict(found.parts) != dict(ours):
            theirs = f"{mapping.connection} has {in_parts(found.parts)} in {offer.sku} (item {found.ref})"
            gaps.append(f"{theirs}, [bundles] of {mapping.file} has {in_parts(ours)}")
    if gaps:
        raise Rejected("PRODUCT_STAGING_INCOMPLETE", offer.sku, "; ".join(gaps))


def not_shown(job: Job, effect: str, words: str, world: World) -> None:
    """What a system answered is late to show: raises `NotReady`, and `Rejected` (PRODUCT_STALLED) when it is too late. `effect`
    is its write's name in the ledger.
    """
    with world.store.read() as tx:
        told = effects.of(tx, job.id, effect[:LONGEST_NAME])
        since = tx.now - told.answered_at if told is not None and told.answered_at is not None else timedelta(0)
    if since < VISIBLE_WITHIN:
        raise NotReady(words, until=world.store.now() + ASK_AGAIN)
    raise Rejected("PRODUCT_STALLED", effect, f"{words} after {int(since.total_seconds() // 60)} minutes")


# ------------------------------------------------------------------------------------------------------ release


def put_on_sale(job: Job, world: World) -> None:
    """Put the whole family on sale once each of its SKUs is proved; where people release, say that they may."""
    instance, sku = job.key.instance, job.key.number
    offer, mappings = offers_of(instance, [sku], world).get(sku), staging(world, instance)
    if offer is None or not mappings:
        job.then("held", "Centra or the mappings say otherwise than a moment ago", rung_at=None)
        return
    waits_for = _unproved(instance, offer, mappings, world)
    if waits_for and offer.status != ON_SALE:
        words = f"complete; its family waits for {len(waits_for)} of {len(offer.siblings)}: {', '.join(waits_for[:10])}"
        job.then("created", words, not_before=world.store.now() + SIBLINGS_AGAIN)
        return
    if offer.status == HELD and all(m.products and m.products.releases for m in mappings):
        storefront = world.storefronts[instance]
        world.effect(job, storefront.set_status(offer, ON_SALE, RELEASE))
        shown = storefront.offers([offer.ref]).get(offer.ref)
        if shown is None or shown.status != ON_SALE:
            words = "released, and Centra still shows it held back: its product may not be active"
            not_shown(job, RELEASE, words, world)
        done = "released: on sale in Centra"
    else:
        done = "on sale in Centra" if offer.status == ON_SALE else "complete: it may be put on sale in Centra"
    job.then("proven", done, done_at=world.store.now())
    job.also(lambda tx: _over(tx, job.id, f"verified: {done}"))
    job.also(lambda tx: _tell_siblings(tx, instance, offer))


def _unproved(instance: str, offer: Item, mappings: Sequence[Mapped], world: World) -> list[str]:
    """The siblings that no ERP was proved to have: their launch is not so far, or they have none and an ERP lacks them."""
    others = set(offer.siblings) - {offer.sku}
    with world.store.read() as tx:
        rows = listings.jobs(tx, instance, "product", others)
    late = [sku for sku, row in rows.items() if row.state != "created" and row.state not in FINAL]
    unlaunched = others - set(rows)
    told = in_erps(mappings, unlaunched, world) if unlaunched else {}
    missing = {sku for sku in unlaunched for items in told.values() if spelt(sku, items)[0] is None}
    return sorted({*late, *missing})


# -------------------------------------------------------------------------------------------------------- sweep


def sold_early(instance: str, world: World) -> None:
    """A case for every SKU that orders have though no launch has proved it, and none for the others. A bundle is known by its
    pieces: what has all of them may have it.
    """
    with world.store.read() as tx:
        found = listings.sold_early(tx, instance)
        launched = listings.unproved(tx, instance)
    for mapping in staging(world, instance):
        connection = mapping.connection
        with world.store.read() as tx:
            bundles = {
                sku: listings.orders_with_all(tx, instance, mapping.bundles[sku], seen - BEFORE_ITS_LAUNCH)
                for sku, seen in launched.items()
                if sku in mapping.bundles
            }
        with world.store.write("products.early") as tx:
            standing = []
            for sku, numbers in (found | {sku: numbers for sku, numbers in bundles.items() if numbers}).items():
                listed = ", ".join(numbers[:20]) + (", ..." if len(numbers) > 20 else "")
                which = "orders with all its pieces" if sku in bundles else "orders"
                words = f"{sku} was sold before {connection} was proved to have it: {which} {listed}"
                case = world.case(EARLY, f"{sku} sold", words, instance=instance, connection=connection)
                exceptions.open_case(tx, case)
                standing.append(case.cause)
            stale = [cause for where, cause in exceptions.open_causes(tx, EARLY) if where == connection]
            gone = [cause for cause in stale if cause.endswith(" sold") and cause not in standing]
            exceptions.resolve_named(tx, connection, [EARLY], gone, "verified: its launch has proved it, or is over")
