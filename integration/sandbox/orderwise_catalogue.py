"""The tenant's own records: sessions, locations, delivery and payment methods, taxes, status texts, customers.

All of it is invented, as every tenant's is; only the kinds of record and the role of their ids follow what was seen. Goods,
currencies and tax rates are the shared catalogue's.
"""

from dataclasses import dataclass

from integration.sandbox import catalogue

USER, PASSWORD = "lockstep", "sandbox-password"
LEEDS, LEEDS_RETURNS = 12, 13
"""Stock locations: what is sold lies in the first, what comes back in the second."""
LOCATIONS = {LEEDS: "Leeds", LEEDS_RETURNS: "Leeds returns"}
WEB_CUSTOMER = 1375
"""The customer all web orders are booked on."""

SESSIONS = {20 + market.id: f"Centra {market.name}" for market in catalogue.MARKETS.values()}
"""E-commerce sessions: one for each shop. Centra's market n comes in by session 20 + n."""


def currency_of(session: int) -> str:
    """ISO code; raises `KeyError` for a session that is no market's."""
    return catalogue.MARKETS[session - 20].currency


@dataclass(frozen=True)
class Method:
    """A delivery method with its courier (None for direct from the supplier)."""

    id: int
    name: str
    courier: str | None


METHODS = tuple(
    Method(number, name, courier)
    for number, (name, courier) in enumerate(
        (
            ("Royal Mail Tracked 48", "Royal Mail"),
            ("Royal Mail Tracked 24", "Royal Mail"),
            ("Royal Mail Local Collect", "Royal Mail"),
            ("PostNL Standard", "PostNL"),
            ("DHL Express", "DHL"),
            ("DHL ServicePoint", "DHL"),
            ("PostNord Home", "PostNord"),
            ("PostNord MyPack", "PostNord"),
            ("UPS Ground", "UPS"),
            ("UPS Next Day", "UPS"),
            ("UPS Access Point", "UPS"),
            ("Yamato Takkyubin", "Yamato"),
            ("Aramex Domestic", "Aramex"),
            ("City Courier", "City Courier"),
            ("Direct from supplier", None),
        ),
        start=1,
    )
)
DIRECT = METHODS[-1].id
COURIERS = {
    name: (number, f"https://track.example.invalid/{name.lower().replace(' ', '-')}/", "?lang=en")
    for number, name in enumerate(dict.fromkeys(method.courier for method in METHODS if method.courier), start=1)
}
"""Courier to its id and the two parts of its tracking link."""

PAYMENT_METHODS = {1: "adyen", 2: "klarna", 3: "paypal", 4: "gift_card"}


@dataclass(frozen=True)
class Tax:
    """A VAT rate; `code` is what XML says, `id` what JSON says, `percent` as text."""

    id: int
    code: str
    name: str
    percent: str


TAXES = tuple(
    Tax(number, {1: "T1", 2: "T0"}.get(number, f"T{number + 7}"), tax.name, str((tax.rate * 100).normalize()))
    for number, tax in enumerate(catalogue.FULFIL_TAXES, start=1)
)
"""T1 is standard and T0 zero in Britain, as integrators show; the others are numbered on from T10."""

AWAITING, HELD, PARTLY, COMPLETED, INVOICE, DISPATCHED, CANCELLED, PICKING = range(1, 9)
STATUSES = {
    AWAITING: "Awaiting despatch",
    HELD: "On hold",
    PARTLY: "Partially despatched",
    COMPLETED: "Completed",
    INVOICE: "Invoice Waiting to be Printed",
    DISPATCHED: "Dispatched",
    CANCELLED: "Cancelled",
    PICKING: "Being picked",
}
"""Ids are invented, but 4, 5 and 6 count as sold at one integrator; the last two texts are invented, the others were seen."""

DISCOUNTS = {voucher.code for voucher in catalogue.VOUCHERS.values()} | {"SUMMER10", "Gift wrap", "Goodwill"}
"""Names of discounts and surcharges there are records of: an order in XML that names another one errors."""
ORDER_TYPES = {1: "Order", 2: "Quote", 3: "Paused", 4: "Credit", 5: "Schedule", 6: "Bulk"}
CUSTOMERS = (("WEB001", "Web shop customers"), ("HOTEL01", "The Example Hotel"), ("SHOP01", "Example & Daughters"))
