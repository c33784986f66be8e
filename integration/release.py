"""What an order that was just read needs next: pure decisions over facts, no network and no clock of its own."""

import difflib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from integration.domain.order import Order
from integration.errors import Rejected, Unmapped
from integration.ports import Fetched
from mappings import Mapping

SETTLING = "settling: unchanged"
"""How the reason begins of an order that is released and waits for its run."""


@dataclass(frozen=True, slots=True)
class Past:
    """What the ledger knows of the order before this reading."""

    state: str
    read_before: bool
    connection: str | None
    posted_version: str | None
    source_version: str | None
    answered: bool
    undone: bool = False
    """Every try surely did nothing: the ERP refused it, or was not reached."""

    @property
    def sent(self) -> bool:
        """Whether the ERP has it, or may have it."""
        return self.posted_version is not None and not self.undone


@dataclass(frozen=True, slots=True)
class Decision:
    """The next state and why, in words an agent can read out."""

    state: str
    reason: str
    connection: str | None = None
    not_before: datetime | None = None
    """When a held order goes if nothing happens to it, where that is known."""


def home(order: Order, mappings: Collection[Mapping]) -> Mapping | None:
    """The mapping that has the order's market; `None` when every connection would only observe so old an order.

    Raises `Unmapped` (ORDER_MARKET_UNMAPPED) when no connection knows the market.
    """
    for mapping in mappings:
        if order.market in mapping.markets:
            return mapping
    if mappings and all(order.placed_at < mapping.start_at for mapping in mappings):
        return None
    known = {name for mapping in mappings for name in mapping.markets}
    near = difflib.get_close_matches(order.market, known, n=1, cutoff=0.75)
    files = " or ".join(mapping.file for mapping in mappings) or f"(no mapping serves {order.key.instance})"
    raise Unmapped("ORDER_MARKET_UNMAPPED", file=files, table="markets", key=order.market, near=near[0] if near else "")


def unreleased(order: Order, mapping: Mapping) -> str:
    """Why the order is not released, or an empty text when it is: the rule is the mapping's."""
    rule = mapping.released
    statuses = rule["statuses"]
    assert isinstance(statuses, list)
    if order.on_hold and not rule["on_hold"]:
        return "it is on hold in Centra"
    if order.waiting_for_payment and not rule["waiting_for_payment"]:
        return "Centra waits for its payment"
    if order.internal and not rule["internal"]:
        return "it is marked internal in Centra"
    if order.status not in statuses:
        return f"its status in Centra is {order.status}; it is released at {' or '.join(statuses)}"
    return ""


def decide(past: Past, fetched: Fetched | None, mappings: Collection[Mapping], now: datetime) -> Decision:
    """Decide at an instant. Raises `Rejected` for what a person must look at, `Unmapped` for an unknown market."""
    if past.state == "closed":
        return Decision("closed", "closed by a person; read again and left alone", past.connection)
    if fetched is None:
        return _absent(past)
    if fetched.order is None:
        raise Rejected(
            "SCHEMA_CHANGE", f"centra:order {fetched.problem}", f"Centra's answer is not readable: {fetched.problem}"
        )
    order, sent = fetched.order, past.sent
    if order.cancelled:
        if not sent:
            return Decision("cancelled", "cancelled in Centra before anything was sent to the ERP", past.connection)
        if past.state == "cancelled":
            return Decision("cancelled", "cancelled in both systems", past.connection)
        return Decision("cancelling", "cancelled in Centra; the ERP must follow", past.connection)
    if sent:
        return _sent(past, fetched)
    if past.state == "dead" and fetched.fingerprint == past.source_version:
        return Decision("dead", "", past.connection)  # its own reason still stands
    return _unsent(order, fetched.changed_at or order.placed_at, mappings, now)


def _absent(past: Past) -> Decision:
    if past.read_before:
        raise Rejected("ORDER_VANISHED", "centra:order gone", "Centra had this order and does not have it any more")
    return Decision("observed", "Centra knows no such order for us: another store's, or a mistaken hint")


def _sent(past: Past, fetched: Fetched) -> Decision:
    """Posted, or in doubt: only its own outcome may move it on."""
    if fetched.fingerprint == past.posted_version:
        undone = past.state == "dead" and past.source_version != past.posted_version
        if past.state in ("seen", "ready", "held") or undone:
            return Decision("posted" if past.answered else "ready", "sent before; now to be proved", past.connection)
        return Decision(past.state, "read again: nothing changed that the ERP must know", past.connection)
    if past.state == "dead" and fetched.fingerprint == past.source_version:
        return Decision("dead", "", past.connection)  # its own reason still stands
    if past.answered:
        return Decision("posted", "changed in Centra after it was posted", past.connection)
    return Decision("ready", "changed in Centra while its posting was in doubt", past.connection)


def _unsent(order: Order, changed_at: datetime, mappings: Collection[Mapping], now: datetime) -> Decision:
    mapping = home(order, mappings)
    if mapping is None or order.placed_at < mapping.start_at:
        return Decision("observed", "placed before this connection's start: observed, not posted")
    why = unreleased(order, mapping)
    if why:
        return Decision("held", why, mapping.connection)
    run = mapping.schedule.run_for(order.placed_at, changed_at, mapping.time_zone)
    if run is not None and now < run:
        since, goes = (instant.astimezone(UTC) for instant in (changed_at, run))
        why = f"{SETTLING} since {since:%Y-%m-%d %H:%M} UTC; goes at {goes:%H:%M} UTC unless it changes again"
        return Decision("held", why, mapping.connection, not_before=run)
    return Decision("ready", f"released: {order.status}, not on hold, paid for as the rule asks", mapping.connection)


def facts_of(order: Order) -> dict[str, Any]:
    """The columns of a job that an order fills: nothing personal."""
    return {
        "source_status": order.status,
        "market": order.market,
        "currency": order.currency,
        "total_minor": order.grand_total.minor,
        "occurred_at": order.placed_at,
    }
