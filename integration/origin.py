"""The sales order behind a return or a refund: in which ERP it stands, or why there is nothing to follow."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mappings import Mapping

READY, WAITS, UNKNOWN, NONE, BY_HAND = "ready", "waits", "unknown", "none", "by hand"


@dataclass(frozen=True, slots=True)
class Origin:
    """`ready`: proven in the ERP of `mapping` as `ref`; `waits`: not yet; `unknown`: not even in our ledger; `none`:
    nothing was booked, so nothing comes back; `by hand`: a person has closed the order, and only a person knows what was
    booked. `words` say why it is not ready. `version` of its mapping had the rates of the sale.
    """

    verdict: str
    words: str
    mapping: Mapping | None = None
    ref: str = ""
    market: str = ""
    version: int = 0


def of(order_number: str, row: Any | None, mappings: Sequence[Mapping]) -> Origin:
    """Judge by the order's row in the ledger; `mappings` are the newest of every connection."""
    if row is None:
        return Origin(UNKNOWN, f"order {order_number} is not known yet")
    mapping = next((m for m in mappings if m.connection == row.connection), None)
    told = {"mapping": mapping, "ref": row.erp_ref or "", "market": row.market, "version": row.mapping_version or 0}
    if row.state == "observed":
        return Origin(NONE, f"order {order_number} is only observed: the ERP never got it from us", **told)
    if row.state == "cancelled":
        return Origin(NONE, f"order {order_number} was cancelled before anything was shipped or invoiced", **told)
    if row.state == "closed" and not (row.erp_ref and mapping):
        return Origin(BY_HAND, f"order {order_number} was closed by a person: {row.reason}", **told)
    if mapping is None or not row.erp_ref or row.done_at is None or row.state == "cancelling":
        return Origin(WAITS, f"order {order_number} is not proven in the ERP yet: {row.reason or row.state}", **told)
    return Origin(READY, "", **told)
