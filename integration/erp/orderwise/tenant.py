"""What every part of the adapter shares: references, export definitions by name, and times without a zone."""

import hashlib
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from typing import TypeVar
from zoneinfo import ZoneInfo

from integration.erp.orderwise.client import OWAPI, Export, Row, sql_of
from integration.erp.orderwise.profile import EXPORTS, Profile, profile_of
from integration.errors import Rejected
from mappings import Mapping as Mapped

PREFIX = "centra-"
"""Begins every reference of ours; our export definitions look for it."""

MARGIN = timedelta(seconds=5)
"""Between the longest call and what the ledger reckons with."""

NEVER = "9999-12-31T00:00:00.000"
"""As a moment to ask from: nothing changed since."""

T = TypeVar("T")


class Tenant:
    """One OrderWise tenant; `profile` is that of the newest mapping."""

    def __init__(self, name: str, client: OWAPI, profile: Profile) -> None:
        self.name = name
        self.client = client
        self.profile = profile
        self._profiles: dict[int, tuple[Mapped, Profile]] = {}

    def profile_in(self, mapping: Mapped) -> Profile:
        """The profile of a mapping of this connection, be it one that is frozen on a job: a document is composed with it again as
        it was sent, whatever has been named or switched since. Raises `BrokenMapping`.
        """
        read, profile = self._profiles.get(mapping.version, (None, self.profile))
        if read is not mapping:
            profile = profile_of(mapping)
            self._profiles[mapping.version] = mapping, profile
        return profile

    def reference(self, order_number: str) -> str:
        return f"{PREFIX}{order_number}"

    def number_of(self, reference: str) -> str:
        number = reference.removeprefix(PREFIX)
        return number if number != reference and number.isascii() and number.isdigit() else ""

    def takes(self, calls: int) -> timedelta:
        """How long so many calls may take, one after the other; a login and a second try belong to one of them."""
        return timedelta(seconds=self.client.http.timeouts.total) * (calls + 2) + MARGIN

    def changed(self, name: str, since: datetime, *, lane: str) -> list[Row]:
        """The rows of an export that changed since a moment."""
        parameters: dict[str, object] = dict.fromkeys(_LISTED[name], _NOTHING.get(_LIST_OF[name], ""))
        return self.client.export(
            _EXPORTS[name], parameters | {"since": since_local(since, self.profile.zone)}, lane=lane
        )

    def unread(self) -> Mapping[str, str]:
        """Our export definitions that OrderWise does not run as it should, and why, by name. Asks each for nothing."""
        found = {}
        for name in EXPORTS:
            nothing = dict.fromkeys(_LISTED[name], _NOTHING.get(_LIST_OF[name], ""))
            bounds = {"since": NEVER, "after": 0, "until": 0}
            asked = {each: bounds.get(each, "") for each in parameters_of(name)} | nothing
            try:
                self.client.export(_EXPORTS[name], asked, lane="orders")
            except Rejected as refused:
                found[name] = str(refused)
        return found

    def looked_up(self) -> list[Row]:
        """The tenant's own records that the mapping names by id."""
        return self.client.export(_EXPORTS["lookups"], {}, lane="orders")

    def variants(self, after: int, until: int, *, lane: str) -> tuple[list[Row], int | None]:
        """The variants with ids in (after, until], and the next id after that; `None` at the end."""
        empty: dict[str, object] = dict.fromkeys(_LISTED["products"], "")
        rows = self.client.export(_EXPORTS["products"], {"after": after, "until": until} | empty, lane=lane)
        following = next((row["id"] for row in rows if row["kind"] == "next"), None)
        return [row for row in rows if row["kind"] == "variant"], following

    def named(self, name: str, keys: Collection[object], *, lane: str, **more: object) -> list[Row]:
        """The rows of an export by the keys it can be asked for, in as few calls as its SQL has names for."""
        found: list[Row] = []
        names = _LISTED[name]
        since = {"since": NEVER} if _asks_since(name) else {}
        for batch in batches(sorted(set(keys), key=str), most=len(names)):
            empty = [_NOTHING.get(_LIST_OF[name], "")] * (len(names) - len(batch))
            asked = dict(zip(names, [*batch, *empty], strict=True))
            found += self.client.export(_EXPORTS[name], {**since, **more, **asked}, lane=lane)
        return found


_NOTHING: Mapping[str, object] = {"order": 0}
"""What a parameter that names nothing holds."""

_COLUMNS = {
    "stock": "kind sku location free in_stock available part quantity",
    "products": "kind id sku name ean discontinued for_sale kit changed_at",
    "lookups": "kind id name",
    "order_status": (
        "kind order_id reference number type session status complete on_hold currency method changed_at net tax gross"
    ),
    "order_by_ref": (
        "kind order_id reference number type session status complete on_hold currency method changed_at net tax gross "
        "tax_code item sku quantity location description is_discount is_gross"
    ),
    "despatch": (
        "kind order_id reference delivery_id number sent_at cancelled method tracking url_prefix url_suffix item sku quantity"
    ),
    "returns": (
        "kind return_id reference number status changed_at order_reference sku expected received restocked quarantined "
        "scrapped"
    ),
    "credits": (
        "kind credit_id reference number posted changed_at currency order_reference net tax gross line_id sku quantity "
        "description"
    ),
}
_EXPORTS = {name: Export(name, frozenset(_COLUMNS[name].split())) for name in EXPORTS}


def parameters_of(name: str) -> tuple[str, ...]:
    """The parameters in an export's SQL, in the order in which they first stand there."""
    return tuple(dict.fromkeys(re.findall(r"@(\w+)", sql_of(name))))


_LISTED = {name: tuple(p for p in parameters_of(name) if p[-1].isdigit()) for name in EXPORTS}
_LIST_OF = {name: names[0].rstrip("0123456789") if names else "" for name, names in _LISTED.items()}


def _asks_since(name: str) -> bool:
    return "since" in parameters_of(name)


def batches(values: Sequence[T], *, most: int) -> Iterator[list[T]]:
    for start in range(0, len(values), most):
        yield list(values[start : start + most])


def fingerprint(body: object) -> str:
    """Tells one request from another."""
    return hashlib.sha256(json.dumps(body, sort_keys=True, default=str).encode()).hexdigest()


def stamp_of(rows: object) -> str:
    """Changes whenever what was read changes: OrderWise's own stamps do not tell a new label, say."""
    return fingerprint(rows)[:20]


def local(moment: datetime, zone: ZoneInfo) -> str:
    """A moment as OrderWise writes it: the server's local time without a zone, to the millisecond."""
    return moment.astimezone(zone).replace(tzinfo=None).isoformat(timespec="milliseconds")


def since_local(moment: datetime, zone: ZoneInfo) -> str:
    """A moment to ask from. In the hour that happens twice, what is written later may bear an earlier time: ask from before."""
    there = moment.astimezone(zone)
    twice = there.replace(fold=0).utcoffset(), there.replace(fold=1).utcoffset()
    first, second = (offset or timedelta(0) for offset in twice)
    back = max(first - second, timedelta(0))
    return (there.replace(tzinfo=None) - back).isoformat(timespec="milliseconds")


def instant(told: object, zone: ZoneInfo) -> datetime | None:
    """The moment of a local time. One in the hour that happens twice is the later of the two less the hour between them, so
    that a promise counted from it is never kept too late. `None` for none.
    """
    if not isinstance(told, str) or not told:
        return None
    naive = datetime.fromisoformat(told).replace(tzinfo=None)
    return naive.replace(tzinfo=zone, fold=0).astimezone(UTC)


def whole(quantity: object) -> int:
    """Whole pieces of a quantity, rounded down; nothing where there is none."""
    return int(Decimal(str(quantity or 0)).to_integral_value(ROUND_FLOOR))


def sku_of(row: Row) -> str:
    """A code without the spaces that people leave around it."""
    return str(row["sku"] or "").strip()


def alike(reference: object) -> str:
    """What a reference is known by, however it was keyed: case and trailing spaces make no difference to SQL Server's usual
    collation (unconfirmed for a tenant), so an export that is asked for one finds the other, too. Nothing for none.
    """
    return str(reference or "").rstrip(" ").casefold()
