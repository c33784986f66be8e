"""Everything about Centra that nobody confirms, as one set of switches with a default each."""

from dataclasses import dataclass
from typing import Any, Literal, get_args, get_type_hints


@dataclass
class CentraSwitches:
    """One Centra instance's behaviour where public documentation is silent or contradicts itself.

    Every field is **unconfirmed** unless its text says otherwise.
    """

    time_zone: str = "Europe/Stockholm"
    """IANA zone of every date Centra shows. That there is one zone per instance is documented; which one is ours."""

    bad_token_status: Literal[401, 200] = 401
    """Unconfirmed: HTTP status for a wrong or expired token (401, or 200 with `errors`)."""

    updated_at_filter: bool = True
    """Unconfirmed: whether `OrderFilter.updatedAt` exists. Off: asking for it is a validation error."""

    events_enabled: bool = True
    """Documented as off until Centra turns it on per instance; unconfirmed for any given client. Off: no event is
    made, the queries still answer."""

    limits: Literal["off", "growth", "enhanced"] = "off"
    """Rate limits: "off", or the plan's name "growth" or "enhanced" (the plans' figures are documented)."""

    retry_after: Literal["timestamp", "seconds", "http-date"] = "timestamp"
    """Unconfirmed: form of `Retry-After`: "timestamp" (epoch seconds, the likeliest reading), "seconds" or
    "http-date"."""

    limit_default: int = 100
    """Unconfirmed: rows of a list when `limit` is left out."""

    limit_maximum: int = 200
    """Unconfirmed: the largest `limit`."""

    limit_overrun: Literal["error", "clamp"] = "error"
    """Unconfirmed: a larger `limit` is an "error", or silently cut: "clamp"."""

    including_tax_default: bool = True
    """Unconfirmed: what `lineValue` means without its argument."""

    bundle_lines: Literal["header", "parts"] = "header"
    """Unconfirmed: a bundle on an order is one line of the bundle product ("header") or its contents with the price
    split in proportion ("parts")."""

    cancelled_status: Literal["CANCELLED", "DELETED"] = "CANCELLED"
    """Unconfirmed: name of the cancelled status, "CANCELLED" or "DELETED" (two vendor schemas disagree)."""

    held_orders_listed: bool = True
    """Unconfirmed: whether `orders` lists orders on hold or waiting for payment (single look-ups always do)."""

    autoconfirm: bool = False
    """A store setting, documented; unconfirmed for any given client. On: an order is confirmed as it is placed."""

    variant_status_input: bool = True
    """Unconfirmed: whether `updateProductVariant` takes a status. Off: it is refused."""

    allocate_on: Literal["confirm", "placement"] = "confirm"
    """Unconfirmed: stock is taken "confirm" (the vendor's text) or already at "placement"."""

    checkout_stops_at_zero: bool = False
    """Ours. On: an order for more than is available is refused as it is placed, as a shop's checkout would."""

    set_stock_below_allocated: Literal["clamp-silently", "clamp-warning", "refuse"] = "clamp-silently"
    """Unconfirmed: `setStock` below what is allocated is cut to it silently (as the REST API does), with a warning, or
    refused."""

    stock_batch_limit: int = 0
    """Unconfirmed: sizes one `setStock` or `changeStock` may name; 0 means any number."""

    ship_held_orders: Literal["allow", "refuse"] = "allow"
    """Unconfirmed: whether an order on hold or waiting for payment can get a shipment."""

    shipped_quantity: Literal["created", "completed"] = "created"
    """Unconfirmed: `OrderLine.shippedQuantity` counts a piece once it is on a shipment ("created") or has left."""

    captured_on_request: bool = True
    """Unconfirmed: a shipment shows `isCaptured` and `isPaid` as soon as Adyen or Klarna took the request; off: only
    when it has settled."""

    refund_completes_return: bool = True
    """Documented for the REST API, unconfirmed here: a refund the provider paid completes its return."""

    refund_values: Literal["positive", "negative"] = "positive"
    """Unconfirmed: the sign of a refund in the payment history."""

    capture_settles_after: float = 5.0
    """Unconfirmed: seconds until an Adyen or Klarna request (capture or refund) is settled (days are possible)."""

    confirm_events_again: Literal["ignore", "warning"] = "ignore"
    """Unconfirmed: confirming an event that is gone: "ignore", or a "warning"."""

    nested_list_weight: int = 5
    """Unconfirmed: rows the complexity estimate assumes for a list without `limit`."""

    webhook_delay: float = 0.2
    """Unconfirmed: seconds Centra gathers changes before it calls a webhook."""

    webhook_retry_delay: float = 10.0
    """Unconfirmed: seconds before the first retry; each further one waits twice as long."""

    app_version: str = "v1.60.0"
    """The newest version named in the vendor's changelog; shown in `extensions.appVersion`."""

    def change(self, words: dict[str, Any]) -> None:
        """Set switches by name; an unknown name (`KeyError`) or position (`ValueError`) changes nothing."""
        known = get_type_hints(type(self))
        for name, value in words.items():
            if name not in known:
                raise KeyError(f"no switch named {name!r}; there are: {', '.join(sorted(known))}")
            positions = get_args(known[name])
            if positions and value not in positions:
                raise ValueError(f"{name} is one of {', '.join(map(str, positions))}, not {value!r}")
        for name, value in words.items():
            setattr(self, name, value)
