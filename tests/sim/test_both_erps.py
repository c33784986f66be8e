"""Two ERPs in one seed: what keeps OrderWise's orders single, and that the judge of a closed ERP would notice."""

from collections.abc import Collection
from dataclasses import replace

import pytest
from sim.sim_faults import FAULTS
from sim.sim_run import simulate

from integration import orders
from integration.erp.orderwise.orders import Orders
from integration.ports import Draft, Write
from integration.sandbox.orderwise_orders import Orders as Imports
from integration.wiring import World

SEEDS, MORE = range(104, 129, 5), range(104, 254, 5)
"""Where all must hold, and where a fault must be found: that search ends with the first."""
BEYOND = ("pause",)
"""A worker that is stopped between its look-up and its call for longer than the queue's time."""


def first_violation(seeds: Collection[int], without: tuple[str, ...] = BEYOND, often: tuple[str, ...] = ()) -> str:
    """The first broken promise, with what creates suffer limited to the faults named as `often`; empty when all hold."""
    if often:
        without += tuple(name for name in FAULTS if name.startswith("orderwise create") and name not in often)
    found = (simulate(seed, without=without, often=often, whole=False, both=True).violation for seed in seeds)
    return next((violation for violation in found if violation), "")


@pytest.fixture
def keyless(monkeypatch: pytest.MonkeyPatch) -> None:
    """OrderWise takes every number as a new one, as nothing shows that it does not."""
    monkeypatch.setattr(Imports, "check_number", lambda imports, form: None)


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("keyless")
def test_an_orderwise_that_knows_no_number_again_still_gets_every_order_once() -> None:
    assert first_violation(SEEDS) == ""


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("keyless")
def test_without_the_look_up_an_orderwise_that_knows_no_number_again_gets_an_order_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Orders, "_heads", lambda erp, references: [])
    assert first_violation(MORE, often=("orderwise create: timeout-after",)).startswith("I1")


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("keyless")
def test_without_the_waiting_for_its_session_a_queued_order_is_sent_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    order_write = Orders.order_write

    def hasty(erp: Orders, draft: Draft) -> Write:
        write = order_write(erp, draft)
        return replace(write, wait=-write.takes)

    monkeypatch.setattr(Orders, "order_write", hasty)
    assert first_violation(MORE, often=("orderwise create: queued",)).startswith("I1")


@pytest.mark.timeout(300)
def test_orders_that_wait_for_an_erp_which_is_not_theirs_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def ask_everybody(page: object, found: object, world: World) -> None:
        for mapping in world.connections():
            world.erp(mapping.connection).items(["LS101NVS"])

    monkeypatch.setattr(orders, "look_up_items", ask_everybody)
    found = (simulate(seed, whole=False, both=True).violation for seed in MORE)  # some stall and die of it before: L1
    assert any(violation.startswith("L4") for violation in found)
