"""The person who keys into OrderWise what has no call there: returns, credits and cancellations, from nothing but what the
work-list says.
"""

import re
import urllib.error
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from integration.store import Store, counts
from tasks.books import ORDER_PREFIX, Row
from tasks.stack import CommandFailed, Stack

CONNECTION = "orderwise"
RETURN, CREDIT, CANCELLATION = "RETURN_NOT_ANNOUNCED", "CREDIT_MISSING", "ORDER_CANCEL_TOO_LATE"
LEFT = 1
"""Returns, and credits, that nobody gets round to: they stay open, with an owner."""
AGAIN = 10.0
"""Seconds before what was keyed and is not seen is replayed once more."""
PRESSES = 6
"""How often Replay is pressed for one case before it is left to somebody who knows more."""
STANDARD = "1"
"""The id of the tax code of Britain's standard rate, which all charges bear here."""

_UNDER = re.compile(r"under the reference (\S+), against sales order (\d+)")
_RETURNED = re.compile(r"(\d+) × (\S+) of order line")
_CREDITED = re.compile(r"(\d+) × (\S+) \(order line [^)]*\): ([\d.]+) \w+ at [\d.]+ %, net ([\d.]+) ")
_CHARGE = re.compile(r"(Goodwill|Return fee|Shipping|Handling) (-?[\d.]+) \w+ at [\d.]+ %, net (-?[\d.]+) ")
_VOUCHER = "Given back as a voucher"


@dataclass
class Clerk:
    """Looks at the open cases of the connection, keys what they ask for, and presses Replay."""

    stack: Stack
    leaves: int = LEFT
    keyed: dict[int, float] = field(default_factory=dict)
    """What was keyed, by its case's id, and when Replay is pressed for it next."""
    spared: dict[int, str] = field(default_factory=dict)
    """Cases that stay open because the plan is to leave so many, by id, with their type."""
    given_up: set[int] = field(default_factory=set)
    """Cases that stay open because they could not be keyed, or what was keyed is never seen: nobody planned these."""
    pressed: Counter[int] = field(default_factory=Counter)

    def work(self, store: Store) -> bool:
        """Key what is new on the list. Whether anything keyed is not seen yet."""
        with store.read() as tx:
            cases = [case for case in counts.open_cases(tx) if case["connection"] == CONNECTION]
        open_now = {case["id"]: case for case in cases if case["type"] in (RETURN, CREDIT, CANCELLATION)}
        for id, case in open_now.items():
            if id not in self.keyed and id not in self.spared and id not in self.given_up:
                self._take_up(id, case)
        due = [id for id, at in self.keyed.items() if id in open_now and monotonic() >= at]
        if due:
            with suppress(CommandFailed):  # a moment that does not suit: pressed again
                self.stack.lockstep("exceptions", "replay", *map(str, due), "--yes", "--reason", "keyed by hand")
            self.keyed |= dict.fromkeys(due, monotonic() + AGAIN)
            self.pressed.update(due)
            for id in [id for id in due if self.pressed[id] >= PRESSES]:
                del self.keyed[id]
                self.given_up.add(id)
        return bool(self.keyed.keys() & open_now.keys())

    def _take_up(self, id: int, case: Row) -> None:
        """Some are left alone; so is what the list does not say clearly enough to key, or OrderWise will not take."""
        asked = asked_for(case)
        if asked is None:
            self.given_up.add(id)
            return
        if case["type"] != CANCELLATION and list(self.spared.values()).count(case["type"]) < self.leaves:
            self.spared[id] = case["type"]
            return
        try:
            self.stack.ask(self.stack.orderwise_url, *asked)
        except urllib.error.HTTPError:
            self.given_up.add(id)
            return
        self.keyed[id] = monotonic()


def asked_for(case: Row) -> tuple[str, dict[str, Any]] | None:
    """The sandbox's door and words for what a case asks to be keyed; `None` where it names nothing."""
    if case["type"] == CANCELLATION:
        return f"/_sandbox/orders/{ORDER_PREFIX}{case['number']}/cancel", {}
    return credit_of(case["message"]) if case["type"] == CREDIT else return_of(case["message"])


def return_of(message: str) -> tuple[str, dict[str, Any]] | None:
    """The sandbox's door and words for an expected return, from a case's message; `None` where it names nothing to key."""
    under, lines = _UNDER.search(message), _RETURNED.findall(message)
    if under is None or not lines:
        return None
    pieces = {sku: int(quantity) for quantity, sku in lines}
    return f"/_sandbox/orders/{under[2]}/raise-return", {"lines": pieces, "reference": under[1]}


def credit_of(message: str) -> tuple[str, dict[str, Any]] | None:
    """The same for a credit: goods for the amounts told, and at most one charge. `None` where it gives a voucher back, or has
    two charges: that is left to somebody from Finance.
    """
    under, lines, charges = _UNDER.search(message), _CREDITED.findall(message), _CHARGE.findall(message)
    if under is None or len(charges) > 1 or not (lines or charges) or _VOUCHER in message:
        return None
    words: dict[str, Any] = {
        "lines": {sku: int(quantity) for quantity, sku, _, _ in lines},
        "amounts": {sku: [net, gross] for _, sku, gross, net in lines},
        "reference": under[1],
    }
    for name, gross, net in charges:
        words |= {"charges": [net, gross, STANDARD], "charged": name}
    return f"/_sandbox/orders/{under[2]}/credit", words
