"""Product launch: what is new in Centra is sold once every ERP that stages surely has it, complete.

    products (compare) ──▶ take_product ──▶ create_product ──▶ (all sizes of the colour) ──▶ offer_product
                           Centra, ERPs      Centra, ERPs                                       Centra

The compare holds both catalogues against each other: what is new begins its launch, what differs from its master is a case.
"""

from datetime import timedelta

from integration import archive, masters
from integration import products as launch
from integration.domain.order import Key
from integration.store import aftersales, ledger, lives
from integration.store.ledger import Job
from integration.wiring import World
from tasks.feed import feed
from tasks.step import Page, step

TAKE_PAGE = 50
"""SKUs in one read of Centra, and in one of each ERP."""
COMPARE_EVERY = timedelta(hours=1)
"""At 200 SKUs a page, 10,000 SKUs are some 150 reads an hour."""
EARLY_EVERY = timedelta(minutes=5)
WORK_EVERY = timedelta(minutes=15)


def stagers(world: World) -> list[str]:
    """The storefronts whose new products are staged."""
    return [instance for instance in world.storefronts if launch.staging(world, instance)]


def with_products(world: World) -> list[str]:
    """The storefronts of which some mapping speaks of products."""
    return [instance for instance in world.storefronts if archive.concerned(world, instance)]


def unread(key: Key, world: World) -> bool:
    """Most knocks come after somebody's page has taken the row."""
    return lives.is_due(world.store, "take", key)


@step("stock", kind="product", page=TAKE_PAGE, worth_it=unread)
def take_product(page: Page, world: World) -> None:
    """Read the SKUs from Centra and from the ERPs, and decide what each of them needs next."""
    instance, skus = page[0].key.instance, [job.key.number for job in page]
    offers = launch.offers_of(instance, skus, world)
    told = launch.in_erps(launch.staging(world, instance), skus, world)
    for job in page:
        with page.row(job):
            launch.take(job, offers.get(job.key.number), told, world)


@step("stock", kind="product")
def create_product(job: Job, world: World) -> None:
    """Make it where it is missing, read it back; it is staged once nothing that is required is missing."""
    launch.create(job, world)


@step("stock", kind="product")
def offer_product(job: Job, world: World) -> None:
    """Put it on sale in Centra, with all its siblings, and read that back."""
    launch.put_on_sale(job, world)


@feed("stock", every=lambda world: COMPARE_EVERY, systems=with_products, sweeps=True)
def products(instance: str, world: World) -> None:
    """Every SKU of Centra against every ERP: what is new, and what differs from its master."""
    masters.compare(instance, world)


@feed("stock", every=lambda world: EARLY_EVERY, systems=stagers)
def sold_early(instance: str, world: World) -> None:
    """What was sold before its launch was over."""
    launch.sold_early(instance, world)


@feed("stock", every=lambda world: WORK_EVERY, systems=stagers, sweeps=True)
def launches_on_work_list(instance: str, world: World) -> None:
    """Launches that wait for a person, looked at again: what was corrected goes on by itself."""
    with world.store.write("products.work_list") as tx:
        for mapping in launch.staging(world, instance):
            keys = aftersales.on_work_list(tx, mapping.connection, "product", launch.WORK_LIST)
            ledger.mark_in(tx, keys, "work list")
