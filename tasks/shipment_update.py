"""Shipment update: what left an ERP's warehouse is shown in Centra, paid for, and told to the customer.

    take_dispatch ──▶ create_shipment ──▶ capture_shipment ──▶ complete_shipment ──▶ prove_shipment ──▶ (stock)
     ERP, Centra          Centra              Centra               Centra               Centra

Taking and proving are set-based. The writes in the middle are one shipment each, every one exactly once.
"""

from integration import captures, shipments
from integration.domain.order import Key
from integration.store import lives
from integration.store.ledger import Job
from integration.wiring import World
from tasks.step import Page, step

PAGE = 50
"""Dispatches in one read: their orders are one page of Centra."""


def unread(key: Key, world: World) -> bool:
    """Most knocks come after somebody's page has taken the row."""
    return lives.is_due(world.store, "take", key)


@step("shipments", kind="shipment", page=PAGE, worth_it=unread)
def take_dispatch(page: Page, world: World) -> None:
    """Read the dispatches and their orders, and decide what each of them needs next."""
    reading = shipments.read(page, world)
    for job in page:
        with page.row(job):
            shipments.take(job, reading, world)


@step("shipments", kind="shipment")
def create_shipment(job: Job, world: World) -> None:
    """Show the dispatch, or adopt the shipment that an earlier attempt made."""
    shipments.create(job, world)


@step("shipments", kind="shipment")
def capture_shipment(job: Job, world: World) -> None:
    """Ask for the shipment's money: a fact of its own."""
    captures.ask(job, world)


@step("shipments", kind="shipment")
def complete_shipment(job: Job, world: World) -> None:
    """Tell that it has left, with carrier and every tracking number: the customer gets one e-mail."""
    shipments.complete(job, world)


def gathered(key: Key, world: World) -> bool:
    """Wait for company while others of the connection are still on their way: one page proves many."""
    return lives.gathered(world.store, key, page=PAGE, patience=world.settings.prove_patience)


@step("shipments", kind="shipment", page=PAGE, worth_it=gathered)
def prove_shipment(page: Page, world: World) -> None:
    """Read the shipments back and hold them against what left the warehouse."""
    reading = shipments.read_back(page, world)
    for job in page:
        with page.row(job):
            shipments.prove(job, reading, world)
