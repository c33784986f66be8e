"""Return receipt: what a customer sends back goes to the warehouse first, and into anybody's stock only afterwards.

    take_return ──▶ open_return ──▶ (warehouse receives, inspects) ──▶ take_return ──▶ complete_return ──▶ stock push
    Centra, ERP         ERP                                             Centra, ERP        Centra
         └────────▶ cancel_return        (deleted in Centra)
             ERP

The goods alone: a refund is a document of its own (credit_memo), and either may come first. Taking is set-based.
"""

from integration import returns
from integration.domain.order import Key
from integration.store import lives
from integration.store.ledger import Job
from integration.wiring import World
from tasks.step import Page, step

TAKE_PAGE = 50
"""Returns in one read of Centra, and in one of the ERP."""


def unread(key: Key, world: World) -> bool:
    """Most knocks come after somebody's page has taken the row."""
    return lives.is_due(world.store, "take", key)


@step("returns", kind="return", page=TAKE_PAGE, worth_it=unread)
def take_return(page: Page, world: World) -> None:
    """Read the returns from Centra, their receipts from the ERP, and decide what each of them needs next."""
    instance = page[0].key.instance
    found = world.storefronts[instance].returns([job.key.number for job in page])
    orders = returns.origins(instance, found, world)
    receipts = returns.receipts_of(page, world)
    for job in page:
        with page.row(job):
            returns.take(job, found.get(job.key.number), orders, receipts(job), world)


@step("returns", kind="return")
def open_return(job: Job, world: World) -> None:
    """Tell the ERP to expect it, or adopt what an earlier attempt told; open once read back equal to the piece."""
    returns.announce(job, world)


@step("returns", kind="return")
def complete_return(job: Job, world: World) -> None:
    """Received, inspected and agreed: complete the return in Centra, read it back, push the stock of its SKUs."""
    returns.complete(job, world)


@step("returns", kind="return")
def cancel_return(job: Job, world: World) -> None:
    """Make the ERP follow a return that Centra deleted, once it is certain what it was told."""
    returns.cancel(job, world)
