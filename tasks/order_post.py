"""Order post: a released Centra order becomes a sales order in the ERP that serves its market.

    take_order ──▶ post_order ──▶ prove_order
      Centra          ERP            ERP
          └───────▶ cancel_order            (cancelled in Centra after it was sent)

Taking and proving are set-based: whoever comes first reads one page for everybody. Posting is one document, one call.
"""

from integration import items, orders
from integration.domain.order import Key
from integration.store import lives
from integration.store.ledger import Job
from integration.wiring import World
from tasks.step import Page, step

TAKE_PAGE = 50
"""Orders in one read of Centra: what public integrations were seen to ask for."""
PROVE_PAGE = 100
"""Orders in one read-back: with their lines, about one page of Fulfil's 500 rows."""


def unread(key: Key, world: World) -> bool:
    """Most knocks come after somebody's page has taken the row."""
    return lives.is_due(world.store, "take", key)


@step("orders", page=TAKE_PAGE, worth_it=unread)
def take_order(page: Page, world: World) -> None:
    """Read the orders from Centra in one page and decide what each of them needs next."""
    instance = page[0].key.instance
    found = world.storefronts[instance].fetch([job.key.number for job in page])
    mappings = world.mappings(instance)
    for job in page:
        with page.row(job):
            orders.take(job, found.get(job.key.number), mappings, world)
    orders.look_up_items(page, found, world)


@step("orders")
def post_order(job: Job, world: World) -> None:
    """Create the sales order or put it on offer, or adopt the one that an earlier attempt created."""
    order, mapping, erp = orders.reread(job, world)
    orders.beware_of_a_twin(job, order, erp, world)
    items.require(world.store, erp, [line.sku for line in order.lines])
    draft = erp.compose(order, mapping)
    released = orders.still_released(job, order, mapping, world)
    write = orders.offered(job, orders.unhurried(erp.order_write(draft), mapping, world), world)
    ref = world.effect(job, write, may_send=released, posted_version=job.row.source_version)
    job.then("posted", f"accepted by {erp.name} as {ref}; not yet proved", erp_ref=ref, posted_at=world.store.now())


def gathered(key: Key, world: World) -> bool:
    """Wait for company while others of the connection are still being posted: one page proves many."""
    settings = world.settings
    return lives.gathered(world.store, key, page=PROVE_PAGE, patience=settings.prove_patience)


@step("orders", page=PROVE_PAGE, worth_it=gathered)
def prove_order(page: Page, world: World) -> None:
    """Read the sales orders back and compare them with what Centra says, component by component."""
    erp = world.erp(page[0].row.connection)
    found = erp.standing([erp.reference(job.key.number) for job in page])
    for job in page:
        with page.row(job):
            orders.prove(job, found[erp.reference(job.key.number)], world)


@step("orders")
def cancel_order(job: Job, world: World) -> None:
    """Make the ERP follow a cancellation, once the outcome of the posting is certain."""
    erp = world.erp(job.row.connection)
    ref = orders.certain_ref(job, erp, world)
    if ref is None:
        job.then("cancelled", "cancelled in Centra; the ERP never got it", done_at=world.store.now())
    else:
        world.effect(job, erp.cancel_write(erp.reference(job.key.number), ref))
        job.then("cancelled", "cancelled in both systems", erp_ref=ref, done_at=world.store.now())
        orders.give_back(job, world)
    job.also(orders.both_agree(job, "verified: cancelled in both systems"))
