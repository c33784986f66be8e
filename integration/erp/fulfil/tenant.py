"""What every part of the adapter shares: the tenant's name and client, how our documents are known there, and pages."""

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_FLOOR, Decimal
from typing import Any, TypeVar

from integration.erp.fulfil.client import MOST_ROWS, FulfilClient
from integration.errors import Unknown

PREFIX = "centra-"
"""Begins every `channel_identifier` of ours: an order of ours is known by it, and a stranger's is left alone."""

SEARCH_LAG = timedelta(seconds=20)
"""How long after a doubtful call an absent order proves nothing. Unconfirmed; longer than any lag reported."""

MARGIN = timedelta(seconds=5)
"""Between the longest call and what the ledger reckons with."""

BATCH = 100
"""Documents in one read-back: with up to five lines each, one page of lines."""

FULL = MOST_ROWS - 1
"""Records asked for by name in one call: a page with a row to spare, so that no second one is asked for."""

CANCELLED = ("cancel", "cancelled")
"""A cancelled state in Tryton 4.0, and in later Tryton's spelling."""

T = TypeVar("T")


class Tenant:
    """One Fulfil tenant."""

    def __init__(self, name: str, client: FulfilClient) -> None:
        self.name = name
        self.client = client

    def reference(self, order_number: str) -> str:
        return f"{PREFIX}{order_number}"

    def number_of(self, reference: str) -> str:
        number = reference.removeprefix(PREFIX)
        return number if number != reference and number.isascii() and number.isdigit() else ""

    def takes(self, calls: int) -> timedelta:
        """How long so many calls may take, one after the other."""
        return timedelta(seconds=self.client.http.timeouts.total) * calls + MARGIN

    def by_id(self, model: str, ids: Collection[int], fields: Sequence[str], *, lane: str) -> dict[int, dict[str, Any]]:
        """Records by id, those that are there; no request for no ids."""
        found: dict[int, dict[str, Any]] = {}
        for batch in batches(sorted(set(ids)), most=FULL):
            found |= {
                row["id"]: row for row in self.client.search_read(model, [["id", "in", batch]], fields, lane=lane)
            }
        return found

    def origin_orders(self, lines: Collection[int], *, lane: str) -> dict[int, str]:
        """The order number of ours that each of these sale lines belongs to."""
        fields = ("sale.channel_identifier",)
        rows = self.by_id("sale.line", lines, fields, lane=lane)
        found = {id: self.number_of(str(row["sale.channel_identifier"] or "")) for id, row in rows.items()}
        return {id: number for id, number in found.items() if number}

    def returned_orders(self, sales: Collection[int], *, lane: str) -> dict[int, str]:
        """The order of ours that each of these return sales takes goods back from, by the origin of its lines."""
        domain = [["sale", "in", sorted(set(sales))], ["quantity", "<", 0]]
        rows = list(self.client.search_read("sale.line", domain, ("sale", "origin"), lane=lane)) if sales else []
        numbers = self.origin_orders({of_line(row["origin"]) for row in rows} - {0}, lane=lane)
        return {row["sale"]: numbers[line] for row in rows if (line := of_line(row["origin"])) in numbers}


def batches(values: Sequence[T], *, most: int = BATCH) -> Iterator[list[T]]:
    for start in range(0, len(values), most):
        yield list(values[start : start + most])


def named_id(answer: Any, what: str) -> str:
    """The id in the answer to a write: an object, a list of one, or a bare id have all been reported. Raises `Unknown`."""
    ref = answer[0] if isinstance(answer, list) and len(answer) == 1 else answer
    if isinstance(ref, dict):
        ref = ref.get("id")
    if not isinstance(ref, int) or isinstance(ref, bool):
        raise Unknown(f"Fulfil accepted {what} in a form that names no id")
    return str(ref)


def fingerprint(body: object) -> str:
    """Tells one request from another."""
    return hashlib.sha256(json.dumps(body, sort_keys=True, default=str).encode()).hexdigest()


def changed(since: datetime) -> list[object]:
    """The clause for records made or changed since: `write_date` is null until the first change (the vendor's own tap)."""
    return ["OR", [["write_date", ">", since]], [["create_date", ">", since]]]


def stamp_of(row: Mapping[str, Any]) -> str:
    return str(row["write_date"] or row["create_date"])


def of_line(origin: object) -> int:
    """The id in a Reference to a sale line (`sale.line,12`); 0, which no record has, for anything else."""
    model, _, id = str(origin or "").partition(",")
    return int(id) if model == "sale.line" and id.isdigit() else 0


def whole(quantity: object) -> int:
    """Whole pieces of a quantity, rounded down; Fulfil's quantities are floats on the wire, exact digits here."""
    return int(Decimal(str(quantity)).to_integral_value(ROUND_FLOOR))


def moment_of(day: object, moves: Collection[Mapping[str, Any]]) -> datetime | None:
    """When goods moved: Fulfil tells a shipment's day only, its moves were last changed when they were done.

    Unconfirmed that nothing touches a move that is done, so a stamp off the day by more than a time zone can explain gives
    way to the day's noon in UTC, which is that day almost everywhere.
    """
    if isinstance(day, datetime):
        return day
    stamps = [move["write_date"] or move["create_date"] for move in moves]
    latest: datetime | None = max(stamps, default=None)
    if not isinstance(day, date):
        return latest
    if latest is not None and abs((latest.date() - day).days) <= 1:
        return latest
    return datetime.combine(day, time(12), UTC)
