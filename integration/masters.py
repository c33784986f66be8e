"""Both catalogues held against each other, SKU by SKU: one master a field, and nobody's field is overwritten.

Every difference is one case that names the master and what to correct where; it ends when the two agree. What is new is handed
to its launch. Everything is read in pages and remembered (`listing`), so that a SKU that was renamed, is used again, or shares
its EAN or its spelling with another is found, whichever pages they stood on.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from integration import archive, brake, products
from integration.domain.order import Key
from integration.domain.product import ARCHIVED, BUNDLE, COMPARED, ERP, ON_SALE, Item, differences, in_parts, spelt
from integration.errors import Rejected
from integration.store import Transaction, exceptions, ledger, listings, schedule
from integration.wiring import World
from mappings import Mapping as Mapped

COMPARED_FOR = timedelta(seconds=20)
"""A compare gives its slot back after this and goes on in the next."""
SEEN_TOGETHER = timedelta(days=1)
"""What was last seen longer before the rest of its page was gone before."""
DOUBTED = "products doubted"
"""The cursor that holds when a page of an ERP was last not believed."""
LISTED = 200
CONFLICT, AMBIGUOUS, UNVERIFIED = "PRODUCT_FIELD_CONFLICT", "SKU_AMBIGUOUS", products.EARLY
OF_SKU = (AMBIGUOUS, UNVERIFIED, archive.VIOLATION, "BUNDLE_CONFLICT")
"""Cases of the compare whose cause is the SKU itself; that of a conflict is the SKU and the field."""
STREAM = "products"

Found = tuple[str, str, str]
"""(type, cause, message) of a case that is to be open."""


def compare(instance: str, world: World) -> None:
    """One pass through the storefront's catalogue; one that was cut off goes on at its page, the first only gets to know.

    The cursor holds when the pass began, the next page, and whether an earlier pass has seen everything.
    """
    mappings = archive.concerned(world, instance)
    if not mappings:
        return
    with world.store.read() as tx:
        told = (schedule.read_cursor(tx, instance, STREAM) or "").split()
    now = world.store.now()
    known = told[2:] == ["known"] or told[1:2] == ["done"]
    if told[1:2] in ([], ["done"]):
        told = [now.isoformat(), "1"]
    began, page = datetime.fromisoformat(told[0]), int(told[1])
    while world.store.now() - now < COMPARED_FOR:
        items, more = world.storefronts[instance].catalogue(page)
        _page(instance, mappings, items, known, world)
        page += 1
        with world.store.write("products.page") as tx:
            if not more:
                _end(tx, instance, mappings, began, world)
            mark = "done" if not more else f"{page} known" if known else str(page)
            schedule.move_cursor(tx, instance, STREAM, f"{began.isoformat()} {mark}")
        if not more:
            return
    world.ring("products", Key(instance, "feed", "more"))


@dataclass(frozen=True, slots=True)
class _Side:
    """A page in one ERP; `renamed` are those that it calls otherwise than when they were last seen.

    `doubt` says why the page must not be judged: too much of what it had is gone at once.
    """

    mapping: Mapped
    items: Sequence[Item]
    renamed: Mapping[str, Item]
    doubt: str


def _page(instance: str, mappings: Sequence[Mapped], offers: Sequence[Item], known: bool, world: World) -> None:
    """Ask every ERP, and then say in one transaction what is new, what differs, and what does not any more."""
    asked = [_side(mapping, offers, world) for mapping in mappings]
    sides = [side for side in asked if not side.doubt]
    with world.store.write("products.compare") as tx:
        for side in asked:
            if side.doubt:
                _open(tx, world, side.mapping, (brake.TYPE, brake.LACKING, side.doubt))
                schedule.move_cursor(tx, side.mapping.connection, DOUBTED, tx.now.isoformat())
        before = listings.of(tx, instance, [offer.sku for offer in offers])
        whole = not known or len(sides) == len(asked)  # what is new stays new until every ERP is believed
        noted = [offer for offer in offers if whole or offer.sku in before]
        moved = [(mappings[0], "Centra", each) for each in listings.put(tx, instance, noted)]
        for side in sides:
            there = [*side.items, *side.renamed.values()]
            moved += [
                (side.mapping, side.mapping.connection, each)
                for each in listings.put(tx, side.mapping.connection, _once(there))
            ]
        for mapping, system, each in moved:
            _open(tx, world, mapping, ("SKU_RENAMED", f"{each.before} {each.sku}", _moved_in_words(system, each)))
        fresh = {offer.sku for offer in offers if known and offer.sku not in before and offer.status != ARCHIVED}
        for side in sides:
            _judge(tx, instance, side, offers, fresh, world)


def _side(mapping: Mapped, offers: Sequence[Item], world: World) -> _Side:
    erp, skus = world.erp(mapping.connection), [offer.sku for offer in offers]
    items = erp.definitions(skus, parts=True)
    lacking = [sku for sku in skus if spelt(sku, items) == (None, [])]
    with world.store.read() as tx:
        known = listings.of(tx, mapping.connection, skus)
    had = {sku: known[sku] for sku in lacking if sku in known}
    asked = {sku: item for sku, row in had.items() if (item := _asked(erp, row.ref)) is not None}
    renamed = {sku: item for sku, item in asked.items() if item.sku != sku}  # by its old name it is only left out
    return _Side(mapping, items, renamed, _doubt(mapping, known, had.keys() - renamed.keys()))


def _doubt(mapping: Mapped, known: Mapping[str, Any], gone: Collection[str]) -> str:
    """Why it is not believed that these are gone: so many at once were left out rather. What was gone before does not count."""
    last = max((row.at for row in known.values()), default=None)
    there = {sku for sku, row in known.items() if last is not None and last - row.at < SEEN_TOGETHER}
    lost = sorted(there.intersection(gone))
    if not brake.is_mass(len(lost), len(there), mapping.stock):
        return ""
    return (
        f"{mapping.connection} does not tell of {len(lost)} of {len(there)} products that it had: was a filter added to what it "
        f"is asked? They are not judged, nor launched anew: {', '.join(lost[:10])}, ... If they are rightly gone: lockstep stock "
        f"--release {mapping.connection}"
    )


def _asked(erp: Any, ref: str) -> Item | None:
    try:
        found: Item = erp.item(ref)
    except Rejected:  # it is gone
        return None
    return found


def _once(items: Iterable[Item]) -> list[Item]:
    return list({item.ref: item for item in items}.values())


def _moved_in_words(system: str, each: listings.Moved) -> str:
    if each.before == each.sku:
        return f"in {system} {each.sku} is another article now ({each.ref}): a SKU is used again"
    return f"{system} has renamed {each.before} to {each.sku} ({each.ref}): open orders may still name {each.before}"


def _open(tx: Transaction, world: World, mapping: Mapped, found: Found) -> None:
    type, cause, message = found
    case = world.case(type, cause[:255], message, instance=mapping.centra, connection=mapping.connection)
    exceptions.open_case(tx, case)


def _judge(tx: Transaction, instance: str, side: _Side, offers: Sequence[Item], fresh: set[str], world: World) -> None:
    """Open what differs, close what agrees, and hand what is new to its launch."""
    mapping, connection = side.mapping, side.mapping.connection
    skus = [offer.sku for offer in offers]
    launches = listings.jobs(tx, instance, "product", skus)
    ending = {row.number for row in listings.at_work(tx, "archive") if row.instance == instance}
    families = {row.family for row in listings.of(tx, instance, ending).values()}
    standing: set[tuple[str, str]] = set()
    for offer in offers:
        if mapping.stock is not None and mapping.stock.why_excluded(offer.sku):
            continue
        item, alike = spelt(offer.sku, side.items)
        found: list[Found] = []
        if item is None and alike:
            found = [(AMBIGUOUS, offer.sku, f"{connection} has {alike[0].sku!r} where Centra has {offer.sku!r}")]
        elif item is None:
            found = _missing(tx, offer, mapping, offer.sku in fresh, offer.sku in launches)
        else:
            found = _held_against(tx, offer, item, mapping, archived=offer.family in families)
        for each in found:
            _open(tx, world, mapping, each)
            standing.add(each[:2])
    for type in OF_SKU:
        _close(tx, connection, type, [sku for sku in skus if (type, sku) not in standing])
    fields = [f"{sku} {field}" for sku in skus for field in COMPARED]
    _close(tx, connection, CONFLICT, [cause for cause in fields if (CONFLICT, cause) not in standing])


def _close(tx: Transaction, connection: str, type: str, causes: Sequence[str]) -> None:
    exceptions.resolve_named(tx, connection, [type], causes, "verified: both systems were read and agree")


def _missing(tx: Transaction, offer: Item, mapping: Mapped, fresh: bool, launched: bool) -> list[Found]:
    """The ERP lacks it: its launch makes it where that is new and staged; what is on sale meanwhile is a case."""
    assert mapping.products is not None
    if not mapping.products.stages:
        return []
    if fresh:
        ledger.mark_in(tx, [Key(mapping.centra, "product", offer.sku)], "catalogue", connection=mapping.connection)
    if offer.status != ON_SALE or ((fresh or launched) and mapping.products.releases):
        return []
    words = (
        f"Centra sells {offer.sku}, and {mapping.connection} does not have it: `lockstep products {offer.sku} --launch`"
    )
    return [(UNVERIFIED, offer.sku, words)]


def _held_against(tx: Transaction, offer: Item, item: Item, mapping: Mapped, *, archived: bool) -> list[Found]:
    """What the two systems say otherwise of one SKU."""
    connection, sku = mapping.connection, offer.sku
    if item.status == ARCHIVED:
        documents = [] if offer.status == ON_SALE else listings.open_documents(tx, mapping.centra, [sku])
        words = f"{connection} has {sku} deactivated"
        if offer.status == ON_SALE:
            return [(archive.VIOLATION, sku, f"{words}, and Centra sells it: `lockstep archive {sku}`")]
        if documents:
            numbers = ", ".join(f"{row.kind} {row.number}" for row in documents[:20])
            return [(archive.VIOLATION, sku, f"{words} while {len(documents)} are open: {numbers}")]
        return []
    if offer.status == ARCHIVED:
        words = f"Centra has archived {sku}, and {connection} has it active: `lockstep archive {sku}`"
        return [] if archived else [(archive.VIOLATION, sku, words)]
    return [*_fields(offer, item, mapping), *_bundle(offer, item, mapping)]


def _fields(offer: Item, item: Item, mapping: Mapped) -> list[Found]:
    assert mapping.products is not None
    found: list[Found] = []
    for each in differences(offer, item, list(mapping.products.masters)):
        theirs, ours = (f"{mapping.connection} {each.erp!r}"), (f"Centra {each.storefront!r}")
        if mapping.products.masters[each.field] == ERP:
            words = f"{theirs}, its master, and {ours}: correct Centra"
        else:
            words = f"{ours}, its master, and {theirs}: correct {mapping.connection} (item {item.ref})"
        found.append((CONFLICT, f"{offer.sku} {each.field}", f"{each.field} of {offer.sku}: {words}"))
    return found


def _bundle(offer: Item, item: Item, mapping: Mapped) -> list[Found]:
    """[bundles] against the ERP's bill of materials: pieces and stock are reckoned by the one, picked by the other.

    A kit of the ERP's that [bundles] does not have would be sold beside its own pieces, as if neither took from the other.
    """
    assert mapping.products is not None
    ours = mapping.bundles.get(offer.sku, {})
    if offer.is_bundle and not ours:
        words = f"{offer.sku} is a bundle in Centra, and [bundles] of {mapping.file} does not say what is in it"
        return [("BUNDLE_CONFLICT", offer.sku, words)]
    plain = not ours and not item.is_bundle
    if item.parts is None or plain or dict(item.parts) == dict(ours):
        return []
    master = mapping.products.masters.get(BUNDLE, ERP)
    where = f"[bundles] of {mapping.file}" if master == ERP else f"{mapping.connection} (item {item.ref})"
    words = f"{mapping.connection} has {in_parts(item.parts)}, [bundles] has {in_parts(ours)}: correct {where}"
    return [("BUNDLE_CONFLICT", offer.sku, f"{offer.sku}: {words}")]


# ---------------------------------------------------------------------------------------------------------- end


def _end(tx: Transaction, instance: str, mappings: Sequence[Mapped], began: datetime, world: World) -> None:
    """What only a whole pass can tell: EANs and spellings that several have, and what is gone."""
    listings.forget(tx, instance, began)
    first = mappings[0]
    shared = [
        ("SKU_EAN_SHARED", ean, f"Centra has EAN {ean} on {', '.join(skus)}")
        for ean, skus in listings.shared(tx, instance, "ean", LISTED)
    ]
    alike = [
        (AMBIGUOUS, f"{skus[0]} alike", f"Centra has {' and '.join(map(repr, skus))}: is it one SKU, or are they two?")
        for _, skus in listings.shared(tx, instance, "folded", LISTED)
    ]
    for found in (*shared, *alike):
        _open(tx, world, first, found)
    causes = [cause for _, cause, _ in shared]
    exceptions.resolve_causes(
        tx, first.connection, "SKU_EAN_SHARED", beginning="", but=causes, how="verified: no other SKU has it"
    )
    for mapping in mappings:
        doubted = schedule.read_cursor(tx, mapping.connection, DOUBTED)
        if doubted is None or datetime.fromisoformat(doubted) < began:
            _close(tx, mapping.connection, brake.TYPE, [brake.LACKING])
        _close_gone(tx, instance, mapping.connection, {cause for _, cause, _ in alike})


def _close_gone(tx: Transaction, instance: str, connection: str, alike: set[str]) -> None:
    """Cases of SKUs that the storefront does not have any more, and of spellings that are told apart now."""
    for type in (*OF_SKU, CONFLICT):
        causes = [cause for where, cause in exceptions.open_causes(tx, type) if where == connection]
        ours = {cause: cause for cause in causes if type in OF_SKU} | {
            cause: cause.rpartition(" ")[0] for cause in causes if type == CONFLICT
        }
        there = listings.of(tx, instance, ours.values())
        gone = [cause for cause, sku in ours.items() if sku not in there and not cause.endswith(" sold")]
        _close(tx, connection, type, [cause for cause in gone if cause not in alike])
