"""Shipments and returns as GraphQL shows them."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from integration.sandbox.centra_acts import Orders
from integration.sandbox.centra_money import line_value, tax_of
from integration.sandbox.centra_orders import Order, Payment
from integration.sandbox.centra_parcels import Return, Shipment, ShipmentLine, minor
from integration.sandbox.centra_run import Resolver
from integration.sandbox.centra_shapes import STORE_SHAPES, Shape, Shapes, address_shape, money
from integration.sandbox.centra_switches import CentraSwitches
from integration.sandbox.currencies import DECIMALS


class ParcelQueries:
    """Shapes of shipments and returns, and the resolvers of what leads from them to orders and back.

    What leads elsewhere is kept in keys that no schema has: the order's number and the ids.
    """

    def __init__(self, orders: Orders, shapes: Shapes, switches: CentraSwitches) -> None:
        self.orders, self.shapes, self.switches = orders, shapes, switches

    def resolvers(self) -> dict[tuple[str, str], Resolver]:
        return {
            ("DirectToConsumerOrder", "shipments"): lambda order, _: [
                self.shipment(shipment) for shipment in self.orders.find(order["number"]).shipments
            ],
            ("DirectToConsumerShipment", "order"): lambda shipment, _: self._order(shipment),
            ("DirectToConsumerShipment", "grandTotal"): self._grand_total,
            ("ShipmentLine", "orderLine"): lambda line, _: self._order_line(line),
            ("DirectToConsumerReturn", "order"): lambda made, _: self._order(made),
            ("DirectToConsumerReturn", "customer"): lambda made, _: self._order(made)["customer"],
            ("ReturnLine", "orderLine"): lambda line, _: self._order_line(line["shipmentLine"]),
        }

    def shipment(self, shipment: Shipment) -> Shape:
        """A DirectToConsumerShipment."""
        order = self.orders.find(shipment.order_number)
        costs, currency = shipment.costs, order.currency
        return {
            "__typename": "DirectToConsumerShipment",
            "order number": order.number,
            "id": shipment.id,
            "number": shipment.number,
            "createdAt": shipment.created_at,
            "updatedAt": shipment.updated_at,
            "isGoodToGo": shipment.good_to_go,
            "isPaid": shipment.paid_at is not None,
            "paidAt": shipment.paid_at,
            "isCaptured": shipment.captured_at is not None,
            "capturedAt": shipment.captured_at,
            "isShipped": shipment.shipped_at is not None,
            "shippedAt": shipment.shipped_at,
            "additionalMessage": shipment.message,
            "numberOfPackages": shipment.packages,
            "trackingNumber": shipment.tracking,
            "returnTrackingNumber": shipment.return_tracking,
            "internalShippingCost": money(*shipment.internal_cost) if shipment.internal_cost else None,
            "gross": money(shipment.grand_total, currency),
            "net": money(shipment.net_total, currency),
            "totals": {
                "shipping": money(costs.shipping, currency),
                "discounts": money(-costs.discounts, currency),
                "taxAdded": money(Decimal(0) if shipment.tax_inclusive else costs.tax, currency),
            },
            "carrierInformation": {"carrierName": shipment.carrier, "serviceName": shipment.service},
            "shippingAddress": address_shape(order, shipment.address),
            "lines": [self._shipment_line(order, shipment, line) for line in shipment.lines],
        }

    def returned(self, made: Return) -> Shape:
        """A DirectToConsumerReturn."""
        order = self.orders.find(made.order_number)
        return {
            "__typename": "DirectToConsumerReturn",
            "order number": order.number,
            "id": made.id,
            "createdAt": made.created_at,
            "returnStatus": "COMPLETED" if made.completed_at else "PENDING",
            "returnedToStock": made.returned_to_stock,
            "comment": made.comment,
            "store": STORE_SHAPES[order.store.id],
            "shipment": self.shipment(made.shipment),
            "grandTotal": money(made.grand_total, order.currency),
            "totals": _return_totals(order, made),
            "lines": [
                {
                    "id": line.id,
                    "quantity": line.quantity,
                    "shipmentLine": self._shipment_line(order, made.shipment, line.shipment_line),
                }
                for line in made.lines
            ],
            "refundPaymentHistory": [self.shapes.payment(order, entry) for entry in refunds_of(order, made)],
        }

    def _shipment_line(self, order: Order, shipment: Shipment, line: ShipmentLine) -> Shape:
        digits = DECIMALS[order.currency]
        value = line_value(minor(line.value, digits), line.percent, shipment.tax_inclusive, digits)
        shown = value.gross if self.switches.including_tax_default else value.net
        return {
            "id": line.id,
            "quantity": line.quantity,
            "lineValue": money(shown, order.currency),
            "order number": order.number,
            "order line": line.order_line_id,
        }

    def _grand_total(self, shipment: Shape, arguments: Mapping[str, Any]) -> Shape:
        including = arguments.get("includingTax")
        if including is None:
            including = self.switches.including_tax_default
        total: Shape = shipment["gross" if including else "net"]
        return total

    def _order(self, shape: Shape) -> Shape:
        return self.shapes.order(self.orders.find(shape["order number"]))

    def _order_line(self, line: Shape) -> Shape:
        """An order's line, a cancelled one too."""
        lines: list[Shape] = self._order(line)["lines"]
        return next(row for row in lines if row["id"] == line["order line"])


def refunds_of(order: Order, made: Return) -> list[Payment]:
    return [entry for entry in order.payments if entry.return_id == made.id]


def _return_totals(order: Order, made: Return) -> Shape:
    """The costs as they stand in the return; `returnCost` is a deduction. The tax a voucher bears is not shown."""
    costs, digits = made.costs, DECIMALS[order.currency]
    percent = order.country.tax_percent("standard")
    added = Decimal(0) if made.shipment.tax_inclusive else costs.tax
    found: Shape = {"discounts": money(-costs.discounts, order.currency), "discountTaxRules": []}
    found["taxAdded"] = money(added, order.currency)
    for name, rules, amount in (
        ("shipping", "shippingTaxRules", costs.shipping),
        ("handling", "handlingTaxRules", costs.handling),
        ("returnCost", "returnCostTaxRules", made.cost),
    ):
        found[name] = money(amount, order.currency)
        tax = tax_of(minor(amount, digits), percent, True) if made.shipment.tax_inclusive else 0
        found[rules] = [{"taxIncluded": money(Decimal(tax).scaleb(-digits), order.currency)}] if tax else []
    return found
