"""Goods coming back. OrderWise has a returns module and no published call for it: a person keys an expected return under our
reference, with the sales order it is linked to, and RETURNS shows what became of it. Unconfirmed: every name behind RETURNS,
and that it can be told what was restocked, quarantined and scrapped (inspection "return lines"; "off" tells receipts only).
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from integration.domain.returns import QUARANTINE, RESTOCK, SCRAP, InspectedLine, Receipt, Return, in_words
from integration.erp.orderwise.client import Row
from integration.erp.orderwise.tenant import Tenant, alike, fingerprint, sku_of, stamp_of, whole
from integration.errors import Rejected
from integration.ports import EXPECTED_RETURN, RETURN_CANCELLATION, EffectClass, Hint, Write
from mappings import Mapping as Mapped

LANE = "returns"
PREFIX = "return-"
"""Begins the reference of every return of ours."""

INSPECTED = "return lines"
DISPOSED = {"restocked": RESTOCK, "quarantined": QUARANTINE, "scrapped": SCRAP}


class Returns(Tenant):
    """`ERPReturns`."""

    def return_reference(self, number: str) -> str:
        return f"{PREFIX}{number}"

    def return_number(self, reference: str) -> str:
        told = alike(reference)
        return told.removeprefix(PREFIX) if told.startswith(PREFIX) else ""

    def open_return(self, document: Return, order_ref: str, mapping: Mapped) -> Write:
        reference = self.return_reference(document.key.number)
        pieces: dict[str, int] = {}
        for line in document.lines:
            pieces[line.sku] = pieces.get(line.sku, 0) + line.quantity
        return Write(
            name=EXPECTED_RETURN,
            effect_class=EffectClass.LOOK_UP,
            reference=reference,
            fingerprint=fingerprint([order_ref, pieces]),
            send=lambda: self._keyed(reference, order_ref, in_words(pieces)),
            find=lambda: [str(head["return_id"]) for head, _ in self._under([reference])],
            wait=timedelta(0),
            takes=self.takes(1),
        )

    def _keyed(self, reference: str, order_ref: str, words: str) -> str:
        """The return that a person has keyed. Raises `Rejected` (RETURN_NOT_ANNOUNCED) with all there is to key."""
        for head, _ in self._under([reference]):
            return str(head["return_id"])
        message = (
            f"OrderWise has no call for returns: key a linked return of {words} under the reference {reference}, against "
            f"sales order {order_ref}"
        )
        raise Rejected("RETURN_NOT_ANNOUNCED", "orderwise:returns are keyed by hand", message)

    def cancel_return(self, reference: str, ref: str) -> Write:
        return Write(
            name=RETURN_CANCELLATION,
            effect_class=EffectClass.UNIQUE_KEY,
            reference=reference,
            fingerprint=f"cancel {ref}",
            send=lambda: self._withdrawn_by_hand(reference, ref),
            find=lambda: [ref or reference] if self._withdrawn(reference) else [],
            wait=timedelta(0),
            takes=self.takes(1),
        )

    def _withdrawn(self, reference: str) -> bool:
        """Whether nobody expects it: cancelled, or never keyed."""
        return all(str(head["status"]) in self.profile.return_cancelled for head, _ in self._under([reference]))

    def _withdrawn_by_hand(self, reference: str, ref: str) -> str:
        if self._withdrawn(reference):
            return ref or reference
        message = (
            "withdrawn in Centra; OrderWise has no call for it: cancel the return there by hand, or tell the customer"
        )
        raise Rejected("RETURN_CANCELLED_LATE", "orderwise:returns are withdrawn by hand", message)

    def receipts(self, references: Collection[str], mapping: Mapped) -> Mapping[str, Sequence[Receipt]]:
        found: dict[str, list[Receipt]] = {reference: [] for reference in references}
        asked = {alike(reference): reference for reference in references}
        for head, lines in self._under(references):
            reference = asked.get(alike(head["reference"]))
            if reference is not None:
                found[reference] += self._receipts(reference, head, lines, mapping)
        return found

    def _under(self, references: Collection[str]) -> list[tuple[Row, list[Row]]]:
        return _by_return(self.named("returns", references, lane=LANE))

    def _receipts(self, reference: str, head: Row, lines: Sequence[Row], mapping: Mapped) -> Iterator[Receipt]:
        """What has arrived, and what has not, apart. When it arrived nothing tells that anybody has published."""
        told = {
            "reference": reference,
            "ref": str(head["return_id"]),
            "number": str(head["number"] or ""),
            "received_at": None,
            "stamp": stamp_of([head, *lines]),
        }
        if str(head["status"]) in self.profile.return_cancelled:
            expected = tuple(InspectedLine(sku_of(row), whole(row["expected"])) for row in lines)
            yield Receipt(life="cancelled", lines=expected, **told)  # type: ignore[arg-type]  # the dict's values are mixed
            return
        coming = tuple(
            InspectedLine(sku_of(row), left)
            for row in lines
            if (left := whole(row["expected"]) - whole(row["received"])) > 0
        )
        here = tuple(line for row in lines for line in _arrived(row, inspects=mapping.returns.inspection == INSPECTED))
        if coming or not here:
            yield Receipt(life="expected", lines=coming, **told)  # type: ignore[arg-type]  # the dict's values are mixed
        if here:
            life = "inspected" if all(line.disposition for line in here) else "received"
            yield Receipt(life=life, lines=here, **told)  # type: ignore[arg-type]  # the dict's values are mixed

    def received_since(self, since: datetime) -> Sequence[Hint]:
        hints = []
        for head, lines in _by_return(self.changed("returns", since, lane=LANE)):
            announced = self.return_number(str(head["reference"] or ""))
            ours = self.return_reference(announced) if announced else ""
            number = self.number_of(str(head["order_reference"] or ""))
            moved = any(whole(row["received"]) for row in lines) or head["status"] in self.profile.return_cancelled
            if (ours or number) and moved:
                hints.append(Hint(ours, stamp_of([head, *lines]), number, str(head["number"] or head["return_id"])))
        return hints


def _by_return(rows: Iterable[Row]) -> list[tuple[Row, list[Row]]]:
    heads: dict[int, Row] = {}
    lines: dict[int, list[Row]] = {}
    for row in rows:
        if row["kind"] == "return":
            heads[row["return_id"]] = row
        else:
            lines.setdefault(row["return_id"], []).append(row)
    return [(head, lines.get(id, [])) for id, head in sorted(heads.items())]


def _arrived(row: Row, *, inspects: bool) -> Iterator[InspectedLine]:
    """What arrived of a line, by what was decided; what nobody has decided about has no disposition."""
    left = whole(row["received"])
    for column, disposition in DISPOSED.items():
        pieces = whole(row[column]) if inspects else 0
        if pieces > 0:
            yield InspectedLine(sku_of(row), pieces, disposition)
            left -= pieces
    if left > 0:
        yield InspectedLine(sku_of(row), left)
