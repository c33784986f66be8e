"""The person who keys into OrderWise what has no call there: returns and credits, from nothing but what the work-list says."""

import re
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from time import monotonic
from typing import Any

from integration.store import Store, counts
from tasks.books import Row
from tasks.stack import CommandFailed, Stack

CONNECTION = "orderwise"
RETURN, CREDIT = "RETURN_NOT_ANNOUNCED", "CREDIT_MISSING"
LEFT = 1
"""Cases of each type that nobody gets round to: they stay open, with an owner."""
AGAIN = 10.0
"""Seconds before what was keyed and is not seen is replayed once more."""
VAT = Decimal("1.2")
"""What a charge is divided by: Britain's standard rate, at the tax code with the id 1."""

_UNDER = re.compile(r"under the reference (\S+), against sales order (\d+)")
_RETURNED = re.compile(r"(\d+) × (\S+) of order line")
_CREDITED = re.compile(r"(\d+) × (\S+) \(order line [^)]*\): ([\d.]+) \w+ at [\d.]+ %, net ([\d.]+) ")
_CHARGE = re.compile(r"(goodwill|return fee|shipping|handling|given back as vouchers) (-?[\d.]+) ")


@dataclass
class Clerk:
    """Looks at the open cases of the connection, keys what they ask for, and presses Replay."""

    stack: Stack
    keyed: dict[int, float] = field(default_factory=dict)
    """What was keyed, by its case's id, and when Replay is pressed for it next."""
    left: dict[int, str] = field(default_factory=dict)
    """Cases that stay open, by id, with their type."""

    def work(self, store: Store) -> bool:
        """Key what is new on the list. Whether anything keyed is not seen yet."""
        with store.read() as tx:
            cases = [
                c for c in counts.open_cases(tx) if c["connection"] == CONNECTION and c["type"] in (RETURN, CREDIT)
            ]
        open_now = {case["id"]: case for case in cases}
        for id, case in open_now.items():
            if id not in self.keyed and id not in self.left:
                self._take_up(id, case)
        due = [id for id, at in self.keyed.items() if id in open_now and monotonic() >= at]
        if due:
            with suppress(CommandFailed):  # a moment that does not suit: pressed again
                self.stack.lockstep("exceptions", "replay", *map(str, due), "--yes", "--reason", "keyed by hand")
            self.keyed |= dict.fromkeys(due, monotonic() + AGAIN)
        return bool(self.keyed.keys() & open_now.keys())

    def _take_up(self, id: int, case: Row) -> None:
        """One of each type is left alone, and so is what the list does not say clearly enough to key."""
        asked = credit_of(case["message"]) if case["type"] == CREDIT else return_of(case["message"])
        enough = list(self.left.values()).count(case["type"]) >= LEFT
        if asked is None or not enough:
            self.left[id] = case["type"]
            return
        self.stack.ask(self.stack.orderwise_url, *asked)
        self.keyed[id] = monotonic()


def return_of(message: str) -> tuple[str, dict[str, Any]] | None:
    """The sandbox's door and words for an expected return, from a case's message; `None` where it names nothing to key."""
    under, lines = _UNDER.search(message), _RETURNED.findall(message)
    if under is None or not lines:
        return None
    pieces = {sku: int(quantity) for quantity, sku in lines}
    return f"/_sandbox/orders/{under[2]}/raise-return", {"lines": pieces, "reference": under[1]}


def credit_of(message: str) -> tuple[str, dict[str, Any]] | None:
    """The same for a credit: goods for the amounts told, and at most one charge. `None` where vouchers or two charges are in
    it: that is left to somebody from Finance.
    """
    under, lines, charges = _UNDER.search(message), _CREDITED.findall(message), _CHARGE.findall(message)
    if under is None or len(charges) > 1 or not (lines or charges) or any("vouchers" in name for name, _ in charges):
        return None
    words: dict[str, Any] = {
        "lines": {sku: int(quantity) for quantity, sku, _, _ in lines},
        "amounts": {sku: [net, gross] for _, sku, gross, net in lines},
        "reference": under[1],
    }
    for name, gross in charges:
        net = (Decimal(gross) / VAT).quantize(Decimal("0.01"), ROUND_HALF_UP)
        words |= {"charges": [str(net), gross, "1"], "charged": name}
    return f"/_sandbox/orders/{under[2]}/credit", words
