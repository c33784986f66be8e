"""The payment provider behind Centra: authorisations, captures, refunds and their settling.

Documented: captures by Adyen and Klarna are requests first (`CAPTURE_REQUEST`, PENDING) and may still fail days later;
nothing is captured above the authorisation. That refunds go the same way, under `REFUND_REQUEST` and `REFUND`, is
unconfirmed.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from threading import RLock
from typing import Any

from integration.sandbox.catalogue import PAYMENT_METHODS
from integration.sandbox.centra_orders import Order, Payment, Refused
from integration.sandbox.centra_switches import CentraSwitches
from integration.sandbox.clock import Clock
from integration.sandbox.faults import Faults

SLOW = ("adyen", "klarna")
"""Payment plugins whose captures are requests first (documented)."""

Note = Callable[[Order, str], None]
Outcome = Callable[[bool], None]
"""Told how a request ended, when it has settled; what succeeds at once is not told."""


class Payments:
    """What happens at the provider, written into the orders' histories. `faults` is asked anew at every call."""

    def __init__(
        self,
        clock: Clock,
        switches: CentraSwitches,
        faults: Callable[[], Faults],
        guard: RLock,
        ids: Iterator[int],
        note: Note,
    ) -> None:
        self.clock, self.switches, self.guard = clock, switches, guard
        self._faults, self._ids, self._note = faults, ids, note

    def entry(self, order: Order, entry_type: str, status: str, value: Decimal, **links: Any) -> Payment:
        """Write one entry; `links` are the optional fields of `Payment`."""
        number, at = next(self._ids), self._now()
        made = Payment(number, at, status, entry_type, f"psp-{number}", order.payment, value, **links)
        order.payments.append(made)
        return made

    def authorise(self, order: Order) -> None:
        if order.grand_total > 0:
            self.entry(order, "AUTH", "SUCCESS", order.grand_total)

    def capture(self, order: Order, amount: Decimal, operation: str, then: Outcome, **links: Any) -> Payment:
        """Take authorised money. A refusal is noted as a FAILED entry and raised as `Refused`."""
        reason = ""
        if amount > order.capturable:
            reason = f"The payment provider refused to capture {amount}: {order.capturable} is authorized"
        elif self._refused(operation, order, "psp-refuses", "capture-fails"):
            reason = "The payment provider refused the capture"
        return self._paid(order, "CAPTURE", amount, reason, then, links)

    def refund(self, order: Order, amount: Decimal, operation: str, then: Outcome, **links: Any) -> Payment:
        """Give captured money back. A refusal is noted as a FAILED entry and raised as `Refused`."""
        reason, left = "", order.paid("CAPTURE") - order.moved("REFUND")
        if amount > left:
            reason = f"The payment provider refused to refund {amount}: {left} is captured"
        elif self._refused(operation, order, "psp-refuses"):
            reason = "The payment provider refused the refund"
        return self._paid(order, "REFUND", amount, reason, then, links)

    def _paid(
        self, order: Order, kind: str, amount: Decimal, reason: str, then: Outcome, links: dict[str, Any]
    ) -> Payment:
        if reason:
            self.entry(order, kind, "FAILED", amount, **links)
            self._note(order, f"{kind.capitalize()} of {amount} failed")
            raise Refused(reason)
        if PAYMENT_METHODS[order.payment].plugin not in SLOW:
            return self.entry(order, kind, "SUCCESS", amount, **links)
        made = self.entry(order, f"{kind}_REQUEST", "PENDING", amount, **links)
        self.clock.later(self.switches.capture_settles_after, lambda: self._settle(order, kind, made, then, links))
        return made

    def _settle(self, order: Order, kind: str, request: Payment, then: Outcome, links: dict[str, Any]) -> None:
        """The provider reports what became of a request."""
        with self.guard:
            good = not self._refused("settlement", order, "settlement-fails")
            request.status = "SUCCESS" if good else "FAILED"
            self.entry(order, kind, request.status, request.value, follows=request.id, **links)
            then(good)
            self._note(order, f"{kind.capitalize()} {'settled' if good else 'failed to settle'}")

    def _refused(self, operation: str, order: Order, *faults: str) -> bool:
        plan = self._faults().due(operation, str(order.number), among=faults)
        return plan is not None and plan.fault in faults

    def _now(self) -> datetime:
        return self.clock.now().replace(microsecond=0)
