"""Product launch: what is new in Centra is sold once every ERP that stages surely has it, complete.

catalogue compare ──▶ take_product ──▶ create_product ──▶ (all sizes of the colour) ──▶ offer_product
                      Centra, ERPs     Centra, ERPs                                         Centra
"""

from datetime import timedelta

from integration import products
from integration.domain.order import Key
from integration.store import aftersales, ledger
from integration.store.ledger import Job
from integration.wiring import World
from tasks.feed import feed
from tasks.step import Page, step

TAKE_PAGE = 50
"""SKUs in one read of Centra, and in one of each ERP."""
EARLY_EVERY = timedelta(minutes=5)
WORK_EVERY = timedelta(minutes=15)


def stagers(world: World) -> list[str]:
    """The storefronts whose new products are staged."""
    return [instance for instance in world.storefronts if products.staging(world, instance)]


def unread(key: Key, world: World) -> bool:
    """Most knocks come after somebody's page has taken the row."""
    return ledger.is_due(world.store, "take", key)


@step("stock", kind="product", page=TAKE_PAGE, worth_it=unread)
def take_product(page: Page, world: World) -> None:
    """Read the SKUs from Centra and from the ERPs, and decide what each of them needs next."""
    instance, skus = page[0].key.instance, [job.key.number for job in page]
    offers = products.offers_of(instance, skus, world)
    told = products.in_erps(products.staging(world, instance), skus, world)
    for job in page:
        with page.row(job):
            products.take(job, offers.get(job.key.number), told, world)


@step("stock", kind="product")
def create_product(job: Job, world: World) -> None:
    """Make it where it is missing, read it back; it is staged once nothing that is required is missing."""
    products.create(job, world)


@step("stock", kind="product")
def offer_product(job: Job, world: World) -> None:
    """Put it on sale in Centra, with all its siblings, and read that back."""
    products.put_on_sale(job, world)


@feed("stock", every=lambda world: EARLY_EVERY, systems=stagers)
def sold_early(instance: str, world: World) -> None:
    """What was sold before its launch was over."""
    products.sold_early(instance, world)


@feed("stock", every=lambda world: WORK_EVERY, systems=stagers, sweeps=True)
def launches_on_work_list(instance: str, world: World) -> None:
    """Launches that wait for a person, looked at again: what was corrected goes on by itself."""
    with world.store.write("products.work_list") as tx:
        for mapping in products.staging(world, instance):
            keys = aftersales.on_work_list(tx, mapping.connection, "product", products.WORK_LIST)
            ledger.mark_in(tx, keys, "work list")
