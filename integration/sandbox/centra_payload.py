"""What every mutation answers with, and the input objects several of them share."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from integration.sandbox.catalogue import CENTRA_WAREHOUSES
from integration.sandbox.centra_orders import Refused
from integration.sandbox.centra_parcels import StockPolicy
from integration.sandbox.centra_shapes import Shape
from integration.sandbox.currencies import DECIMALS, rounded

Arguments = Mapping[str, Any]
_EMPTY: Shape = dict.fromkeys(
    (
        "order",
        "orders",
        "paymentHistoryEntry",
        "eventListeners",
        "shipment",
        "return",
        "stockChange",
        "stockChanges",
        "productVariant",
    )
)


def payload(errors: list[Shape] | None = None, warnings: list[Shape] | None = None, **found: Any) -> Shape:
    """A mutation's answer; what it did not make is null."""
    return {**_EMPTY, **found, "userErrors": errors or [], "userWarnings": warnings or []}


def note(message: str, *path: str) -> Shape:
    """A UserError or UserWarning."""
    return {"message": message, "path": list(path)}


def only(words: Mapping[str, Any], *path: str) -> tuple[str, Any]:
    """The one member that is given of an object of which exactly one may be; raises `Refused`."""
    given = [(name, value) for name, value in words.items() if value is not None and value is not False]
    if len(given) != 1:
        raise Refused("Exactly one input field should be provided", *path)
    return given[0]


def id_of(words: Mapping[str, Any], kind: str, *path: str) -> int:
    """The id in an IdInput; external ids are unknown here and refused as not found."""
    name, value = only(words, *path)
    if name != "id":
        raise Refused(f"Could not find {kind} with external ID {value}", *path)
    return int(value)


def warehouse_id(words: Mapping[str, Any], *path: str) -> int:
    found = id_of(words, "Warehouse", *path)
    if found not in CENTRA_WAREHOUSES:
        raise Refused(f"Could not find Warehouse with ID {found}", *path)
    return found


def stock_policy(words: Mapping[str, Any], *path: str) -> StockPolicy:
    """Exactly one of the three policies; that the other warehouse is named by an IdInput is unconfirmed."""
    name, value = only(words, *path)
    if name == "sendItemsToDifferentWarehouse":
        return warehouse_id(value, *path, name)
    return "remove" if name == "removeItemsFromStock" else "release"


def amount_in(words: Mapping[str, Any], currency: str | None, *path: str) -> tuple[Decimal, str]:
    """A MonetaryValueInput as (amount, currency); raises `Refused` for another currency than `currency`."""
    code = words["currencyIsoCode"]
    if code not in DECIMALS or currency not in (None, code):
        raise Refused(f"The amount must be in {currency or 'a known currency'}, not {code}", *path, "currencyIsoCode")
    return rounded(Decimal(str(words["value"])), code), code
