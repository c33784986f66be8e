"""Whole seeds against a Fulfil whose unique key is switched off: our own protections hold, and each that is taken away is missed."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from sim.sim_faults import FAULTS
from sim.sim_run import simulate
from sim.test_protections import Off, believing

from integration import intake, orders
from integration.centra.adapter import Centra as Storefront
from integration.erp.fulfil import adapter
from integration.ports import Draft, Event, Write
from integration.sandbox.centra_events import Events
from integration.sandbox.centra_webhooks import Webhooks
from integration.sandbox.fulfil_orders import Orders
from integration.store import effects, lives

BEYOND_CLASS_C = ("pause", "fulfil create: very-late")
"""What no remote without a key survives: a worker stopped between its look-up and its call, a call done minutes late."""
SEEDS, MORE = range(100, 106), range(100, 130)
"""Where all must hold, and where a fault must be found: that search ends with the first."""


@pytest.fixture
def keyless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fulfil accepts every order as a new one: what stands between us and a second one is ours alone."""
    monkeypatch.setattr(Orders, "known", lambda orders, channel, identifier: None)


def first_violation(*words: str, without: tuple[str, ...] = (), often: tuple[str, ...] = ()) -> str:
    """The first broken promise within the seeds; empty when all hold. It must begin with one of `words`.

    What creates suffer is limited to the faults named as `often`.
    """
    if often:
        without += tuple(name for name in FAULTS if name.startswith("fulfil create") and name not in often)
    for seed in MORE if words else SEEDS:
        result = simulate(seed, without=without, often=often, whole=False, both=False)
        if result.violation:
            assert result.violation.startswith(words), result.violation
            return result.violation
    return ""


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("keyless")
def test_without_the_erps_key_our_own_protections_still_keep_every_order_single() -> None:
    assert first_violation(without=BEYOND_CLASS_C) == ""


def no_intent(patch: pytest.MonkeyPatch) -> None:
    """The intent's row is there for those who join it, and never says that anything was sent."""
    patch.setattr(effects, "PENDING", ())


def no_look_up(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(adapter.Fulfil, "_refs", lambda erp, reference: [])


def no_waiting(patch: pytest.MonkeyPatch) -> None:
    """Absence is believed at once."""
    order_write = adapter.Fulfil.order_write

    def hasty(erp: adapter.Fulfil, draft: Draft) -> Write:
        write = order_write(erp, draft)
        return replace(write, wait=-write.takes)

    patch.setattr(adapter.Fulfil, "order_write", hasty)


OURS: dict[Callable[[pytest.MonkeyPatch], None], tuple[str, ...]] = {
    no_intent: ("crash",),
    no_look_up: ("fulfil create: timeout-after", "fulfil create: error-after"),
    no_waiting: ("fulfil create: late",),
}
"""What to take away, and the faults it is there for."""


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("keyless")
@pytest.mark.parametrize("removed", OURS, ids=lambda removed: removed.__name__)
def test_without_the_erps_key_and_one_of_ours_a_second_order_appears(
    monkeypatch: pytest.MonkeyPatch, removed: Callable[[pytest.MonkeyPatch], None]
) -> None:
    often = OURS[removed]
    removed(monkeypatch)
    assert first_violation("I1", without=BEYOND_CLASS_C, often=often)


def no_lease(patch: pytest.MonkeyPatch) -> None:
    Off(patch).lease()


def no_read_back(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(orders, "prove", believing)


def no_sweep(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(lives, "due", lambda store, **terms: [])


def confirmed_before_commit(patch: pytest.MonkeyPatch) -> None:
    """Events are confirmed as they are read."""

    def events(storefront: Storefront) -> list[Event]:
        found = list(read(storefront))
        storefront.confirm_events([event.id for event in found])
        return found

    read = Storefront.events
    patch.setattr(Storefront, "events", events)


def answered_before_commit(patch: pytest.MonkeyPatch) -> None:
    """The receiver answers and forgets."""
    patch.setattr("integration.web.ledger.mark", lambda store, keys, source, **terms: sorted(set(keys)))


MUTANTS: dict[Callable[[pytest.MonkeyPatch], None], tuple[str, ...]] = {
    no_lease: ("I6",),
    no_read_back: ("I2", "I3"),
    no_sweep: ("L", "P"),
    confirmed_before_commit: ("P19",),
    answered_before_commit: ("I13",),
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("planted", MUTANTS, ids=lambda planted: planted.__name__)
def test_the_simulation_finds_a_planted_fault(
    monkeypatch: pytest.MonkeyPatch, planted: Callable[[pytest.MonkeyPatch], None]
) -> None:
    planted(monkeypatch)
    assert first_violation(*MUTANTS[planted], often=("fulfil create: recalculated",))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("polls", [True, False], ids=["on", "off"])
def test_the_poll_alone_finds_orders_that_nobody_told_of(monkeypatch: pytest.MonkeyPatch, polls: bool) -> None:
    monkeypatch.setattr(Webhooks, "changed", lambda webhooks, *change: None)
    monkeypatch.setattr(Events, "happened", lambda events, *change: None)
    if not polls:
        monkeypatch.setattr(intake, "_mark_changed", lambda instance, world, seen, source: [])
    violation = simulate(SEEDS[0], whole=False, both=False).violation
    assert violation == "" if polls else violation.startswith("P1")
