"""The sweeper: rings what is due and was not rung, and the feeds whose time has come. Trusts no queue.

Wiping the broker at any moment costs one sweep: what is due stands in the ledger.
"""

from datetime import timedelta

import structlog

from integration.budget import LANES
from integration.errors import Unavailable
from integration.store import lives, schedule
from integration.wiring import World
from tasks import feed
from tasks.supervisor import told_to_stop

log = structlog.get_logger()

IN_FLIGHT = 500
"""At most this many rung rows a lane: a flood waits in the ledger, where it costs nothing."""
UNHEARD_AFTER = timedelta(seconds=20)
"""A row that was rung and is still due after this was not heard."""


def tick(world: World) -> int:
    """One sweep. Returns how many keys were rung."""
    rung = 0
    for lane in LANES:
        for key, link in lives.due(world.store, lane=lane, limit=IN_FLIGHT, rung_before=UNHEARD_AFTER):
            world.ring(link, key)
            rung += 1
    return rung + feed.ring_due(world)


def main() -> None:
    """Sweep until told to stop."""
    from integration import telemetry
    from integration.settings import read_settings
    from tasks.celery import app, world

    telemetry.configure(read_settings())
    app.loader.import_default_modules()
    here, stopping = world(), told_to_stop()
    beats = 0
    while not stopping:
        try:
            tick(here)
            if beats % 10 == 0:
                with here.store.write("sweep.beat") as tx:
                    schedule.beat(tx, "sweep")
            beats += 1
        except Unavailable as error:
            log.error("sweep.waits", error=str(error))
        here.clock.sleep(here.settings.sweep_every.total_seconds())
