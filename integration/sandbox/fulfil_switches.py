"""What Fulfil does where its public pages are silent: one labelled switch for each open question."""

from dataclasses import dataclass
from typing import Literal

from integration.sandbox.switches import Switches

Mismatch = Literal["draft-with-exception", "refuse", "accept"]


@dataclass
class FulfilSwitches(Switches):
    """Every behaviour here is unconfirmed. A client that is right under each setting needs no tenant to be right."""

    process: Literal["at-once", "after-seconds", "stay-draft"] = "at-once"
    """unconfirmed, default at-once: when an accepted order leaves draft by itself."""

    process_seconds: float = 5.0
    """unconfirmed, default 5: how long "after-seconds" takes."""

    response: Literal["object", "list", "id"] = "object"
    """unconfirmed, default object: what create_order answers, a Model object, a list with one, or a bare id."""

    replay: Literal["return-old", "update"] = "return-old"
    """unconfirmed, default return-old: what becomes of a known order sent again with other contents."""

    total_mismatch: Mismatch = "draft-with-exception"
    """unconfirmed, default draft-with-exception: `amount` differs from the lines and taxes (refuse = 400)."""

    line_mismatch: Mismatch = "refuse"
    """unconfirmed, default refuse: a line's `amount` differs from the rounded unit_price * quantity.

    The other two keep Fulfil's own product, as the modules it grew from compute a line's amount.
    """

    tax_amount: Literal["given", "computed"] = "given"
    """unconfirmed, default given: whether tax_amount is the sum of the tax lines sent or computed from the rates."""

    unit_price_digits: int = 4
    """unconfirmed, default 4: decimals a unit_price may have; more is refused with a 400."""

    unknown_keys: Literal["refuse", "ignore"] = "refuse"
    """unconfirmed, default refuse: words in an order that no public page explains (`discounts` among them)."""

    unknown_gateway: Literal["refuse", "ignore"] = "refuse"
    """unconfirmed, default refuse: a payment whose method is no gateway code; ignore = it is not recorded."""

    cancel_processing: Literal["shipments-first", "never", "always"] = "shipments-first"
    """unconfirmed, default shipments-first: when a processing sale can be cancelled (always = takes them along)."""

    wrong_transition: Literal["refuse", "ignore"] = "refuse"
    """unconfirmed, default refuse: a state method where the state does not allow it; upstream Tryton ignores it."""

    state_writable: bool = False
    """unconfirmed, default no: whether `write` may set a state."""

    returnable: Literal["shipped", "ordered"] = "shipped"
    """unconfirmed, default shipped: what of a line may come back, less what other returns took already."""

    return_replay: Literal["return-old", "refuse", "another"] = "return-old"
    """unconfirmed, default return-old: a known channel_identifier in return_order again (refuse = 400, another = a second
    return is made)."""

    return_response: Literal["object", "list", "id", "null"] = "object"
    """unconfirmed, default object: what return_order answers."""

    invoices_made: Literal["draft", "posted"] = "draft"
    """unconfirmed, default draft (Tryton): the state of the invoices that sales and shipments bring about."""

    closed_until: str = ""
    """ISO date, default none: invoices of that day and before cannot be posted; the refusal's words are unconfirmed."""

    sign_webhooks: bool = True
    """unconfirmed, default yes: whether every delivery carries X-Fulfil-Hmac-SHA256."""

    webhook_delay: float = 1.0
    """unconfirmed, default 1: seconds between a change and its webhook."""

    webhook_retry_step: float = 909.0
    """unconfirmed, default 909: the nth retry comes n times this many seconds after the last (19 in 48 hours are said)."""

    rate_limit: int = 0
    """unconfirmed figure, default 0 (off): requests a second for one user; clients in the wild assume 9 or 10."""

    retry_after: bool = True
    """unconfirmed, default yes: whether a 429 for too many requests carries Retry-After."""

    page_size: int = 500
    """Rows a call may return before it is refused with a 429; 500 is what customers' code reports."""

    uri_limit: int = 4000
    """unconfirmed figure, default 4000: characters of a query string before a 414 (100 ids in a GET are known to fit)."""
