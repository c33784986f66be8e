"""Records as the plain dictionaries GraphQL walks through: one key per schema field, `__typename` where a type varies.

Fields that take arguments (`createdAt(format:)`, `lineValue(includingTax:)`, ...) keep their raw material here and get
their shape from a resolver. Shared things (currencies, countries, goods) are made once.
"""

from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any

from integration.sandbox.catalogue import (
    CENTRA_WAREHOUSES,
    COUNTRIES,
    MARKETS,
    PAYMENT_METHODS,
    SHIPPING_OPTIONS,
    STORES,
    WAREHOUSE_OF_MARKET,
    Country,
    shipping_options_of,
)
from integration.sandbox.centra_money import LineValue
from integration.sandbox.centra_orders import Line, Order, Payment
from integration.sandbox.centra_switches import CentraSwitches
from integration.sandbox.currencies import BASE_RATES, CURRENCY_IDS, DECIMALS
from integration.sandbox.goods import GOODS

Shape = dict[str, Any]

CURRENCIES: dict[str, Shape] = {
    code: {"id": number, "code": code, "name": code} for code, number in CURRENCY_IDS.items()
}
_RATES = {code: float(rate) for code, rate in BASE_RATES.items()}


def money(amount: Decimal, currency: str) -> Shape:
    """A MonetaryValue: a JSON number with at most the currency's decimals, and text such as `1 000.00 SEK`."""
    whole = amount == amount.to_integral_value()
    return {
        "value": int(amount) if whole else float(amount),
        "currency": CURRENCIES[currency],
        "formattedValue": f"{amount:,.{DECIMALS[currency]}f} {currency}".replace(",", " "),
        "conversionRate": _RATES[currency],
    }


@cache
def country_shape(code: str) -> Shape:
    country: Country = COUNTRIES[code]
    return {
        "id": country.id,
        "name": country.name,
        "code": code,
        "continent": country.continent,
        "isEU": country.is_eu,
        "states": [{"id": n, "name": name, "code": state} for n, (state, name) in enumerate(country.states, start=1)],
    }


STORE_SHAPES = {s.id: {"id": s.id, "name": s.name, "type": s.type} for s in STORES.values()}
RULE_SHAPES = {market_id: {"id": market_id, "name": f"Rule of {m.name}"} for market_id, m in MARKETS.items()}
MARKET_SHAPES: dict[int, Shape] = {
    market.id: {
        "id": market.id,
        "name": market.name,
        "comment": None,
        "store": STORE_SHAPES[market.store_id],
        "allocationRule": RULE_SHAPES[market.id],
        "assignedToCountries": [country_shape(code) for code in market.countries],
    }
    for market in MARKETS.values()
}
OPTION_SHAPES = {option.id: {"id": option.id, "name": option.name, "uri": option.uri} for option in SHIPPING_OPTIONS}
PRICELIST_SHAPES: dict[int, Shape] = {
    market.id: {
        "id": market.pricelist_id,
        "name": f"{market.name} {market.currency}",
        "status": "ACTIVE",
        "store": STORE_SHAPES[market.store_id],
        "currency": CURRENCIES[market.currency],
        "defaultShippingOption": OPTION_SHAPES[shipping_options_of(market.id)[0].id],
        "assignedToCountries": [country_shape(code) for code in market.countries],
    }
    for market in MARKETS.values()
}


def _warehouse_shapes() -> dict[int, Shape]:
    return {
        warehouse.id: {
            "id": warehouse.id,
            "name": warehouse.name,
            "status": "ACTIVE",
            "isHiddenFromStockView": False,
            "threshold": warehouse.threshold,
            "stockMaster": "EXTERNAL",
            "stockOwnership": "THIRD_PARTY",
            "allocationPolicy": "CHECK_FIRST",
            "isConsignation": False,
            "country": country_shape(warehouse.country),
            "state": None,
            "zipCode": None,
        }
        for warehouse in CENTRA_WAREHOUSES.values()
    }


def _product_shapes(born: datetime) -> dict[int, Shape]:
    """Products with variants and sizes, linked in both directions, by product id."""
    products: dict[int, Shape] = {}
    variants: dict[int, Shape] = {}
    for good in GOODS.values():
        product = products.setdefault(
            good.product_id,
            {
                "id": good.product_id, "name": good.product_name, "status": "ACTIVE",
                "productNumber": good.product_number, "isBundle": good.is_bundle, "isSerializableProduct": False,
                "harmonizedCommodityCode": None, "harmonizedCommodityCodeDescription": None, "countryOfOrigin": None,
                "internalComment": None, "weight": None, "createdAt": born, "updatedAt": born, "variants": [],
            },
        )  # fmt: skip
        variant = variants.get(good.variant_id)
        if variant is None:
            variant = variants[good.variant_id] = {
                "id": good.variant_id, "name": good.variant_name, "status": "ACTIVE",
                "variantNumber": good.variant_number, "internalName": None, "unitCost": None, "updatedAt": born,
                "product": product, "productSizes": [],
            }  # fmt: skip
            product["variants"].append(variant)
        variant["productSizes"].append(
            {
                "id": good.size_id, "description": good.size_name, "sizeNumber": good.size_number, "SKU": good.sku,
                "EAN": good.ean, "UPC": None, "size": {"id": good.size_id % 3 + 1, "name": good.size_number},
                "weight": None, "productVariant": variant, "updatedAt": born,
            }
        )  # fmt: skip
    return products


class Shapes:
    """The shapes that belong to one Centra: its goods (with their birthday), its warehouses and its orders."""

    def __init__(self, born: datetime, switches: CentraSwitches) -> None:
        self.switches = switches
        self.warehouses = _warehouse_shapes()
        self.products = _product_shapes(born)
        self.variants: dict[int, Shape] = {
            variant["id"]: variant for product in self.products.values() for variant in product["variants"]
        }
        self.sizes: dict[int, Shape] = {
            size["id"]: size for variant in self.variants.values() for size in variant["productSizes"]
        }

    def order(self, order: Order) -> Shape:
        """A DirectToConsumerOrder; remembered until the order changes."""
        if order.shown is None:
            order.shown = self._order(order)
        return order.shown

    def _order(self, order: Order) -> Shape:
        warehouse = self.warehouses[WAREHOUSE_OF_MARKET[order.market.id]]
        lines = zip(order.lines, order.totals.lines, strict=True)
        return {
            "__typename": "DirectToConsumerOrder",
            "id": order.id,
            "number": order.number,
            "status": order.status,
            "isOnHold": order.on_hold,
            "isWaitingForPayment": order.waiting_for_payment,
            "isLocked": order.locked,
            "isInternal": order.internal,
            "createdAt": order.created_at,
            "updatedAt": order.updated_at,
            "orderDate": order.created_at,
            "store": STORE_SHAPES[order.store.id],
            "market": MARKET_SHAPES[order.market.id],
            "pricelist": PRICELIST_SHAPES[order.market.id],
            "allocationRule": RULE_SHAPES[order.market.id],
            "grandTotal": money(order.grand_total, order.currency),
            "totals": _totals(order),
            "lines": [self._line(order, line, value, warehouse) for line, value in lines],
            "shippingAddress": address_shape(order, order.shipping_address),
            "billingAddress": address_shape(order, order.billing_address),
            "shippingPriceGroup": {"shippingOption": OPTION_SHAPES[order.shipping_option.id]},
            "paymentMethod": vars(PAYMENT_METHODS[order.payment]),
            "paymentHistory": [self.payment(order, entry) for entry in order.payments],
            "discountsApplied": _discounts(order),
            "internalComment": order.comment,
            "otherComment": None,
            "customer": {
                "id": order.customer.id,
                "email": order.customer.email,
                "firstName": order.customer.first_name,
                "lastName": order.customer.last_name,
                "lastOrder": None,
            },
        }

    def payment(self, order: Order, entry: Payment) -> Shape:
        """A PaymentHistoryEntry."""
        refund = entry.entry_type.startswith("REFUND") and self.switches.refund_values == "negative"
        return {
            "id": entry.id,
            "createdAt": entry.at,
            "status": entry.status,
            "entryType": entry.entry_type,
            "externalReference": entry.reference,
            "paymentMethod": entry.method,
            "paramsJSON": "{}",
            "value": money(-entry.value if refund else entry.value, order.currency),
        }

    def _line(self, order: Order, line: Line, value: LineValue, warehouse: Shape) -> Shape:
        size = self.sizes[line.good.size_id]
        original, paid = line.original_price, line.unit_price
        lowered = paid < original
        return {
            "id": line.id,
            "product": size["productVariant"]["product"],
            "productVariant": size["productVariant"],
            "productSize": size,
            "productName": line.good.product_name,
            "productVariantName": line.good.variant_name,
            "productNumber": line.good.product_number,
            "size": line.good.size_number,
            "quantity": line.quantity,
            "cancelledQuantity": line.cancelled,
            "shippedQuantity": line.shipped if self.switches.shipped_quantity == "created" else line.completed,
            "returnedQuantity": line.returned,
            "taxPercent": float(line.percent),
            "unitPrice": money(paid, order.currency),
            "unitOriginalPrice": money(original, order.currency),
            "discountPercent": round(float(100 * (original - paid) / original), 2) if lowered else 0.0,
            "hasAnyDiscount": lowered,
            "gross": money(value.gross, order.currency),
            "net": money(value.net, order.currency),
            "comment": line.comment,
            "allocations": [
                {"id": line.id, "quantity": line.allocated, "warehouse": warehouse, "stockChangeLine": None}
            ]
            if line.allocated
            else [],
        }  # fmt: skip


def _totals(order: Order) -> Shape:
    totals, currency = order.totals, order.currency
    return {
        "quantity": sum(line.quantity for line in order.lines),
        "lineValues": money(totals.line_values, currency),
        "shipping": money(totals.shipping, currency),
        "handling": money(totals.handling, currency),
        "discounts": money(totals.discounts, currency),
        "taxAdded": money(totals.tax_added, currency),
        "taxDeducted": money(Decimal(0), currency),
        "taxIncluded": money(totals.tax_included, currency),
        "shippingTaxIncluded": money(totals.shipping_tax, currency),
    }


def address_shape(order: Order, words: dict[str, str]) -> Shape:
    states = {state["code"]: state for state in country_shape(order.country.code)["states"]}
    return {
        "firstName": None, "lastName": None, "companyName": None, "attention": None, "address1": None,
        "address2": None, "city": None, "zipCode": None, "stateOrProvince": None, "email": None, "phoneNumber": None,
        "cellPhoneNumber": None, "faxNumber": None, "vatNumber": None,
        **words,
        "country": country_shape(order.country.code),
        "state": states.get(words.get("stateOrProvince", "")),
    }  # fmt: skip


def _discounts(order: Order) -> list[Shape]:
    return [
        {
            "__typename": "AppliedVoucher",
            "value": money(value, order.currency),
            "date": order.created_at,
            "voucher": {"id": voucher.id, "name": voucher.name, "code": voucher.code, "type": voucher.type},
        }
        for (voucher, _), value in zip(order.vouchers, order.totals.applied, strict=True)
    ]
