"""Archiving a product in the one order that breaks nothing: stop selling, drain, deactivate, archive.

    lockstep archive ──▶ take_archive ──▶ stop_selling ──▶ (open orders, the settle window) ──▶ take_archive
                          all systems        Centra
              ──▶ deactivate_items ──▶ take_archive ──▶ archive_product
                        ERPs                                Centra

Taking decides what comes next from what every system says, so an archiving that somebody began in the wrong order is
finished by the same links.
"""

from datetime import timedelta

from integration import archive
from integration.store import aftersales, ledger
from integration.store.ledger import Job
from integration.wiring import World
from tasks.feed import feed
from tasks.intake import storefronts
from tasks.step import step

WORK_EVERY = timedelta(minutes=15)


@step("stock", kind="archive")
def take_archive(job: Job, world: World) -> None:
    """Read the SKU's family in every system and what is open with it, and decide what comes next."""
    archive.take(job, world)


@step("stock", kind="archive")
def stop_selling(job: Job, world: World) -> None:
    """Hold the family back in Centra."""
    archive.stop(job, world)


@step("stock", kind="archive")
def deactivate_items(job: Job, world: World) -> None:
    """Deactivate it in every ERP, once nothing open has it."""
    archive.deactivate(job, world)


@step("stock", kind="archive")
def archive_product(job: Job, world: World) -> None:
    """Archive it in Centra, once no ERP has it active."""
    archive.archive(job, world)


@feed("stock", every=lambda world: WORK_EVERY, systems=storefronts, sweeps=True)
def archives_on_work_list(instance: str, world: World) -> None:
    """Archivings that wait for a person, looked at again: what was corrected goes on by itself."""
    mappings = archive.concerned(world, instance)
    with world.store.write("archive.work_list") as tx:
        for mapping in mappings:
            keys = aftersales.on_work_list(tx, mapping.connection, "archive", archive.WORK_LIST)
            ledger.mark_in(tx, keys, "work list")
