"""The tenant profile: everything about one OrderWise that no public source settles, in one table of the mapping file.

`[tenant]` is the one place to correct when a tenant's own `<base>/docs` page, or its consultant, says otherwise. What each word
assumes stands beside it; "unconfirmed" means that no public source says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from marshmallow import RAISE, Schema, ValidationError, fields, validate

from mappings import BrokenMapping
from mappings import Mapping as Mapped

EXPORTS = ("stock", "products", "lookups", "order_status", "order_by_ref", "despatch", "returns", "credits")
LIVES = ("draft", "processing", "done", "cancelled")


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
    order_path: str
    """Where orders are posted: seen at two integrators."""
    prices_as_net: bool
    """Unconfirmed: that net prices lead, with four decimals a unit."""
    send_payments: bool
    """Unconfirmed: that payments travel as `payments`, by method id."""
    available: str
    """Which column of STOCK is what can be sold: free (physical less allocated), in_stock, or the tenant's own `available`."""
    token_lives: timedelta
    """Unconfirmed: guesses of integrators go from 55 minutes to 30 days."""
    queue: timedelta
    """Unconfirmed: how long an accepted order may wait for its session's next run before it shows."""


class _Tenant(Schema):
    class Meta:
        unknown = RAISE

    customer = fields.Integer(strict=True, required=True, validate=validate.Range(min=1))
    exports = fields.Dict(
        keys=fields.String(validate=validate.OneOf(EXPORTS)),
        values=fields.Integer(strict=True, validate=validate.Range(min=1)),
        required=True,
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
    order_path = fields.String(load_default="/sales/order?session_id={session}", validate=validate.Regexp(r"/\S+\Z"))
    prices_as_net = fields.Boolean(load_default=True, truthy={True}, falsy={False})
    send_payments = fields.Boolean(load_default=True, truthy={True}, falsy={False})
    available = fields.String(load_default="free", validate=validate.OneOf(("free", "in_stock", "available")))
    token_minutes = fields.Integer(strict=True, load_default=45, validate=validate.Range(1, 1440))
    queue_minutes = fields.Integer(strict=True, load_default=15, validate=validate.Range(1, 1440))


def profile_of(mapping: Mapped) -> Profile:
    """The profile in a mapping. Raises `BrokenMapping` naming the word that is unknown, missing or impossible."""
    try:
        told: dict[str, Any] = _Tenant().load(dict(mapping.tenant))
    except ValidationError as error:
        key, problem = next(iter(dict(error.messages_dict).items()))
        raise BrokenMapping(mapping.file, "tenant", str(key), _first(problem)) from error
    missing = sorted(set(EXPORTS) - told["exports"].keys())
    if missing:
        raise BrokenMapping(mapping.file, "tenant.exports", missing[0], "this export definition has no id")
    if len(set(told["exports"].values())) != len(told["exports"]):
        raise BrokenMapping(mapping.file, "tenant.exports", "", "two exports have the same id")
    if "{session}" not in told["order_path"]:
        raise BrokenMapping(mapping.file, "tenant", "order_path", "it does not say where the {session} goes")
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


def _first(problem: Any) -> str:
    while isinstance(problem, dict | list):
        problem = next(iter(problem.values())) if isinstance(problem, dict) else problem[0]
    return str(problem)
