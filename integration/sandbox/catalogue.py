"""What both sandbox shops know before the first order: stores, markets, taxes, goods, vouchers, channels, warehouses.

Plain frozen records. Amounts are `Decimal` in major units (`Decimal("12.50")` is twelve pounds fifty), tax rates are
percentages (`Decimal("20")`) on Centra's side and fractions (`Decimal("0.20")`) on Fulfil's, as each system shows them.
Everything here is invented; only the shapes follow the two vendors.
"""

from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from integration.sandbox.currencies import BASE_CURRENCY, BASE_RATES, CURRENCY_IDS, DECIMALS, in_every_currency
from integration.sandbox.goods import ERP_SKUS, GOODS, SYNTHETIC, UNKNOWN_SKUS, Good, goods_by_size_id

__all__ = [
    "BASE_CURRENCY", "BASE_RATES", "CENTRA_WAREHOUSES", "COUNTRIES", "CURRENCY_IDS", "DECIMALS", "ERP_SKUS", "FULFIL_BUILDINGS",
    "FULFIL_CARRIER_SERVICES", "FULFIL_CHANNELS", "FULFIL_GATEWAYS", "FULFIL_TAXES", "FULFIL_WAREHOUSES", "GOODS",
    "MARKETS", "OPENING_STOCK", "ORDERWISE_MARKETS", "PAYMENT_METHODS", "SHIPPING_OPTIONS", "STORES", "SYNTHETIC", "UNKNOWN_SKUS", "UNMAPPED_MARKET",
    "UNMAPPED_SERVICE", "VOUCHERS", "WAREHOUSE_OF_MARKET", "CentraWarehouse", "Country", "FulfilCarrierService", "FulfilChannel",
    "FulfilTax", "FulfilWarehouse", "Good", "Market", "PaymentMethod", "ShippingOption", "Store", "Voucher",
    "goods_by_size_id", "market_of_country", "shipping_options_of", "voucher_amount",
]  # fmt: skip


@dataclass(frozen=True)
class Store:
    """A Centra store; `tax_inclusive` says whether its prices contain tax."""

    id: int
    name: str
    tax_inclusive: bool
    type: str = "DIRECT_TO_CONSUMER"


@dataclass(frozen=True)
class Market:
    """A Centra market: one store, one currency, the countries (ISO 3166 alpha-2) it sells to."""

    id: int
    name: str
    currency: str
    store_id: int
    countries: tuple[str, ...]
    pricelist_id: int


@dataclass(frozen=True)
class Country:
    """A country and its tax percentages by product class; a class without an entry pays "standard"."""

    id: int
    code: str
    name: str
    continent: str
    is_eu: bool
    taxes: dict[str, Decimal]
    states: tuple[tuple[str, str], ...] = ()

    def tax_percent(self, tax_class: str) -> Decimal:
        return self.taxes.get(tax_class, self.taxes["standard"])


def _taxes(**percents: str) -> dict[str, Decimal]:
    return {name: Decimal(percent) for name, percent in percents.items()}


STORES = {
    store.id: store
    for store in (
        Store(1, "Europe", True),
        Store(2, "America", False),
        Store(3, "Asia", True),
        Store(4, "Outlet", True),
        Store(5, "Wholesale", False),
    )
}

MARKETS = {
    market.id: market
    for market in (
        Market(1, "United Kingdom", "GBP", 1, ("GB",), 21),
        Market(2, "Eurozone", "EUR", 1, ("DE", "FR", "NL", "IE"), 22),
        Market(3, "Sweden", "SEK", 1, ("SE",), 23),
        Market(4, "United States", "USD", 2, ("US",), 24),
        Market(5, "Japan", "JPY", 3, ("JP",), 25),
        Market(6, "Kuwait", "KWD", 3, ("KW",), 26),
        Market(7, "Norway", "NOK", 1, ("NO",), 27),
        Market(8, "United Kingdom", "GBP", 4, ("GB",), 28),
        Market(9, "United Kingdom", "GBP", 5, ("GB",), 29),
    )
}

ORDERWISE_MARKETS = (8, 9)
"""Two storefronts on one stock pool in OrderWise; no day of the generator sells there unless it is asked to."""

UNMAPPED_MARKET = 7
"""The market no mapping file names: its orders must stop with a business exception, not with a crash."""

UNMAPPED_SERVICE = "city-courier"
"""The carrier service no shipping option stands for and no mapping file names: the warehouse's own idea."""

COUNTRIES = {
    country.code: country
    for country in (
        Country(1, "GB", "United Kingdom", "Europe", False, _taxes(standard="20", kids="0")),
        Country(2, "DE", "Germany", "Europe", True, _taxes(standard="19", books="7")),
        Country(3, "FR", "France", "Europe", True, _taxes(standard="20", books="5.5")),
        Country(4, "NL", "Netherlands", "Europe", True, _taxes(standard="21", books="9")),
        Country(5, "IE", "Ireland", "Europe", True, _taxes(standard="23", kids="0")),
        Country(6, "SE", "Sweden", "Europe", True, _taxes(standard="25", food="12", books="6")),
        Country(
            7, "US", "United States", "North America", False, _taxes(standard="8.875", kids="0"),
            (("NY", "New York"), ("NJ", "New Jersey"), ("CA", "California")),
        ),
        Country(8, "JP", "Japan", "Asia", False, _taxes(standard="10", food="8")),
        Country(9, "KW", "Kuwait", "Asia", False, _taxes(standard="0")),
        Country(10, "NO", "Norway", "Europe", False, _taxes(standard="25")),
    )
}  # fmt: skip


@dataclass(frozen=True)
class ShippingOption:
    """A shipping method of one market; `price` in the market's currency, gross where the store is tax-inclusive."""

    id: int
    market_id: int
    name: str
    uri: str
    price: Decimal


@dataclass(frozen=True)
class PaymentMethod:
    """A way to pay, in Centra's three words."""

    uri: str
    plugin: str
    name: str


def _shipping_options() -> tuple[ShippingOption, ...]:
    """Three per market (from Japan on there is no pick-up point); the dearer one is the faster one."""
    prices = {1: "4.95", 2: "5.90", 3: "49", 4: "6.99", 5: "800", 6: "1.750", 7: "59", 8: "3.95", 9: "9.95"}
    options: list[ShippingOption] = []
    for market_id, price in prices.items():
        standard = Decimal(price)
        kinds = [("Standard", "standard", standard), ("Express", "express", standard * 3)]
        if market_id <= 4:
            kinds.append(("Pick-up point", "pick-up-point", standard - Decimal(1)))
        for name, uri, amount in kinds:
            options.append(ShippingOption(100 + len(options) + 1, market_id, name, uri, amount))
    return tuple(options)


SHIPPING_OPTIONS = _shipping_options()

PAYMENT_METHODS = {
    method.uri: method
    for method in (
        PaymentMethod("card", "adyen", "Card"),
        PaymentMethod("klarna", "klarna", "Klarna"),
        PaymentMethod("paypal", "paypal", "PayPal"),
        PaymentMethod("gift-card", "gift_card", "Gift card"),
    )
}


@dataclass(frozen=True)
class Voucher:
    """A discount by name. `type` is the sandbox's word (Centra's list of voucher types is unconfirmed):

    PERCENTAGE (`amount` = percent of the goods), FIXED_AMOUNT (`amount` = in pounds, see `voucher_amount`),
    FREE_SHIPPING, GIFT_CARD (a tender: pays, does not change the tax), CAMPAIGN (lowers the unit price by `amount`
    percent and never shows as an applied voucher).
    """

    id: int
    name: str
    code: str
    type: str
    amount: Decimal = Decimal(0)


VOUCHERS = {
    voucher.code: voucher
    for voucher in (
        Voucher(1, "Welcome 10 %", "WELCOME10", "PERCENTAGE", Decimal(10)),
        Voucher(2, "Loyalty 15 %", "LOYAL15", "PERCENTAGE", Decimal(15)),
        Voucher(3, "Staff 33.3 %", "STAFF333", "PERCENTAGE", Decimal("33.3")),
        Voucher(4, "Press gift 100 %", "PRESS100", "PERCENTAGE", Decimal(100)),
        Voucher(5, "Five off", "FIVEOFF", "FIXED_AMOUNT", Decimal(5)),
        Voucher(6, "Twenty off", "TWENTYOFF", "FIXED_AMOUNT", Decimal(20)),
        Voucher(7, "Free shipping", "FREESHIP", "FREE_SHIPPING"),
        Voucher(8, "Gift card", "GIFTCARD", "GIFT_CARD", Decimal(25)),
        Voucher(9, "Mid-season sale", "MIDSEASON", "CAMPAIGN", Decimal(20)),
    )
}


def voucher_amount(voucher: Voucher, currency: str) -> Decimal:
    """What a FIXED_AMOUNT voucher or a gift card is worth in `currency`, major units."""
    return in_every_currency(voucher.amount)[currency]


@dataclass(frozen=True)
class CentraWarehouse:
    """A warehouse as Centra numbers it; `fulfil_id` is the same building in Fulfil (0: OrderWise's), `threshold` the pieces of
    every SKU that the shop keeps back (never subtracted from GraphQL's numbers).
    """

    id: int
    name: str
    country: str
    fulfil_id: int = 0
    threshold: int = 0


CENTRA_WAREHOUSES = {
    warehouse.id: warehouse
    for warehouse in (
        CentraWarehouse(1, "London", "GB", 4),
        CentraWarehouse(2, "Rotterdam", "NL", 65),
        CentraWarehouse(3, "New Jersey", "US", 66),
        CentraWarehouse(4, "Osaka", "JP", 67),
        CentraWarehouse(5, "Leeds", "GB"),
    )
}

FULFIL_BUILDINGS = {id: warehouse for id, warehouse in CENTRA_WAREHOUSES.items() if warehouse.fulfil_id}
"""The warehouses that Fulfil stands behind."""

WAREHOUSE_OF_MARKET = {1: 1, 2: 2, 3: 2, 4: 3, 5: 4, 6: 4, 7: 2, 8: 5, 9: 5}
"""Centra market id to the Centra warehouse that serves it."""

OPENING_STOCK = 5000
"""Pieces of every plain SKU in every warehouse at the start, in both systems."""


@dataclass(frozen=True)
class FulfilChannel:
    """A Fulfil sale channel."""

    id: int
    name: str
    currency: str


@dataclass(frozen=True)
class FulfilWarehouse:
    """A Fulfil warehouse; `code` is what people say."""

    id: int
    code: str
    name: str


@dataclass(frozen=True)
class FulfilCarrierService:
    """A shipping service one channel may use; `shipping_option` is the Centra uri it stands for, if any."""

    id: int
    channel_id: int
    code: str
    carrier: str
    shipping_option: str


@dataclass(frozen=True)
class FulfilTax:
    """A tax in the ERP: `rate` is a fraction; `country` and `percent` say which Centra lines it is for."""

    id: int
    name: str
    rate: Decimal
    country: str

    @property
    def percent(self) -> Decimal:
        return self.rate * 100


FULFIL_CHANNELS = {
    channel.id: channel
    for channel in (
        FulfilChannel(1, "Web UK", "GBP"),
        FulfilChannel(2, "Web Europe", "EUR"),
        FulfilChannel(3, "Web Sweden", "SEK"),
        FulfilChannel(4, "Web America", "USD"),
        FulfilChannel(5, "Web Japan", "JPY"),
        FulfilChannel(6, "Web Kuwait", "KWD"),
        FulfilChannel(7, "Web Norway", "NOK"),
    )
}
"""Centra market n is served by channel n; the unmapped market's waits for its mapping."""

FULFIL_WAREHOUSES = {
    warehouse.id: warehouse
    for warehouse in (
        FulfilWarehouse(4, "LON", "London"),
        FulfilWarehouse(65, "RTM", "Rotterdam"),
        FulfilWarehouse(66, "NJ", "New Jersey"),
        FulfilWarehouse(67, "OSA", "Osaka"),
    )
}

FULFIL_CARRIER_SERVICES = tuple(
    FulfilCarrierService(30 + number, channel_id, code, carrier, option)
    for number, (channel_id, code, carrier, option) in enumerate(
        (
            (1, "royal-mail-48", "Royal Mail", "standard"),
            (1, "royal-mail-24", "Royal Mail", "express"),
            (1, "royal-mail-local-collect", "Royal Mail", "pick-up-point"),
            (2, "postnl-standard", "PostNL", "standard"),
            (2, "dhl-express", "DHL", "express"),
            (2, "dhl-service-point", "DHL", "pick-up-point"),
            (3, "postnord-home", "PostNord", "standard"),
            (3, "dhl-express", "DHL", "express"),
            (3, "postnord-mypack", "PostNord", "pick-up-point"),
            (4, "ups-ground", "UPS", "standard"),
            (4, "ups-next-day", "UPS", "express"),
            (4, "ups-access-point", "UPS", "pick-up-point"),
            (5, "yamato-takkyubin", "Yamato", "standard"),
            (5, "dhl-express", "DHL", "express"),
            (6, "aramex-domestic", "Aramex", "standard"),
            (6, "dhl-express", "DHL", "express"),
            (7, "postnord-home", "PostNord", "standard"),
            (7, "dhl-express", "DHL", "express"),
            (1, UNMAPPED_SERVICE, "City Courier", ""),
        )
    )
)

FULFIL_TAXES = tuple(
    FulfilTax(10 + number, name, Decimal(rate), country)
    for number, (name, rate, country) in enumerate(
        (
            ("UK VAT Standard", "0.20", "GB"),
            ("UK VAT Zero", "0", "GB"),
            ("DE VAT Standard", "0.19", "DE"),
            ("DE VAT Reduced", "0.07", "DE"),
            ("FR VAT Standard", "0.20", "FR"),
            ("FR VAT Reduced", "0.055", "FR"),
            ("NL VAT Standard", "0.21", "NL"),
            ("NL VAT Reduced", "0.09", "NL"),
            ("IE VAT Standard", "0.23", "IE"),
            ("IE VAT Zero", "0", "IE"),
            ("SE VAT Standard", "0.25", "SE"),
            ("SE VAT Food", "0.12", "SE"),
            ("SE VAT Books", "0.06", "SE"),
            ("US Sales Tax", "0.08875", "US"),
            ("US Exempt", "0", "US"),
            ("JP Consumption Tax", "0.10", "JP"),
            ("JP Reduced", "0.08", "JP"),
            ("KW Zero", "0", "KW"),
            ("NO VAT Standard", "0.25", "NO"),
            ("NO VAT Food", "0.15", "NO"),
        )
    )
)

FULFIL_GATEWAYS = ("adyen", "klarna", "paypal", "gift_card")
"""Payment gateway codes; each is the `plugin` of one Centra payment method."""


@cache
def shipping_options_of(market_id: int) -> tuple[ShippingOption, ...]:
    return tuple(option for option in SHIPPING_OPTIONS if option.market_id == market_id)


def market_of_country(code: str) -> Market:
    """The market that sells to a country; raises `KeyError` when none does."""
    for market in MARKETS.values():
        if code in market.countries:
            return market
    raise KeyError(f"no market sells to {code}")
