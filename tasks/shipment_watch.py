"""Feeds of the shipment lane: what left the warehouses, what was not told in time, what was not paid.

dispatches, recount_dispatches ─┐
captures ───────────────────────┼──▶ job row ──▶ take_dispatch
recheck_shipments ──────────────┘

unacknowledged: what left and is not shown
"""

from datetime import timedelta

from integration import shipment_watch
from integration.wiring import World
from tasks.feed import feed
from tasks.intake import connections

HOURLY = timedelta(hours=1)
RECHECK_EVERY = timedelta(hours=4)
WATCH_EVERY = timedelta(minutes=5)


@feed("shipments", every=lambda world: world.settings.poll_every, systems=connections, polls=True)
def dispatches(connection: str, world: World) -> None:
    """Dispatches since the last look, and a little before."""
    shipment_watch.poll(connection, world)


@feed("shipments", every=lambda world: HOURLY, systems=connections, sweeps=True)
def recount_dispatches(connection: str, world: World) -> None:
    """The dispatches of the last days once more: a hint may have been lost."""
    shipment_watch.look_back(connection, world)


@feed("shipments", every=lambda world: WATCH_EVERY, systems=connections)
def unacknowledged(connection: str, world: World) -> None:
    """What left the warehouse and is not shown in Centra within its promise."""
    shipment_watch.watch(connection, world)


@feed("shipments", every=lambda world: HOURLY, systems=connections, sweeps=True)
def closed_short(connection: str, world: World) -> None:
    """Orders that the ERP calls done though pieces of them never left."""
    shipment_watch.closed_short(connection, world)


@feed("shipments", every=lambda world: WATCH_EVERY, systems=connections)
def captures(connection: str, world: World) -> None:
    """Captures that were asked for and had not settled."""
    shipment_watch.watch_captures(connection, world)


@feed("shipments", every=lambda world: RECHECK_EVERY, systems=connections, sweeps=True)
def recheck_shipments(connection: str, world: World) -> None:
    """Cases that somebody may have settled in either system."""
    shipment_watch.recheck(connection, world)
