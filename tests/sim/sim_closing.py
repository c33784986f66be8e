"""One ERP closed whole, once all other faults have ended: what goes to the other must not wait for it."""

from collections.abc import Callable, Sequence
from random import Random

from sim.sim_erps import Erp
from sim.sim_faults import CLOSED
from sim.sim_invariants import Violation, Wellness
from sim.sim_network import SILENCE, Network
from sim.sim_scheduler import Scheduler

from integration.sandbox.catalogue import MARKETS, UNMAPPED_MARKET, WAREHOUSE_OF_MARKET
from integration.sandbox.centra import Centra
from integration.sandbox.centra_orders import Refused
from integration.sandbox.generator import Generator

CLOSES = 0.5
ORDERS = 2
"""Placed for the other ERP while it is closed."""
AT_LEAST = 150.0
GETS_THROUGH = 900.0
"""The longest stop of a worker (400 s), a settle window (360 s) and its run (60 s): with less, three stopped workers are blamed."""


def close_one(
    seed: int, erps: Sequence[Erp], centra: Centra, network: Network, scheduler: Scheduler, wellness: Wellness,
    after_step: Callable[[], None],
) -> None:  # fmt: skip
    """Close one for as long as new orders of the other need to get through. Raises `Violation` when they do not."""
    random = Random(f"{seed}:closed")
    if random.random() >= CLOSES:
        return
    closed, other = random.sample(list(erps), 2)
    scheduler.tell(f"{closed.connection} is closed")
    network.swarm.decided(CLOSED)
    network.closed[closed.host] = random.choice((0.0, SILENCE))
    numbers = _order(random, centra, other)
    began = looked = scheduler.now

    def through() -> bool:
        nonlocal looked
        if scheduler.now - looked < 5:
            return False
        looked = scheduler.now
        return looked - began > AT_LEAST and not wellness.complaints_of(numbers)

    if not scheduler.run(began + GETS_THROUGH, after_step, done=through):
        words = "; ".join(wellness.complaints_of(numbers))
        raise Violation(f"L4 with {closed.connection} closed, orders of {other.connection} do not get through: {words}")
    network.closed.clear()
    scheduler.tell(f"{closed.connection} is open again")


def _order(random: Random, centra: Centra, erp: Erp) -> list[int]:
    """New orders in its markets, confirmed at once; their numbers."""
    served = [id for id in MARKETS if WAREHOUSE_OF_MARKET[id] in erp.houses and id != UNMAPPED_MARKET]
    generator, numbers = Generator(random.randrange(10**6), dict.fromkeys(served, 1)), []
    for _ in range(20):
        if len(numbers) < ORDERS:
            try:
                numbers.append(centra.place_order(generator.basket()))
            except Refused:  # its shelves are too empty
                continue
            centra.confirm(numbers[-1])
    return numbers
