"""Credit memo: money that Centra paid back is booked in the ERP, against the original sale, exactly once.

    take_refund ──▶ post_memo ──▶ prove_memo
      Centra          ERP           ERP

The money alone: the goods are a document of their own (return_receipt), and either may come first. A return without a
refund credits nothing; a refund without a return moves no stock. Taking and proving are set-based.
"""

from integration import credit
from integration.domain.order import Key
from integration.store import lives
from integration.store.ledger import Job
from integration.wiring import World
from tasks.step import Page, step

TAKE_PAGE = 50
"""Refunds in one read of their orders: as many as orders are read at once."""
PROVE_PAGE = 50


def unread(key: Key, world: World) -> bool:
    """Most knocks come after somebody's page has taken the row."""
    return lives.is_due(world.store, "take", key)


@step("finance", kind="refund", page=TAKE_PAGE, worth_it=unread)
def take_refund(page: Page, world: World) -> None:
    """Read the refunds with all others of their orders, and decide what each of them needs next."""
    found = credit.books(page[0].key.instance, [job.row.order_number or "" for job in page], world)
    for job in page:
        with page.row(job):
            credit.take(job, found.get(job.row.order_number or ""), world)


@step("finance", kind="refund")
def post_memo(job: Job, world: World) -> None:
    """Create and post the memo, or adopt the one that an earlier attempt or a person made."""
    credit.post(job, world)


@step("finance", kind="refund", page=PROVE_PAGE)
def prove_memo(page: Page, world: World) -> None:
    """Read the memos back and compare them with what Centra paid back, component by component."""
    found = credit.books(page[0].key.instance, [job.row.order_number for job in page], world)
    memos = credit.memos_of(page, found, world)
    for job in page:
        with page.row(job):
            credit.prove(job, found.get(job.row.order_number), memos, world)
