"""Intake: every way of learning that an order may have changed marks the same row.

    webhook (integration.web) ─┐
    events, poll, recount ─────┼──▶ job row ──▶ take_order
    reread, back_check ────────┤
    release (a cause is gone) ─┘        watch: what is late, and streams that fell silent

A feed reads numbers and change stamps, marks, commits, and only then confirms or moves its cursor.
"""

from datetime import timedelta

from integration import intake, offers, reprove, vigil
from integration.domain.order import Key
from integration.wiring import World
from tasks.feed import feed

RECOUNT_EVERY = timedelta(hours=1)
RECOUNT_WINDOW = timedelta(hours=26)
"""A day and the hours that a daylight-saving change may hide."""
BACK_CHECK_EVERY = timedelta(minutes=5)
ALLOWANCES_EVERY = timedelta(minutes=1)
"""60 of the 5,000 requests an hour."""
RELEASE_EVERY = timedelta(seconds=20)
WATCH_EVERY = timedelta(minutes=5)


def storefronts(world: World) -> list[str]:
    return sorted(world.storefronts)


def connections(world: World) -> list[str]:
    return [mapping.connection for mapping in world.connections()]


@feed("orders", every=lambda world: world.settings.poll_every, systems=storefronts)
def poll(instance: str, world: World) -> None:
    """Orders placed since the last poll, and a little before."""
    intake.poll(instance, world)


@feed("orders", every=lambda world: world.settings.poll_every / 4, systems=storefronts)
def events(instance: str, world: World) -> None:
    """Centra's own queue: confirmed only once what it said is committed."""
    intake.drain_events(instance, world)


@feed("orders", every=lambda world: RECOUNT_EVERY, systems=storefronts, sweeps=True)
def recount(instance: str, world: World) -> None:
    """All of the last day once more: rows that became visible after a poll had passed them."""
    intake.recount(instance, world, RECOUNT_WINDOW)


@feed("orders", every=lambda world: world.settings.reread_every / 15, systems=storefronts)
def reread(instance: str, world: World) -> None:
    """Change stamps of the orders that are still open, longest unread first."""
    intake.reread(instance, world)


@feed("orders", every=lambda world: ALLOWANCES_EVERY, systems=storefronts)
def allowances(instance: str, world: World) -> None:
    """What other integrations spend of the budgets that we share with them."""
    intake.hear_allowances(instance, world)


@feed("orders", every=lambda world: BACK_CHECK_EVERY, systems=connections, polls=True)
def back_check(connection: str, world: World) -> None:
    """What the ERP has under our references: phantoms, late effects, and edits by hand."""
    reprove.back_check(connection, world)


@feed("orders", every=lambda world: RELEASE_EVERY, systems=connections)
def release(connection: str, world: World) -> None:
    """Orders whose cause is gone go on by themselves."""
    intake.release_held(world, connection)


@feed("orders", every=lambda world: WATCH_EVERY, systems=storefronts)
def watch(instance: str, world: World) -> None:
    """What is late, and streams that fell silent."""
    vigil.watch(instance, world)
    offers.watch(instance, world)


def release_held(world: World) -> list[Key]:
    """Release, for every connection, what waits for a mapping or an item that is there now. Returns what was woken."""
    return [key for connection in connections(world) for key in intake.release_held(world, connection)]
