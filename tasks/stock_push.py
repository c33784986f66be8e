"""Stock push: what the ERP has to sell becomes what shoppers can buy.

    movements, webhook ─┐
    orders, shipments ──┼──▶ levels ──▶ take_levels ──▶ push_levels ──▶ prove_levels
    compare (nightly) ──┘                   ERP          Centra           Centra

One job stands for all levels of a connection; each run takes the most urgent batch of them, nearly sold out first. A
thousand hints are one push.
"""

from datetime import timedelta

from integration import shelves, stock, stocktake
from integration.store import levels
from integration.store.ledger import Job
from integration.wiring import World
from tasks.feed import feed
from tasks.intake import storefronts
from tasks.step import step

PLACES_EVERY = timedelta(hours=1)
CATALOGUE_EVERY = timedelta(days=1)
"""A SKU that is new in the ERP is missed in the catalogue, and what is missed has it read at once."""
COMPARE_EVERY = timedelta(seconds=20)
"""How soon a compare that was cut off goes on; it begins once a night."""
STALE_EVERY = timedelta(minutes=5)


def connections(world: World) -> list[str]:
    """Those that declare stock."""
    return [mapping.connection for mapping in world.connections() if mapping.stock is not None]


@step("stock", kind="stock")
def take_levels(job: Job, world: World) -> None:
    """Read the ERP's figures of the most urgent hinted SKUs; what cannot change Centra is done with."""
    job.values["clean_seq"] = job.row.dirty_seq
    fed, rows = stock.next_batch(job, world, stock.due(job, world))
    if fed:
        stock.read_figures(job, fed, rows)
    stock.goes_on(job, world)


@step("stock", kind="stock")
def push_levels(job: Job, world: World) -> None:
    """Read Centra's shelves, reckon, and tell Centra what differs, in one call."""
    fed, rows = stock.next_batch(job, world, levels.in_state("read"))
    if fed:
        shelves.agreed(fed)
        shelves.push(job, fed, rows)
    stock.goes_on(job, world)


@step("stock", kind="stock")
def prove_levels(job: Job, world: World) -> None:
    """Read back what Centra was told: it may have kept another figure in silence."""
    fed, rows = stock.next_batch(job, world, levels.in_state("pushed"))
    if fed:
        shelves.prove(job, fed, rows)
    stock.goes_on(job, world, last=True)


@feed("stock", every=lambda world: world.settings.poll_every, systems=connections, polls=True)
def movements(connection: str, world: World) -> None:
    """What moved in the ERP since the last look, and a little before."""
    stocktake.movements(connection, world)


@feed("stock", every=lambda world: CATALOGUE_EVERY, systems=storefronts)
def catalogue(instance: str, world: World) -> None:
    """How Centra addresses its SKUs."""
    stocktake.catalogue(instance, world)


@feed("stock", every=lambda world: PLACES_EVERY, systems=connections)
def places(connection: str, world: World) -> None:
    """Centra's warehouses against what the mapping declares."""
    stocktake.check_places(connection, world)


@feed("stock", every=lambda world: COMPARE_EVERY, systems=connections, sweeps=True)
def compare(connection: str, world: World) -> None:
    """Every SKU, once a night: what the deltas missed."""
    stocktake.compare(connection, world)


@feed("stock", every=lambda world: STALE_EVERY, systems=connections)
def stale(connection: str, world: World) -> None:
    """What Centra does not show in time, and what the brake holds."""
    stocktake.watch(connection, world)
