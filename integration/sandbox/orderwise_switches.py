"""What OrderWise does where no public source says it: one labelled switch for each open question.

Exact elsewhere in this sandbox, because integrators' code or manuals show it: the token as a quoted JSON string after Basic,
Bearer everywhere else, paths in any case below a directory of the tenant's; `POST /sales/order?session_id=` with the fields
that integrators send, unknown names ignored; export definitions as SQL with `[{name, value}]` in and a bare array out; pages
by `limit` and `last_id`; the stock, variant and value-list calls and their reply keys where a reply was seen; EANs unique;
free stock that may be negative or fractional, kits by their bill of materials, several deliveries an order, several
consignments a delivery, status texts that are the tenant's; local times without a zone; the e-commerce session's handshake in
XML. There is no public call that cancels or changes an order, opens a return or reads a session's settings, so there is none.
"""

from dataclasses import dataclass
from typing import Literal

from integration.sandbox.switches import Switches


@dataclass
class OrderWiseSwitches(Switches):
    """Every behaviour here is unconfirmed. A client that is right under each setting needs no tenant to be right."""

    directory: str = "/OWAPI"
    """Seen: OWAPI, OWAPItest, OWAPISB. The virtual directory everything is mounted under, in any case."""

    time_zone: str = "Europe/London"
    """unconfirmed, default Europe/London: the time zone of the SQL Server, whose local time travels without a zone."""

    token_minutes: float = 0.0
    """unconfirmed, default 0 (until expired on demand): how long a token lives; integrators guess 55 minutes to 30 days."""

    second_login: Literal["both-live", "newest-lives"] = "both-live"
    """unconfirmed, default both-live: whether a user's earlier token survives the next login."""

    import_mode: Literal["at-once", "queued"] = "at-once"
    """unconfirmed, default at-once: whether an order exists when its POST is answered, or after the session's next run."""

    create_status: Literal[200, 201] = 201
    """unconfirmed, default 201: the status of an accepted order (a created variant is known to be 201)."""

    create_response: Literal["ids", "id", "empty"] = "ids"
    """unconfirmed, default ids: `{orderId, orderNumber, eCommerceOrderNumber}`, the bare order id, or no body."""

    unknown_sku: Literal["refuse", "e-mail"] = "refuse"
    """unconfirmed, default refuse (400, whole order): e-mail = accepted, then fails at the session's run and is mailed."""

    duplicate: Literal["refuse", "another"] = "refuse"
    """unconfirmed, default refuse (400): a known eCommerceOrderNumber in the same session; another = a second document."""

    offered_again: Literal["mailed", "named"] = "mailed"
    """unconfirmed, default mailed: an order that a session pulls again although it is there fails with an e-mail and is not
    in the list of what imported, or is named in it like a new one."""

    error_body: Literal["json", "plain", "empty"] = "json"
    """unconfirmed, default json: an error as `{"message": "..."}`, as plain text, or with no body."""

    totals_mismatch: Literal["balancing-discount", "refuse", "keep"] = "balancing-discount"
    """The symptom was seen, the reading is unconfirmed: header totals differ from the parts, and the order is kept with a
    discount (or surcharge) of OrderWise's own making, and logged."""

    totals_rounding: Literal["line", "order"] = "line"
    """unconfirmed, default line: whether unit x quantity is rounded to the minor unit per line, or only in the total;
    of an order and of a credit."""

    line_gross: Literal["given", "computed"] = "given"
    """unconfirmed, default given: whether an itemGross beside the net price is kept or computed from the tax rate."""

    credit_by_order: bool = False
    """unconfirmed, default no: whether POST /sales/order with systemOrderType 4 makes a credit."""

    credit_posted: bool = True
    """unconfirmed, default yes: whether such a credit is posted at once."""

    variant_reply: Literal["array", "object"] = "array"
    """Both were seen: GET /variants/{id} as a one-element array (newer) or as an object (older)."""

    value_list_name: Literal["name", "description"] = "name"
    """One source accepts both: what a row of /value-lists/{n} calls its text."""

    default_limit: int = 1000
    """unconfirmed, default 1000: rows of a page when no limit is asked for; 200000 is known to be allowed."""

    rate_limit: int = 0
    """unconfirmed, default 0 (off): requests a second for one user before a 429; none was ever seen."""
