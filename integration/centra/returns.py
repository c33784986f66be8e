"""Returns and refunds in Centra: read in pages, and completed when the goods were received and inspected."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from integration.centra.client import words
from integration.centra.instance import MOST, Instance
from integration.centra.nodes import BadNode, ids, instant_of, rows
from integration.centra.refund_wire import read_refunds
from integration.centra.return_wire import COMPLETED, read_return, return_stamp
from integration.centra.wire import instant
from integration.domain.credit import Refund
from integration.errors import Rejected, Unavailable
from integration.ports import RETURN_COMPLETION, EffectClass, FetchedReturn, Sighting, Write

COMPLEXITY = 60
"""Our guess of what one return, or one order with its payments, costs; Centra's answer tells the truth afterwards."""

STALLED = "RETURN_STALLED"


class Returns(Instance):
    """The part of the adapter for what comes back: goods and money."""

    def returns(self, numbers: Collection[str]) -> Mapping[str, FetchedReturn]:
        asked = ids(numbers)
        if not asked:
            return {}
        wanted = {"ids": asked, "limit": len(asked)}
        answer = self.client.read("returns", wanted, lane="returns", complexity=COMPLEXITY * len(asked))
        return {str(node["id"]): self._fetched_return(node) for node in rows(answer, "returns")}

    def _fetched_return(self, node: Mapping[str, Any]) -> FetchedReturn:
        stamp = return_stamp(node)
        try:
            return FetchedReturn(read_return(self.name, node), stamp)
        except BadNode as error:
            return FetchedReturn(None, stamp, problem=str(error))

    def returns_between(self, since: datetime, until: datetime, page: int) -> tuple[Sequence[Sighting], bool]:
        """Centra says nowhere in which order it lists returns, so a page may repeat or hide one that came meanwhile."""
        window = {"from": instant(since), "to": instant(until), "limit": MOST, "page": page}
        found = rows(self.client.read("returned", window, lane="returns", complexity=10 * MOST), "returns")
        seen = [Sighting(str(node["id"]), return_stamp(node), instant_of(node.get("createdAt"))) for node in found]
        return seen, len(found) == MOST

    def complete_return(self, number: str) -> Write:
        """Without an e-mail: the customer was told by whoever made the return, and will be by whoever pays it back."""

        def found() -> list[str]:
            told = self.returns([number]).get(number)
            return [number] if told and told.document and told.document.completed else []

        return Write(
            name=RETURN_COMPLETION,
            effect_class=EffectClass.LOOK_UP,
            reference=f"return {number}",
            fingerprint=f"complete {number}",
            send=lambda: self._complete_return(number),
            find=found,
            wait=timedelta(0),
            takes=2 * self.takes,
        )

    def _complete_return(self, number: str) -> str:
        try:
            answer = self.client.change("complete_return", {"id": int(number)}, lane="returns", refused_as=STALLED)
        except Rejected as refusal:
            if "already" in refusal.evidence.lower() and "complete" in refusal.evidence.lower():
                return number
            raise
        if (answer.get("return") or {}).get("returnStatus") != COMPLETED:
            message = f"Centra answered the completion of return {number} cleanly, and it is not completed"
            raise Rejected(STALLED, "centra:complete_return", message, evidence=words(answer.get("userWarnings")))
        return number

    def refunds(self, order_numbers: Collection[str]) -> Mapping[str, Sequence[Refund]]:
        asked = ids(order_numbers)
        if not asked:
            return {}
        wanted = {"numbers": asked, "limit": len(asked), "most": MOST}
        answer = self.client.read("refunds", wanted, lane="finance", complexity=2 * COMPLEXITY * len(asked))
        returns = rows(answer, "returns")
        if len(returns) == MOST:
            return self._refunds_of_fewer(asked)
        of_order: dict[str, list[Mapping[str, Any]]] = {}
        for made in returns:
            of_order.setdefault(_order_of(made), []).append(made)
        found = {}
        for node in rows(answer, "orders"):
            number = str(node["number"])
            try:
                found[number] = read_refunds(self.name, node, of_order.get(number, ()))
            except BadNode:
                continue
        return found

    def _refunds_of_fewer(self, asked: Sequence[int]) -> Mapping[str, Sequence[Refund]]:
        """The returns of these orders may be more than one answer holds."""
        if len(asked) == 1:
            raise Rejected("SCHEMA_CHANGE", "centra:refunds", f"order {asked[0]} has {MOST} returns or more")
        half = len(asked) // 2
        parts = [self.refunds([str(number) for number in part]) for part in (asked[:half], asked[half:])]
        return {**parts[0], **parts[1]}


def _order_of(made: Mapping[str, Any]) -> str:
    number = (made.get("order") or {}).get("number")
    if number is None:
        raise Unavailable(f"Centra tells no order of return {made.get('id')}")
    return str(number)
