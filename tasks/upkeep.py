"""Signs of life, and the rules of retention."""

from datetime import timedelta

from integration.store import documents, schedule
from integration.wiring import World
from tasks.celery import app, world
from tasks.feed import ring_due

RUNS_KEPT = timedelta(days=35)


@app.task(name="orders.canary", throws=())
def canary() -> None:
    """A worker of the order lane has done work: beat, broker and worker are alive."""
    with world().store.write("canary") as tx:
        schedule.beat(tx, "orders lane")


@app.task(name="orders.feeds")
def feeds() -> None:
    """The sweeper's feeds once more from beat: one of the two is enough."""
    ring_due(world())


@app.task(name="finance.upkeep")
def upkeep() -> None:
    """Forget what policy says must be forgotten: payloads of closed orders, and old run rows."""
    keep_house(world())


def keep_house(world: World) -> dict[str, int]:
    """Apply retention. Returns how many rows of each kind went; idempotency keys and proofs stay."""
    with world.store.write("upkeep") as tx:
        return {
            "documents": documents.expire(tx, closed_before=tx.now - timedelta(days=world.settings.payload_days)),
            "runs": schedule.forget_runs(tx, tx.now - RUNS_KEPT),
        }
