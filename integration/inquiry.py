"""What both systems say of a document at this moment; that one cannot be asked is an answer too."""

from collections.abc import Callable
from typing import Any

from integration.errors import LockstepError
from integration.settings import SettingsError
from integration.wiring import World

Ask = Callable[[World, Any], list[str]]


def ask_centra(world: World, row: Any) -> list[str]:
    """What the storefront has of a job's document now, in words."""
    if row.instance not in world.storefronts:
        return [f"now: not asked, {row.instance} is not configured here"]
    return _asked(_CENTRA.get(row.kind, _nothing), world, row)


def ask_erp(world: World, row: Any) -> list[str]:
    """What the ERP has of a job's document now, in words."""
    if row.connection is None:
        return [f"now: not asked, the {row.kind} has no ERP yet"]
    return _asked(_ERP.get(row.kind, _nothing), world, row)


def _asked(ask: Ask, world: World, row: Any) -> list[str]:
    try:
        return ask(world, row)
    except (LockstepError, SettingsError) as error:
        return [f"now: could not be asked: {error}"]


def _nothing(world: World, row: Any) -> list[str]:
    return []


def _order_there(world: World, row: Any) -> list[str]:
    found = world.storefronts[row.instance].fetch([row.number]).get(row.number)
    if found is None:
        return ["now: it has no such order"]
    if found.order is None:
        return [f"now: its answer is not readable: {found.problem}"]
    order = found.order
    flags = {"on hold": order.on_hold, "waiting for payment": order.waiting_for_payment, "internal": order.internal}
    shown = ", ".join([order.status, *(word for word, is_so in flags.items() if is_so), str(order.grand_total)])
    return [
        f"now: {shown}; {'as we read it' if found.fingerprint == row.source_version else 'changed since we read it'}"
    ]


def _return_there(world: World, row: Any) -> list[str]:
    found = world.storefronts[row.instance].returns([row.number]).get(row.number)
    if found is None:
        return ["now: it has no such return"]
    if found.document is None:
        return [f"now: its answer is not readable: {found.problem}"]
    told = found.document
    lines = ", ".join(f"{line.quantity} × {line.sku}" for line in told.lines)
    stock = {True: "restocks", False: "does not restock", None: "does not say whether it restocks"}[told.restocks]
    return [f"now: {'completed' if told.completed else 'pending'}; {lines}; {stock}"]


def _refund_there(world: World, row: Any) -> list[str]:
    paid = world.storefronts[row.instance].refunds([row.order_number]).get(row.order_number, ())
    found = next((refund for refund in paid if refund.key.number == row.number), None)
    return [f"now: {found.life}, {found.amount}" if found else "now: it has no such refund"]


def _sale(world: World, row: Any) -> list[str]:
    erp = world.erp(row.connection)
    reference = erp.reference(row.number)
    found = erp.standing([reference])[reference]
    held = {True: ", held back by a problem of its own", False: ""}
    return [f"now: {s.number or s.ref} (id {s.ref}) is {s.life}{held[bool(s.problem)]}" for s in found] or [
        f"now: it has nothing under {reference}"
    ]


def _receipts(world: World, row: Any) -> list[str]:
    erp = world.erp(row.connection)
    reference = erp.return_reference(row.number)
    mapping = next(mapping for mapping in world.connections() if mapping.connection == row.connection)
    told = []
    for receipt in erp.receipts([reference], mapping).get(reference, ()):
        lines = [f"{line.quantity} × {line.sku} {line.disposition}".strip() for line in receipt.lines]
        told.append(f"now: {receipt.number or receipt.ref} is {receipt.life}: {', '.join(lines) or 'no goods'}")
    return told or [f"now: it has nothing under {reference}"]


def _memos(world: World, row: Any) -> list[str]:
    paid = world.storefronts[row.instance].refunds([row.order_number]).get(row.order_number, ())
    found = next((refund for refund in paid if refund.key.number == row.number), None)
    if found is None:
        return ["now: not asked, Centra has no such refund"]
    erp = world.erp(row.connection)
    reference = erp.memo_reference(found)
    memos = erp.memos([reference]).get(reference, ())
    told = [f"now: {memo.number or memo.ref} is {memo.life}, {memo.components.get('total', '')}" for memo in memos]
    return told or [f"now: it has nothing under {reference}"]


def _shipments_there(world: World, row: Any) -> list[str]:
    found = world.storefronts[row.instance].shipments([row.order_number]).get(row.order_number, ())
    told = []
    for shown in found:
        facts = {"sent": shown.shipped, "captured": shown.captured, "capture not settled": shown.capture_pending}
        words = ", ".join(word for word, is_so in facts.items() if is_so) or "not sent, not captured"
        told.append(f"now: shipment {shown.number} of its order, {shown.total}: {words}")
    return told or ["now: its order has no shipment there"]


def _dispatch(world: World, row: Any) -> list[str]:
    ref = row.number.removeprefix(f"{row.connection}-")
    found = world.erp(row.connection).dispatches([ref]).get(ref)
    if found is None:
        return [f"now: it does not show the dispatch {ref}"]
    lines = ", ".join(f"{line.quantity} × {line.sku}" for line in found.lines)
    return [
        f"now: {found.number} is {found.life}: {lines}, {len(found.parcels)} tracked, by {found.service or 'nobody'}"
    ]


_CENTRA: dict[str, Ask] = {
    "order": _order_there,
    "shipment": _shipments_there,
    "return": _return_there,
    "refund": _refund_there,
}
_ERP: dict[str, Ask] = {"order": _sale, "shipment": _dispatch, "return": _receipts, "refund": _memos}
