"""The tenant profile: everything about one OrderWise that no public source settles, in one table of the mapping file.

`[tenant]` is the one place to correct when a tenant's own `<base>/docs` page, or its consultant, says otherwise. What each word
assumes stands beside it; "unconfirmed" means that no public source says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from marshmallow import RAISE, Schema, ValidationError, fields, post_load, validate

from mappings import BrokenMapping
from mappings import Mapping as Mapped

NEEDED = {
    "stock": "what may be sold is read with it",
    "products": "SKUs are found with it before an order goes",
    "lookups": "order statuses are compared with it",
    "order_status": "what was changed in OrderWise is found with it",
    "order_by_ref": "every order is proved with it, and found again after a call without an answer",
    "despatch": "what left is read with it, line by line",
    "returns": "what came back is read with it",
    "credits": "credit notes are proved with it",
}
"""Our export definitions, and what cannot be done without each. All are read by OWAPI, whichever way orders come in: what a
session of OrderWise tells of itself are numbers that it imported, and no total, no line and no credit.
"""
EXPORTS = tuple(NEEDED)
LIVES = ("draft", "processing", "done", "cancelled")
API, SESSION = "api", "session"
"""How orders come into OrderWise: we post them to OWAPI, or an e-commerce session of transfer type Web Service pulls them."""


IN_PRICES, REFUSE = "in prices", "refuse"
"""What becomes of a voucher that `discounts` does not name: it lies in the prices, or its order is a case."""


@dataclass(frozen=True, slots=True)
class Imports:
    """How the Import Setup of every session of this connection stands: nothing public tells it, so somebody looks and answers.

    `None` is an answer that is owed.
    """

    ticked: Mapping[str, bool | None]
    """By word of `[tenant.import]`."""
    schedule_minutes: int | None


@dataclass(frozen=True, slots=True)
class Session:
    """What a connection whose orders are pulled needs beside: XML names records where JSON has their ids."""

    orders_per_pull: int
    """The most orders in one document; shop-side settings of other integrations have such a limit, too."""
    acknowledged_within: timedelta
    """An order that was on offer for so long without being acknowledged is a case."""
    imports_within: timedelta
    """Unconfirmed: how long after its pull a session may still be importing. Then absence proves that it did not import."""
    account: str
    """Unconfirmed: that `eCommerceAccountNumber` books every order on one customer; empty leaves it to the session's rules."""
    tax_codes: Mapping[str, str]
    """Tax code by tax rate id: T1 is standard and T0 zero at one integrator."""
    delivery_methods: Mapping[str, str]
    payment_methods: Mapping[str, str]
    """Exact names by id: OrderWise matches them letter by letter."""
    order_element: str
    sku_element: str
    """What the tenant's own templates of its despatch and stock exports call an order's number and a variant's code."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One tenant's profile. Session, location and look-up ids stand in the mapping's own tables (unconfirmed names beside)."""

    file: str
    zone: ZoneInfo
    """Unconfirmed: that the server's local time is this connection's `time_zone`."""
    customer: int
    """Every order is booked on this one customer, as an integrator's manual does it."""
    exports: Mapping[str, int]
    """Ids of our export definitions."""
    statuses: Mapping[str, str]
    """Each order status in the tenant's own spelling: draft, processing, done or cancelled. An unknown one is a case."""
    return_cancelled: frozenset[str]
    """Unconfirmed: the status texts of a return that nobody expects any more."""
    currencies: Mapping[str, int]
    """Unconfirmed: `currencyId` of an order by ISO code; none is sent for a currency that is not here."""
    countries: Mapping[str, str]
    """Names of countries in addresses, by ISO code; the code where there is none."""
    handling: str
    """Unconfirmed: the surcharge, by its name in OrderWise, that carries handling."""
    discounts: Mapping[str, str]
    """Exact names, in OrderWise, of the discounts that vouchers are shown as, by a voucher's code or its type."""
    unnamed_discounts: str
    """See `IN_PRICES`."""
    transport: str
    """`api` or `session`; see `API`. Whichever it is, everything is read by OWAPI."""
    session: Session
    imports: Imports
    order_path: str
    """Where orders are posted: seen at two integrators."""
    prices_as_net: bool
    """Unconfirmed: that net prices lead, with four decimals a unit."""
    send_payments: bool
    """Unconfirmed: that payments travel as `payments`, by method id."""
    available: str
    """Which column of STOCK is what can be sold: free (physical less allocated) or the tenant's own `available`.

    in_stock is none of them: what OrderWise knows to be sold is still in it. It feeds `figure = "on hand"`, which reckons so.
    """
    token_lives: timedelta
    """Unconfirmed: guesses of integrators go from 55 minutes to 30 days."""
    queue: timedelta
    """Unconfirmed: how long an accepted order may wait for its session's next run before it shows."""


def _minutes(default: int) -> fields.Integer:
    return fields.Integer(strict=True, load_default=default, validate=validate.Range(1, 1440))


def _names_by_id() -> fields.Dict:
    id, name = fields.String(validate=validate.Regexp(r"[0-9]+\Z")), fields.String(validate=validate.Length(min=1))
    return fields.Dict(keys=id, values=name, load_default=dict)


def _element(default: str) -> fields.String:
    return fields.String(load_default=default, validate=validate.Regexp(r"[A-Za-z_][\w.-]*\Z"))


class _Session(Schema):
    class Meta:
        unknown = RAISE

    orders_per_pull = fields.Integer(strict=True, load_default=50, validate=validate.Range(1, 500))
    acknowledged_within_minutes = _minutes(30)
    imports_within_minutes = _minutes(4)
    account = fields.String(load_default="")
    tax_codes = _names_by_id()
    delivery_methods = _names_by_id()
    payment_methods = _names_by_id()
    order_element = _element("orderNo")
    sku_element = _element("code")

    @post_load
    def _made(self, told: dict[str, Any], **_: Any) -> Session:
        within, imports = told.pop("acknowledged_within_minutes"), told.pop("imports_within_minutes")
        return Session(acknowledged_within=timedelta(minutes=within), imports_within=timedelta(minutes=imports), **told)


def _answer() -> fields.Boolean:
    return fields.Boolean(load_default=None, truthy={True}, falsy={False})


class _Imports(Schema):
    class Meta:
        unknown = RAISE

    delivery_method_tax_code = _answer()
    variant_tax_code = _answer()
    variant_stock_location = _answer()
    delivery_address = _answer()
    customer_contact = _answer()
    schedule_minutes = fields.Integer(strict=True, load_default=None, validate=validate.Range(1, 1440))

    @post_load
    def _made(self, told: dict[str, Any], **_: Any) -> Imports:
        return Imports(schedule_minutes=told.pop("schedule_minutes"), ticked=told)


class _Tenant(Schema):
    class Meta:
        unknown = RAISE

    customer = fields.Integer(strict=True, required=True, validate=validate.Range(min=1))
    exports = fields.Dict(
        keys=fields.String(validate=validate.OneOf(EXPORTS)),
        values=fields.Integer(strict=True, validate=validate.Range(min=1)),
        load_default=dict,
    )
    statuses = fields.Dict(
        keys=fields.String(validate=validate.Length(min=1)),
        values=fields.String(validate=validate.OneOf(LIVES)),
        required=True,
    )
    return_cancelled = fields.List(fields.String(), load_default=lambda: ["Cancelled"])
    currencies = fields.Dict(keys=fields.String(), values=fields.Integer(strict=True), load_default=dict)
    countries = fields.Dict(keys=fields.String(), values=fields.String(), load_default=dict)
    handling = fields.String(load_default="Handling", validate=validate.Length(min=1))
    discounts = fields.Dict(
        keys=fields.String(validate=validate.Length(min=1)),
        values=fields.String(validate=validate.Length(1, 100)),
        load_default=dict,
    )
    unnamed_discounts = fields.String(load_default=IN_PRICES, validate=validate.OneOf((IN_PRICES, REFUSE)))
    transport = fields.String(load_default=API, validate=validate.OneOf((API, SESSION)))
    session = fields.Nested(_Session, load_default=lambda: _Session().load({}))
    imports = fields.Nested(_Imports, data_key="import", load_default=lambda: _Imports().load({}))
    order_path = fields.String(load_default="/sales/order?session_id={session}", validate=validate.Regexp(r"/\S+\Z"))
    prices_as_net = fields.Boolean(load_default=True, truthy={True}, falsy={False})
    send_payments = fields.Boolean(load_default=True, truthy={True}, falsy={False})
    available = fields.String(load_default="free", validate=validate.OneOf(("free", "available")))
    token_minutes = _minutes(45)
    queue_minutes = _minutes(15)


def profile_of(mapping: Mapped) -> Profile:
    """The profile in a mapping. Raises `BrokenMapping` naming the word that is unknown, missing or impossible."""
    try:
        told: dict[str, Any] = _Tenant().load(dict(mapping.tenant))
    except ValidationError as error:
        key, problem = next(iter(dict(error.messages_dict).items()))
        raise BrokenMapping(mapping.file, "tenant", str(key), _first(problem)) from error
    missing = sorted(set(EXPORTS) - told["exports"].keys())
    if missing:
        raise BrokenMapping(mapping.file, "tenant.exports", ", ".join(missing), _why_needed(missing, told["transport"]))
    if len(set(told["exports"].values())) != len(told["exports"]):
        raise BrokenMapping(mapping.file, "tenant.exports", "", "two exports have the same id")
    if "{session}" not in told["order_path"]:
        raise BrokenMapping(mapping.file, "tenant", "order_path", "it does not say where the {session} goes")
    _check_sessions(mapping)
    for table, word, known in (
        ("returns", mapping.returns.announce, ("off",)),
        ("returns", mapping.returns.inspection, ("off", "return lines")),
        ("credit", mapping.credit.strategy, ("off", "credit order")),
    ):
        if word not in known:
            problem = f"OrderWise has no strategy {word!r}; it has {' and '.join(repr(each) for each in known)}"
            raise BrokenMapping(mapping.file, table, "", problem)
    return Profile(
        file=mapping.file,
        zone=ZoneInfo(mapping.time_zone),
        token_lives=timedelta(minutes=told.pop("token_minutes")),
        queue=timedelta(minutes=told.pop("queue_minutes")),
        return_cancelled=frozenset(told.pop("return_cancelled")),
        **told,
    )


def _check_sessions(mapping: Mapped) -> None:
    """A session is one shop's till: where two shops shared one, their order numbers clashed (an integrator's manual)."""
    shops: dict[int, str] = {}
    for market in mapping.markets.values():
        shop = market.name.partition(" / ")[0]
        other = shops.setdefault(market.channel, shop)
        if other != shop:
            problem = f"{shop} and {other} share e-commerce session {market.channel}: order numbers clash in it, so each shop needs one of its own"
            raise BrokenMapping(mapping.file, f'markets."{market.name}"', "channel", problem)


def _why_needed(missing: Sequence[str], transport: str) -> str:
    """Why a connection without these is refused, and no part of it runs."""
    named = "; ".join(f"{name.upper()} ({NEEDED[name]})" for name in missing)
    words = f"without an id OWAPI cannot run {named}. Paste our SQL in and write the ids here (mappings/README.md)"
    if transport == SESSION:
        words += (
            ". A session's own documents cannot stand in: it names the orders that it imported and none of their amounts, so "
            "an order could be accepted and never proved"
        )
    return words


def _first(problem: Any) -> str:
    while isinstance(problem, dict | list):
        problem = next(iter(problem.values())) if isinstance(problem, dict) else problem[0]
    return str(problem)
