"""Their words and ours, as data. Edited by people who know the business; read here, never written.

`load(folder)` reads and validates every `<connection>.toml`; `parse(text, file)` does it for one text. A file that does
not validate raises `BrokenMapping` naming file, table and key, and changes nothing.
"""

import difflib
import tomllib
from collections.abc import Iterable, Sequence
from collections.abc import Mapping as Dict
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from integration.domain.settling import Schedule
from integration.errors import Unmapped
from mappings.schema import BrokenMapping, check_mapping, check_playbook
from mappings.semantics import check_facilities, check_polls, check_stock

__all__ = [
    "BrokenMapping", "Credit", "Mapping", "Market", "Place", "Playbook", "Products", "Returns", "Rule", "Service", "Shipments", "Stock", "load",
    "parse", "playbook",
]  # fmt: skip

PLAYBOOK = "playbook.toml"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Market:
    """Where the orders of one storefront market go. `channel` and `warehouse` are the ERP's own ids."""

    name: str
    channel: int
    warehouse: int
    currency: str
    countries: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """A storefront warehouse (`id`), and the ERP warehouses that stand behind it: their figures are summed.

    `zones`, where there are any, are the parts of these warehouses whose figures are asked for instead.
    `storefront_threshold` are the units of every SKU that the storefront itself keeps from shoppers there.
    """

    id: str
    warehouses: tuple[int, ...]
    zones: tuple[int, ...]
    storefront_threshold: int


@dataclass(frozen=True, slots=True)
class Stock:
    """Which ERP figure feeds which storefront warehouse. `figure` is available or on hand; buffers are whole units.

    `buffers` and `excluded` (with the reason why) are by SKU prefix, the longest that fits; `other_channels` says that the
    ERP's stock is sold elsewhere too; `compare_at` is the hour of the day, in the ERP's time zone, of the full compare.
    """

    figure: str
    quantity_type: str
    other_channels: bool
    buffer: int
    buffers: Dict[str, int]
    excluded: Dict[str, str]
    brake_percent: int
    shown_within_minutes: int
    compare_at: int
    places: Dict[str, Place]

    def buffer_of(self, sku: str) -> int:
        fitting = [prefix for prefix in self.buffers if sku.startswith(prefix)]
        return self.buffers[max(fitting, key=len)] if fitting else self.buffer

    def why_excluded(self, sku: str) -> str:
        """Why a SKU's stock is none of the storefront's business; empty when it is."""
        return next((why for prefix, why in self.excluded.items() if sku.startswith(prefix)), "")

    def place_of(self, warehouse: int) -> str:
        """The storefront warehouse that an ERP warehouse stands behind; empty when it stands behind none."""
        return next((place.id for place in self.places.values() if warehouse in place.warehouses), "")


@dataclass(frozen=True, slots=True)
class Service:
    """A carrier service as the storefront spells it. `tracking` where it differs from the connection's rule."""

    carrier: str
    service: str
    tracking: str = ""


@dataclass(frozen=True, slots=True)
class Shipments:
    """How dispatches are shown. `services` are by the ERP's own spelling, "" for a dispatch that names none."""

    capture: str
    tracking: str
    tracking_within_minutes: int
    shown_within_minutes: int
    capture_within_minutes: int
    services: Dict[str, Service]


@dataclass(frozen=True, slots=True)
class Returns:
    """How returns are announced and inspected; `dispositions` are by the name of the place the goods were put in.

    Each strategy is "off" until somebody who knows the tenant turns it on: then a person works from the exception.
    """

    announce: str
    inspection: str
    dispositions: Dict[str, str]
    reason: str
    received_within_days: int
    inspected_within_days: int


@dataclass(frozen=True, slots=True)
class Credit:
    """How refunds are booked. "off" is a work-list: the exception says all that a person must key.

    `account` is the ERP's, by code or name; `accounts` those of single parts of a memo (goods, shipping, handling, goodwill,
    fee, vouchers) that go elsewhere.
    """

    strategy: str
    account: str
    accounts: Dict[str, str]
    goodwill_tax: Dict[str, str]
    memo_within_minutes: int


@dataclass(frozen=True, slots=True)
class Products:
    """Who is master of which field of a product, and how new products come into the ERP.

    `staging` "on": what is new in the storefront is made in the ERP from its item `template` (or by a person, where the ERP
    has no call), and must have the `required` fields there. `release` "variant status": until then the storefront holds it
    back, and Lockstep puts it on sale; "off": people do, and a sweep finds what was sold too early. `masters`: "erp" or
    "storefront" by field; where the two differ, the other one is to be corrected, by a person. A field without one is
    not compared.
    """

    staging: str
    release: str
    template: str
    required: Sequence[str]
    masters: Dict[str, str]

    @property
    def stages(self) -> bool:
        return self.staging == "on"

    @property
    def releases(self) -> bool:
        return self.release != "off"


@dataclass(frozen=True, slots=True)
class Mapping:
    """One connection's words. Look-ups raise `Unmapped` with the file, the table, the key and the nearest match."""

    connection: str
    version: int
    adapter: str
    centra: str
    start_at: datetime
    time_zone: str
    released: Dict[str, object]
    schedule: Schedule
    options: Dict[str, object]
    markets: Dict[str, Market]
    carriers: Dict[str, Dict[str, str]]
    taxes: Dict[str, Dict[str, str]]
    shipping_tax: Dict[str, str]
    vouchers: Dict[str, str]
    tenders: Dict[str, str]
    bundles: Dict[str, Dict[str, int]]
    stock: Stock | None
    shipments: Shipments
    returns: Returns
    credit: Credit
    products: Products | None
    tenant: Dict[str, Any]
    """What only the connection's adapter understands; it refuses words it does not know when it connects."""

    @property
    def file(self) -> str:
        return f"{self.connection}.toml"

    @property
    def poll_every(self) -> timedelta:
        """How often at most the ERP is asked what has changed; zero where nobody has said."""
        return timedelta(minutes=int(str(self.options["poll_minutes"])))

    def market(self, name: str) -> Market:
        return self._row("ORDER_MARKET_UNMAPPED", "markets", self.markets, name)

    def carrier(self, market: str, option: str) -> str:
        table = f'carriers."{market}"'
        return self._row("ORDER_SHIPPING_UNMAPPED", table, self.carriers.get(market, {}), option)

    def tax_name(self, country: str, percent: Decimal) -> str:
        key = format(percent.normalize(), "f")
        return self._row("ORDER_TAX_UNMAPPED", f"taxes.{country}", self.taxes.get(country, {}), key)

    def charge_percent(self, country: str) -> Decimal:
        """The tax percentage of shipping and handling in a country."""
        return Decimal(self._row("ORDER_TAX_UNMAPPED", "shipping_tax", self.shipping_tax, country))

    def goodwill_percent(self, country: str) -> Decimal:
        """The tax percentage of money given back for no goods, in a country."""
        return Decimal(self._row("ORDER_TAX_UNMAPPED", "credit.goodwill_tax", self.credit.goodwill_tax, country))

    def voucher_kind(self, type: str) -> str:
        return self._row("ORDER_DISCOUNT_UNMAPPED", "vouchers", self.vouchers, type)

    def service(self, name: str) -> Service:
        """The storefront's words for a carrier service of the ERP. Raises `Unmapped` (SHIPMENT_CARRIER_UNMAPPED)."""
        return self._row("SHIPMENT_CARRIER_UNMAPPED", "shipments.services", self.shipments.services, name)

    def disposition(self, place: str) -> str:
        """What a place in the warehouse means for goods put there. Raises `Unmapped` (RETURN_DISPOSITION_UNMAPPED)."""
        return self._row("RETURN_DISPOSITION_UNMAPPED", "returns.dispositions", self.returns.dispositions, place)

    def components(self, sku: str) -> Dict[str, int]:
        """The stocked pieces in one SKU: itself, or a bundle's parts with their quantities."""
        return self.bundles.get(sku) or {sku: 1}

    def tender(self, method: str) -> str:
        return self._row("ORDER_PAYMENT_UNMAPPED", "tenders", self.tenders, method)

    def _row(self, type: str, table: str, rows: Dict[str, T], key: str) -> T:
        if key in rows:
            return rows[key]
        near = difflib.get_close_matches(key, rows, n=1, cutoff=0.75)
        raise Unmapped(type, file=self.file, table=table, key=key, near=near[0] if near else "")


@lru_cache(maxsize=64)
def parse(text: str, file: str, *, version: int = 0) -> Mapping:
    """A validated mapping from TOML text, read once a process. Raises `BrokenMapping`."""
    told = check_mapping(_toml(text, file), file)
    check_facilities(told, file)
    check_stock(told, file)
    check_polls(told, file)
    head = told["connection"]
    markets = {
        name: Market(name, row["channel"], row["warehouse"], row["currency"], tuple(row["countries"]))
        for name, row in told["markets"].items()
    }
    return Mapping(
        connection=Path(file).stem,
        version=version,
        adapter=head["adapter"],
        centra=head["centra"],
        start_at=_instant(head["start_at"]),
        time_zone=head["time_zone"],
        released=told["released"],
        schedule=_schedule(told["schedule"]),
        options=told["options"],
        markets=markets,
        carriers=told["carriers"],
        taxes=told["taxes"],
        shipping_tax=told["shipping_tax"],
        vouchers=told["vouchers"],
        tenders=told["tenders"],
        bundles=told["bundles"],
        stock=_stock(told["stock"]),
        shipments=_shipments(told["shipments"]),
        returns=Returns(**told["returns"]),
        credit=Credit(**told["credit"]),
        products=Products(**told["products"]) if told["products"] else None,
        tenant=told["tenant"],
    )


def _schedule(told: Dict[str, Any]) -> Schedule:
    settle, at_most, every = (timedelta(minutes=told[f"{name}_minutes"]) for name in ("settle", "at_most", "every"))
    closed = (tuple(time.fromisoformat(at) for at in hours.split("-")) for hours in told["closed"])
    return Schedule(told["trigger"], settle, at_most, every, tuple((start, end) for start, end in closed))


def _stock(told: Dict[str, Any] | None) -> Stock | None:
    if told is None:
        return None
    places = {
        id: Place(id, tuple(row["warehouses"]), tuple(row["zones"]), row["storefront_threshold"])
        for id, row in told["places"].items()
    }
    return Stock(**{**told, "places": places})


def _shipments(told: Dict[str, Any]) -> Shipments:
    return Shipments(**{**told, "services": {name: Service(**row) for name, row in told["services"].items()}})


def load(folder: Path) -> dict[str, tuple[str, Mapping]]:
    """Every connection's (text, mapping) by name. Raises `BrokenMapping`, also when a market has two connections."""
    found = {}
    for path in sorted(folder.glob("*.toml")):
        if path.name != PLAYBOOK:
            text = _text(path)
            found[path.stem] = (text, parse(text, path.name))
    mappings = [mapping for _, mapping in found.values()]
    check_one_home(mappings)
    check_one_feed(mappings)
    return found


def check_one_home(mappings: Iterable[Mapping]) -> None:
    """A market belongs to exactly one connection. Raises `BrokenMapping` naming both files."""
    homes: dict[tuple[str, str], str] = {}
    for mapping in mappings:
        for market in mapping.markets:
            other = homes.setdefault((mapping.centra, market), mapping.file)
            if other != mapping.file:
                raise BrokenMapping(mapping.file, f'markets."{market}"', "", f"{other} has this market too")


def check_one_feed(mappings: Iterable[Mapping]) -> None:
    """A storefront warehouse is fed by one connection. Raises `BrokenMapping` naming both files."""
    feeds: dict[tuple[str, str], str] = {}
    for mapping in mappings:
        for place in mapping.stock.places if mapping.stock else ():
            other = feeds.setdefault((mapping.centra, place), mapping.file)
            if other != mapping.file:
                problem = (
                    f"{other} feeds Centra's warehouse {place} too: the later push would wipe out the other's figure"
                )
                raise BrokenMapping(mapping.file, f"stock.places.{place}", "", problem)


def check_one_book(mappings: Iterable[Mapping], addresses: Dict[str, str]) -> None:
    """In one ERP a channel is one connection's, and order numbers are one storefront's. Raises `BrokenMapping`.

    `addresses` are the ERPs' by connection; one that is not configured yet meets nobody.
    """
    books: dict[str, list[Mapping]] = {}
    for mapping in mappings:
        address = addresses.get(mapping.connection, "").rstrip("/").casefold()
        for other in books.get(address, ()):
            if other.centra != mapping.centra:
                problem = (
                    f"{other.file} books the orders of {other.centra} in the same ERP: order 1001 of either shop would bear one "
                    "number there, and the one would be taken for the other"
                )
                raise BrokenMapping(mapping.file, "connection", "centra", problem)
            theirs = {market.channel: market.name for market in other.markets.values()}
            for market in mapping.markets.values():
                if market.channel in theirs:
                    problem = (
                        f"{other.file} sends {theirs[market.channel]} to channel {market.channel} of the same ERP too"
                    )
                    raise BrokenMapping(mapping.file, f'markets."{market.name}"', "channel", problem)
        if address:
            books.setdefault(address, []).append(mapping)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BrokenMapping(path.name, "", "", f"not UTF-8 text at byte {error.start}: save it as UTF-8") from error


def _toml(text: str, file: str) -> dict[str, object]:
    try:
        return tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise BrokenMapping(file, "", "", f"not TOML: {error}") from error


def _instant(value: datetime | date) -> datetime:
    if not isinstance(value, datetime):
        value = datetime.combine(value, time())
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Rule:
    """What the playbook says of one exception type."""

    type: str
    title: str
    meaning: str
    owner: str
    deputy: str
    act_within_minutes: int
    action: str
    verifier: str


@dataclass(frozen=True, slots=True)
class Playbook:
    """Owner, deadline and action of every exception type."""

    rules: Dict[str, Rule]

    def rule(self, type: str) -> Rule:
        """The rule of a type; a type nobody wrote a rule for is the integration's own dead letter."""
        return self.rules.get(type) or self.rules["DEAD_LETTER"]


def playbook(folder: Path | None = None) -> Playbook:
    """The playbook of a folder, or the package's own where the folder has none. Raises `BrokenMapping`."""
    path = (folder or Path(__file__).parent) / PLAYBOOK
    if not path.exists():
        path = Path(__file__).parent / PLAYBOOK
    return _rules(_text(path), path.name)


@lru_cache(maxsize=8)
def _rules(text: str, file: str) -> Playbook:
    told = check_playbook(_toml(text, file), file)
    return Playbook({type: Rule(type=type, **row) for type, row in told.items()})
